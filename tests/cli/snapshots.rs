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
    printed.out_has(&["accepted 4 cases (4 pass) in 2 snapshots:\n  snapshots/builtin/t/limit.snap\n  snapshots/builtin/t/plain.snap\nnone of these cases has findings"]);
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
    let printed =
        stage.upfault(&["review"]).code(1).out_has(&["builtin/t/limit: t/limit[stream]", "+== t/limit\n"]);
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
    assert!(!stage.path("snapshots").exists(), "no empty folders are left");
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
fn an_accepting_run_accepts_no_case_that_breaks_required_rules_unless_it_is_forced() {
    let stage = wrong();
    let printed = stage.upfault(&["run", "t", "--filter", "t/*", "--accept"]).code(1);
    printed.out_has(&[
        "accepted 2 cases (2 pass) in 1 snapshot:\n  snapshots/builtin/t/plain.snap\nnone of these cases has findings\n\
         not accepted: 2 cases that break required rules:\n  expect.status  2 cases\n  t/limit\n  t/limit[stream]\n\
         next: this command accepts them too:\n  upfault run t --filter 't/*' --accept --force\n\
         1 pending snapshot:\n",
        PENDING,
    ]);
    assert!(!stage.path(ACCEPTED).exists(), "nothing is accepted silently");
    // The cases that it did not accept are pending.
    stage
        .upfault(&["review"])
        .code(1)
        .out_has(&["new, with broken rules, 2 cases; newly broken: expect.status"]);
    // The command that it suggests works.
    let printed = stage.ended(stage.shell("upfault run t --filter 't/*' --accept --force")).code(0);
    printed.out_has(&["accepted 2 cases (2 fail) in 1 snapshot:\n  snapshots/builtin/t/limit.snap\n\
         2 cases have findings, which are accepted now:\n  expect.status  2 cases\n"]);
    assert!(!stage.path(PENDING).exists());
    // What was accepted once is not refused later.
    let printed = stage.upfault(&["run", "t", "--accept"]).code(0).out_has(&["\nnothing to accept: "]);
    assert!(!printed.out.contains(".snap"), "{}", printed.out);
    stage.upfault(&["run", "t", "--force"]).code(2).err_has(&["--accept"]);
}

#[test]
fn an_accepting_run_names_the_folder_of_many_snapshots() {
    let stage = Stage::new();
    for n in 0..6 {
        stage.write(&format!("scenarios/many/s{n}.yaml"), PLAIN);
    }
    let printed =
        stage.upfault(&["run", "--filter", "many/*", "--accept", "--snapshots", "my snaps"]).code(0);
    printed.out_has(&[
        "Baseline: none (no snapshots in my snaps/builtin)\n",
        "accepted 12 cases (12 pass) in 6 snapshots in my snaps/builtin/many\nnone of these cases has findings\n",
    ]);
}

#[test]
fn an_accepting_run_keeps_the_old_snapshot_of_a_case_that_is_newly_broken() {
    let stage = accepted();
    let before = stage.read(ACCEPTED);
    let wrong = format!("{LIMIT}expect: {{status: 200}}\n").replace("\"7\"", "\"9\"");
    stage.write("scenarios/t/limit.yaml", &wrong);
    stage.write("scenarios/t/plain.yaml", &PLAIN.replace("A plain", "Another plain"));
    stage.upfault(&["run", "t", "--accept"]).code(1).out_has(&["not accepted: 2 cases"]);
    assert_eq!(stage.read(ACCEPTED), before);
    stage.upfault(&["review"]).code(1).out_has(&["worse, 2 cases; newly broken: expect.status"]);
}

#[test]
fn a_run_names_its_baseline() {
    let stage = Stage::small();
    stage.upfault(&["run", "t"]).code(0).out_has(&["Baseline: none (no snapshots in snapshots/builtin)\n"]);
    stage.upfault(&["run", "t", "--accept"]).code(0);
    stage.upfault(&["run", "t"]).code(0).out_has(&["Baseline: snapshots/builtin\n"]);
    let bundled = stage.upfault(&["run", "healthy"]).code(0);
    bundled.out_has(&["Baseline: bundled with upfault "]);
    let both = stage.upfault(&["run", "--filter", "t/* | healthy/*"]).code(0);
    both.out_has(&["Baseline: snapshots/builtin, and for "]);
}

