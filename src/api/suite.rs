//! The suite as one call.

use std::path::{Path, PathBuf};

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    event::{CaseReport, Event},
    judge::Policy,
    proxy::{ProxyError, default_cache},
    report::{ALLOWED_INCONCLUSIVE, Report, ReportBuilder},
    runner::{Attached, ProxyChoice, RunError, RunSettings, run},
    scenario::Case,
    shard::RunSelection,
    snapshot::{SnapshotStore, WriteMode},
};

/// A run of cases against a proxy. It accepts and writes no snapshots.
///
/// # Examples
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use upfault::{Library, Suite, Verdict};
///
/// let cases = Library::bundled().cases().into_iter().filter(|case| case.id.starts_with("limits/rate-limit["));
/// let report = Suite::new(cases).proxy("builtin:retry-after-dropped")?.run().await?;
/// let failed = report.cases.iter().filter(|case| case.verdict == Verdict::Fail);
/// assert!(failed.flat_map(|case| &case.findings).any(|finding| finding.rule == "headers.retry-after"));
/// # Ok(())
/// # }
/// ```
pub struct Suite {
    cases: Vec<Case>,
    proxy: ProxyChoice,
    policy: Policy,
    seed: u64,
    jobs: Option<usize>,
    strict: bool,
    root: PathBuf,
    cache: PathBuf,
    snapshots: Option<PathBuf>,
    listen: Option<std::net::SocketAddr>,
    on_case: Box<dyn FnMut(&CaseReport) + Send>,
}

impl Suite {
    /// A run of these cases against the embedded proxy with the default policy.
    pub fn new(cases: impl IntoIterator<Item = Case>) -> Self {
        Self {
            cases: cases.into_iter().collect(),
            proxy: ProxyChoice::Builtin(Default::default()),
            policy: Policy::default(),
            seed: 0,
            jobs: None,
            strict: false,
            root: PathBuf::from("."),
            cache: default_cache(),
            snapshots: None,
            listen: None,
            on_case: Box::new(|_| {}),
        }
    }

    /// Tests this proxy: `builtin`, `builtin:DEFECT`, `NAME`, `NAME@VERSION`, or the path of a folder with a
    /// `proxy.yaml`. The run installs and starts it.
    ///
    /// # Errors
    ///
    /// If there is no such proxy.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = upfault::Suite::new([]).proxy("litelm").err().unwrap();
    /// assert!(error.to_string().contains("did you mean `litellm`?"), "{error}");
    /// ```
    pub fn proxy(mut self, spec: &str) -> Result<Self, ProxyError> {
        self.proxy = ProxyChoice::find(spec, &self.root)?;
        Ok(self)
    }

    /// Tests a proxy that is already running at `url` with the configuration that `upfault proxy render --to FOLDER` wrote to
    /// `folder`. The seed and the address of the mock providers are those of the folder. `key` is the API key of callers, if
    /// it is not the one in the folder.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read, or its proxy no longer exists.
    pub fn running_proxy(mut self, url: Url, key: Option<String>, folder: &Path) -> Result<Self, ProxyError> {
        let attached = Attached::read(url, key, folder)?;
        self.seed = attached.rendering.seed;
        self.listen = Some(attached.rendering.listen);
        self.proxy = ProxyChoice::Attached(Box::new(attached));
        Ok(self)
    }

    /// Decides disputed questions by this policy.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let report = upfault::Suite::new([]).policy(upfault::Policy::known("strict")?).run().await?;
    /// assert_eq!(report.policy, "strict");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets the seed of all random choices. The default is 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the maximum number of concurrent cases. By default it adapts to the speed of the proxy.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = Some(jobs);
        self
    }

    /// Fails cases with known findings.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Compares with the accepted snapshots in this folder, not with the bundled ones.
    #[must_use]
    pub fn snapshots(mut self, folder: impl Into<PathBuf>) -> Self {
        self.snapshots = Some(folder.into());
        self
    }

    /// Installs proxies in this folder. The default is the platform's cache folder, as for the command.
    #[must_use]
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = folder.into();
        self
    }

    /// Calls `watch` with each case as soon as it has a verdict.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cases = upfault::Library::bundled().cases().into_iter().filter(|case| case.id.starts_with("healthy/"));
    /// let report =
    ///     upfault::Suite::new(cases).on_case(|case| println!("{} {}", case.verdict, case.id)).run().await?;
    /// assert_eq!(report.summary.fail, 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_case(mut self, watch: impl FnMut(&CaseReport) + Send + 'static) -> Self {
        self.on_case = Box::new(watch);
        self
    }

    /// Runs the cases and returns the report. Dropping the future stops the processes that it started.
    ///
    /// The configurations and logs of the proxy are in a temporary folder, which is removed at the end.
    ///
    /// # Errors
    ///
    /// If no case could run, or the proxy stopped and could not be restarted.
    pub async fn run(self) -> Result<Report, RunError> {
        let began = Instant::now();
        let folder = tempfile::tempdir().map_err(|source| RunError::WorkDir {
            path: std::env::temp_dir().display().to_string(),
            source,
        })?;
        let (baseline, version) = (self.proxy.baseline(), self.proxy.version());
        let root = self.snapshots.clone().unwrap_or_else(|| self.root.join("snapshots"));
        let store = SnapshotStore::of_version(&root, &baseline, version.as_deref(), WriteMode::Never);
        let store = if self.snapshots.is_some() { store.without_bundled() } else { store };
        let settings = RunSettings {
            cases: self.cases,
            proxy: self.proxy,
            policy: self.policy,
            seed: self.seed,
            jobs: self.jobs,
            strict: self.strict,
            allow_inconclusive: ALLOWED_INCONCLUSIVE,
            fail_fast: 0,
            selection: RunSelection::default(),
            known: Vec::new(),
            compared_as: None,
            store,
            cache: self.cache,
            work_dir: folder.path().to_owned(),
            listen: self.listen,
            root: self.root,
            began,
        };
        let (events, mut listener) = mpsc::unbounded_channel();
        let mut watch = self.on_case;
        let building = async move {
            let mut report = ReportBuilder::default();
            while let Some(event) = listener.recv().await {
                if let Event::CaseFinished(case) = &event {
                    watch(case);
                }
                report.add(&event);
            }
            report.finish()
        };
        let never = CancellationToken::new();
        let running = async {
            let ended = run(settings, &events, &never).await;
            drop(events);
            ended
        };
        let (ended, report) = tokio::join!(running, building);
        match ended?.died {
            Some(gone) => Err(RunError::Gone(gone)),
            None => Ok(report),
        }
    }
}
