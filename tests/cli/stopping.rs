//! Responses that stop the proxy: upfault names the case, and all other cases have verdicts.

use upfault::internals::{event::CaseReport, judge::Verdict, report::Report};

use super::stage::{MARKED, PLAIN, Stage, verdict};

/// The cases that stopped the proxy, by a required finding.
fn culprits(report: &Report) -> Vec<&CaseReport> {
    let stops = |case: &&CaseReport| case.findings.iter().any(|one| one.rule == "process.keeps-running");
    report.cases.iter().filter(stops).collect()
}

#[test]
fn the_only_case_that_stops_the_proxy_is_named_and_every_other_case_has_a_verdict() {
    let stage = Stage::new();
    let (printed, report) = stage.run(&["status", "--proxy", "builtin:exits-on-conflict"]);
    let printed = printed.code(1).err_has(&["builtin:exits-on-conflict stopped serving: restarting it"]);
    let found = culprits(&report);
    assert_eq!(found.iter().map(|case| case.id.as_str()).collect::<Vec<_>>(), ["status/409-conflict"]);
    assert_eq!(found[0].findings.len(), 1, "other findings would be consequences: {:?}", found[0].findings);
    assert_eq!((report.summary.pass, report.summary.fail), (report.cases.len() - 1, 1), "{}", printed.out);
    insta::assert_snapshot!(found[0].findings[0].observed, @"the proxy exited with code 70");
    insta::assert_snapshot!(found[0].findings[0].evidence.join("\n"), @r"
    upstream primary#1 answered 409
    step 1: the caller got no response: connection closed before the end (FIN)
    no other case was under way
    the proxy's log ends with: fatal: no way to report an upstream 409
    ");
    // The result contains both sides of the wire.
    let observation = found[0].observation.as_ref().unwrap();
    assert_eq!(observation.attempts.last().unwrap().sent.status, Some(409));
    assert!(!observation.exchanges.is_empty());
    assert!(
        printed.out.contains("the proxy exited with code 70 because of status/409-conflict"),
        "{}",
        printed.out
    );
}

#[test]
fn each_of_three_cases_that_stop_the_proxy_is_named() {
    let stage = Stage::new();
    let (printed, report) = stage.run(&["status", "bodies/html-520", "--proxy", "builtin:exits-on-three"]);
    let printed = printed.code(1);
    assert_eq!(
        culprits(&report).iter().map(|case| case.id.as_str()).collect::<Vec<_>>(),
        ["bodies/html-520", "status/408-request-timeout", "status/415-unsupported-media-type"]
    );
    assert_eq!(report.summary.pass, report.cases.len() - 3, "{}", printed.out);
}

#[test]
fn a_stored_run_has_the_same_finding_about_a_stopped_proxy() {
    let stage = Stage::new();
    stage.run(&["status/409-conflict", "--proxy", "builtin:exits-on-conflict"]).0.code(1);
    stage.upfault(&["explain", "report.json"]).code(1).out_has(&[
        "process.keeps-running",
        "the proxy exited with code 70",
        "the same findings",
    ]);
}

#[test]
fn a_proxy_that_one_case_kills_is_restarted_and_leaves_no_process_behind() {
    let stage =
        Stage::new().scenario("t/a", PLAIN).scenario("t/b", MARKED).scenario("t/c", PLAIN).fake("kill");
    let (printed, report) = stage.run(&["scenarios/t", "--proxy", "kill"]);
    printed.code(1).out_has(&["5 cases: 4 pass, 1 fail", "was killed by signal 9 because of t/b"]);
    assert_eq!(verdict(&report, "t/b").0, Verdict::Fail);
    assert!(!report.stops.is_empty());
    // The log of the killed process is kept.
    assert!(stage.all_noted("pid").len() > 1);
    let text = report.cases.iter().find(|case| case.id == "t/b").unwrap().findings[0].evidence.join("\n");
    assert!(text.contains("the proxy's log ends with: fake proxy begins"), "{text}");
    stage.nothing_is_left();
}

#[test]
fn a_case_that_is_known_to_stop_the_proxy_runs_last_and_does_not_fail_the_run() {
    let stage = Stage::new().scenario("t/a", PLAIN).scenario("t/b", MARKED).fake("kill");
    stage.run(&["scenarios/t", "--proxy", "kill", "--accept", "--force"]).0.code(0);
    let (printed, report) = stage.run(&["scenarios/t", "--proxy", "kill"]);
    printed.code(0).out_has(&["3 cases: 2 pass, 1 known"]);
    // No other case was running when the proxy stopped, and there was no unnecessary restart.
    assert_eq!(report.stops.iter().map(|stop| stop.running.as_slice()).collect::<Vec<_>>(), [["t/b"]]);
    assert_eq!(report.stops[0].case.as_deref(), Some("t/b"));
}

#[test]
fn a_case_whose_sibling_stops_the_proxy_gets_a_verdict() {
    let stage = Stage::new();
    let (_, report) = stage.run(&["status/409-conflict", "--proxy", "builtin:exits-on-conflict"]);
    // The stream is compared with the plain call, which stops the proxy and comes last.
    assert_eq!(verdict(&report, "status/409-conflict").0, Verdict::Fail);
    assert_eq!(verdict(&report, "status/409-conflict[stream]").0, Verdict::Pass);
    let both = "\
title: The marked one
why: The fake proxy dies of it.
matrix: {stream: [false, true]}
upstream: [{error: rate_limit}]
proxy: {timeout: 5s, retries: 3}
";
    let stage = Stage::new().scenario("t/b", both).fake("kill");
    for (flags, expected) in [(&["--accept", "--force"][..], Verdict::Fail), (&[][..], Verdict::Known)] {
        let (_, report) = stage.run(&[&["scenarios/t", "--proxy", "kill"], flags].concat());
        for id in ["t/b", "t/b[stream]"] {
            assert_eq!(verdict(&report, id).0, expected, "{id}");
        }
    }
}

#[test]
fn a_stopped_proxy_fails_the_run_whatever_the_level_of_the_scenario() {
    let weak = format!("level: informative\n{MARKED}");
    let stage = Stage::new().scenario("t/b", &weak).fake("kill");
    let (printed, report) = stage.run(&["scenarios/t", "--proxy", "kill"]);
    printed.code(1);
    assert_eq!(verdict(&report, "t/b").0, Verdict::Fail);
}

#[test]
fn accepting_does_not_hide_that_cases_have_no_verdict() {
    let stage = Stage::new().scenario("t/a", PLAIN).scenario("t/b", MARKED).fake("once");
    stage.run(&["scenarios/t", "--proxy", "once", "--accept", "--force"]).0.code(3);
}

#[test]
fn a_proxy_that_every_case_stops_ends_the_run_with_exit_code_3() {
    let mut stage = Stage::new().fake("kill");
    for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        stage = stage.scenario(&format!("t/{name}"), MARKED);
    }
    let (printed, report) = stage.run(&["scenarios/t", "--proxy", "kill"]);
    printed.code(3).out_has(&["8 cases: 6 fail, 2 inconclusive"]).err_has(&[
        "error: fake was killed by signal 9 before every case had a verdict",
        "was not restarted: 6 scenarios in a row stopped it",
        "fake.log",
        "help: the failing cases above show the responses that stop it",
    ]);
    assert_eq!(culprits(&report).len(), 6);
    stage.nothing_is_left();
}

#[test]
fn a_proxy_that_cannot_be_restarted_ends_the_run_with_exit_code_3() {
    let stage = Stage::new().scenario("t/a", PLAIN).scenario("t/b", MARKED).fake("once");
    let (printed, report) = stage.run(&["scenarios/t", "--proxy", "once", "--jobs", "1"]);
    printed.code(3).err_has(&["was not restarted: fake exited with code 1", "the first time was enough"]);
    let (verdict, reason) = verdict(&report, "t/b");
    assert_eq!(verdict, Verdict::Inconclusive);
    assert!(reason.contains("was not restarted"), "{reason}");
    stage.nothing_is_left();
}
