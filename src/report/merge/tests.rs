//! Shards that are joined, and shards that do not fit together.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;

use super::*;
use crate::{
    event::CaseReport,
    judge::Verdict,
    report::{
        Summary, Tolerance, exit_code,
        json::ReportBuilder,
        sample::{case, run_started},
    },
    scenario::{Case, Library},
    shard::{Durations, Shard, split},
};

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| Library::bundled().cases());

/// What a run of these cases finds, without a shard. Times are equal in all runs.
fn run(cases: &[Case], planned: usize, selection: RunSelection, verdict: impl Fn(&str) -> Verdict) -> Report {
    let mut report = ReportBuilder::with_rerun(Some(Rerun::default()));
    report.add(&Event::RunStarted(RunStarted { selection, ..run_started(planned) }));
    report.add(&Event::ProxyReady { instances: 1, startup_ms: 900.0 });
    for one in cases {
        let verdict = verdict(&one.id);
        // Different durations, so that the slowest case is the same in every order.
        let duration_ms = if verdict == Verdict::Skipped { 0.0 } else { 1.0 + place(&one.id) as f64 };
        let result = CaseReport { matrix: one.combination, duration_ms, ..case(&one.id, verdict) };
        report.add(&Event::CaseFinished(Arc::new(result)));
    }
    report.add(&Event::RunFinished(RunFinished { wall_ms: 80.0, total_ms: 90.0, ..RunFinished::default() }));
    report.finish()
}

fn place(id: &str) -> usize {
    CASES.iter().position(|case| case.id == id).unwrap_or_default()
}

fn shards(cases: &[Case], n: usize, verdict: impl Fn(&str) -> Verdict) -> Vec<Report> {
    let part =
        |k| split(cases.to_vec(), Shard { k, n }, Durations::bundled()).expect("there are enough cases");
    let report = |part: crate::shard::Split| {
        let selection = RunSelection { filter: Some("x".to_owned()), quick: false, shard: Some(part.report) };
        run(&part.cases, part.cases.len(), selection, &verdict)
    };
    (1..=n).map(|k| report(part(k))).collect()
}

fn head(report: &Report) -> Report<SkippedCases> {
    let text = serde_json::to_string(report).expect("it can be written");
    serde_json::from_str(&text).expect("a report has a head")
}

fn heads(reports: &[Report]) -> Result<ShardHeads, MergeError> {
    let file = |n: usize| PathBuf::from(format!("{n}.json"));
    ShardHeads::new(reports.iter().enumerate().map(|(n, report)| (file(n), head(report))).collect())
}

/// The report of the joined run.
fn joined(reports: &[Report]) -> Result<Report, MergeError> {
    let heads = heads(reports)?;
    let mut merged = ReportBuilder::with_rerun(heads.rerun());
    heads.begin().iter().for_each(|event| merged.add(event));
    for case in reports.iter().flat_map(|report| &report.cases) {
        merged.add(&Event::CaseFinished(Arc::new(case.clone())));
    }
    merged.add(&heads.end());
    Ok(merged.finish())
}

fn small() -> Vec<Case> {
    CASES.iter().filter(|case| case.id.starts_with("limits/")).cloned().collect()
}

fn passing(_: &str) -> Verdict {
    Verdict::Pass
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn joined_shards_are_the_unsharded_run(
        n in 1usize..30,
        kept in 1usize..6,
        salt in 0usize..1000,
        mixed in prop::bool::ANY,
    ) {
        let cases: Vec<Case> = CASES.iter().filter(|case| (place(&case.id) + salt).is_multiple_of(kept)).cloned().collect();
        let verdict = |id: &str| match mixed {
            true => Verdict::ALL[(place(id) * 7 + salt) % Verdict::ALL.len()],
            false => [Verdict::Pass, Verdict::Known][(place(id) + salt) % 2],
        };
        let selection = RunSelection { filter: Some("x".to_owned()), quick: false, shard: None };
        let unsharded = run(&cases, cases.len(), selection, verdict);
        let mut reports = shards(&cases, n, verdict);
        // The order in which the reports are named does not matter.
        reports.rotate_left(salt % n);
        let mut joined = joined(&reports).expect("they fit together");
        // A sum of fractions depends on the order.
        prop_assert!((joined.summary.sum_ms - unsharded.summary.sum_ms).abs() < 1e-3);
        joined.summary.sum_ms = unsharded.summary.sum_ms;
        prop_assert_eq!(&joined, &unsharded);
        for strict in [false, true] {
            let tolerance = Tolerance { strict, ..Tolerance::default() };
            let code = |summary: &Summary| exit_code(summary, tolerance, summary.interrupted);
            prop_assert_eq!(code(&joined.summary), code(&unsharded.summary));
        }
    }
}

