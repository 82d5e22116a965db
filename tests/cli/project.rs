//! What a run does in a folder that is a project and in one that is not, and whose scenarios it runs.

use super::stage::{LIMIT, PLAIN, Stage};

/// Breaks its own expectation through any honest proxy.
const WRONG: &str = "\
title: An answer that should have been a failure
why: Something has to be worth keeping.
upstream: [{reply: ok}]
proxy: {timeout: 5s}
expect: {status: 429}
";

#[test]
fn outside_a_project_a_run_leaves_nothing_behind_and_says_how_to_keep_a_baseline() {
    let stage = Stage::new();
    stage.write("notes/wrong.yaml", WRONG);
    stage.write("notes/plain.yaml", PLAIN);
    let said = stage.upfault(&["run", "notes"]).code(1).out_has(&[
        "note: 1 new or changed case not saved: this folder is not a project\n",
        "next: keep a baseline by --accept, --snapshots DIR or an upfault.toml\n",
    ]);
    assert!(!said.out.contains("review"), "{}", said.out);
    // Nothing to keep, nothing to say.
    let said = stage.upfault(&["run", "notes/plain.yaml"]).code(0);
    assert!(!said.out.contains("baseline"), "{}", said.out);
    // A defect's behaviour is not a baseline, in a project or elsewhere.
    let said = stage.upfault(&["run", "notes", "--proxy", "builtin:detail-lost"]).code(1);
    assert!(!said.out.contains("baseline"), "{}", said.out);
    assert!(!stage.path("snapshots").exists());
    // Each of the ways that were named works, and makes the folder a project where it writes into it.
    stage.upfault(&["run", "notes", "--snapshots", "kept"]).code(1).out_has(&["1 pending snapshot:"]);
    assert!(stage.path("kept/builtin/wrong.snap.new").exists() && !stage.path("snapshots").exists());
    stage.upfault(&["run", "notes/plain.yaml", "--accept"]).code(0).out_has(&["1 accepted snapshot:"]);
    stage.upfault(&["run", "notes"]).code(1).out_has(&["1 pending snapshot:"]);
    let stage = Stage::new();
    stage.write("notes/wrong.yaml", WRONG);
    stage.write("upfault.toml", "");
    stage.upfault(&["run", "notes"]).code(1).out_has(&["1 pending snapshot:"]);
}

#[test]
fn a_scenario_that_replaces_a_bundled_one_is_named_once() {
    const ONE: &str = "note: scenarios/limits/rate-limit.yaml replaces the bundled scenario of this id\n";
    let stage = Stage::small().scenario("limits/rate-limit", LIMIT);
    for args in [&["list"][..], &["run", "limits/rate-limit"], &["run", "scenarios/limits"]] {
        let said = stage.upfault(args);
        assert_eq!(said.err.matches("note: ").count(), 1, "{args:?}: {}", said.err);
        said.err_has(&[ONE]);
    }
    stage
        .upfault(&["check"])
        .code(0)
        .out_has(&["scenarios/limits/rate-limit.yaml: replaces the bundled scenario limits/rate-limit\n"]);
    // Only where it runs.
    for args in [&["run", "t"][..], &["list", "--filter", "t/*"], &["check", "t"]] {
        let said = stage.upfault(args).code(0);
        assert!(!said.err.contains("replaces") && !said.out.contains("replaces"), "{said:?}");
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
