//! Services: programs that each instance of a proxy uses, such as Redis. upfault starts them before the proxy and stops them
//! after it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::{
    definition::Definition,
    error::ProxyError,
    log::{LIMIT, Log},
    port::Reserved,
    process::{self, ProcessCommand, RunningProcess},
    template::{self, TemplateContext},
    text::Text,
    variant::ServiceDocument,
};
use crate::shell;

/// The interval between two checks whether a service is ready.
const EVERY: Duration = Duration::from_millis(100);

/// How long a service may take to exit after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// The address and the folder of a service, as templates see them: `services.NAME.port`, `services.NAME.dir`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ServicePlace {
    /// A free port on loopback.
    pub(super) port: u16,
    /// An empty folder.
    pub(super) dir: PathBuf,
}

/// The places of the services of an instance, by name.
pub(super) type ServicePlaces = BTreeMap<String, ServicePlace>;

/// Ports that are reserved until the services listen on them.
#[derive(Debug, Default)]
pub(super) struct ReservedServices {
    pub(super) places: ServicePlaces,
    _ports: Vec<Reserved>,
}

impl ReservedServices {
    /// Reserves a port for each service of the definition. Its folders are below `work_dir`.
    pub(super) fn new(definition: &Definition, work_dir: &Path) -> Result<Self, ProxyError> {
        let mut reserved = Self::default();
        for name in definition.mode.services.keys() {
            let port = Reserved::new(true).map_err(ProxyError::io("reserve a free port for", work_dir))?;
            let place = ServicePlace { port: port.port(), dir: work_dir.join(format!("service-{name}")) };
            reserved.places.insert(name.clone(), place);
            reserved._ports.push(port);
        }
        Ok(reserved)
    }
}

/// A running service. Dropping it kills it.
#[derive(Debug)]
pub(super) struct RunningService {
    name: String,
    group: RunningProcess,
    _log: Log,
}

impl RunningService {
    /// Starts the services of a definition one after the other, and waits until each is ready.
    ///
    /// # Errors
    ///
    /// [`ProxyError::Service`] with the end of its log; [`ProxyError::Io`].
    pub(super) async fn start_all(
        definition: &Definition,
        values: &TemplateContext,
        reserved: &ReservedServices,
        environment: &[(OsString, OsString)],
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<Vec<Self>, ProxyError> {
        let mut running = Vec::new();
        for (name, document) in &definition.mode.services {
            let Some(place) = reserved.places.get(name) else { continue };
            progress(format!("starting {name} for {}", definition.title()));
            let starting = Starting { definition, name, values, folder: &place.dir, environment };
            running.push(starting.start(document).await?);
        }
        Ok(running)
    }

    /// Returns how it ended, or `None` if it is running: `its service redis exited with code 1`.
    pub(super) fn exited(&mut self) -> Option<String> {
        let how = process::how(self.group.ended()?);
        Some(format!("lost its service {}, which {how}", self.name))
    }

    /// Ends it: sends SIGTERM, waits for at most two seconds, then sends SIGKILL.
    pub(super) async fn stop(self) {
        self.group.stop(GRACE).await;
    }
}

/// A service that is being started.
struct Starting<'a> {
    definition: &'a Definition,
    name: &'a str,
    values: &'a TemplateContext,
    folder: &'a Path,
    environment: &'a [(OsString, OsString)],
}

impl Starting<'_> {
    async fn start(&self, document: &ServiceDocument) -> Result<RunningService, ProxyError> {
        fs::create_dir_all(self.folder).map_err(ProxyError::io("create", self.folder))?;
        let path = self.folder.with_extension("log");
        let (mut log, output) = Log::create(path.clone()).map_err(ProxyError::io("write", &path))?;
        log.watch(LIMIT);
        let mut environment = self.environment.to_vec();
        let engine = template::environment(&self.definition.source);
        for (name, text) in &document.env {
            let value = template::render(&engine, &self.definition.source, text, self.values)?;
            environment.push((name.into(), value.into()));
        }
        let failed = |words: &[String], how: String, log: &Log| ProxyError::Service {
            proxy: self.definition.title().into(),
            service: self.name.into(),
            command: shell::command(words).into(),
            how: how.into(),
            tail: log.quoted_tail(12).into(),
            log: path.clone(),
        };
        let render = |command: &[Text]| {
            template::render_command(&engine, &self.definition.source, command, self.values)
        };
        let spawn = |words: &[String], log: &Log| {
            let command = ProcessCommand {
                words,
                directory: self.folder,
                environment: environment.clone(),
                output: &output,
            };
            RunningProcess::spawn(&command)
                .map_err(|error| failed(words, format!("cannot run: {error}"), log))
        };
        let deadline = Instant::now() + document.within;
        let late = || format!("took longer than {}", humantime::format_duration(document.within));
        for command in &document.prepare {
            let words = render(command)?;
            let mut group = spawn(&words, &log)?;
            match tokio::time::timeout_at(deadline, group.wait()).await {
                Ok(status) if status.success() => {}
                Ok(status) => return Err(failed(&words, process::how(status), &log)),
                Err(_) => return Err(failed(&words, late(), &log)),
            }
        }
        let words = render(&document.command)?;
        let mut group = spawn(&words, &log)?;
        let check = render(&document.ready)?;
        loop {
            let mut checking = spawn(&check, &log)?;
            let answer = tokio::time::timeout_at(deadline, checking.wait()).await;
            if let Some(status) = group.ended() {
                return Err(failed(&words, format!("{} before it was ready", process::how(status)), &log));
            }
            match answer {
                Ok(status) if status.success() => break,
                Ok(_) if Instant::now() < deadline => sleep(EVERY).await,
                _ => return Err(failed(&check, late(), &log)),
            }
        }
        Ok(RunningService { name: self.name.to_owned(), group, _log: log })
    }
}
