//! What a run is asked to do.

use std::path::{Path, PathBuf};

use tokio::time::Instant;
use url::Url;

use crate::{builtin::Defect, judge::Policy, proxy::Definition, scenario::Case, snapshot::Store};

/// What a run is asked to do.
pub struct RunSettings {
    /// The cases, in the order in which they are reported where it matters.
    pub cases: Vec<Case>,
    /// The proxy under test.
    pub proxy: ProxyChoice,
    /// How disputed questions are judged.
    pub policy: Policy,
    /// The seed of everything random.
    pub seed: u64,
    /// Cases in flight at the most; `None` leaves it to the pace of the proxy.
    pub jobs: Option<usize>,
    /// Known findings fail too.
    pub strict: bool,
    /// More inconclusive cases than these fail the run.
    pub allow_inconclusive: usize,
    /// Accepted snapshots.
    pub store: Store,
    /// Where proxies are installed.
    pub cache: PathBuf,
    /// Where configurations and logs of this run go.
    pub work_dir: PathBuf,
    /// Where the mock upstreams listen; a free loopback port where `None`.
    pub listen: Option<std::net::SocketAddr>,
    /// The folder that paths are shown relative to.
    pub root: PathBuf,
    /// When the command began.
    pub began: Instant,
}

impl RunSettings {
    /// A path as people would write it.
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

/// The proxy under test.
#[derive(Debug)]
pub enum ProxyChoice {
    /// The embedded one, honest or with a defect.
    Builtin(Option<Defect>),
    /// One that is installed and started.
    Definition(Box<Definition>),
    /// One that somebody else runs.
    Remote(Remote),
}

/// A proxy that somebody else runs, configured with what `upfault proxy render` printed.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Its root.
    pub url: Url,
    /// The key that callers show to it.
    pub key: Option<String>,
}

impl ProxyChoice {
    /// The name under which results are kept: the folder of its snapshots.
    pub fn name(&self) -> String {
        match self {
            Self::Builtin(None) => "builtin".to_owned(),
            Self::Builtin(Some(defect)) => format!("builtin:{defect}"),
            Self::Definition(definition) => definition.name.clone(),
            Self::Remote(remote) => remote.url.host_str().unwrap_or("remote").to_owned(),
        }
    }

    /// Its version, where it has one.
    pub fn version(&self) -> Option<String> {
        match self {
            Self::Definition(definition) => definition.release().map(str::to_owned),
            _ => None,
        }
    }
}
