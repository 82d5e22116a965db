//! Settings of a run.

use std::path::{Path, PathBuf};

use tokio::time::Instant;
use url::Url;

use super::rendering::{MANIFEST, Rendering, key_in};
use crate::{
    builtin::EmbeddedProxy,
    judge::Policy,
    proxy::{Definition, ProxyError, ProxyMode},
    scenario::{Case, KnownEntry},
    shard::RunSelection,
    snapshot::SnapshotStore,
};

/// Settings of a run.
pub struct RunSettings {
    /// The cases to run.
    pub cases: Vec<Case>,
    /// The proxy under test.
    pub proxy: ProxyChoice,
    /// How to decide disputed questions.
    pub policy: Policy,
    /// The seed of all random choices.
    pub seed: u64,
    /// Maximum concurrent cases; `None` adapts it to the speed of the proxy.
    pub jobs: Option<usize>,
    /// Whether known findings fail cases.
    pub strict: bool,
    /// The run fails if more cases than these are inconclusive.
    pub allow_inconclusive: usize,
    /// The run stops after this many failing cases; 0 runs every case.
    pub fail_fast: usize,
    /// What was selected, for the report.
    pub selection: RunSelection,
    /// The known findings of the project, in addition to those of the scenarios.
    pub known: Vec<KnownEntry>,
    /// The name and the version of the proxy whose known findings apply; `None` for the tested one.
    pub compared_as: Option<(String, Option<String>)>,
    /// Accepted snapshots.
    pub store: SnapshotStore,
    /// The folder for installed proxies.
    pub cache: PathBuf,
    /// The folder for configurations and logs of this run.
    pub work_dir: PathBuf,
    /// The address of the mock providers; `None` uses a free port on loopback.
    pub listen: Option<std::net::SocketAddr>,
    /// Paths in messages are relative to this folder.
    pub root: PathBuf,
    /// When the command started.
    pub began: Instant,
}

impl RunSettings {
    /// A path for messages.
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}

/// The proxy under test.
#[derive(Debug)]
pub enum ProxyChoice {
    /// The embedded proxy.
    Builtin(EmbeddedProxy),
    /// A proxy that upfault installs and starts.
    Definition(Box<Definition>),
    /// A proxy that is already running.
    Attached(Box<Attached>),
}

/// A proxy that is already running, with the configuration that `upfault proxy render --to FOLDER` wrote.
#[derive(Debug, Clone)]
pub struct Attached {
    /// Its base URL.
    pub url: Url,
    /// The API key for callers.
    pub key: Option<String>,
    /// How it was configured, and how callers address it.
    pub(crate) definition: Definition,
    /// What it was configured for.
    pub(crate) rendering: Rendering,
    /// The folder with its configuration, for messages.
    pub(crate) folder: String,
    /// The name and the version of what is running, if it differs from the definition.
    pub(crate) runs: Option<(String, Option<String>)>,
}

impl Attached {
    /// The proxy at `url` with the configuration in `folder`. `key` is the key of callers, if it is not the one in the folder.
    pub(crate) fn read(url: Url, key: Option<String>, folder: &Path) -> Result<Self, ProxyError> {
        let shown = folder.display().to_string();
        let rendering = Rendering::read(folder)
            .map_err(|why| ProxyError::Invalid(format!("{}: {why}", folder.join(MANIFEST).display())))?;
        let (place, words) = ProxyMode::split(&rendering.proxy);
        let definition = Definition::find(&place, &rendering.base)?;
        let definition = match words.is_empty() {
            true => definition,
            false => definition.in_mode(&words, &rendering.base)?,
        };
        let key = key.or_else(|| key_in(folder));
        Ok(Self { url, key, definition, rendering, folder: shown, runs: None })
    }

    /// The URL without a slash at the end.
    pub(crate) fn root(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }
}

impl ProxyChoice {
    /// Finds `builtin`, `builtin:NAME` with the name of a defect or a variant, or a definition as [`Definition::find`] does.
    ///
    /// # Errors
    ///
    /// If there is no such proxy or its definition is invalid.
    pub fn find(spec: &str, root: &Path) -> Result<Self, ProxyError> {
        if spec == "builtin" {
            return Ok(Self::Builtin(EmbeddedProxy::Reference));
        }
        let Some(name) = spec.strip_prefix("builtin:") else {
            let found = Definition::find(spec, root).and_then(Definition::settled);
            return found.map(|definition| Self::Definition(Box::new(definition)));
        };
        let unknown = |detail: String| ProxyError::Unknown {
            spec: spec.to_owned(),
            detail,
            help: "`upfault proxy list` lists all defects".to_owned(),
        };
        match name.parse::<EmbeddedProxy>() {
            // It would end the caller's own process.
            Ok(which) if which.stops_the_process() => {
                Err(unknown(": this defect stops its process; test it with `upfault run`".to_owned()))
            }
            Ok(which) => Ok(Self::Builtin(which)),
            Err(error) => Err(unknown(format!(": {error}"))),
        }
    }

    /// The name of the folder with its snapshots: its name, and its mode, because each mode has its own baseline
    /// (`litellm,LITELLM_RUST=1`).
    pub fn baseline(&self) -> String {
        let words = self.mode().map(|mode| format!(",{}", mode.replace(", ", ",")));
        let plain = |c: char| if c.is_ascii_alphanumeric() || ".,_=-".contains(c) { c } else { '-' };
        self.name() + &words.unwrap_or_default().chars().map(plain).collect::<String>()
    }

    /// The name of the proxy.
    pub fn name(&self) -> String {
        match self {
            Self::Builtin(which) => which.to_string(),
            Self::Definition(definition) => definition.name.clone(),
            Self::Attached(attached) => match &attached.runs {
                Some((name, _)) => name.clone(),
                None => attached.definition.name.clone(),
            },
        }
    }

    /// Its mode, if it differs from the definition.
    pub fn mode(&self) -> Option<String> {
        match self {
            Self::Definition(definition) => definition.mode(),
            Self::Attached(attached) => attached.definition.mode(),
            Self::Builtin(_) => None,
        }
    }

    /// Its version, if known.
    pub fn version(&self) -> Option<String> {
        match self {
            Self::Definition(definition) => definition.release().map(str::to_owned),
            Self::Attached(attached) => match &attached.runs {
                Some((_, version)) => version.clone(),
                None => attached.definition.release().map(str::to_owned),
            },
            Self::Builtin(_) => None,
        }
    }
}
