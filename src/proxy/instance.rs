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
};
use crate::{lock::Lock, observation::Volatile, scenario::Api};

/// How long a proxy may take to end by itself.
const GRACE: Duration = Duration::from_secs(2);

/// A running proxy. Dropping it kills its whole process group at once.
#[derive(Debug)]
pub struct Instance {
    root: String,
    proxy_key: String,
    mapping: Mapping,
    volatile: Vec<Volatile>,
    group: Mutex<RunningProcess>,
    log: Log,
    _in_use: Option<Arc<Lock>>,
}

impl Instance {
    /// `in_use` is held as long as the instance is there.
    pub(super) fn new(
        port: u16,
        proxy_key: String,
        mapping: Mapping,
        volatile: Vec<Volatile>,
        group: RunningProcess,
        log: Log,
        in_use: Option<Arc<Lock>>,
    ) -> Self {
        let root = format!("http://127.0.0.1:{port}");
        Self { root, proxy_key, mapping, volatile, group: Mutex::new(group), log, _in_use: in_use }
    }

    /// `http://127.0.0.1:PORT`
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The key that callers show to the proxy.
    pub fn proxy_key(&self) -> &str {
        &self.proxy_key
    }

    /// What must never come out of the proxy: its key, which is its master key too.
    pub fn secrets(&self) -> Vec<String> {
        vec![self.proxy_key.clone()]
    }

    /// What varies by itself in the proxy's own words.
    pub fn volatile(&self) -> &[Volatile] {
        &self.volatile
    }

    /// The headers that a request for this route carries besides the API's own: auth, and what the
    /// definition's `request.headers` says. Names in lower case.
    pub fn headers(&self, route: &ProxyRoute) -> Vec<(String, String)> {
        self.mapping.headers(route)
    }

    /// Where a request for this route goes, below [`Instance::root`], where the definition says so;
    /// elsewhere it is the API's own path.
    pub fn path(&self, api: Api, stream: bool, route: &ProxyRoute) -> Option<String> {
        self.mapping.path(api, stream, route)
    }

    /// Members that the definition's `request.body` lays over the body of a request for this route.
    pub fn body(&self, route: &ProxyRoute) -> serde_json::Map<String, serde_json::Value> {
        self.mapping.body(route)
    }

    /// The file that both of its output streams go to. A log that floods is cut down to its end.
    pub fn log_path(&self) -> &Path {
        self.log.path()
    }

    /// The last lines of its log, of the last 64 KiB.
    pub fn log_tail(&self, lines: usize) -> String {
        self.log.tail(lines)
    }

    pub(super) fn quoted_tail(&self, lines: usize) -> String {
        self.log.quoted_tail(lines)
    }

    /// How the process ended, if it did: `was killed by signal 9`, `exited with code 1`.
    pub fn exited(&self) -> Option<String> {
        let mut group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        group.ended().map(process::how)
    }

    /// Kills the whole process group without waiting for it to be gone.
    pub fn kill(&self) {
        self.group.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }

    /// Ends the whole process group: SIGTERM, two seconds, SIGKILL. Afterwards its port is free.
    pub async fn stop(self) {
        let Self { group, log, _in_use, .. } = self;
        group.into_inner().unwrap_or_else(PoisonError::into_inner).stop(GRACE).await;
        drop(log);
    }
}
