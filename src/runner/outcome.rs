//! From an observation to a case's result: judged, held against what is accepted.

use std::collections::HashMap;

use super::error::RunError;
use crate::{
    event::CaseResult,
    judge::{ComparedSibling, Finding, Policy, Verdict, has_timing, stops_the_proxy},
    observation::Observation,
    scenario::Case,
    snapshot::{Accepted, CaseSnapshot, CaseVerdict, Difference, SnapshotFile, Store, diff, judge_case},
};

/// What is accepted, and by which rules is judged.
pub struct Bench {
    accepted: HashMap<String, SnapshotFile>,
    policy: Policy,
    strict: bool,
}

/// One observation, judged.
pub struct Judged {
    /// What is said of it.
    pub verdict: Verdict,
    /// The rules that it broke.
    pub findings: Vec<Finding>,
    /// How it stands to the accepted snapshot.
    pub change: Option<Difference>,
    /// What is accepted of it.
    pub accepted: Accepted,
    /// As it would be accepted.
    pub snapshot: CaseSnapshot,
}

impl Judged {
    /// One of its findings speaks of time.
    pub fn is_about_time(&self) -> bool {
        has_timing(&self.findings)
    }

    /// The same was seen, and the same rules are broken.
    pub fn is_like(&self, other: &Self) -> bool {
        let rules = |judged: &Self| -> Vec<String> {
            judged.findings.iter().map(|finding| finding.rule.clone()).collect()
        };
        self.snapshot.text == other.snapshot.text && rules(self) == rules(other)
    }

    /// What was seen differs from what was accepted, or nothing was and it breaks a rule.
    pub fn is_news(&self) -> bool {
        self.change.as_ref().map_or(self.verdict == Verdict::Fail, Difference::is_change)
    }
}

impl Bench {
    /// Reads the accepted snapshot of every scenario, so that a damaged one is told before anything
    /// is started.
    pub fn load<'c>(
        store: &Store,
        cases: impl Iterator<Item = &'c Case>,
        policy: Policy,
        strict: bool,
    ) -> Result<Self, RunError> {
        let mut accepted = HashMap::new();
        for case in cases {
            let id = &case.scenario.id;
            if !accepted.contains_key(id)
                && let Some(file) = store.load(id)?
            {
                accepted.insert(id.clone(), file);
            }
        }
        Ok(Self { accepted, policy, strict })
    }

    /// Whether the accepted snapshot says that a case stops the proxy.
    pub fn is_known_to_stop_the_proxy(&self, case: &Case) -> bool {
        self.forms(case).any(|form| form.findings.iter().any(|finding| stops_the_proxy(&finding.rule)))
    }

    /// Every form of a case that is accepted.
    pub fn forms(&self, case: &Case) -> impl Iterator<Item = &CaseSnapshot> {
        self.accepted.get(&case.scenario.id).into_iter().flat_map(|file| file.forms(&case.id))
    }

    /// Judges what was seen of a case, alone and compared with its siblings.
    pub fn judge(&self, case: &Case, observation: &Observation, siblings: &[ComparedSibling<'_>]) -> Judged {
        let seen = CaseSnapshot::new(&case.id, observation);
        let same_text = self.forms(case).find(|form| form.text == seen.text);
        let held = same_text.or_else(|| self.forms(case).next());
        let accepted = held.map_or(Accepted::Nothing, |held| Accepted::Findings(held.findings.clone()));
        let diff = held.map(|held| diff(&held.text, &seen.text)).unwrap_or_default();
        let CaseVerdict { verdict, findings, change, to_hold } =
            judge_case(observation, siblings, &self.policy, &accepted, &diff, self.strict);
        let snapshot = seen.holding(observation, to_hold);
        Judged { verdict, findings, change, accepted, snapshot }
    }
}

/// A result without an observation, or whose observation says nothing: with the reason.
pub fn unjudged(
    case: &Case,
    verdict: Verdict,
    reason: String,
    observation: Option<Observation>,
) -> CaseResult {
    CaseResult {
        id: case.id.clone(),
        scenario: case.scenario.id.clone(),
        title: case.scenario.title.clone(),
        file: case.scenario.file.clone(),
        why: case.scenario.why.clone(),
        combination: case.combination,
        verdict,
        reason: Some(reason),
        findings: Vec::new(),
        change: None,
        accepted: None,
        duration_ms: observation.as_ref().map_or(0.0, duration_ms),
        observation,
    }
}

/// A result with its verdict.
pub fn judged(case: &Case, judged: Judged, observation: Observation, reason: Option<String>) -> CaseResult {
    CaseResult {
        verdict: judged.verdict,
        reason,
        findings: judged.findings,
        change: judged.change.filter(|change| !change.is_empty()),
        accepted: Some(judged.accepted),
        ..unjudged(case, Verdict::Pass, String::new(), Some(observation))
    }
}

/// From a case's first request to its last byte, in milliseconds.
fn duration_ms(observation: &Observation) -> f64 {
    observation.exchanges.iter().map(|exchange| exchange.end_ms).fold(0.0, f64::max)
}
