//! Known findings: tied to an upstream issue and a range of versions.

use upfault::internals::judge::Verdict;

use super::stage::{LIMIT, PLAIN, Stage, verdict};

/// Its own expectation fails in both cases with any correct proxy.
const WRONG: &str = "\
title: A rate limit that should have been a success
why: A known finding is needed.
matrix: {stream: [false, true]}
upstream: [{error: rate_limit}]
proxy: {timeout: 5s}
expect: {status: 200}
";

const ISSUE: &str = "https://github.com/ours/gateway/issues/12";

/// A settings file with a known finding of the embedded proxy.
fn settings(versions: &str, cases: &str) -> String {
    let versions = if versions.is_empty() { String::new() } else { format!("versions = \"{versions}\"\n") };
    format!(
        "[[known]]\nproxy = \"builtin\"\nrule = \"expect.status\"\n{versions}cases = [\"{cases}\"]\nissue = \"{ISSUE}\"\n"
    )
}

fn stage(settings: &str) -> Stage {
    let stage = Stage::new().scenario("t/wrong", WRONG).scenario("t/plain", PLAIN);
    stage.write("upfault.toml", settings);
    stage
}

#[test]
fn a_known_finding_does_not_fail_the_run_and_is_reported_with_its_issue() {
    let stage = stage(&settings("", "t/wrong*"));
    let (printed, report) = stage.run(&["t", "--report", "junit=junit.xml"]);
    printed.code(0).out_has(&["4 cases: 2 pass, 2 known", "known: gateway#12, 2 cases (expect.status)\n"]);
    assert_eq!(verdict(&report, "t/wrong[stream]").0, Verdict::Known);
    let case = report.cases.iter().find(|case| case.id == "t/wrong").unwrap();
    assert_eq!((case.known.len(), case.known[0].issue.as_str()), (1, ISSUE));
    assert_eq!(case.known[0].place, "upfault.toml:2");
    assert!(stage.read("junit.xml").contains(ISSUE));
    assert!(!stage.path("snapshots").exists(), "there is nothing to review");
    stage
        .upfault(&["show", "report.json", "t/wrong"])
        .code(0)
        .out_has(&["known: expect.status is known: gateway#12"]);
    // A stored run is judged the same way without the settings file.
    stage.write("upfault.toml", "");
    let again = stage.upfault(&["explain", "report.json"]).code(0);
    again.out_has(&["known: gateway#12, 2 cases", "the same findings and verdicts"]);
    stage.upfault(&["run", "t"]).code(1).out_has(&["2 fail"]);
}

#[test]
fn a_strict_run_fails_known_findings_and_accepting_needs_no_force_for_them() {
    let stage = stage(&settings("", "t/wrong*"));
    stage.upfault(&["run", "t", "--strict"]).code(1).out_has(&["2 fail"]);
    stage.upfault(&["run", "t", "--accept"]).code(0).out_has(&["accepted 4 cases (2 pass, 2 known)"]);
    stage.upfault(&["run", "t"]).code(0).out_has(&["2 known", "known: gateway#12, 2 cases"]);
}

#[test]
fn a_known_finding_that_no_longer_occurs_fails_the_run_even_if_it_accepts() {
    let stage = stage(&settings("", "t/*"));
    let (printed, report) = stage.run(&["t"]);
    let line = "expect.status no longer occurs (gateway#12): remove the known finding from upfault.toml:2";
    printed.code(1).out_has(&["4 cases: 2 known, 2 fail", "FAIL t/plain  expect.status"]);
    assert_eq!(verdict(&report, "t/plain").0, Verdict::Fail);
    let shown = stage.upfault(&["show", "report.json", "t/plain"]).code(0);
    assert!(shown.out.replace("\n         ", " ").contains(line), "{}", shown.out);
    // No snapshot changes that.
    let printed = stage.upfault(&["run", "t", "--accept", "--force"]).code(1);
    printed.out_has(&["accepted 4 cases", "FAIL t/plain[stream]"]);
    // A run of other cases says nothing about it.
    let printed = stage.upfault(&["run", "t", "--filter", "t/wrong*"]).code(0);
    assert!(!printed.out.contains("no longer"), "{}", printed.out);
    let (printed, _) = stage.run(&["t", "--filter", "t/wrong & stream"]);
    printed.code(0).out_has(&["known: gateway#12, 1 case "]);
}

