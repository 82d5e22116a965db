//! What the runner tells the reporters: one stream of events, many independent consumers.

use std::{collections::BTreeSet, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    judge::{Finding, Policy, Verdict},
    observation::Observation,
    scenario::Combination,
    snapshot::{Accepted, Difference},
};

/// Something that a reporter may want to show or store.
#[derive(Debug, Clone)]
pub enum Event {
    /// The plan is made; nothing has been started.
    RunStarted(RunStarted),
    /// A proxy is being prepared: one line for people (`installing litellm 1.102.4`).
    ProxyProgress(String),
    /// Traffic begins: every instance is ready and warm.
    ProxyReady {
        /// Instances that were started.
        instances: usize,
        /// From the first launch until all were warm.
        startup_ms: f64,
    },
    /// A case began.
    CaseStarted {
        /// The case's id.
        id: String,
    },
    /// A case has its verdict.
    CaseFinished(Arc<CaseResult>),
    /// Everything is over; also sent when the run was interrupted.
    RunFinished(RunFinished),
}

/// What is known before anything starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// Cases that will be reported, those to be skipped included.
    pub cases: usize,
    /// The proxy's name: `litellm`, `builtin`, `builtin:retry-after-dropped`.
    pub proxy: String,
    /// Its version, where it has one.
    pub proxy_version: Option<String>,
    /// The seed of everything random.
    pub seed: u64,
    /// The policy by which disputed questions are judged.
    pub policy: Box<Policy>,
    /// Whether known findings fail a case.
    pub strict: bool,
    /// More inconclusive cases than these fail the run.
    pub allow_inconclusive: usize,
}

/// One case with its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseResult {
    /// The case's id.
    pub id: String,
    /// The scenario's id.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// The scenario's file, as shown to people.
    pub file: String,
    /// Why it matters.
    pub why: String,
    /// The point of the scenario's matrix; known also of a case that was not run.
    pub combination: Combination,
    /// What is said of it.
    pub verdict: Verdict,
    /// Why it is inconclusive, skipped or broken; of a case that was judged, that its looks differ.
    pub reason: Option<String>,
    /// The rules that it broke.
    pub findings: Vec<Finding>,
    /// How the case differs from the accepted snapshot, if it does.
    pub change: Option<Difference>,
    /// What was accepted of it when it was judged; absent if it was not.
    pub accepted: Option<Accepted>,
    /// What was seen; absent where nothing was run.
    pub observation: Option<Observation>,
    /// From its first request to its last byte.
    pub duration_ms: f64,
}

/// The end of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFinished {
    /// Whether it was stopped before every case had its verdict.
    pub interrupted: bool,
    /// From the first request to the last verdict, without the proxy's start.
    pub wall_ms: f64,
    /// From the start of the command to the end.
    pub total_ms: f64,
    /// Pending snapshot files that were written.
    pub pending: Vec<String>,
    /// Cases that would have been left pending in a folder that is an upfault project.
    pub unkept: usize,
    /// Snapshot files that were accepted; `None` if nothing was to be accepted.
    pub accepted: Option<Vec<AcceptedFile>>,
    /// Secrets that stand in the logs of the proxies that were started.
    pub log_leaks: Vec<LogLeak>,
    /// Each time that a proxy stopped serving.
    pub stops: Vec<ProxyStop>,
    /// Accepted snapshots of scenarios that no longer exist or cases that were not run.
    pub notes: Vec<String>,
}

/// A proxy stopped serving in mid-run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProxyStop {
    /// `exited with code 1`, `was killed by signal 9`, `answered no request for 12 s`.
    pub how: String,
    /// The case that did it; null if none of those under way did it when they were repeated.
    pub case: Option<String>,
    /// The cases that were under way.
    pub beside: Vec<String>,
    /// The log of the process, if it has one that we know.
    pub log: Option<String>,
}

/// A snapshot file that a run accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcceptedFile {
    /// As shown to people.
    pub file: String,
    /// For each case in it that has findings: the rules.
    pub broken: Vec<BTreeSet<String>>,
}

/// A secret that stands in a proxy's own log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLeak {
    /// The log, by its place in the folder of the run: `instance-1/litellm.log`.
    pub log: String,
    /// What stands there.
    pub secret: LogSecret,
    /// In how many lines.
    pub lines: u64,
    /// The first of them, from 1.
    pub first_line: u64,
}

/// Whose secret it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogSecret {
    /// A key by which the proxy asks an upstream.
    ProviderKey,
    /// The proxy's own key, which is its master key too.
    ProxySecret,
}

impl LogSecret {
    /// In a sentence.
    pub fn describe(self) -> &'static str {
        match self {
            Self::ProviderKey => "a provider key",
            Self::ProxySecret => "the proxy's own key",
        }
    }
}
