//! Snapshots, as the program handles them: pending, accepted, changed and known ones.

use std::fs;

use upfault::internals::judge::Verdict;

use super::stage::{LIMIT, PLAIN, Stage, verdict};

const ACCEPTED: &str = "snapshots/builtin/t/limit.snap";
const PENDING: &str = "snapshots/builtin/t/limit.snap.new";

/// A scenario whose own expectation fails with any correct proxy.
const WRONG: &str = "\
title: A rate limit that should have been a success
why: A known finding is needed.
matrix: {stream: [false, true]}
upstream: [{error: rate_limit}]
proxy: {timeout: 5s}
expect: {status: 200}
";

fn accepted() -> Stage {
    let stage = Stage::small();
    let printed = stage.upfault(&["run", "scenarios/t", "--accept"]).code(0);
    printed.out_has(&["2 accepted snapshots:\n  snapshots/builtin/t/limit.snap\n  snapshots/builtin/t/plain.snap\nnone of their cases has findings"]);
    stage
}

/// `t/limit` breaks its own expectation in two cases, `t/plain` passes.
fn wrong() -> Stage {
    Stage::small().scenario("t/limit", WRONG)
}

#[test]
fn a_new_failure_is_pending_and_after_a_review_it_is_known() {
    let stage = wrong();
    let printed = stage.upfault(&["run", "scenarios/t"]).code(1);
    printed.out_has(&["1 pending snapshot:\n", PENDING, "next: `upfault review` accepts"]);
    assert!(!stage.path(ACCEPTED).exists(), "nothing is accepted automatically");
    let printed = stage.upfault(&["review"]).code(1).out_has(&["builtin/t/limit", "+== t/limit[stream]"]);
    assert!(printed.err.contains("`upfault review --accept` accepts all"), "{}", printed.err);
    stage.upfault(&["review", "--accept"]).code(0).err_has(&["accepted builtin/t/limit"]);
    assert!(stage.path(ACCEPTED).exists() && !stage.path(PENDING).exists());
    let before = stage.tree("snapshots");
    let printed = stage.upfault(&["run", "scenarios/t"]).code(0).out_has(&["4 cases: 2 pass, 2 known"]);
    assert!(!printed.out.contains("pending"), "{}", printed.out);
    assert_eq!(stage.tree("snapshots"), before);
    stage.upfault(&["review"]).code(0).err_has(&["no pending snapshots"]);
}

#[test]
fn a_new_case_that_passes_writes_nothing_and_removes_its_pending_snapshot() {
    let stage = Stage::small();
    let printed = stage.upfault(&["run", "scenarios/t"]).code(0).out_has(&["4 cases: 4 pass"]);
    assert!(!printed.out.contains("pending") && !printed.out.contains("accept"), "{}", printed.out);
    assert!(!stage.path("snapshots").exists());
    stage.write("scenarios/t/limit.yaml", WRONG);
    stage.upfault(&["run", "scenarios/t"]).code(1);
    assert!(stage.path(PENDING).exists());
    stage.write("scenarios/t/limit.yaml", LIMIT);
    stage.upfault(&["run", "scenarios/t", "--filter", "plain"]).code(0);
    let pending = stage.read(PENDING);
    assert!(pending.contains("== t/limit[stream]\n") && !pending.contains("== t/limit\n"), "{pending}");
    stage.upfault(&["run", "scenarios/t"]).code(0);
    assert!(stage.tree("snapshots").is_empty());
}

#[test]
fn a_new_case_that_passes_is_not_pending_even_if_another_case_changed() {
    let stage = Stage::small();
    stage.upfault(&["run", "t", "--filter", "case:t/limit", "--accept"]).code(0);
    stage.write("scenarios/t/limit.yaml", &LIMIT.replace("\"7\"", "\"9\""));
    stage.upfault(&["run", "t"]).code(1).out_has(&["3 pass, 1 changed", "1 pending snapshot:"]);
    let pending = stage.read(PENDING);
    assert!(pending.contains("== t/limit\n") && !pending.contains("t/limit[stream]"), "{pending}");
    stage.upfault(&["review", "--accept"]).code(0);
    stage.upfault(&["run", "t"]).code(0).out_has(&["4 cases: 4 pass"]);
    assert!(!stage.path(PENDING).exists());
}

#[test]
fn an_accepting_run_lists_its_files_and_the_accepted_findings() {
    let stage = wrong();
    stage.upfault(&["run", "t", "--accept"]).code(0).out_has(&[
        "2 accepted snapshots:\n  snapshots/builtin/t/limit.snap\n  snapshots/builtin/t/plain.snap\n\
         2 cases have findings, which are accepted now:\n  expect.status  2 cases\n",
    ]);
    let printed = stage.upfault(&["run", "t", "--accept"]).code(0).out_has(&["\nnothing to accept: "]);
    assert!(!printed.out.contains(".snap"), "{}", printed.out);
    for n in 0..6 {
        stage.write(&format!("scenarios/many/s{n}.yaml"), PLAIN);
    }
    let printed =
        stage.upfault(&["run", "--filter", "many/*", "--accept", "--snapshots", "my snaps"]).code(0);
    printed.out_has(&["6 accepted snapshots in my snaps/builtin/many\nnone of their cases has findings\n"]);
}