#[test]
fn a_run_that_was_stopped_in_one_shard_was_stopped() {
    let mut reports = shards(&small(), 3, passing);
    reports[1].cases.truncate(1);
    reports[1].summary.pass = 1;
    reports[1].summary.interrupted = true;
    reports[2].summary.wall_ms = 500.0;
    let summary = joined(&reports).expect("an interrupted shard has fewer cases").summary;
    assert!(summary.interrupted);
    assert_eq!(summary.wall_ms, 500.0, "shards run at the same time");
    reports[1].summary.interrupted = false;
    reports[1].summary.gave_up = true;
    reports[1].summary.fail_fast = Some(2);
    assert_eq!(heads(&reports).expect("it says why").gave_up(), ["2/3"]);
    let summary = joined(&reports).expect("it says why").summary;
    assert_eq!((summary.gave_up, summary.fail_fast), (true, Some(2)));
}

#[track_caller]
fn refused(reports: &[Report]) -> String {
    heads(reports).map(|_| ()).expect_err("they do not fit together").to_string()
}

#[test]
fn a_missing_shard_is_named_with_the_command_that_runs_it() {
    let mut reports = shards(&small(), 4, passing);
    for report in &mut reports {
        report.rerun = Some(Rerun {
            paths: vec!["limits".to_owned()],
            options: vec!["--proxy".to_owned(), "litellm".to_owned()],
            shard_options: vec!["--durations".to_owned(), "durations.json".to_owned()],
            ..Rerun::default()
        });
    }
    reports.remove(2);
    insta::assert_snapshot!(refused(&reports), @"
    shard 3/4 is missing
    help: its job may have failed before it wrote a report: read its log, or run the shard again: `upfault run limits --filter x --proxy litellm --durations durations.json --shard 3/4 --report json=PATH`
    ");
    reports.remove(0);
    assert!(refused(&reports).starts_with("shards 1/4, 3/4 are missing\n"), "{}", refused(&reports));
}

#[test]
fn a_shard_that_is_there_twice_is_named_with_both_files() {
    let mut reports = shards(&small(), 2, passing);
    reports.push(reports[0].clone());
    insta::assert_snapshot!(refused(&reports), @"
    shard 1/2 is in both 0.json and 2.json
    help: pass one report for each shard; one of them may be left from an earlier run
    ");
}

#[test]
fn the_report_of_a_complete_run_is_not_a_shard() {
    let cases = small();
    let reports = [run(&cases, cases.len(), RunSelection::default(), passing)];
    insta::assert_snapshot!(refused(&reports), @"
    0.json is not the report of a shard
    help: `upfault run --shard K/N --report json=PATH` writes one; the report of a complete run needs no merge
    ");
}

#[test]
fn a_report_that_lost_cases_is_noticed() {
    let mut reports = shards(&small(), 2, passing);
    reports[0].summary.pass -= 1;
    assert!(refused(&reports).contains(" cases\nhelp: the reports were changed"), "{}", refused(&reports));
}

#[test]
fn shards_of_different_runs_are_refused_with_what_differs() {
    let reports = shards(&small(), 2, passing);
    let shown = |change: &dyn Fn(&mut Report)| {
        let mut reports = reports.clone();
        change(&mut reports[1]);
        refused(&reports).lines().next().unwrap_or_default().to_owned()
    };
    let begin = "the shards are not parts of one run: ";
    let shard = |report: &mut Report, change: &dyn Fn(&mut ShardReport)| {
        report.selection.shard.as_mut().into_iter().for_each(change);
    };
    let changes: [(&dyn Fn(&mut Report), &str); 11] = [
        (
            &|report| report.proxy.version = Some("1.108.7".to_owned()),
            "the proxy is litellm 1.102.4 in 0.json, but litellm 1.108.7 in 1.json",
        ),
        (
            &|report| report.proxy.name = "ours".to_owned(),
            "the proxy is litellm 1.102.4 in 0.json, but ours 1.102.4 in 1.json",
        ),
        (&|report| report.upfault = "0.0.1".to_owned(), "the version of upfault is "),
        (&|report| report.seed = 8, "the seed is 7 in 0.json, but 8 in 1.json"),
        (
            &|report| report.policy = "strict".to_owned(),
            "the policy is default in 0.json, but strict in 1.json",
        ),
        (&|report| report.strict = true, "strict is false in 0.json, but true in 1.json"),
        (
            &|report| report.allow_inconclusive = Some(9),
            "the number of allowed inconclusive cases is 5 in 0.json, but 9 in 1.json",
        ),
        (&|report| report.selection.filter = None, "the filter is `x` in 0.json, but missing in 1.json"),
        (
            &|report| shard(report, &|shard| shard.n = 3),
            "the number of shards is 2 in 0.json, but 3 in 1.json",
        ),
        (&|report| shard(report, &|shard| shard.cases = 3), "the number of cases is "),
        (
            &|report| shard(report, &|shard| shard.split = "0".to_owned()),
            "the split into shards is one in 0.json, but another in 1.json",
        ),
    ];
    for (change, expected) in changes {
        let shown = shown(change);
        assert!(shown.starts_with(&format!("{begin}{expected}")), "{shown}");
    }
}