#[test]
fn a_snapshot_names_the_version_that_recorded_it() {
    let stage = accepted();
    let upfault = format!("upfault: {}\n", env!("CARGO_PKG_VERSION"));
    assert!(stage.read(ACCEPTED).contains(&upfault), "{}", stage.read(ACCEPTED));
    // Files of older versions do not have the line, and still load.
    let old = stage.read(ACCEPTED).replace(&upfault, "");
    stage.write(ACCEPTED, &old);
    stage.upfault(&["run", "t"]).code(0).out_has(&["4 cases: 4 pass"]);
    stage.write("scenarios/t/limit.yaml", &LIMIT.replace("\"7\"", "\"9\""));
    stage.upfault(&["run", "t"]).code(1);
    stage.upfault(&["review"]).code(1).out_has(&[
        "1 of 1: different, 2 cases; no rule is newly broken or fixed\n",
        "  accepted: an unknown version\n",
        &format!("  now:      recorded by upfault {}\n", env!("CARGO_PKG_VERSION")),
        "  A rate limit\n    builtin/t/limit: t/limit\n    builtin/t/limit: t/limit[stream]\n",
    ]);
}

#[test]
fn a_review_can_be_limited_to_paths_and_rules() {
    let stage = wrong();
    stage.write("scenarios/t/plain.yaml", &format!("{PLAIN}expect: {{status: 429}}\n"));
    stage.upfault(&["run", "t"]).code(1).out_has(&["2 pending snapshots:"]);
    let printed =
        stage.upfault(&["review", "t/plain"]).code(1).out_has(&["builtin/t/plain: t/plain[stream]"]);
    assert!(!printed.out.contains("t/limit"), "{}", printed.out);
    printed.err_has(&["2 pending; `upfault review t/plain --accept` accepts all"]);
    stage.upfault(&["review", "elsewhere"]).code(2).err_has(&["none of the 4 pending cases matches"]);
    stage.upfault(&["review", "--rule", "expect.statu"]).code(2).err_has(&["did you mean `expect.status`?"]);
    stage.upfault(&["review", "--rule", "status.mirrored"]).code(2).err_has(&["none of the 4 pending cases"]);
    stage
        .upfault(&["review", "--rule", "expect.status", "snapshots/builtin/t/limit.snap.new", "--reject"])
        .code(0);
    assert!(!stage.path(PENDING).exists());
    // One case of a file.
    stage
        .upfault(&["review", "t/plain[stream]", "--accept"])
        .code(0)
        .err_has(&["accepted builtin/t/plain: 1 case\n"]);
    stage.upfault(&["review", "--accept"]).code(0).err_has(&["accepted builtin/t/plain: 1 case\n"]);
    stage.upfault(&["review"]).code(0).err_has(&["no pending snapshots"]);
}

#[test]
fn a_rejected_snapshot_is_removed() {
    let stage = wrong();
    stage.upfault(&["run", "scenarios/t"]).code(1);
    stage.upfault(&["review", "--reject"]).code(0).err_has(&["rejected builtin/t/limit"]);
    assert!(!stage.path("snapshots").exists(), "no empty folders are left");
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

#[test]
fn of_many_cases_that_change_alike_a_few_run_again() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let failing = |error: &str| {
        format!("title: An error\nwhy: Needed.\nupstream: [{{error: {error}}}]\nproxy: {{timeout: 5s}}\n")
    };
    let stage = names
        .iter()
        .fold(Stage::new(), |stage, name| stage.scenario(&format!("t/{name}"), &failing("rate_limit")));
    stage.upfault(&["run", "scenarios/t", "--accept"]).code(0);
    for name in names {
        stage.write(&format!("scenarios/t/{name}.yaml"), &failing("bad_request"));
    }
    let repeated = |more: &[&str]| {
        let args = [&["run", "scenarios/t", "--report", "json=report.json"], more].concat();
        let printed = stage.upfault(&args);
        let report: serde_json::Value = serde_json::from_str(&stage.read("report.json")).unwrap();
        (printed, report["summary"]["times"]["repeated"].as_u64())
    };
    let (printed, asked) = repeated(&[]);
    printed.code(1).out_has(&["8 cases: 8 changed"]);
    assert_eq!(asked, Some(3), "three cases confirm the change for all");
    // What is accepted must contain every form of each case.
    let (printed, asked) = repeated(&["--accept"]);
    printed.code(0);
    assert_eq!(asked, Some(8));
}
