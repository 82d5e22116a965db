//! What a run selects, when it stops and how much it prints: by options, case ids, stored reports and settings.

use upfault::internals::{judge::Verdict, report::Report};

use super::stage::{CliOutput, LIMIT, PLAIN, Stage};

/// With this defect, the embedded proxy fails the cases of `LIMIT`.
const DEFECT: &str = "builtin:rate-limit-as-500";

fn ids(report: &Report) -> Vec<&str> {
    report.cases.iter().map(|case| case.id.as_str()).collect()
}

fn listed(printed: &CliOutput) -> Vec<&str> {
    printed.out.lines().filter_map(|line| line.split_whitespace().next()).collect()
}

#[test]
fn a_case_id_selects_only_this_case_without_an_option() {
    let stage = Stage::small();
    let (printed, report) = stage.run(&["t/limit[stream]"]);
    printed.code(0);
    assert_eq!(ids(&report), ["t/limit[stream]"]);
    let printed = stage.upfault(&["list", "t/limit[stream]", "t/plain"]).code(0);
    assert_eq!(listed(&printed), ["t/plain", "t/plain[stream]", "t/limit[stream]"]);
    // The id of a scenario selects all of its cases.
    let printed = stage.upfault(&["list", "t/limit", "t/limit[stream]"]).code(0);
    assert_eq!(listed(&printed), ["t/limit", "t/limit[stream]"]);
    for command in ["run", "list", "explain"] {
        stage
            .upfault(&[command, "t/limit[straem]"])
            .code(2)
            .err_has(&["no case is called `t/limit[straem]`", "help: did you mean `t/limit[stream]`?"]);
    }
    stage
        .upfault(&["run", "t/limti[stream]"])
        .code(2)
        .err_has(&["no scenario at `t/limti`; did you mean `t/limit`?"]);
    stage.upfault(&["explain", "t/limit[stream]"]).code(0).out_has(&["t/limit[stream]"]);
    stage.upfault(&["show", "report.json", "t/limit[stream]"]).code(0).out_has(&["t/limit[stream]"]);
}

#[test]
fn a_scenario_whose_name_ends_with_a_bracket_is_still_found() {
    let stage = Stage::new().scenario("t/odd [x]", PLAIN);
    assert_eq!(stage.upfault(&["list", "t/odd [x]"]).code(0).out.lines().count(), 2);
    assert_eq!(stage.upfault(&["list", "t/odd [x][stream]"]).code(0).out.lines().count(), 1);
}

#[test]
fn a_stored_report_is_filtered_by_cases_and_results() {
    let stage = Stage::small();
    stage.run(&["scenarios/t", "--proxy", DEFECT]).0.code(1);
    let shown = |filter: &str| stage.upfault(&["show", "report.json", "--filter", filter]).code(0).out;
    let has = |text: &str, id: &str| {
        text.lines().any(|line| line.ends_with(id) || line.contains(&format!("{id} ")))
    };
    let passing = shown("verdict:pass & stream");
    assert!(has(&passing, "t/plain[stream]") && !passing.contains("t/limit"), "{passing}");
    let failing = shown("rule:* & plain");
    assert!(failing.contains("t/limit") && !failing.contains("t/plain"), "{failing}");
    stage
        .upfault(&["show", "report.json", "--filter", "verdict:known"])
        .code(2)
        .err_has(&["no case in report.json matches `verdict:known` (of 4)", "help: "]);
    stage
        .upfault(&["show", "report.json", "--filter", "verdict:bad"])
        .code(2)
        .err_has(&["`bad` is none of: broken, fail"]);
    stage
        .upfault(&["run", "--filter", "verdict:fail"])
        .code(2)
        .err_has(&["`verdict` selects cases by their results", "upfault show REPORT --filter"]);
}

#[test]
fn failed_cases_of_a_report_run_again_with_its_options() {
    let stage = Stage::small();
    stage.run(&["scenarios/t", "--proxy", DEFECT, "--seed", "7"]).0.code(1);
    stage.write("before.json", &stage.read("report.json"));
    let (printed, again) = stage.run(&["--rerun-failed", "before.json"]);
    printed.code(1).out_has(&["2 cases: 2 fail"]);
    assert_eq!(ids(&again), ["t/limit", "t/limit[stream]"]);
    assert_eq!((again.seed, again.proxy.name.as_str()), (7, DEFECT));
    // Options take precedence over those of the report.
    let (printed, fixed) =
        stage.run(&["--rerun-failed", "before.json", "--proxy", "builtin", "--filter", "stream"]);
    printed
        .code(0)
        .err_has(&["note: before.json is from builtin:rate-limit-as-500, but this run tests builtin"]);
    assert_eq!((ids(&fixed), fixed.seed), (vec!["t/limit[stream]"], 7));
    // That run passed: nothing has to run again.
    stage
        .upfault(&["run", "--rerun-failed", "report.json"])
        .code(0)
        .err_has(&["no case of report.json failed: there is nothing to run again"]);
    stage.upfault(&["run", "--rerun-failed", "nothing.json"]).code(2).err_has(&["cannot read the report "]);
    stage.upfault(&["run", "t", "--rerun-failed", "before.json"]).code(2).err_has(&["cannot be used with"]);
}

