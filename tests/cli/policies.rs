//! Policies and accepted snapshots: a different policy is not a change, and the policy that the user chose is enforced.

use std::path::Path;

use upfault::internals::judge::{PolicyAnswer, Verdict};

use super::stage::{LATE, LIMIT, Stage, verdict};

const ACCEPTED: &str = "snapshots/builtin/t/late.snap";
const PENDING: &str = "snapshots/builtin/t/late.snap.new";

/// The `[policy]` table of the README.
fn readme_policy() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(readme).unwrap();
    let table = text.split("\n[policy]\n").nth(1).expect("the README shows a policy");
    let table = table.split("```").next().unwrap();
    assert!(table.starts_with("timeout = {answer = 504,"), "{table}");
    format!("[policy]\n{table}")
}

/// Two late cases and two rate limits, accepted under the default policy.
fn accepted() -> Stage {
    let stage = Stage::new().scenario("t/late", LATE).scenario("t/limit", LIMIT);
    stage.upfault(&["run", "scenarios/t", "--accept", "--force"]).code(0);
    stage
}

fn settings(stage: &Stage, text: &str) {
    stage.write("upfault.toml", &format!("scenarios = [\"scenarios/t\"]\n{text}"));
}

#[test]
fn the_policy_of_the_readme_is_enforced_and_the_finding_names_its_key() {
    let stage = Stage::new().scenario("t/late", LATE);
    settings(&stage, &readme_policy());
    // The embedded proxy without a defect answers 504.
    let (printed, report) = stage.run(&[]);
    printed.code(0).out_has(&["policy default + upfault.toml, with timeout = 504", "2 cases: 2 pass"]);
    assert_eq!(report.judged_by.unwrap().enforced, ["timeout"]);
    // A proxy that answers 500 gets advice under the default policy, and fails under this one.
    let defect = ["--proxy", "builtin:timeout-as-500"];
    let (printed, report) = stage.run(&defect);
    printed.code(1).out_has(&[
        "FAIL t/late\n",
        "status.timeout (required by policy.timeout = 504)",
        "- policy.timeout = 504 (default + upfault.toml): Our dashboards count 408 as the client's fault.",
        "2 cases: 2 fail",
    ]);
    let finding = report.cases[0].findings.iter().find(|finding| finding.rule == "status.timeout").unwrap();
    assert_eq!(finding.policy, [PolicyAnswer { key: "timeout".to_owned(), answer: "504".to_owned() }]);
    stage
        .upfault(&["run", "--no-config", "scenarios/t", defect[0], defect[1]])
        .code(0)
        .out_has(&["ADVICE 2 cases, 1 rule", "2 cases: 2 pass"]);
    // The user can lower the level.
    let lower = "[policy.levels]\n\"status.timeout\" = {answer = \"recommended\", reason = \"For now.\"}\n";
    settings(&stage, &format!("{}{lower}", readme_policy()));
    stage.upfault(&["run", defect[0], defect[1]]).code(0).out_has(&["2 cases: 2 pass"]);
}

