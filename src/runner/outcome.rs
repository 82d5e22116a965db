//! From an observation to a case's result: judged, held against what is accepted.

use std::collections::HashMap;

use super::{error::RunError, kinship::Beside};
use crate::{
    event::CaseResult,
    judge::{Finding, Policy, Verdict, has_timing, judge_beside, kin_of, stops_the_proxy},
    observation::Observation,
    scenario::Case,
    snapshot::{CaseSnapshot, Comparison, Difference, SnapshotFile, Store, Volatile, compare, verdict},
};

/// What is accepted, and by which rules is judged.
pub struct Bench {
    accepted: HashMap<String, SnapshotFile>,
    policy: Policy,
    strict: bool,
    own: Vec<Volatile>,
}

/// One observation, judged.
pub struct Judged {
    /// What is said of it.
    pub verdict: Verdict,
    /// The rules that it broke.
    pub findings: Vec<Finding>,
    /// How it stands to the accepted snapshot.
    pub change: Option<Difference>,
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

    /// It differs from what was accepted, or breaks a rule anew.
    pub fn is_news(&self) -> bool {
        matches!(self.verdict, Verdict::Fail | Verdict::Changed)
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
        own: Vec<Volatile>,
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
        Ok(Self { accepted, policy, strict, own })
    }

    /// Whether the accepted snapshot says that a case stops the proxy.
    pub fn is_known_to_stop_the_proxy(&self, case: &Case) -> bool {
        let accepted = self.accepted.get(&case.scenario.id).and_then(|file| file.case(&case.id));
        accepted
            .is_some_and(|accepted| accepted.findings.iter().any(|finding| stops_the_proxy(&finding.rule)))
    }

    /// Judges what was seen of a case, alone and beside its siblings. Where one of them is not there, what
    /// is accepted of the rules on it is neither confirmed nor gone.
    pub fn judge(&self, case: &Case, observation: &Observation, siblings: &[Beside<'_>]) -> Judged {
        let there: Vec<&Observation> = siblings.iter().filter_map(|sibling| sibling.seen).collect();
        let findings = judge_beside(observation, &there, &self.policy);
        let mut snapshot = CaseSnapshot::new(&case.id, observation, &findings, &self.own);
        let accepted = self.accepted.get(&case.scenario.id).and_then(|file| file.case(&case.id));
        if let Some(accepted) = accepted {
            let away = |kin| siblings.iter().any(|sibling| sibling.kin == kin && sibling.seen.is_none());
            snapshot = snapshot.keeping(accepted, |rule| kin_of(rule).is_some_and(away));
        }
        let comparison = compare(accepted, &snapshot);
        let verdict = verdict(&findings, &comparison, self.strict);
        let change = match comparison {
            Comparison::Against(difference) => Some(difference),
            Comparison::NoBaseline => None,
        };
        Judged { verdict, findings, change, snapshot }
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
        ..unjudged(case, Verdict::Pass, String::new(), Some(observation))
    }
}

/// From a case's first request to its last byte, in milliseconds.
fn duration_ms(observation: &Observation) -> f64 {
    observation.exchanges.iter().map(|exchange| exchange.end_ms).fold(0.0, f64::max)
}
