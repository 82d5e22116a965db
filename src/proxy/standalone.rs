//! A proxy as files and commands for someone who does not have upfault's installation of it.

use std::{net::Ipv4Addr, path::PathBuf};

use super::{
    definition::Definition,
    doctor,
    error::ProxyError,
    install::Installed,
    pattern::Pattern,
    render::RenderContext,
    route::{InstanceSettings, ProxyRoute},
    service::ServicePlaces,
    template,
};

/// The folder of the installation, relative to the folder in which the commands are entered.
const DIR: &str = "proxy";

/// The definition's folder, in words of commands: its files are in the folder in which the commands are entered.
const HERE: &str = "\u{1}here";

/// The port that the proxy listens on, which is in [`StandaloneProxy::ROOT`].
const PORT: u16 = 4000;

/// A configured proxy as files and commands. All paths in them are relative to the folder in which the commands are
/// entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StandaloneProxy {
    /// The name and the text of each file of its configuration.
    pub(crate) files: Vec<(String, String)>,
    /// The commands that install it; none if the start command does.
    pub(crate) install: Vec<Vec<String>>,
    /// The environment variables of the start command, without those whose value is empty.
    pub(crate) env: Vec<(String, String)>,
    /// The command that starts it.
    pub(crate) start: Vec<String>,
    /// The URL that answers when it is ready.
    pub(crate) ready: String,
    /// How long a start may take, in seconds.
    pub(crate) ready_within: u64,
}

impl StandaloneProxy {
    /// The URL of the proxy.
    pub(crate) const ROOT: &str = "http://127.0.0.1:4000";

    /// The key with which callers authenticate.
    pub(crate) const KEY: &str = "sk-reproduction";
}

impl Definition {
    /// Returns the proxy with these routes. `ca` is the file with the certificate authority of upstreams that use TLS.
    ///
    /// # Errors
    /// [`ProxyError::Invalid`] with the line in the template, or if its mode starts services.
    pub(crate) fn standalone(
        &self,
        routes: &[ProxyRoute],
        settings: InstanceSettings,
        ca: Option<&str>,
    ) -> Result<StandaloneProxy, ProxyError> {
        if !self.mode.services.is_empty() {
            let names: Vec<&str> = self.mode.services.keys().map(String::as_str).collect();
            return Err(ProxyError::Invalid(format!("its mode starts services: {}", names.join(", "))));
        }
        let (dir, here) = (PathBuf::from(DIR), PathBuf::from(HERE));
        let context = RenderContext {
            bind: Ipv4Addr::LOCALHOST.into(),
            port: PORT,
            proxy_key: StandaloneProxy::KEY.to_owned(),
            settings,
            dir: dir.clone(),
            here: here.clone(),
            ca: ca.map(PathBuf::from).unwrap_or_default(),
            work_dir: PathBuf::new(),
            services: ServicePlaces::new(),
            ports: self.sample_ports(),
        };
        let files = self.render(routes, &context)?;
        let values = self.context(routes, &context);
        let environment = template::environment(&self.source);
        let document = &self.document;
        if document.ready.log.as_ref().is_some_and(Pattern::names_port) {
            return Err(ProxyError::Invalid(format!("{} chooses its port itself", self.name)));
        }
        let own = !document.repro.command.is_empty();
        let start = if own {
            let words = document.repro.command.iter().chain(&self.mode.arguments);
            template::render_command(&environment, &self.source, words, &values)?
        } else {
            self.launch_words(&values)?
        };
        let mut env = if own { self.mode_env(&values)? } else { self.launch_env(&values)? };
        env.retain(|(_, value)| !value.is_empty());
        let ready = match &document.ready.get {
            Some(get) => template::render(&environment, &self.source, get, &values)?,
            // Any response shows that the port is open.
            None => "/".to_owned(),
        };
        let mut proxy = StandaloneProxy {
            files,
            install: if own { Vec::new() } else { self.install_commands(&dir, &here)? },
            env,
            start,
            ready: format!("{}{ready}", StandaloneProxy::ROOT),
            ready_within: document.ready.within.as_secs(),
        };
        self.add_own_files(&mut proxy);
        Ok(proxy)
    }

    /// Adds the files of the definition that commands name, and lets the commands name these.
    fn add_own_files(&self, proxy: &mut StandaloneProxy) {
        let StandaloneProxy { files, install, env, start, .. } = proxy;
        let words = install.iter_mut().flatten().chain(env.iter_mut().map(|(_, value)| value)).chain(start);
        for word in words {
            let Some((before, name)) = word.split_once(&format!("{HERE}/")) else { continue };
            let name = name.to_owned();
            if let Ok(text) = self.source.read(&name)
                && !files.iter().any(|(other, _)| *other == name)
            {
                files.push((name.clone(), text));
            }
            *word = format!("{before}{name}");
        }
    }
}

impl Definition {
    /// Returns the pins of its version, as the names and values in its definition.
    pub(crate) fn pinned(&self) -> impl Iterator<Item = (String, String)> {
        let pins = self.pins.iter().filter(|_| self.release().is_some());
        let pins = pins.map(|(name, value)| {
            (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        });
        pins.chain(self.published_by.iter().map(|date| ("published_by".to_owned(), date.clone())))
    }
}

impl Installed {
    /// Returns the versions of the software that the installation consists of, and of the programs that the proxy
    /// needs, as the programs print them. Those that print none are left out.
    pub(crate) fn versions(&self) -> Vec<(String, String)> {
        let definition = &self.definition;
        let environment = template::environment(&definition.source);
        let context = definition.install_context(&self.dir, &self.here);
        let own = definition.document.repro.versions.iter().filter_map(|(name, command)| {
            let words = template::render_command(&environment, &definition.source, command, &context).ok()?;
            Some((name.clone(), words))
        });
        let needed =
            definition.needs.keys().map(|name| (name.clone(), vec![name.clone(), "--version".to_owned()]));
        let version = |(name, words): (String, Vec<String>)| {
            let printed = doctor::first_line(&words)?;
            let version = printed.strip_prefix(&format!("{name} ")).unwrap_or(&printed).to_owned();
            Some((name, version))
        };
        own.chain(needed).filter_map(version).collect()
    }
}
