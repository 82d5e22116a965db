//! A running proxy.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    log::Log,
    process::{self, RunningProcess},
    request::Mapping,
    route::ProxyRoute,
    service::RunningService,
};
use crate::{lock::Lock, observation::Volatile, scenario::Api};

/// How long a proxy may take to exit after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// A running proxy. Dropping it kills its process group immediately.
#[derive(Debug)]
pub struct Instance {
    root: String,
    proxy_key: String,
    mapping: Mapping,
    caches: bool,
    volatile: Vec<Volatile>,
    group: Mutex<RunningProcess>,
    log: Log,
    services: Mutex<Vec<RunningService>>,
    _in_use: Option<Arc<Lock>>,
}

impl Instance {
    /// Creates an instance, which holds the lock `in_use` as long as it exists.
    pub(super) fn new(
        port: u16,
        proxy_key: String,
        mapping: Mapping,
        (caches, volatile): (bool, Vec<Volatile>),
        group: RunningProcess,
        log: Log,
        in_use: Option<Arc<Lock>>,
    ) -> Self {
        let root = format!("http://127.0.0.1:{port}");
        let (group, services) = (Mutex::new(group), Mutex::new(Vec::new()));
        Self { root, proxy_key, mapping, caches, volatile, group, log, services, _in_use: in_use }
    }

    /// The instance with the services that it uses, which end with it.
    pub(super) fn with_services(self, services: Vec<RunningService>) -> Self {
        Self { services: Mutex::new(services), ..self }
    }

    /// Sets the port that it listens on, if it has chosen one itself.
    pub(super) fn listens_on(&mut self, port: u16) {
        self.root = format!("http://127.0.0.1:{port}");
    }

    /// `http://127.0.0.1:PORT`
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Returns the key with which callers authenticate.
    pub fn proxy_key(&self) -> &str {
        &self.proxy_key
    }

    /// Returns the secrets that must never appear in the proxy's responses: its key, which is also its master
    /// key.
    pub fn secrets(&self) -> Vec<String> {
        vec![self.proxy_key.clone()]
    }

    /// Returns whether the proxy answers a request like an earlier one from a cache.
    pub fn caches(&self) -> bool {
        self.caches
    }

    /// Returns the patterns of text in the proxy's responses that varies between runs.
    pub fn volatile(&self) -> &[Volatile] {
        &self.volatile
    }

    /// Returns the headers to add to the API's own headers in a request for this route: authentication, and
    /// the definition's `request.headers`. The names are in lower case.
    pub fn headers(&self, route: &ProxyRoute) -> Vec<(String, String)> {
        self.mapping.headers(route)
    }

    /// Returns the path of a request for this route below [`Instance::root`], or `None` if the definition
    /// does not specify one; then it is the API's own path.
    pub fn path(&self, api: Api, stream: bool, route: &ProxyRoute) -> Option<String> {
        self.mapping.path(api, stream, route)
    }

    /// Returns the members of the definition's `request.body`. They replace or extend those in the body of a
    /// request for this route.
    pub fn body(&self, route: &ProxyRoute) -> serde_json::Map<String, serde_json::Value> {
        self.mapping.body(route)
    }

    /// Returns the file that contains both output streams. If the log exceeds its limit, only its end is
    /// kept.
    pub fn log_path(&self) -> &Path {
        self.log.path()
    }

    /// Returns the last lines of the last 64 KiB of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        self.log.tail(lines)
    }

    /// Returns the last 64 KiB of its log.
    pub(super) fn log_text(&self) -> String {
        self.log.tail(usize::MAX)
    }

    pub(super) fn quoted_tail(&self, lines: usize) -> String {
        self.log.quoted_tail(lines)
    }

    /// Returns how the process or one of its services ended, or `None` if they are running: `was killed by signal 9`,
    /// `exited with code 1`.
    pub fn exited(&self) -> Option<String> {
        let mut group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        group.ended().map(process::how).or_else(|| services.iter_mut().find_map(RunningService::exited))
    }

    /// Kills the process group and does not wait for its end.
    pub fn kill(&self) {
        self.group.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }

    /// Ends the process group: sends SIGTERM, waits for at most two seconds, then sends SIGKILL. Afterwards
    /// the port is free.
    pub async fn stop(self) {
        let Self { group, log, services, _in_use, .. } = self;
        group.into_inner().unwrap_or_else(PoisonError::into_inner).stop(GRACE).await;
        for service in services.into_inner().unwrap_or_else(PoisonError::into_inner) {
            service.stop().await;
        }
        drop(log);
    }
}