#[test]
fn a_rejected_snapshot_is_removed() {
    let stage = wrong();
    stage.upfault(&["run", "scenarios/t"]).code(1);
    stage.upfault(&["review", "--reject"]).code(0).err_has(&["rejected builtin/t/limit"]);
    assert!(stage.tree("snapshots").is_empty());
    stage.upfault(&["review", "--accept", "--reject"]).code(2).err_has(&["--reject"]);
}

#[test]
fn a_change_exits_with_1_and_a_diff_until_it_is_accepted() {
    let stage = accepted();
    stage.write("scenarios/t/limit.yaml", &LIMIT.replace("\"7\"", "\"9\""));
    let before = stage.read(ACCEPTED);
    let (printed, report) = stage.run(&["scenarios/t"]);
    printed.code(1).out_has(&[
        "CHANGED t/limit\n",
        "  -  retry-after: 7\n  +  retry-after: 9",
        "2 pass, 2 changed",
        PENDING,
    ]);
    assert_eq!(verdict(&report, "t/limit").0, Verdict::Changed);
    assert!(report.cases[0].change.as_ref().unwrap().diff.contains("+  retry-after: 9"));
    assert_eq!(stage.read(ACCEPTED), before, "an accepted file changes only on request");
    stage.upfault(&["review"]).code(1).out_has(&["-    retry-after: 7\n+    retry-after: 9"]);
    stage.upfault(&["run", "scenarios/t", "--accept"]).code(0).out_has(&["accepted"]);
    assert!(stage.read(ACCEPTED).contains("retry-after: 9") && !stage.path(PENDING).exists());
    stage.upfault(&["run", "scenarios/t"]).code(0).out_has(&["4 pass"]);
}

#[test]
fn a_reverted_change_is_not_pending() {
    let stage = accepted();
    let good = stage.read(ACCEPTED);
    stage.write(ACCEPTED, &good.replace("retry-after: 7", "retry-after: 8"));
    stage.upfault(&["run", "scenarios/t"]).code(1).out_has(&["2 changed"]);
    assert!(stage.path(PENDING).exists());
    stage.write(ACCEPTED, &good);
    stage.upfault(&["run", "scenarios/t"]).code(0);
    assert!(!stage.path(PENDING).exists());
}

#[test]
fn in_ci_nothing_is_written() {
    let stage = wrong();
    let printed = stage.with_env("CI", "1", &["run", "scenarios/t"]).code(1);
    assert!(!printed.out.contains("not saved"), "{}", printed.out);
    assert!(!stage.path("snapshots").exists());
    let stage = accepted();
    stage.write("scenarios/t/limit.yaml", &LIMIT.replace("\"7\"", "\"9\""));
    let before = stage.tree("snapshots");
    stage.with_env("CI", "true", &["run", "scenarios/t"]).code(1).out_has(&["2 changed"]);
    stage.with_env("CI", "1", &["run", "scenarios/t", "--accept"]).code(2).err_has(&["`CI` is set"]);
    assert_eq!(stage.tree("snapshots"), before);
    // `CI=false` counts as unset.
    stage.with_env("CI", "false", &["run", "scenarios/t"]).code(1);
    assert!(stage.path(PENDING).exists());
}

#[test]
fn a_known_finding_fails_only_a_strict_run_and_a_missing_one_is_a_change() {
    let stage = Stage::new().scenario("t/limit", WRONG);
    stage.upfault(&["run", "t"]).code(1).out_has(&["2 fail"]);
    stage.upfault(&["review", "--accept"]).code(0);
    assert!(stage.read(ACCEPTED).contains("expect."), "the snapshot contains the finding");
    let (printed, report) = stage.run(&["t"]);
    printed.code(0).out_has(&["2 known"]);
    assert_eq!(verdict(&report, "t/limit").0, Verdict::Known);
    stage.upfault(&["run", "t", "--strict"]).code(1).out_has(&["t/limit"]);
    stage.write("scenarios/t/limit.yaml", &WRONG.replace("200", "429"));
    stage.upfault(&["run", "t"]).code(1).out_has(&["2 changed"]);
}

