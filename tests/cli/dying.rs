//! Runs against proxies that do not start, hang, or write endless logs.

use std::time::Duration;

use upfault::internals::judge::Verdict;

use super::stage::Stage;

#[test]
fn a_correct_proxy_in_a_folder_passes_and_is_stopped_afterwards() {
    let stage = Stage::small().fake("honest");
    let (printed, report) = stage.run(&["scenarios/t", "--proxy", "./honest"]);
    printed.code(0).out_has(&["4 cases: 4 pass", "proxy start"]).err_has(&["starting fake"]);
    assert_eq!(report.proxy.name, "fake");
    stage.nothing_is_left();
}

#[test]
fn a_proxy_that_exits_immediately_is_reported_with_the_end_of_its_log() {
    let stage = Stage::small().fake("exit");
    let printed = stage.upfault(&["run", "scenarios/t", "--proxy", "exit"]).code(3).err_has(&[
        "error: fake exited with code 1 before it was ready",
        "there is nothing to live for",
        "fake.log",
        "help: ",
    ]);
    assert!(printed.took < Duration::from_secs(15), "the run must not wait for the deadline");
    assert!(!stage.path("snapshots").exists());
    stage.nothing_is_left();
}

#[test]
fn a_proxy_that_is_not_ready_before_its_deadline_is_an_error() {
    let stage = Stage::small().fake("deaf");
    stage.upfault(&["run", "scenarios/t", "--proxy", "deaf"]).code(3).err_has(&[
        "error: fake was not ready within 1s",
        "still thinking",
        "fake.log",
        "help: on a slow machine, raise `ready.within`",
    ]);
    stage.nothing_is_left();
}

#[test]
fn a_missing_program_is_named_with_a_way_to_install_it() {
    let stage = Stage::small();
    let definition = "\
name: lacking
apis: {openai/chat: [openai]}
settings: {timeout: route}
needs: {no-such-program-here: \"ask your administrator\"}
install: [[no-such-program-here, install]]
launch: {command: [no-such-program-here]}
ready: {get: /}
";
    stage.write("lacking/proxy.yaml", definition);
    stage.upfault(&["run", "scenarios/t", "--proxy", "./lacking"]).code(3).err_has(&[
        "error: lacking needs the program `no-such-program-here`",
        "help: ask your administrator",
    ]);
    stage.upfault(&["proxy", "doctor", "./lacking"]).code(3).out_has(&["BAD  no-such-program-here"]);
    stage
        .write("lacking/proxy.yaml", &definition.replace("install: [[no-such-program-here, install]]\n", ""));
    stage.upfault(&["run", "scenarios/t", "--proxy", "./lacking"]).code(3).err_has(&["no-such-program-here"]);
}

#[test]
fn an_invalid_definition_is_shown_with_the_position_of_the_error() {
    let stage = Stage::small().fake("honest");
    let good = stage.read("honest/proxy.yaml");
    for (mistake, place, word) in [
        (good.replace("summary:", "sumary:"), "honest/proxy.yaml:3:1", "sumary"),
        (good.replace("{{ port }}", "{{ prot }}"), "honest/proxy.yaml:9:", "prot"),
        (good.replace("within: 30s", "within: soon"), "honest/proxy.yaml:10:", "soon"),
        (good.replace("config.json.j2", "other.j2"), "honest/proxy.yaml:7:", "other.j2"),
    ] {
        assert_ne!(mistake, good);
        stage.write("honest/proxy.yaml", &mistake);
        for command in [&["run", "scenarios/t", "--proxy", "./honest"][..], &["check", "./honest"]] {
            stage.upfault(command).code(2).err_has(&["error: ", place, word]);
        }
    }
    stage.write("honest/proxy.yaml", &good);
    stage.upfault(&["check", "./honest"]).code(0).out_has(&["honest/proxy.yaml: valid"]);
    stage
        .upfault(&["run", "scenarios/t", "--proxy", "./honest@../1"])
        .code(2)
        .err_has(&["there is no proxy `./honest@../1`"]);
}

#[test]
fn a_flood_of_log_output_affects_no_case_and_is_limited_on_disk() {
    let stage = Stage::small().fake("flood");
    let (printed, _) = stage.run(&["scenarios/t", "--proxy", "flood"]);
    printed.code(0).out_has(&["4 cases: 4 pass"]);
    let runs: Vec<_> = stage.tree("cache/runs");
    let (_, log) = runs.iter().find(|(path, _)| path.ends_with("fake.log")).unwrap();
    // The proxy wrote 80 MB before it was ready; without a limit, all of it would be in the log.
    assert!(log.len() < 70_000_000, "{} bytes", log.len());
    stage.nothing_is_left();
}

#[test]
fn every_case_of_a_hanging_proxy_has_a_verdict_before_its_deadline() {
    let text = "\
title: An answer
why: There must be one.
upstream: [{reply: ok}]
proxy: {timeout: 200ms}
";
    let stage = Stage::new().scenario("t/a", text).scenario("t/b", text).fake("hang");
    let (printed, report) = stage.run(&["scenarios/t", "--proxy", "hang"]);
    let printed = printed.code(1).out_has(&["2 cases: 2 fail", "timeout.answered"]);
    for case in &report.cases {
        assert_eq!(case.verdict, Verdict::Fail, "{}", case.id);
        assert!(
            case.findings.iter().any(|finding| finding.rule == "timeout.answered"),
            "{:?}",
            case.findings
        );
        // The deadline is 200 ms, plus a second of grace and a margin of two seconds.
        assert!(case.duration_ms < 4000.0, "{} took {} ms", case.id, case.duration_ms);
    }
    assert!(printed.took < Duration::from_secs(25), "{:?}", printed.took);
    stage.nothing_is_left();
}
