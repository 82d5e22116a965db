//! A gateway and its results, as the matrix needs them.

use std::collections::BTreeSet;

use serde::Serialize;

/// A gateway: what it is, and its results.
#[derive(Debug, Clone)]
pub struct MatrixGateway {
    /// What it is.
    pub head: GatewayHead,
    /// Its results.
    pub results: GatewayResults,
}

/// What a gateway is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GatewayHead {
    /// As `--proxy` takes it: `litellm@1.108.7`.
    pub spec: String,
    /// Its name and, if it has one, its mode: `litellm`, `litellm with LITELLM_RUST=1`.
    pub name: String,
    /// Its version; empty if it is not known.
    pub version: String,
    /// The programming language that it is written in; empty if it is not known.
    pub language: String,
    /// The day of the results, as `2026-11-30`; empty if it is not known.
    pub day: String,
}

impl GatewayHead {
    /// `litellm 1.108.7`
    pub(crate) fn title(&self) -> String {
        if self.version.is_empty() { self.name.clone() } else { format!("{} {}", self.name, self.version) }
    }
}

/// The results of a gateway.
#[derive(Debug, Clone)]
pub enum GatewayResults {
    /// There are none, with the reason. This is never shown like a gateway that keeps the rules.
    NotRun(String),
    /// The runs. The first one contains every case. The later ones contain the cases that were repeated, in any number.
    Runs(Vec<Vec<MatrixCase>>),
}

/// The result of a case in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatrixCase {
    /// The case's id.
    pub id: String,
    /// The result.
    pub result: CaseResult,
}

/// Whether a case was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseResult {
    /// It was judged.
    Judged {
        /// The rules that applied, whether or not the gateway kept them.
        applied: BTreeSet<String>,
        /// The rules that the gateway broke.
        broken: Vec<BrokenRule>,
    },
    /// The gateway cannot be configured the way the case needs; with the reason.
    Skipped(String),
    /// There is no judgement; with the reason.
    Unclear(String),
}

/// A rule that a gateway broke in a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRule {
    /// The rule's id.
    pub rule: String,
    /// Whether the finding is required, so that it fails the case.
    pub is_required: bool,
    /// Whether the accepted snapshot contains it, or a known finding explains it.
    pub is_known: bool,
    /// The expected behaviour; empty in an accepted snapshot, which does not contain it.
    pub expected: String,
    /// The observed behaviour.
    pub observed: String,
}
