//! Starting an instance and waiting until it is ready.

use std::{
    collections::hash_map::RandomState, ffi::OsString, fs, hash::BuildHasher, net::Ipv4Addr, path::PathBuf,
    sync::Arc,
};

use tokio::time::{Instant, sleep};

use super::{
    addressing::Addressing,
    error::ProxyError,
    install::Installed,
    instance::Instance,
    log::{LIMIT, Log},
    port::{self, Reserved, ReservedPorts},
    process::{ProcessCommand, RunningProcess},
    ready::{self, ReadyCheck},
    render::RenderContext,
    request::Mapping,
    route::{InstanceSettings, ProxyRoute},
    service::{ReservedServices, RunningService},
    template,
};
use crate::shell;

/// How many ports upfault tries if another process takes the port first.
const PORTS: usize = 3;

/// How to start an instance.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The deployments that the proxy's configuration contains.
    pub routes: Arc<[ProxyRoute]>,
    /// The settings that apply to all routes.
    pub settings: InstanceSettings,
    /// A PEM file with the certificate of the authority that the proxy must trust, for upstreams that use
    /// TLS.
    pub ca: PathBuf,
    /// The folder for its files and its log. It is created if it does not exist. Each instance needs its own.
    pub work_dir: PathBuf,
}

/// Why an attempt to start failed.
enum Failure {
    /// Another process listens on the port.
    PortTaken,
    Other(ProxyError),
}

impl From<ProxyError> for Failure {
    fn from(error: ProxyError) -> Self {
        Self::Other(error)
    }
}

impl Installed {
    /// Starts an instance on a free loopback port and waits until it is ready. Dropping the future kills the
    /// process.
    ///
    /// # Errors
    /// [`ProxyError::Spawn`]; [`ProxyError::Exited`] and [`ProxyError::NotReady`], both with the end of the
    /// log; [`ProxyError::Io`].
    pub async fn launch(
        &self,
        launch: Launch,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<Instance, ProxyError> {
        let work_dir = std::path::absolute(&launch.work_dir)
            .map_err(ProxyError::io("resolve the path", &launch.work_dir))?;
        fs::create_dir_all(&work_dir).map_err(ProxyError::io("create", &work_dir))?;
        // The proxy runs in another working directory, so a relative path would be wrong.
        let ca = std::path::absolute(&launch.ca).map_err(ProxyError::io("resolve the path", &launch.ca))?;
        let mut attempt = 1;
        loop {
            // The first port stays reserved until the proxy listens on it. Some servers cannot listen on a
            // reserved port (see [`Reserved`]), so the other attempts do not reserve it.
            let reserved =
                Reserved::new(attempt == 1).map_err(ProxyError::io("reserve a free port for", &work_dir))?;
            let ports = ReservedPorts::new(&self.definition.document.launch.ports, attempt == 1)
                .map_err(ProxyError::io("reserve a free port for", &work_dir))?;
            let services = ReservedServices::new(&self.definition, &work_dir)?;
            let context = RenderContext {
                bind: Ipv4Addr::LOCALHOST.into(),
                port: reserved.port(),
                proxy_key: random_key(),
                settings: launch.settings.clone(),
                dir: self.dir.clone(),
                here: self.here.clone(),
                ca: ca.clone(),
                work_dir: work_dir.clone(),
                services: services.places.clone(),
                ports: ports.numbers(),
            };
            let reserved = (reserved, ports, services);
            match self.start(&launch.routes, context, reserved, attempt < PORTS, progress).await {
                Ok(instance) => return Ok(instance),
                Err(Failure::Other(error)) => return Err(error),
                Err(Failure::PortTaken) => {
                    attempt += 1;
                    progress(format!("starting {} again on another port", self.definition.title()));
                }
            }
        }
    }

    async fn start(
        &self,
        routes: &[ProxyRoute],
        context: RenderContext,
        (reserved, reserved_ports, reserved_services): (Reserved, ReservedPorts, ReservedServices),
        again: bool,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<Instance, Failure> {
        let definition = &self.definition;
        let port = context.port;
        for (name, text) in definition.render(routes, &context)? {
            let path = context.work_dir.join(name);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(ProxyError::io("create", folder))?;
            }
            fs::write(&path, text).map_err(ProxyError::io("write", &path))?;
        }
        for overlay in &definition.mode.overlays {
            overlay.link_files(&context.work_dir)?;
        }
        let values = definition.context(routes, &context);
        let environment = template::environment(&definition.source);
        let document = &definition.document;
        let words = definition.launch_words(&values)?;
        let get = document.ready.get.as_ref();
        let path =
            get.map(|get| template::render(&environment, &definition.source, get, &values)).transpose()?;
        let ready = ReadyCheck { document: &document.ready, path };
        let mapping = Mapping::new(definition, routes, &values)?;

        // The proxy inherits only the variables of the caller's environment that every program needs. An API
        // key or a setting in that environment must not change what is tested.
        #[expect(
            clippy::disallowed_methods,
            reason = "the values are passed on to the proxy, upfault does not use them"
        )]
        let mut variables: Vec<(OsString, OsString)> = ["PATH", "HOME"]
            .into_iter()
            .filter_map(|name| Some((name.into(), std::env::var_os(name)?)))
            .collect();
        let services =
            RunningService::start_all(definition, &values, &reserved_services, &variables, progress).await?;
        for (name, value) in definition.launch_env(&values)? {
            variables.retain(|(other, _)| *other != *name);
            variables.push((name.into(), value.into()));
        }