#[test]
fn a_range_of_versions_has_no_effect_on_a_proxy_without_a_version() {
    let stage = stage(&settings(">=1.0", "t/wrong*"));
    let printed = stage.upfault(&["run", "t"]).code(1).out_has(&["2 fail"]);
    let words = printed.out.split_whitespace().collect::<Vec<_>>().join(" ");
    let note = "note: gateway#12 has no effect: the version of the proxy cannot be compared with >=1.0 (upfault.toml:2)";
    assert!(words.contains(note), "{}", printed.out);
}

#[test]
fn the_range_decides_for_a_proxy_with_a_version() {
    let entry = |versions: &str| settings(versions, "t/wrong*").replace("builtin", "fake");
    let stage = stage("").fake("honest");
    let definition = stage.read("honest/proxy.yaml");
    stage.write("honest/proxy.yaml", &format!("version: v2.1.0-stable\n{definition}"));
    for (versions, code, expected) in [
        (">=2.0, <2.2", 0, "2 known"),
        ("==2.1.*", 0, "2 known"),
        ("<2.1", 1, "FAIL t/wrong  expect.status"),
        (">2.1", 1, "2 fail"),
    ] {
        stage.write("upfault.toml", &entry(versions));
        stage.upfault(&["run", "t", "--proxy", "honest"]).code(code).out_has(&[expected]);
    }
    // Outside of the range, an accepted snapshot does not help.
    stage.upfault(&["run", "t", "--proxy", "honest", "--accept", "--force"]).code(1);
    let printed = stage.upfault(&["run", "t", "--proxy", "honest"]).code(1);
    let words = printed.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("expect.status still occurs, but gateway#12 is known only for versions >2.1"),
        "{words}"
    );
    stage.write("upfault.toml", "");
    stage.upfault(&["run", "t", "--proxy", "honest"]).code(0).out_has(&["2 known"]);
}

#[test]
fn a_scenario_can_contain_its_known_findings() {
    let known = format!("{WRONG}known: [{{proxy: builtin, rule: expect.status, issue: \"{ISSUE}\"}}]\n");
    let stage = Stage::new().scenario("t/wrong", &known);
    stage.upfault(&["check"]).code(0);
    let line = format!("  known   expect.status in builtin *: {ISSUE}\n");
    stage.upfault(&["explain", "t/wrong"]).code(0).out_has(&[&line]);
    stage.upfault(&["run", "t"]).code(0).out_has(&["2 known", "known: gateway#12, 2 cases"]);
    // It is the finding of one proxy only.
    let stage = stage.fake("honest");
    stage.upfault(&["run", "t", "--proxy", "honest"]).code(1).out_has(&["2 fail"]);
}

#[test]
fn an_invalid_entry_is_reported_with_its_place() {
    let stage = stage("");
    let check = |text: &str, parts: &[&str]| {
        stage.write("upfault.toml", text);
        stage.upfault(&["check"]).code(2).err_has(parts);
    };
    let good = settings(">=1.0", "t/wrong*");
    check(&good.replace(">=1.0", "~1"), &["`~1` is not a range of versions", "upfault.toml:4:12", "help: "]);
    check(
        &good.replace("expect.status", "expect.statu"),
        &["upfault.toml:3:8", "did you mean `expect.status`?"],
    );
    check(&good.replace(ISSUE, "gateway#12"), &["`gateway#12` is not the URL of an issue", "upfault.toml:6"]);
    check(&good.replace("t/wrong*", "t/wrng*"), &["no case matches `t/wrng*`", "upfault.toml:5", "help: "]);
    check(
        &good.replace("cases = [\"t/wrong*\"]\n", ""),
        &["this known finding names no cases", "upfault.toml:1"],
    );
    check(&good.replace("rule =", "rle ="), &["unknown key `rle`"]);
    stage.write("upfault.toml", &good);
    stage.upfault(&["check"]).code(0);
    let known = |entry: &str| format!("{LIMIT}known: [{entry}]\n");
    for (entry, part) in [
        ("{proxy: p, rule: expect.status, issue: x}", "`x` is not the URL of an issue"),
        ("{proxy: p, rule: expect.statu, issue: \"https://a.example/1\"}", "unknown rule `expect.statu`"),
        (
            "{proxy: p, rule: expect.status, versions: \">=a\", issue: \"https://a.example/1\"}",
            "`a` is not a version",
        ),
        (
            "{proxy: p, rule: expect.status, cases: [other], issue: \"https://a.example/1\"}",
            "no case of this scenario matches `other`",
        ),
    ] {
        stage.write("scenarios/t/limit.yaml", &known(entry));
        stage.upfault(&["check"]).code(2).err_has(&[part, "scenarios/t/limit.yaml:6:"]);
    }
}
