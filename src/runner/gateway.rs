//! One running proxy, whichever kind it is.

use std::path::PathBuf;

use super::{
    error::RunError,
    log_leaks::Searched,
    settings::{ProxyChoice, Remote},
};
use crate::{
    builtin::{self, Builtin},
    client::{Call, request},
    observation::{StepName, Volatile},
    proxy::{Installed, Instance, InstanceSettings, Launch, Route},
    scenario::{Combination, Step},
};

/// The authority that a proxy must trust where upstreams are reached by TLS.
pub struct Trust {
    /// Its certificate; `None` where no upstream is.
    pub pem: Option<String>,
    /// The same as a file. It is there for every proxy with a process of its own.
    pub file: PathBuf,
}

/// One running proxy.
pub enum Gateway {
    /// Inside this process.
    Builtin(Builtin),
    /// A process group that we started.
    Process(Box<Instance>, String),
    /// Somebody else's.
    Remote(Remote),
}

impl Gateway {
    /// Starts one.
    pub async fn start(
        choice: &ProxyChoice,
        installed: Option<&Installed>,
        routes: Vec<Route>,
        settings: InstanceSettings,
        trust: &Trust,
        work_dir: PathBuf,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<Self, RunError> {
        match (choice, installed) {
            (ProxyChoice::Builtin(defect), _) => {
                let defect = *defect;
                let started = Builtin::start(routes, settings, trust.pem.as_deref(), defect).await;
                started.map(Self::Builtin).map_err(|source| RunError::Builtin { defect, source })
            }
            (ProxyChoice::Remote(remote), _) => Ok(Self::Remote(remote.clone())),
            (ProxyChoice::Definition(definition), Some(installed)) => {
                let launch = Launch { routes, settings, ca: trust.file.clone(), work_dir };
                let instance = installed.launch(launch, progress).await?;
                Ok(Self::Process(Box::new(instance), definition.title()))
            }
            (ProxyChoice::Definition(_), None) => {
                unreachable!("a definition is installed before it is started")
            }
        }
    }

    /// A request on this route: the API's own, `step` laid over it, and what the proxy wants beside. On
    /// a pass-through it is the provider's, with the provider's name for the model.
    pub fn call(&self, name: StepName, combination: Combination, route: &Route, step: &Step) -> Call {
        let Combination { api, stream, .. } = combination;
        let model = if route.pass_through { &route.upstream_model } else { &route.model };
        let mut request = request(api, model, stream, step);
        let path = match self {
            Self::Process(instance, _) => instance.path(api, stream, route).unwrap_or(request.path),
            Self::Builtin(_) if route.pass_through => {
                builtin::pass_through_path(route, api, stream).unwrap_or(request.path)
            }
            Self::Builtin(_) | Self::Remote(_) => request.path,
        };
        request.body.lay_over(&self.body(route));
        let mut headers = request.headers;
        headers.extend(self.headers(route));
        headers.extend(step.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
        let call = Call {
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

    fn root(&self) -> String {
        match self {
            Self::Builtin(builtin) => builtin.root(),
            Self::Process(instance, _) => instance.root().to_owned(),
            Self::Remote(remote) => remote.url.as_str().trim_end_matches('/').to_owned(),
        }
    }

    /// The headers that the proxy wants of a caller.
    fn headers(&self, route: &Route) -> Vec<(String, String)> {
        let bearer = |key: &str| vec![("authorization".to_owned(), format!("Bearer {key}"))];
        match self {
            Self::Builtin(builtin) => bearer(builtin.proxy_key()),
            Self::Process(instance, _) => instance.headers(route),
            Self::Remote(remote) => remote.key.as_deref().map(bearer).unwrap_or_default(),
        }
    }

    /// Members that the proxy wants in the body of a request on this route.
    fn body(&self, route: &Route) -> serde_json::Map<String, serde_json::Value> {
        match self {
            Self::Process(instance, _) => instance.body(route),
            _ => serde_json::Map::new(),
        }
    }

    /// What must never come out of it.
    pub fn secrets(&self) -> Vec<String> {
        match self {
            Self::Builtin(builtin) => vec![builtin.proxy_key().to_owned()],
            Self::Process(instance, _) => instance.secrets(),
            Self::Remote(remote) => remote.key.clone().into_iter().collect(),
        }
    }

    /// What varies by itself in its own words.
    pub fn volatile(&self) -> Vec<Volatile> {
        match self {
            Self::Process(instance, _) => instance.volatile().to_vec(),
            _ => Vec::new(),
        }
    }

    /// Name and version.
    pub fn title(&self) -> String {
        match self {
            Self::Builtin(_) => "the embedded proxy".to_owned(),
            Self::Process(_, title) => title.clone(),
            Self::Remote(remote) => remote.url.as_str().trim_end_matches('/').to_owned(),
        }
    }

    /// Whether it can stop while this process goes on.
    pub fn can_stop(&self) -> bool {
        !matches!(self, Self::Builtin(_))
    }

    /// How its process ended, if it did: `exited with code 1`.
    pub fn exited(&self) -> Option<String> {
        match self {
            Self::Process(instance, _) => instance.exited(),
            _ => None,
        }
    }

    /// Ends its process at once, so that every connection to it is closed.
    pub fn kill(&self) {
        if let Self::Process(instance, _) = self {
            instance.kill();
        }
    }

    /// The last lines of its log.
    pub fn last_lines(&self, lines: usize) -> Vec<String> {
        match self {
            Self::Process(instance, _) => instance.log_tail(lines).lines().map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }

    /// The end of its log, each line indented; empty where it has none.
    pub fn tail(&self) -> String {
        match self {
            Self::Process(instance, _) => {
                instance.log_tail(15).lines().map(|line| format!("  | {line}\n")).collect()
            }
            _ => String::new(),
        }
    }

    /// Where its log is.
    pub fn log(&self) -> Option<String> {
        match self {
            Self::Process(instance, _) => Some(instance.log_path().display().to_string()),
            _ => None,
        }
    }

    /// Its log, to be searched for secrets when it has ended.
    pub fn searched(&self) -> Option<Searched> {
        match self {
            Self::Process(instance, _) => {
                Some(Searched { path: instance.log_path().to_owned(), secrets: instance.secrets() })
            }
            _ => None,
        }
    }

    /// Ends it and everything that it started.
    pub async fn stop(self) {
        match self {
            Self::Builtin(builtin) => builtin.stop().await,
            Self::Process(instance, _) => instance.stop().await,
            Self::Remote(_) => {}
        }
    }
}
