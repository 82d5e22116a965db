//! Events of a run, which the runner sends to reporters.

use std::{collections::BTreeSet, sync::Arc};

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    judge::{Policy, Verdict},
    shard::RunSelection,
};

mod case_report;

pub use case_report::CaseReport;

/// Something that happened during a run.
#[derive(Debug, Clone)]
pub enum Event {
    /// The cases are planned; nothing has started yet.
    RunStarted(RunStarted),
    /// A step of the preparation, as a line for people: `installing litellm 1.102.4`.
    ProxyProgress(String),
    /// All instances of the proxy are ready and warm.
    ProxyReady {
        /// The number of instances.
        instances: usize,
        /// Milliseconds from the first launch until all were warm.
        startup_ms: f64,
    },
    /// A case started.
    CaseStarted {
        /// The case's id.
        id: String,
    },
    /// A case has a verdict.
    CaseFinished(Arc<CaseReport>),
    /// The run has ended, even if it was interrupted.
    RunFinished(RunFinished),
}

/// What is known before the run starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The number of cases, including those that will be skipped.
    pub cases: usize,
    /// The proxy's name: `litellm`, `builtin`, `builtin:retry-after-dropped`.
    pub proxy: String,
    /// Its version, if known.
    pub proxy_version: Option<String>,
    /// What differs from its definition: `LITELLM_RUST=1, overlay.yaml`; `None` if nothing.
    pub proxy_mode: Option<String>,
    /// The seed of all random choices.
    pub seed: u64,
    /// The policy that decides disputed questions.
    pub policy: Box<Policy>,
    /// Whether known findings fail cases.
    pub strict: bool,
    /// The run fails if more cases than these are inconclusive.
    pub allow_inconclusive: usize,
    /// What was selected.
    pub selection: RunSelection,
    /// Where the accepted snapshots come from; `None` for a stored run.
    pub baseline: Option<Baseline>,
}

/// The accepted snapshots with which a run compares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The snapshot folder of the proxy, for messages.
    pub folder: String,
    /// The number of scenarios whose snapshot is in that folder.
    pub own: usize,
    /// The number of scenarios whose snapshot is bundled with upfault.
    pub bundled: usize,
    /// The proxies and versions that recorded the snapshots, as far as they are known: `litellm 1.102.4`.
    pub proxies: BTreeSet<String>,
}

impl Baseline {
    /// Where the snapshots come from, and which version recorded them.
    pub fn describe(&self) -> String {
        let Self { folder, own, bundled, proxies } = self;
        let recorded = match proxies.len() {
            0 => String::new(),
            1..=3 => format!(" ({})", proxies.iter().cloned().collect::<Vec<_>>().join(", ")),
            n => format!(" ({n} versions)"),
        };
        match (own, bundled) {
            (0, 0) => format!("none (no snapshots in {folder})"),
            (_, 0) => format!("{folder}{recorded}"),
            (0, _) => format!("bundled with upfault {}{recorded}", env!("CARGO_PKG_VERSION")),
            _ => format!(
                "{folder}, and for {bundled} of {} scenarios bundled with upfault{recorded}",
                own + bundled
            ),
        }
    }
}

/// The end of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFinished {
    /// Whether it was stopped before every case had a verdict.
    pub interrupted: bool,
    /// The number of failing cases after which it was stopped (`--fail-fast`); `None` if it was not.
    pub fail_fast: Option<usize>,
    /// Whether the proxy stopped serving and was not restarted, so that cases have no verdict.
    pub gave_up: bool,
    /// Milliseconds from the time that the first instance was warm to the last verdict.
    pub wall_ms: f64,
    /// Milliseconds from the start of the command to its end.
    pub total_ms: f64,
    /// Where the time went.
    pub times: RunTimes,
    /// Pending snapshot files that were written.
    pub pending: Vec<String>,
    /// How many new or changed cases were not saved because the folder is not an upfault project.
    pub unkept: usize,
    /// Snapshot files that were accepted; `None` without `--accept`.
    pub accepted: Option<Vec<AcceptedFile>>,
    /// Cases that `--accept` did not accept, because they break required rules.
    pub refused: Vec<RefusedCase>,
    /// How many snapshot files without a change got the version of the proxy of this run into their header.
    pub confirmed: usize,
    /// Secrets found in the logs of proxies that upfault started.
    pub log_leaks: Vec<LogLeak>,
    /// Each time that a proxy stopped serving.
    pub stops: Vec<ProxyStop>,
    /// Accepted snapshots of scenarios that no longer exist or cases that were not run.
    pub notes: Vec<String>,
}

/// Where the time of a run with a proxy went that upfault started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct RunTimes {
    /// Milliseconds for the installation, or for finding that the proxy is installed.
    pub install_ms: f64,
    /// Milliseconds from the first launch until the first instance was warm, and cases began.
    pub first_ready_ms: f64,
    /// How many cases ran again, to confirm a difference or because the machine was busy; each repetition counts.
    pub repeated: usize,
    /// Milliseconds that these repetitions took, added up.
    pub repeated_ms: f64,
    /// Milliseconds of CPU time that the processes of the proxy used on all cores; null if the system does not say it.
    pub proxy_cpu_ms: Option<f64>,
}

impl RunTimes {
    /// Adds the times of another shard, which ran at the same time: the work adds up, the waiting does not.
    pub fn add_shard(&mut self, other: &Self) {
        self.install_ms = self.install_ms.max(other.install_ms);
        self.first_ready_ms = self.first_ready_ms.max(other.first_ready_ms);
        self.repeated += other.repeated;
        self.repeated_ms += other.repeated_ms;
        self.proxy_cpu_ms = self
            .proxy_cpu_ms
            .zip(other.proxy_cpu_ms)
            .map_or(self.proxy_cpu_ms.or(other.proxy_cpu_ms), |(one, two)| Some(one + two));
    }
}

/// The proxy stopped serving during the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct ProxyStop {
    /// `exited with code 1`, `was killed by signal 9`, `answered no request for 12 s`.
    pub how: String,
    /// The case that caused it; null if no single case did when upfault repeated them.
    pub case: Option<String>,
    /// The cases that were running.
    #[serde(alias = "beside")]
    pub running: Vec<String>,
    /// The log of the process, if known.
    pub log: Option<String>,
}

/// A snapshot file that a run accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcceptedFile {
    /// The path for messages.
    pub file: String,
    /// The cases that are new in it or have changed.
    pub cases: Vec<AcceptedCase>,
}

/// A case that a run accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedCase {
    /// The case's id.
    pub id: String,
    /// The verdict that it had in the run.
    pub verdict: Verdict,
    /// The rules that it breaks.
    pub broken: BTreeSet<String>,
}

/// A case that a run did not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedCase {
    /// The case's id.
    pub id: String,
    /// The required rules that it breaks and that are neither accepted nor known.
    pub rules: Vec<String>,
}

/// A secret in the log of a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct LogLeak {
    /// The path of the log in the folder of the run: `instance-1/litellm.log`.
    pub log: String,
    /// The kind of secret.
    pub secret: LogSecret,
    /// How many lines contain it.
    pub lines: u64,
    /// The 1-based number of the first line.
    pub first_line: u64,
}

/// The kind of a secret in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LogSecret {
    /// A key that the proxy uses for an upstream.
    ProviderKey,
    /// The proxy's API key, which is its master key too.
    ProxySecret,
}

impl LogSecret {
    /// A noun phrase for messages.
    pub fn describe(self) -> &'static str {
        match self {
            Self::ProviderKey => "a provider key",
            Self::ProxySecret => "the proxy's own key",
        }
    }
}
