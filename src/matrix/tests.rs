//! Tests of the matrix.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::{
    judge::Policy,
    snapshot::{CaseSnapshot, FindingLine, SnapshotFile, SnapshotStore, WriteMode},
};

const RULE: &str = "headers.retry-after";
const ADVICE: &str = "headers.request-id";

fn broken(rule: &str) -> BrokenRule {
    BrokenRule {
        rule: rule.to_owned(),
        is_required: rule == RULE,
        is_known: false,
        expected: "retry-after: 7".to_owned(),
        observed: "no retry-after".to_owned(),
    }
}

/// A judged case to which both rules apply, and which breaks some of them.
pub(crate) fn judged(id: &str, rules: &[&str]) -> MatrixCase {
    let applied = [RULE, ADVICE].map(str::to_owned).into();
    let broken = rules.iter().map(|rule| broken(rule)).collect();
    MatrixCase { id: id.to_owned(), result: CaseResult::Judged { applied, broken } }
}

fn skipped(id: &str, reason: &str) -> MatrixCase {
    MatrixCase { id: id.to_owned(), result: CaseResult::Skipped(reason.to_owned()) }
}

fn unclear(id: &str) -> MatrixCase {
    MatrixCase { id: id.to_owned(), result: CaseResult::Unclear("the machine was busy".to_owned()) }
}

pub(crate) fn gateway(name: &str, runs: Vec<Vec<MatrixCase>>) -> MatrixGateway {
    let text = |text: &str| text.to_owned();
    let head = GatewayHead {
        spec: text(name),
        name: text(name),
        version: text("1.2"),
        language: text("Go"),
        day: text("2026-11-30"),
    };
    MatrixGateway { head, results: GatewayResults::Runs(runs) }
}

pub(crate) fn not_run(name: &str, reason: &str) -> MatrixGateway {
    MatrixGateway { results: GatewayResults::NotRun(reason.to_owned()), ..gateway(name, Vec::new()) }
}

/// A control, a gateway with every kind of result, one that cannot run any of the cases, and one that was not run.
pub(crate) fn sample() -> Matrix {
    let control = vec![judged("a/1", &[]), judged("a/2", &[]), judged("a/3", &[RULE]), judged("a/4", &[])];
    let first = vec![
        judged("a/1", &[RULE, ADVICE]),
        judged("a/2", &[RULE]),
        judged("a/3", &[RULE]),
        judged("a/4", &[]),
        judged("a/5", &[RULE]),
        skipped("a/6", "it has no fallbacks"),
        unclear("a/7"),
    ];
    let second =
        vec![judged("a/1", &[RULE]), judged("a/2", &[]), judged("a/3", &[RULE]), judged("a/5", &[RULE])];
    let gateways = [
        gateway("control", vec![control]),
        gateway("mixed", vec![first, second]),
        gateway(
            "empty",
            vec![vec![skipped("a/1", "it serves nothing"), skipped("a/2", "it serves nothing")]],
        ),
        not_run("absent", "it needs a program\nhelp: install it"),
    ];
    Matrix::new(&gateways, &Policy::default(), Some(7))
}

fn row<'m>(matrix: &'m Matrix, rule: &str) -> &'m MatrixRow {
    matrix.rows.iter().find(|row| row.rule == rule).unwrap()
}

#[test]
fn a_case_counts_only_if_it_breaks_the_rule_in_every_run_and_the_control_keeps_it() {
    let matrix = sample();
    let cell = &row(&matrix, RULE).cells[1];
    assert_eq!(cell.broken, ["a/1", "a/5"]);
    let unconfirmed: Vec<_> =
        cell.unconfirmed.iter().map(|one| (one.case.as_str(), one.found, one.runs)).collect();
    assert_eq!(unconfirmed, [("a/2", 1, 2)]);
    assert_eq!(cell.refuted, ["a/3"]);
    assert_eq!((cell.judged, cell.known, cell.without_control), (5, 0, 1));
    assert_eq!(matrix.gateways[1].broken, 2);
}

#[test]
fn the_example_is_a_case_that_the_control_ran() {
    let runs = vec![vec![judged("a/0", &[RULE]), judged("a/1", &[RULE])]];
    let gateways = [gateway("control", vec![vec![judged("a/1", &[])]]), gateway("other", runs)];
    let matrix = Matrix::new(&gateways, &Policy::default(), None);
    let example = row(&matrix, RULE).cells[1].example.clone().unwrap();
    assert_eq!((example.case.as_str(), example.kept_by_control), ("a/1", Some(true)));
}

#[test]
fn what_was_not_run_never_looks_like_what_keeps_the_rule() {
    let matrix = sample();
    let states: Vec<CellState> = row(&matrix, RULE).cells.iter().map(MatrixCell::state).collect();
    assert_eq!(states, [CellState::Broken, CellState::Broken, CellState::NotRun, CellState::NotRun]);
    assert_eq!(row(&matrix, ADVICE).cells[0].state(), CellState::Kept);
    // A gateway whose cases are all inconclusive has kept nothing.
    let gateways =
        [gateway("control", vec![vec![judged("a/1", &[])]]), gateway("busy", vec![vec![unclear("a/1")]])];
    let matrix = Matrix::new(&gateways, &Policy::default(), None);
    assert_eq!(row(&matrix, RULE).cells[1].state(), CellState::NotRun);
    assert_eq!((matrix.gateways[1].judged, matrix.gateways[1].unclear.len()), (0, 1));
}