#[test]
fn a_filtered_run_keeps_the_other_cases_of_a_file() {
    let stage = accepted();
    stage.write("scenarios/t/limit.yaml", &LIMIT.replace("\"7\"", "\"9\""));
    stage.upfault(&["run", "t", "--filter", "t/limit & stream", "--accept"]).code(0);
    let now = stage.read(ACCEPTED);
    assert!(now.contains("== t/limit\n") && now.contains("== t/limit[stream]\n"), "{now}");
    assert!(now.contains("retry-after: 7") && now.contains("retry-after: 9"), "{now}");
    // In a pending file, a case that did not run is still pending.
    stage.upfault(&["run", "t", "--filter", "t/limit & plain"]).code(1);
    let pending = stage.read(PENDING);
    assert!(pending.contains("== t/limit[stream]\n") && !pending.contains("retry-after: 7"), "{pending}");
}

#[test]
fn a_damaged_snapshot_exits_with_2_and_its_position_and_is_not_changed() {
    let stage = accepted();
    let damaged = stage.read(ACCEPTED).replacen("== t/limit\n", "<<<<<<< ours\n== t/limit\n", 1);
    stage.write(ACCEPTED, &damaged);
    let before = stage.tree("snapshots");
    for args in [&["run", "scenarios/t"][..], &["run", "scenarios/t", "--accept"]] {
        let printed = stage.upfault(args).code(2).err_has(&["error: ", "limit.snap:", "help: fix the file"]);
        assert_eq!(printed.out, "", "nothing was run");
        assert_eq!(stage.tree("snapshots"), before);
    }
    stage.write(ACCEPTED, "");
    stage.upfault(&["run", "scenarios/t", "--accept"]).code(2).err_has(&["limit.snap:1"]);
    assert_eq!(
        stage.read(ACCEPTED),
        "",
        "an empty file does not count as missing: its content may have been lost"
    );
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let stage = wrong();
    stage.write("taken", "a file where a folder should be");
    let args = ["run", "scenarios/t", "--snapshots", "taken"];
    stage.upfault(&args).code(4).err_has(&["error: cannot ", "taken", "help: "]);
    assert_eq!(stage.read("taken"), "a file where a folder should be");
    let args = ["run", "scenarios/t", "--snapshots", "s", "--report", "json=taken/report.json"];
    stage.upfault(&args).code(4).err_has(&["cannot write the report", "taken/report.json"]);
    // Without a cache folder a run cannot start.
    stage
        .with_env("UPFAULT_CACHE", "taken", &["run", "scenarios/t"])
        .code(4)
        .err_has(&["error: cannot ", "taken"]);
}

#[test]
fn another_snapshot_folder_is_used_by_every_command() {
    let stage = Stage::new().scenario("t/wrong", WRONG);
    let folder = "our snaps";
    let printed = stage.upfault(&["run", "t", "--snapshots", folder]).code(1);
    printed.out_has(&["next: `upfault review --snapshots 'our snaps'` accepts"]);
    assert!(stage.path("our snaps/builtin/t/wrong.snap.new").exists() && !stage.path("snapshots").exists());
    stage.upfault(&["review"]).code(0).err_has(&["no pending snapshots"]);
    let printed = stage.upfault(&["review", "--snapshots", folder]).code(1);
    printed.err_has(&["`upfault review --accept --snapshots 'our snaps'` accepts all"]);
    stage.upfault(&["review", "--accept", "--snapshots", folder]).code(0);
    assert!(fs::exists(stage.path("our snaps/builtin/t/wrong.snap")).unwrap());
}

#[test]
fn a_case_with_varying_behaviour_is_reported_and_can_have_several_accepted_forms() {
    let text = LIMIT.replace("matrix: {stream: [false, true]}\n", "");
    let stage = Stage::new().scenario("t/limit", &text).fake("flap");
    let run = |flags: &[&str]| stage.run(&[&["scenarios/t", "--proxy", "flap"], flags].concat());
    run(&["--accept"]).0.code(0);
    let unsteady = |report: &upfault::internals::report::Report| {
        verdict(report, "t/limit").1 == "differs between repetitions: 1 of 2 as accepted"
    };
    // If the machine was busy during a repetition, the difference is not confirmed. Then another run is needed.
    let printed =
        (0..5).map(|_| run(&[])).find(|(_, report)| unsteady(report)).expect("the repetitions differ").0;
    printed.code(0).out_has(&[
        "UNSTEADY the proxy",
        "t/limit: differs between repetitions: 1 of 2 as accepted",
        "1 pending snapshot:",
    ]);
    assert!(stage.read("snapshots/fake/t/limit.snap.new").contains("== t/limit (another form)"));
    stage.upfault(&["review", "--accept"]).code(0);
    // Both forms are accepted now, in any order.
    for _ in 0..2 {
        let (printed, report) = run(&["--strict"]);
        assert_eq!(report.summary.changed, 0, "{}", printed.out);
        assert!(!printed.out.contains("UNSTEADY") && !printed.out.contains("pending"), "{}", printed.out);
    }
}
