//! The results of a gateway, from its accepted snapshots.

use std::collections::{BTreeMap, BTreeSet};

use super::gateway::{BrokenRule, CaseResult, GatewayResults, MatrixCase};
use crate::{
    scenario::Level,
    snapshot::{SnapshotStore, StoreError},
};

/// What decides the results of a gateway that was judged before.
pub struct AcceptedGateway<'a> {
    /// Its accepted snapshots.
    pub snapshots: &'a SnapshotStore,
    /// Every case, with its scenario.
    pub cases: &'a [(String, String)],
    /// Why the gateway cannot run a case; `None` if it can.
    pub skips: &'a dyn Fn(&str) -> Option<String>,
    /// The rules that apply to a case. Snapshots do not contain them: those of the control are used.
    pub applied: &'a BTreeMap<String, BTreeSet<String>>,
}

/// The results. The forms of a case, of which there are several if the gateway does not always behave the same way, count
/// as runs.
///
/// # Errors
///
/// If a snapshot cannot be read.
pub fn accepted_cases(gateway: &AcceptedGateway<'_>) -> Result<GatewayResults, StoreError> {
    let mut runs: Vec<Vec<MatrixCase>> = Vec::new();
    let mut files = BTreeMap::new();
    for (id, scenario) in gateway.cases {
        if !files.contains_key(scenario) {
            files.insert(scenario, gateway.snapshots.load(scenario)?.unwrap_or_default());
        }
        let applied = gateway.applied.get(id).cloned().unwrap_or_default();
        let forms = files[scenario].forms(id).map(|form| {
            // A finding that only another policy makes is not one of the default policy.
            let lines = form.findings.iter().filter(|line| line.policy.is_empty());
            let broken = lines.map(|line| BrokenRule {
                rule: line.rule.clone(),
                is_required: line.level == Level::Required,
                is_known: true,
                expected: String::new(),
                observed: line.observed.clone(),
            });
            CaseResult::Judged { applied: applied.clone(), broken: broken.collect() }
        });
        let mut results: Vec<CaseResult> = forms.collect();
        if results.is_empty() {
            results.push(match (gateway.skips)(id) {
                Some(reason) => CaseResult::Skipped(reason),
                None => CaseResult::Unclear("no accepted snapshot contains the case".to_owned()),
            });
        }
        for (n, result) in results.into_iter().enumerate() {
            if runs.len() <= n {
                runs.push(Vec::new());
            }
            runs[n].push(MatrixCase { id: id.clone(), result });
        }
    }
    Ok(GatewayResults::Runs(runs))
}