#[test]
fn a_case_that_a_repetition_could_not_judge_is_not_confirmed() {
    let gateways = [
        gateway("control", vec![vec![judged("a/1", &[])]]),
        gateway("busy", vec![vec![judged("a/1", &[RULE])], vec![unclear("a/1")]]),
    ];
    let matrix = Matrix::new(&gateways, &Policy::default(), None);
    assert_eq!(row(&matrix, RULE).cells[1].state(), CellState::Unconfirmed);
    assert_eq!(matrix.gateways[1].broken, 0);
}

#[test]
fn a_finding_below_required_is_not_a_defect() {
    let matrix = sample();
    let advice = row(&matrix, ADVICE);
    assert!(!advice.is_required && row(&matrix, RULE).is_required);
    assert_eq!(advice.cells[1].broken, Vec::<String>::new(), "it occurs in one of two runs");
    // The scenario lowers the level of a required rule.
    let mut lowered = judged("a/1", &[RULE]);
    if let CaseResult::Judged { broken, .. } = &mut lowered.result {
        broken[0].is_required = false;
    }
    let gateways = [gateway("control", vec![vec![judged("a/1", &[])]]), gateway("x", vec![vec![lowered]])];
    let matrix = Matrix::new(&gateways, &Policy::default(), None);
    assert_eq!(row(&matrix, RULE).cells[1].state(), CellState::Kept);
}

#[test]
fn cases_without_a_judgement_are_counted_by_reason() {
    let matrix = sample();
    let mixed = &matrix.gateways[1];
    assert_eq!((mixed.judged, mixed.runs), (5, 2));
    assert_eq!(mixed.skipped, [("it has no fallbacks".to_owned(), 1)]);
    assert_eq!(mixed.unclear, [("the machine was busy".to_owned(), 1)]);
    assert_eq!(matrix.gateways[2].skipped, [("it serves nothing".to_owned(), 2)]);
    assert!(matrix.gateways[3].not_run.as_ref().unwrap().starts_with("it needs a program"));
}

#[test]
fn rows_have_the_order_of_the_contract_and_unknown_rules_come_last() {
    let runs = vec![vec![judged("a/1", &["no.such-rule", RULE])]];
    let gateways = [gateway("control", runs)];
    let matrix = Matrix::new(&gateways, &Policy::default(), None);
    let rules: Vec<&str> = matrix.rows.iter().map(|row| row.rule.as_str()).collect();
    let place = |rule| crate::judge::rules().position(|known| known.id == rule);
    let expected = if place(RULE) < place(ADVICE) { [RULE, ADVICE] } else { [ADVICE, RULE] };
    assert_eq!(rules, [expected[0], expected[1], "no.such-rule"]);
}

#[test]
fn accepted_snapshots_give_the_results_of_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let line = |rule: &str, level| FindingLine {
        rule: rule.to_owned(),
        level,
        observed: "none".to_owned(),
        policy: Vec::new(),
    };
    let case = |id: &str, lines| CaseSnapshot::from_parts(id, "step 1: 429", lines);
    use crate::scenario::Level::{Recommended, Required};
    let file = SnapshotFile {
        cases: vec![
            case("a/b", vec![line(RULE, Required), line(ADVICE, Recommended)]),
            case("a/b[stream]", vec![line(RULE, Required)]),
            case("a/b[stream]", Vec::new()),
        ],
        ..SnapshotFile::default()
    };
    std::fs::create_dir(folder.path().join("a")).unwrap();
    std::fs::write(folder.path().join("a/b.snap"), file.render()).unwrap();
    let snapshots = SnapshotStore::new(folder.path().to_owned(), WriteMode::Never).without_bundled();
    let id = |case: &str, scenario: &str| (case.to_owned(), scenario.to_owned());
    let cases = [id("a/b", "a/b"), id("a/b[stream]", "a/b"), id("a/c", "a/c"), id("a/d", "a/d")];
    let skips = |case: &str| (case == "a/c").then(|| "it cannot".to_owned());
    let applied = BTreeMap::from([("a/b".to_owned(), BTreeSet::from([RULE.to_owned()]))]);
    let accepted = AcceptedGateway { snapshots: &snapshots, cases: &cases, skips: &skips, applied: &applied };
    let results = accepted_cases(&accepted).unwrap();
    let own = MatrixGateway { head: GatewayHead::default(), results };
    let matrix = Matrix::new(&[gateway("control", vec![vec![]]), own], &Policy::default(), None);
    let cell = &row(&matrix, RULE).cells[1];
    assert_eq!((cell.judged, cell.known, cell.broken.as_slice()), (2, 1, ["a/b".to_owned()].as_slice()));
    assert_eq!((cell.unconfirmed[0].found, cell.unconfirmed[0].runs), (1, 2), "it has two forms");
    let column = &matrix.gateways[1];
    assert_eq!((column.judged, column.skipped.len(), column.unclear.len()), (2, 1, 1));
}
