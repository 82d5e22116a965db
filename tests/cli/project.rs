//! Runs inside and outside of a project, and which scenarios they include.

use super::stage::{LIMIT, PLAIN, Stage};

/// Its own expectation fails with any correct proxy.
const WRONG: &str = "\
title: An answer that should have been a failure
why: Something has to be worth keeping.
upstream: [{reply: ok}]
proxy: {timeout: 5s}
expect: {status: 429}
";

#[test]
fn outside_a_project_a_run_writes_nothing_and_explains_how_to_keep_a_baseline() {
    let stage = Stage::new();
    stage.write("notes/wrong.yaml", WRONG);
    stage.write("notes/plain.yaml", PLAIN);
    let printed = stage.upfault(&["run", "notes"]).code(1).out_has(&[
        "note: 1 new or changed case not saved, because this folder is not a project\n",
        "next: keep a baseline with `upfault init`, --accept or --snapshots DIR\n",
    ]);
    assert!(!printed.out.contains("review"), "{}", printed.out);
    // If there is nothing to save, there is no note.
    let printed = stage.upfault(&["run", "notes/plain.yaml"]).code(0);
    assert!(!printed.out.contains("baseline"), "{}", printed.out);
    // The behaviour of a defect is never a baseline.
    let printed = stage.upfault(&["run", "notes", "--proxy", "builtin:detail-lost"]).code(1);
    assert!(!printed.out.contains("baseline"), "{}", printed.out);
    assert!(!stage.path("snapshots").exists());
    // Each of the suggested ways works. A folder with snapshots is a project.
    stage.upfault(&["run", "notes", "--snapshots", "kept"]).code(1).out_has(&["1 pending snapshot:"]);
    assert!(stage.path("kept/builtin/wrong.snap.new").exists() && !stage.path("snapshots").exists());
    stage
        .upfault(&["run", "notes/plain.yaml", "--accept"])
        .code(0)
        .out_has(&["accepted 2 cases (2 pass) in 1 snapshot:"]);
    stage.upfault(&["run", "notes"]).code(1).out_has(&["1 pending snapshot:"]);
    let stage = Stage::new();
    stage.write("notes/wrong.yaml", WRONG);
    stage.write("upfault.toml", "");
    stage.upfault(&["run", "notes"]).code(1).out_has(&["1 pending snapshot:"]);
}

#[test]
fn a_scenario_that_replaces_a_bundled_one_is_named_once() {
    const ONE: &str = "note: scenarios/limits/rate-limit.yaml replaces the bundled scenario with this id\n";
    let stage = Stage::small().scenario("limits/rate-limit", LIMIT);
    for args in [&["list"][..], &["run", "limits/rate-limit"], &["run", "scenarios/limits"]] {
        let printed = stage.upfault(args);
        assert_eq!(printed.err.matches("note: ").count(), 1, "{args:?}: {}", printed.err);
        printed.err_has(&[ONE]);
    }
    stage
        .upfault(&["check"])
        .code(0)
        .out_has(&["scenarios/limits/rate-limit.yaml: replaces the bundled scenario limits/rate-limit\n"]);
    // It is named only if it runs.
    for args in [&["run", "t"][..], &["list", "--filter", "t/*"], &["check", "t"]] {
        let printed = stage.upfault(args).code(0);
        assert!(!printed.err.contains("replaces") && !printed.out.contains("replaces"), "{printed:?}");
    }
    let stage = stage.scenario("limits/quota", LIMIT).scenario("timeouts/no-answer", PLAIN);
    assert_eq!(
        stage.upfault(&["list"]).code(0).err,
        "note: 3 files replace bundled scenarios, for example scenarios/limits/quota.yaml\n"
    );
}

#[test]
fn a_copy_of_a_bundled_scenario_replaces_nothing() {
    let text = include_str!("../../scenarios/limits/rate-limit.yaml");
    let stage = Stage::new().scenario("limits/rate-limit", text);
    assert_eq!(stage.upfault(&["list", "limits"]).code(0).err, "");
}

#[test]
fn scenarios_that_git_ignores_are_found_and_hidden_files_are_not() {
    let stage = Stage::small();
    let text = stage.read("scenarios/t/plain.yaml");
    stage.write(".gitignore", "scenarios/recorded/\n");
    stage.write("scenarios/recorded/one.yaml", &text);
    stage.write("scenarios/recorded/.two.yaml", &text);
    stage.upfault(&["list", "recorded"]).code(0).out_has(&["recorded/one"]);
    let listed = stage.upfault(&["list"]).code(0).out;
    assert!(listed.contains("recorded/one") && !listed.contains("recorded/.two"), "{listed}");
}
