//! The matrix: rules in rows, gateways in columns.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    cell::{CaseRuns, MatrixCell},
    gateway::{CaseResult, GatewayHead, GatewayResults, MatrixGateway},
};
use crate::judge::{self, Policy};
use crate::scenario::Level;

/// Rules in rows, gateways in columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// The version of upfault that made it.
    pub upfault: String,
    /// The policy that decided disputed questions.
    pub policy: String,
    /// The seed of all random choices; `None` if the results come from accepted snapshots.
    pub seed: Option<u64>,
    /// The gateways. The first one is the control, which is known to be correct.
    pub(crate) gateways: Vec<MatrixColumn>,
    /// The rules that applied to a case of any gateway, in the order of the contract.
    pub(crate) rows: Vec<MatrixRow>,
}

/// A gateway, with the number of its cases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct MatrixColumn {
    /// What it is.
    #[serde(flatten)]
    pub head: GatewayHead,
    /// Why it has no results; `None` if it has some.
    pub not_run: Option<String>,
    /// How many runs each case with a required finding had, at least.
    pub runs: usize,
    /// How many cases were judged.
    pub judged: usize,
    /// How many of them break a required rule in every run, while the control keeps it.
    pub broken: usize,
    /// The reasons for which cases were skipped, each with their number, the most frequent first.
    pub skipped: Vec<(String, usize)>,
    /// The reasons for which cases have no judgement, each with their number, the most frequent first.
    pub unclear: Vec<(String, usize)>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct MatrixRow {
    /// Its id.
    pub rule: String,
    /// What must hold; empty if this version of upfault does not have the rule.
    pub title: String,
    /// Whether the policy requires it. Only then does a finding mean that the gateway is wrong.
    pub is_required: bool,
    /// One for each gateway.
    pub cells: Vec<MatrixCell>,
}

impl MatrixRow {
    /// The family of the rule: `status` for `status.mirrored`.
    pub(crate) fn family(&self) -> &str {
        self.rule.split('.').next().unwrap_or_default()
    }
}

impl Matrix {
    /// The matrix of these gateways, of which the first one is the control.
    pub fn new(gateways: &[MatrixGateway], policy: &Policy, seed: Option<u64>) -> Self {
        let runs: Vec<CaseRuns<'_>> = gateways
            .iter()
            .map(|gateway| match &gateway.results {
                GatewayResults::NotRun(_) => CaseRuns::new(&[]),
                GatewayResults::Runs(runs) => CaseRuns::new(runs),
            })
            .collect();
        let rows: Vec<MatrixRow> = rules_of(gateways)
            .into_iter()
            .map(|rule| {
                let is_required = level(&rule, policy) == Some(Level::Required);
                let cells = runs.iter().enumerate().map(|(n, own)| {
                    let control = runs.first().filter(|_| n > 0);
                    own.cell(&rule, is_required, control)
                });
                MatrixRow {
                    title: judge::rule(&rule).map(|rule| rule.title.to_owned()).unwrap_or_default(),
                    is_required,
                    cells: cells.collect(),
                    rule,
                }
            })
            .collect();
        let column = |n: usize, gateway: &MatrixGateway| {
            let required = rows.iter().filter(|row| row.is_required);
            let broken: BTreeSet<&String> = required.flat_map(|row| &row.cells[n].broken).collect();
            MatrixColumn { broken: broken.len(), ..counted(gateway, &runs[n]) }
        };
        Self {
            upfault: env!("CARGO_PKG_VERSION").to_owned(),
            policy: policy.describe(),
            seed,
            gateways: gateways.iter().enumerate().map(|(n, gateway)| column(n, gateway)).collect(),
            rows,
        }
    }

    /// The cases in which a gateway breaks a required rule, whether or not it counts. A case can occur several times.
    pub(crate) fn cases_with_findings(&self) -> impl Iterator<Item = &str> {
        self.rows_of(true).flat_map(|row| &row.cells).flat_map(MatrixCell::cases)
    }

    /// The required rules, or the others.
    pub(crate) fn rows_of(&self, required: bool) -> impl Iterator<Item = &MatrixRow> {
        self.rows.iter().filter(move |row| row.is_required == required)
    }
}

/// A column with the number of its cases.
fn counted(gateway: &MatrixGateway, runs: &CaseRuns<'_>) -> MatrixColumn {
    let mut column = MatrixColumn { head: gateway.head.clone(), ..MatrixColumn::default() };
    match &gateway.results {
        GatewayResults::NotRun(reason) => column.not_run = Some(reason.clone()),
        GatewayResults::Runs(all) => column.runs = all.len(),
    }
    let (mut skipped, mut unclear) = (BTreeMap::new(), BTreeMap::new());
    for id in &runs.ids {
        match runs.of(id).first() {
            Some(CaseResult::Judged { .. }) => column.judged += 1,
            Some(CaseResult::Skipped(reason)) => *skipped.entry(reason.clone()).or_insert(0) += 1,
            Some(CaseResult::Unclear(reason)) => *unclear.entry(reason.clone()).or_insert(0) += 1,
            None => {}
        }
    }
    let by_number = |reasons: BTreeMap<String, usize>| {
        let mut reasons: Vec<(String, usize)> = reasons.into_iter().collect();
        reasons.sort_by_key(|(_, cases)| std::cmp::Reverse(*cases));
        reasons
    };
    (column.skipped, column.unclear) = (by_number(skipped), by_number(unclear));
    column
}

/// The rules that applied to a case, in the order of the contract; then those that this version does not have.
fn rules_of(gateways: &[MatrixGateway]) -> Vec<String> {
    let mut found: BTreeSet<&str> = BTreeSet::new();
    for gateway in gateways {
        let GatewayResults::Runs(runs) = &gateway.results else { continue };
        for case in runs.iter().flatten() {
            let CaseResult::Judged { applied, broken } = &case.result else { continue };
            found.extend(applied.iter().map(String::as_str));
            found.extend(broken.iter().map(|broken| broken.rule.as_str()));
        }
    }
    let known = judge::rules().map(|rule| rule.id).filter(|id| found.contains(id));
    let others = found.iter().copied().filter(|id| judge::rule(id).is_none());
    known.chain(others).map(str::to_owned).collect()
}

/// The level of a rule under a policy; `None` if the policy does not apply it, or this version does not have it.
fn level(rule: &str, policy: &Policy) -> Option<Level> {
    let own = judge::rule(rule)?.level;
    policy.weight(rule).map_or(Some(own), judge::Weight::level)
}
