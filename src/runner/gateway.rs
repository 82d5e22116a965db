//! A running proxy of any kind.

use std::{path::PathBuf, sync::Arc};

use super::{
    error::RunError,
    log_leaks::SearchedLog,
    settings::{Attached, ProxyChoice},
};
use crate::{
    builtin::{self, Builtin},
    client::ClientCall,
    dialect::request,
    observation::{Identity, OwnRetries, StepName, Volatile},
    proxy::{Addressing, Installed, Instance, InstanceSettings, Launch, ProxyRoute, RenderContext},
    scenario::{Combination, Step},
};

/// The certificate authority that a proxy must trust for upstreams with TLS.
pub(super) struct TrustedAuthority {
    /// The certificate as PEM; `None` if no upstream uses TLS.
    pub pem: Option<String>,
    /// The same in a file, which exists if the proxy is a separate process.
    pub file: PathBuf,
}

/// A running proxy.
pub(super) enum Gateway {
    /// The embedded proxy in this process.
    Builtin(Builtin),
    /// A process group that upfault started, and the title of the proxy.
    Process(Box<Instance>, String, Option<OwnRetries>),
    /// A proxy that was already running.
    Attached(Box<Attached>, Addressing),
}

/// The content codings that the official SDKs ask for by default.
const ACCEPT_ENCODING: (&str, &str) = ("accept-encoding", "gzip, deflate");

impl Gateway {
    /// Starts the proxy.
    pub(super) async fn start(
        choice: &ProxyChoice,
        installed: Option<&Installed>,
        routes: Arc<[ProxyRoute]>,
        settings: InstanceSettings,
        trust: &TrustedAuthority,
        work_dir: PathBuf,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<Self, RunError> {
        match (choice, installed) {
            (ProxyChoice::Builtin(which), _) => {
                let which = *which;
                let started = Builtin::start(routes, settings, trust.pem.as_deref(), which).await;
                started.map(Self::Builtin).map_err(|source| RunError::Builtin { which, source })
            }
            (ProxyChoice::Attached(attached), _) => {
                let Attached { definition, key, .. } = &**attached;
                let context = RenderContext { settings, ..RenderContext::sample_of(definition) };
                let addressing =
                    definition.addressed_at(attached.root(), key.as_deref(), &routes, &context)?;
                Ok(Self::Attached(attached.clone(), addressing))
            }
            (ProxyChoice::Definition(definition), Some(installed)) => {
                let launch = Launch { routes, settings, ca: trust.file.clone(), work_dir };
                let instance = installed.launch(launch, progress).await?;
                Ok(Self::Process(Box::new(instance), definition.title(), definition.own_retries()))
            }
            (ProxyChoice::Definition(_), None) => {
                unreachable!("a definition is installed before it is started")
            }
        }
    }

    /// A request on this route: the usual request of the API, with the changes of `step` and the additional headers and
    /// members that the proxy requires. On a pass-through route it uses the provider's name for the model. `run` is the
    /// 1-based number of the run of the case.
    pub(super) fn call(
        &self,
        (name, run): (StepName, u32),
        combination: Combination,
        route: &ProxyRoute,
        step: &Step,
    ) -> ClientCall {
        let Combination { api, stream, .. } = combination;
        let model = if route.settings.pass_through { &route.upstream_model } else { &route.model };
        let topic = Identity { token: route.group.clone() }.topic(name, run);
        let mut request = request(api, model, stream, step, Some(&topic));
        let own = match self.addressing() {
            Some(addressing) => addressing.path(api, stream, route),
            None if route.settings.pass_through => builtin::pass_through_path(route, api, stream),
            None => None,
        };
        let path = own.unwrap_or(request.path);
        request.body.set_members(&self.body(route));
        let mut headers = request.headers;
        headers.extend(self.headers(route));
        if !api.is_session() && !step.headers.keys().any(|name| name.eq_ignore_ascii_case(ACCEPT_ENCODING.0))
        {
            headers.push((ACCEPT_ENCODING.0.to_owned(), ACCEPT_ENCODING.1.to_owned()));
        }
        headers.extend(step.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
        let call = ClientCall {
            step: name,
            method: request.method,
            url: format!("{}{path}", self.root()),
            headers,
            body: request.body.bytes(),
            carrier: request.carrier,
        };
        match step.mistake {
            Some(mistake) => call.mistaken(mistake, &route.model, &self.secrets()),
            None => call,
        }
    }

    /// How callers address it; `None` for the embedded proxy.
    fn addressing(&self) -> Option<&Addressing> {
        match self {
            Self::Builtin(_) => None,
            Self::Process(instance, ..) => Some(instance.addressing()),
            Self::Attached(_, addressing) => Some(addressing),
        }
    }

    fn root(&self) -> String {
        match self {
            Self::Builtin(builtin) => builtin.root(),
            Self::Process(instance, ..) => instance.addressing().root().to_owned(),
            Self::Attached(_, addressing) => addressing.root().to_owned(),
        }
    }

    /// The headers that the proxy requires from a caller.
    fn headers(&self, route: &ProxyRoute) -> Vec<(String, String)> {
        match self {
            Self::Builtin(builtin) => {
                vec![("authorization".to_owned(), format!("Bearer {}", builtin.proxy_key()))]
            }
            Self::Process(instance, ..) => instance.addressing().headers(route),
            Self::Attached(_, addressing) => addressing.headers(route),
        }
    }

    /// The members that the proxy requires in the body of a request on this route.
    fn body(&self, route: &ProxyRoute) -> serde_json::Map<String, serde_json::Value> {
        self.addressing().map(|addressing| addressing.body(route)).unwrap_or_default()
    }

    /// The proxy's own keys, which must not leak.
    pub(super) fn secrets(&self) -> Vec<String> {
        match self {
            Self::Builtin(builtin) => vec![builtin.proxy_key().to_owned()],
            Self::Process(instance, ..) => instance.addressing().secrets(),
            Self::Attached(_, addressing) => addressing.secrets(),
        }
    }

    /// Patterns for the volatile parts of its messages.
    pub(super) fn volatile(&self) -> Vec<Volatile> {
        self.addressing().map(|addressing| addressing.volatile().to_vec()).unwrap_or_default()
    }

    /// How often it retries, if a scenario cannot set it.
    pub(super) fn own_retries(&self) -> Option<OwnRetries> {
        match self {
            Self::Process(_, _, own) => *own,
            Self::Attached(attached, _) => attached.definition.own_retries(),
            Self::Builtin(_) => None,
        }
    }

    /// Whether it answers a request like an earlier one from a cache.
    pub(super) fn caches(&self) -> bool {
        self.addressing().is_some_and(Addressing::caches)
    }

    /// The name and version for messages.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Builtin(_) => "the embedded proxy".to_owned(),
            Self::Process(_, title, _) => title.clone(),
            Self::Attached(attached, _) => attached.root().to_owned(),
        }
    }