        let log_path = context.work_dir.join(format!("{}.log", definition.name.replace(':', "-")));
        let (mut log, output) = Log::create(log_path.clone()).map_err(ProxyError::io("write", &log_path))?;
        log.watch(LIMIT);
        progress(format!("starting {}", definition.title()));
        let command = ProcessCommand {
            words: &words,
            directory: &context.work_dir,
            environment: variables,
            output: &output,
        };
        let group = RunningProcess::spawn(&command).map_err(|source| ProxyError::Spawn {
            proxy: definition.title(),
            program: words.first().cloned().unwrap_or_default(),
            source,
            help: format!(
                "check the launch command in {}; to install the proxy again, remove {}",
                definition.file(),
                self.dir.display()
            ),
        })?;
        let root = format!("http://127.0.0.1:{port}");
        let addressing = Addressing::new(root, Some(context.proxy_key), mapping, definition);
        let instance = Instance::new(addressing, group, log, self.in_use.clone());
        let mut instance = instance.with_services(services);
        let port = self.wait_until_ready(&instance, port, &ready, &words, again).await?;
        instance.listens_on(port);
        drop((reserved, reserved_ports));
        Ok(instance)
    }

    /// Waits until the instance is ready, and returns the port that it listens on.
    async fn wait_until_ready(
        &self,
        instance: &Instance,
        port: u16,
        ready: &ReadyCheck<'_>,
        words: &[String],
        again: bool,
    ) -> Result<u16, Failure> {
        let within = self.definition.document.ready.within;
        let deadline = Instant::now() + within;
        let mut last = "no request sent yet".to_owned();
        loop {
            let answer = tokio::time::timeout_at(deadline, ready.ask(port, || instance.log_text())).await;
            // Check this after the response, which may have come from another process that listens on the
            // port.
            if let Some(how) = instance.exited() {
                if again && (port::is_taken(port) || says_port_taken(&instance.log_tail(50))) {
                    return Err(Failure::PortTaken);
                }
                return Err(Failure::Other(ProxyError::Exited {
                    proxy: self.definition.title().into(),
                    how: how.into(),
                    tail: instance.quoted_tail(15).into(),
                    log: instance.log_path().to_owned(),
                    command: shell::command(words).into(),
                }));
            }
            match answer {
                Ok(Ok(port)) => return Ok(port),
                Ok(Err(why)) => last = why,
                Err(_) => {}
            }
            if Instant::now() >= deadline {
                return Err(Failure::Other(ProxyError::NotReady {
                    proxy: self.definition.title().into(),
                    within: humantime::format_duration(within).to_string().into(),
                    last: last.into(),
                    tail: instance.quoted_tail(15).into(),
                    log: instance.log_path().to_owned(),
                }));
            }
            sleep(ready::EVERY).await;
        }
    }
}

/// Whether the log says that the port is in use.
fn says_port_taken(log: &str) -> bool {
    let log = log.to_ascii_lowercase();
    ["address already in use", "address in use", "eaddrinuse"].iter().any(|words| log.contains(words))
}

/// Returns a random key that no other process uses by chance. It only protects a loopback port during one
/// run.
pub(crate) fn random_key() -> String {
    let random = RandomState::new();
    format!("sk-upfault-proxy-{:016x}{:016x}", random.hash_one(1), random.hash_one(2))
}
