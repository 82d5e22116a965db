//! `upfault compare`: stored reports, proxies that it runs, exit codes and formats.

use std::{fs, path::Path};

use serde_json::Value;

use super::stage::{CliOutput, Stage};

const DROPPED: &str = "builtin:retry-after-dropped";

/// Two stored runs: of the correct proxy, and of one that drops Retry-After.
fn stored() -> Stage {
    let stage = Stage::small();
    for (file, proxy) in [("a", "builtin"), ("b", DROPPED)] {
        let to = format!("json={file}.json");
        stage.upfault(&["run", "scenarios/t", "--proxy", proxy, "--report", &to]);
    }
    stage
}

fn compare(stage: &Stage, args: &[&str]) -> CliOutput {
    stage.upfault(&[&["compare"], args].concat())
}

#[test]
fn stored_runs_are_compared_and_only_worse_fails() {
    let stage = stored();
    let worse = compare(&stage, &["a.json", "b.json"]).code(1).out_has(&[
        "builtin -> builtin:retry-after-dropped: 4 cases compared",
        "2 worse, 0 better, 0 different, 0 only in wording, 2 the same",
        "WORSE",
        "header retry-after: removed",
        "newly broken: headers.retry-after",
    ]);
    assert!(worse.out.lines().all(|line| line.chars().count() <= 80), "{}", worse.out);
    compare(&stage, &["b.json", "a.json"]).code(0).out_has(&["2 better", "fixed: headers.retry-after"]);
    compare(&stage, &["b.json", "a.json", "--fail-on", "different"]).code(1);
    compare(&stage, &["a.json", "b.json", "--fail-on", "never"]).code(0);
    compare(&stage, &["a.json", "a.json"])
        .code(0)
        .out_has(&["0 worse, 0 better, 0 different, 0 only in wording, 4 the same"]);
}

#[test]
fn three_runs_show_where_a_change_was_undone() {
    let stage = stored();
    compare(&stage, &["a.json", "b.json", "a.json"]).code(0).out_has(&[
        "as before in",
        "2 cases",
        "2 better",
    ]);
}

#[test]
fn proxies_are_run_and_their_reports_are_kept() {
    let stage = Stage::small();
    let first = compare(&stage, &["builtin", DROPPED, "--filter", "t/*"])
        .code(1)
        .err_has(&["builtin: 4 of 4 cases", "builtin:retry-after-dropped, again: "])
        .out_has(&["2 worse", "The reports are kept"]);
    let again = first.out.split("The reports are kept").nth(1).unwrap();
    let again = again.lines().skip(1).collect::<Vec<_>>().join("\n");
    let second = stage.ended(stage.shell(again.trim())).code(1);
    let shown = first.out.split("\nThe reports are kept").next().unwrap().trim_end();
    // No case runs again, and the result is the same.
    assert_eq!(second.out.trim_end(), shown);
    assert_eq!(second.err, "");
    assert!(!stage.path("snapshots").exists());
}

#[test]
fn a_proxy_is_the_same_as_itself() {
    let stage = Stage::small();
    compare(&stage, &["builtin", "builtin", "--filter", "t/*", "--fail-on", "different"])
        .code(0)
        .out_has(&["0 worse, 0 better, 0 different, 0 only in wording, 4 the same"]);
}

#[test]
fn too_many_inconclusive_cases_fail_the_comparison() {
    let stage = stored();
    let mut report: Value = serde_json::from_str(&stage.read("a.json")).unwrap();
    report["cases"][0]["verdict"] = "inconclusive".into();
    stage.write("c.json", &report.to_string());
    compare(&stage, &["a.json", "c.json"]).code(0).out_has(&["3 the same"]);
    compare(&stage, &["a.json", "c.json", "--allow-inconclusive", "0"]).code(1).err_has(&[
        "1 case of builtin",
        "inconclusive",
        "help: ",
    ]);
    compare(&stage, &["a.json", "c.json", "--allow-inconclusive", "0", "--fail-on", "never"]).code(0);
}

#[test]
fn a_mode_changes_the_configuration_and_is_named() {
    let stage = Stage::small().fake("honest");
    stage.write("overlay.yaml", "extra: {setting: 1}\n");
    compare(&stage, &["honest", "honest,SOME_NAME=1,overlay.yaml", "--filter", "t/plain"])
        .code(0)
        .out_has(&["fake with SOME_NAME=1, overlay.yaml"]);
    let configs: Vec<Value> = stage
        .tree("cache/runs")
        .into_iter()
        .filter(|(path, _)| path.ends_with("config.json"))
        .map(|(_, bytes)| serde_json::from_slice(&bytes).unwrap())
        .collect();
    assert_eq!(configs.iter().filter(|config| config["extra"]["setting"] == 1).count(), 1, "{configs:?}");
    stage.nothing_is_left();
    compare(&stage, &["honest", "honest,missing.yaml"])
        .code(2)
        .err_has(&["cannot read the settings `missing.yaml`"]);
}

#[test]
fn one_case_is_shown_with_its_facts_and_the_wire() {
    let stage = stored();
    compare(&stage, &["a.json", "b.json", "--filter", "case:t/limit"]).code(1).out_has(&[
        "t/limit",
        "header retry-after",
        "the wire of builtin",
        "caller got",
        "upstream sent",
        "retry-after: 7",
    ]);
}

#[test]
fn the_json_matches_its_schema_and_leaves_standard_output_to_it() {
    let stage = stored();
    let printed =
        compare(&stage, &["a.json", "b.json", "--report", "json", "--report", "markdown=c.md"]).code(1);
    let value: Value = serde_json::from_str(&printed.out).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/comparison.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let errors: Vec<String> = jsonschema::validator_for(&schema)
        .unwrap()
        .iter_errors(&value)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(value["steps"][0]["counts"]["worse"], 2);
    assert_eq!(value["steps"][0]["causes"][0]["fact"], "retry_header");
    let markdown = stage.read("c.md");
    assert!(markdown.contains("| worse | 2 | header retry-after: removed |"), "{markdown}");
    stage.upfault(&["schema", "comparison"]).code(0).out_has(&["upfault comparison"]);
}

#[test]
fn mistakes_are_errors_before_anything_runs() {
    let stage = stored();
    compare(&stage, &["a.json"]).code(2);
    compare(&stage, &["a.json", "c.json"]).code(2).err_has(&["cannot read the report", "c.json"]);
    compare(&stage, &["builtin", "builtin:no-such-defect"]).code(2).err_has(&["upfault proxy list"]);
    compare(&stage, &["builtin", "http://127.0.0.1:1"]).code(2).err_has(&["cannot be a side", "help: "]);
    compare(&stage, &["a.json", "b.json", "--report", "junit=x"]).code(2).err_has(&["`json`, `markdown`"]);
    compare(&stage, &["a.json", "b.json", "--filter", "a &"]).code(2);
    assert!(stage.tree("cache/runs").iter().all(|(path, _)| !path.ends_with("side-1.json")));
}

#[test]
fn another_policy_judges_both_sides() {
    let stage = stored();
    compare(&stage, &["a.json", "b.json", "--policy", "litellm-docs"]).code(0).out_has(&["0 worse"]);
}
