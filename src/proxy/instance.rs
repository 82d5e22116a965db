//! A running proxy.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    addressing::Addressing,
    log::Log,
    process::{self, RunningProcess},
    service::RunningService,
};
use crate::lock::Lock;

/// How long a proxy may take to exit after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// A running proxy. Dropping it kills its process group immediately.
#[derive(Debug)]
pub struct Instance {
    addressing: Addressing,
    group: Mutex<RunningProcess>,
    log: Log,
    services: Mutex<Vec<RunningService>>,
    _in_use: Option<Arc<Lock>>,
}

impl Instance {
    /// Creates an instance, which holds the lock `in_use` as long as it exists.
    pub(super) fn new(
        addressing: Addressing,
        group: RunningProcess,
        log: Log,
        in_use: Option<Arc<Lock>>,
    ) -> Self {
        let (group, services) = (Mutex::new(group), Mutex::new(Vec::new()));
        Self { addressing, group, log, services, _in_use: in_use }
    }

    /// The instance with the services that it uses, which end with it.
    pub(super) fn with_services(self, services: Vec<RunningService>) -> Self {
        Self { services: Mutex::new(services), ..self }
    }

    /// Sets the port that it listens on, if it has chosen one itself.
    pub(super) fn listens_on(&mut self, port: u16) {
        self.addressing.listens_on(port);
    }

    /// Returns how callers reach it.
    pub fn addressing(&self) -> &Addressing {
        &self.addressing
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