#[test]
fn a_failed_case_runs_again_with_the_sibling_that_it_is_compared_with() {
    let gateway = LIMIT.replace("{error: rate_limit, headers: {retry-after: \"7\"}}", "{error: bad_gateway}");
    let stage = Stage::new().scenario("t/gateway", &gateway);
    stage.run(&["scenarios/t", "--proxy", "builtin:stream-gateway-error-as-500"]).0.code(1);
    stage.write("before.json", &stage.read("report.json"));
    let (printed, again) = stage.run(&["--rerun-failed", "before.json"]);
    printed.code(1).out_has(&["2 cases: 1 pass, 1 fail"]);
    assert_eq!(ids(&again), ["t/gateway", "t/gateway[stream]"]);
}

/// Fails with the leaky fake proxy.
const LEAKING: &str = "\
title: A rejected key
why: It must not come out.
upstream: [{error: invalid_api_key}]
proxy: {timeout: 5s}
";

/// Runs long enough for the verdict on another case.
const DELAYED: &str = "\
title: A late answer
why: There must be something that does not run to its end.
matrix: {stream: [false, true]}
upstream: [{reply: ok, faults: [{delay: {at: before_headers, for: 20s}}]}]
proxy: {timeout: 30s}
";

#[test]
fn a_run_stops_after_the_first_failing_case_and_says_what_has_no_verdict() {
    let stage = Stage::new().scenario("t/a", LEAKING).scenario("t/b", DELAYED).fake("leaky");
    let (printed, report) = stage.run(&["scenarios/t", "--proxy", "leaky", "--fail-fast"]);
    let printed = printed.code(1).out_has(&[
        "stopped after 1 failing case (--fail-fast): 2 of 3 cases have no verdict",
        "1 case: 1 fail",
    ]);
    assert!(printed.took.as_secs() < 20, "{:?}", printed.took);
    assert_eq!(ids(&report), ["t/a"]);
    assert_eq!((report.summary.interrupted, report.summary.fail_fast), (false, Some(1)));
    stage.nothing_is_left();
}

#[test]
fn a_run_with_fewer_failing_cases_than_the_limit_is_complete() {
    let stage = Stage::small();
    let (printed, report) = stage.run(&["scenarios/t", "--proxy", DEFECT, "--fail-fast=3"]);
    let printed = printed.code(1).out_has(&["4 cases: 2 pass, 2 fail"]);
    assert!(!printed.out.contains("--fail-fast"), "{}", printed.out);
    assert_eq!(report.summary.fail_fast, None);
}

#[test]
fn every_choice_can_be_a_setting_which_an_option_replaces() {
    let stage = Stage::small();
    stage.write(
        "upfault.toml",
        &format!(
            "proxy = \"{DEFECT}\"\nscenarios = [\"scenarios/t\"]\nfilter = \"stream\"\nverbosity = \"quiet\"\n\
             failure_output = \"none\"\nreport = {{json = \"out/r.json\", junit = \"out/r.xml\"}}\n"
        ),
    );
    let printed = stage.upfault(&["run"]).code(1).out_has(&["2 cases: 1 pass, 1 fail"]);
    assert!(!printed.out.contains("Testing "), "{}", printed.out);
    assert_eq!(
        ids(&Report::read(&stage.path("out/r.json")).unwrap()),
        ["t/limit[stream]", "t/plain[stream]"]
    );
    assert!(stage.read("out/r.xml").contains("t/limit"));
    stage.upfault(&["run", "--filter", "*", "-v"]).code(1).out_has(&["Testing ", "4 cases: 2 pass, 2 fail"]);
    stage.write("upfault.toml", "filter = \"t/nothing\"\n");
    stage
        .upfault(&["run"])
        .code(2)
        .err_has(&["no case matches `t/nothing`, the filter in upfault.toml", "`--filter EXPR` replaces it"]);
    stage.write("upfault.toml", "filter = \"(stream\"\n");
    stage.upfault(&["run"]).code(2).err_has(&["upfault.toml:1:10", "expected `)`"]);
}

#[test]
fn strict_can_be_a_setting_and_be_switched_off_again() {
    let stage = Stage::new().scenario("t/a", LEAKING).fake("leaky");
    stage.write("upfault.toml", "proxy = \"leaky\"\nscenarios = [\"scenarios/t\"]\nstrict = true\n");
    stage.upfault(&["run", "--accept", "--force"]).code(0);
    stage.upfault(&["run"]).code(1).out_has(&["1 case: 1 fail"]);
    let (printed, report) = stage.run(&["--strict=false"]);
    printed.code(0).out_has(&["1 case: 1 known"]);
    assert_eq!((report.strict, report.cases[0].verdict), (false, Verdict::Known));
}

#[test]
fn each_verbosity_adds_to_the_one_before() {
    let stage = Stage::small();
    let run = |options: &[&str]| {
        stage.upfault(&[&["run", "scenarios/t", "--proxy", DEFECT], options].concat()).code(1).out
    };
    let [quiet, normal, verbose, full] = [&["-q"][..], &[], &["-v"], &["-vv"]].map(run);
    let last = |text: &str| text.contains("4 cases: 2 pass, 2 fail") && text.contains("FAIL t/limit");
    assert!([&quiet, &normal, &verbose, &full].iter().all(|text| last(text)), "{quiet}");
    assert!(!quiet.contains("Testing ") && normal.contains("Testing "), "{quiet}");
    assert!(!normal.contains("PASS t/plain") && verbose.contains("PASS t/plain"), "{verbose}");
    assert!(!verbose.contains("A plain answer") && full.contains("A plain answer"), "{full}");
    let none = run(&["--failure-output", "none"]);
    assert!(!none.contains("A rate limit") && normal.contains("A rate limit"), "{none}");
    stage.upfault(&["run", "-q", "-v"]).code(2).err_has(&["cannot be used with"]);
}