#[test]
fn a_finding_of_the_policy_is_not_a_change_is_never_pending_and_can_be_accepted() {
    let stage = accepted();
    let by_default = stage.tree("snapshots");
    settings(&stage, "[policy]\ntimeout = {answer = 408, reason = \"Ours retry at it.\"}\n");
    let (printed, report) = stage.run(&[]);
    let printed = printed.code(1).out_has(&[
        "status.timeout (required by policy.timeout = 408, new)",
        "only the policy differs: the proxy's behaviour is as accepted",
        "4 cases: 2 pass, 2 fail",
    ]);
    assert!(!printed.out.contains("CHANGED") && !printed.out.contains("pending"), "{}", printed.out);
    let change = report.cases[0].change.as_ref().unwrap();
    assert!(!change.is_change() && change.enforced[0].rule == "status.timeout", "{change:?}");
    assert_eq!(stage.tree("snapshots"), by_default);
    // Bundled policies work in the same way.
    let by = |policy: &str| stage.run(&["--policy", policy]);
    let (printed, report) = by("litellm-docs");
    printed.code(0).out_has(&["4 cases: 4 pass"]);
    assert_eq!(report.cases[0].findings[0].policy[0].to_string(), "policy.timeout = 408");
    assert_eq!(stage.tree("snapshots"), by_default);
    // After it was accepted it is known under that policy, and not new under any other.
    stage
        .upfault(&["run", "--accept", "--force"])
        .code(0)
        .out_has(&["accepted 2 cases (2 fail) in 1 snapshot:", "snapshots/builtin/t/late.snap"]);
    assert!(stage.read(ACCEPTED).contains("\n  status.timeout (required by policy.timeout = 408): 504"));
    let (printed, report) = stage.run(&[]);
    printed.code(0).out_has(&["4 cases: 2 pass, 2 known"]);
    assert_eq!(verdict(&report, "t/late").0, Verdict::Known);
    for policy in ["default", "rfc9110", "litellm-docs", "strict"] {
        let (printed, report) = by(policy);
        printed.code(0).out_has(&["4 cases: 4 pass"]);
        assert!(report.cases.iter().all(|case| case.change.is_none()), "{policy}");
    }
    // Accepting under another policy removes nothing.
    let both = stage.tree("snapshots");
    stage.upfault(&["run", "--accept", "--force", "--policy", "default"]).code(0);
    assert_eq!(stage.tree("snapshots"), both);
    assert!(!stage.path(PENDING).exists());
    // A change of behaviour is still a change.
    stage.write(ACCEPTED, &stage.read(ACCEPTED).replace("step 1: 504", "step 1: 503"));
    stage.upfault(&["run", "--policy", "default"]).code(1).out_has(&["CHANGED t/late", "+step 1: 504"]);
}

#[test]
fn an_accepted_finding_that_the_policy_does_not_require_is_shown_and_kept_for_other_policies() {
    let unmet = format!("{LIMIT}expect: {{status: 200}}\n");
    let stage = Stage::new().scenario("t/limit", &unmet);
    stage.upfault(&["run", "scenarios/t", "--accept", "--force"]).code(0);
    let by_default = stage.tree("snapshots");
    let lift = "[policy.levels]\n\"expect.status\" = {answer = \"lifted\", reason = \"It is under way.\"}\n";
    settings(&stage, lift);
    let (printed, report) = stage.run(&[]);
    printed.code(0).out_has(&[
        "POLICY accepted findings that are still present but that this policy does not require:",
        "expect.status  2 cases, by policy.levels.expect.status = lifted",
        "2 cases: 2 pass",
    ]);
    let change = report.cases[0].change.as_ref().unwrap();
    assert!(!change.is_change() && change.eased[0].rule == "expect.status", "{change:?}");
    stage.upfault(&["run", "--accept", "--force"]).code(0);
    assert_eq!(stage.tree("snapshots"), by_default);
    stage.upfault(&["run", "--policy", "default"]).code(0).out_has(&["2 cases: 2 known"]);
}

#[test]
fn a_strict_run_is_judged_again_strictly_and_the_result_can_be_written_to_a_report() {
    let stage = Stage::new().scenario("t/limit", &format!("{LIMIT}expect: {{status: 200}}\n"));
    stage.upfault(&["run", "scenarios/t", "--accept", "--force"]).code(0);
    let (printed, live) = stage.run(&["scenarios/t", "--strict"]);
    printed.code(1).out_has(&["2 cases: 2 fail"]);
    stage
        .upfault(&["explain", "report.json", "--report", "json=again.json"])
        .code(1)
        .out_has(&["2 cases: 2 fail", ": the same findings and verdicts."]);
    let again = upfault::internals::report::Report::read(&stage.path("again.json")).unwrap();
    assert_eq!(again.cases, live.cases);
    stage
        .upfault(&["explain", "t/limit", "--report", "json=again.json"])
        .code(2)
        .err_has(&["--report applies to a stored report"]);
}

#[test]
fn a_changed_verdict_is_shown_with_the_old_one() {
    let stage = accepted();
    stage.run(&["scenarios/t"]);
    stage.write("ours.yaml", "name: ours\ntimeout: 408\n");
    stage.upfault(&["explain", "report.json", "--policy", "ours.yaml"]).code(1).out_has(&[
        "Judged again by ours; the run was judged by default:",
        "t/late\n    new: status.timeout (required)\n    verdict: pass in the report, fail now\n",
    ]);
}