    /// Whether it can stop while this process continues.
    pub(super) fn can_stop(&self) -> bool {
        !matches!(self, Self::Builtin(_))
    }

    /// How its process ended, if it has: `exited with code 1`.
    pub(super) fn exited(&self) -> Option<String> {
        match self {
            Self::Process(instance, ..) => instance.exited(),
            _ => None,
        }
    }

    /// Kills its process, which closes all connections to it.
    pub(super) fn kill(&self) {
        if let Self::Process(instance, ..) = self {
            instance.kill();
        }
    }

    /// The last lines of its log.
    pub(super) fn last_lines(&self, lines: usize) -> Vec<String> {
        match self {
            Self::Process(instance, ..) => instance.log_tail(lines).lines().map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }

    /// The last lines of its log, indented; empty if there is no log.
    pub(super) fn tail(&self) -> String {
        match self {
            Self::Process(instance, ..) => {
                instance.log_tail(15).lines().map(|line| format!("  | {line}\n")).collect()
            }
            _ => String::new(),
        }
    }

    /// The path of its log.
    pub(super) fn log(&self) -> Option<String> {
        match self {
            Self::Process(instance, ..) => Some(instance.log_path().display().to_string()),
            _ => None,
        }
    }

    /// Its log, which is searched for secrets after it has ended.
    pub(super) fn searched(&self) -> Option<SearchedLog> {
        match self {
            Self::Process(instance, ..) => {
                Some(SearchedLog { path: instance.log_path().to_owned(), secrets: self.secrets() })
            }
            _ => None,
        }
    }

    /// Stops the proxy and every process that it started.
    pub(super) async fn stop(self) {
        match self {
            Self::Builtin(builtin) => builtin.stop().await,
            Self::Process(instance, ..) => instance.stop().await,
            Self::Attached(..) => {}
        }
    }
}
