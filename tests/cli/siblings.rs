//! A stream beside the plain call: together, one of them alone, and judged again.

use upfault::internals::report::Report;

use super::stage::Stage;

/// The stream of it is told as 500 by the defect below.
const GATEWAY: &str = "\
title: A bad gateway
why: Outages have one status.
matrix: {stream: [false, true]}
upstream: [{error: bad_gateway}]
proxy: {timeout: 5s}
";

const DEFECT: &str = "builtin:stream-gateway-error-as-500";

fn stage() -> Stage {
    Stage::new().scenario("t/gateway", GATEWAY)
}

fn rules(report: &Report, id: &str) -> Vec<String> {
    let case = report.cases.iter().find(|case| case.id == id).expect("the case is in the report");
    case.findings.iter().map(|finding| finding.rule.clone()).collect()
}

#[test]
fn a_stream_that_fails_otherwise_than_the_plain_call_fails_the_run_and_is_judged_so_again() {
    let stage = stage();
    let (said, report) = stage.run(&["scenarios/t", "--proxy", DEFECT]);
    said.code(1).out_has(&[
        "sibling.stream-status (required)",
        "observed: 500 for the stream, 502 for the plain call",
        "- the plain call: upstream primary#1 answered 502",
        "2 cases: 1 pass, 1 fail",
    ]);
    assert_eq!(rules(&report, "t/gateway[stream]"), ["sibling.stream-status"]);
    assert_eq!(rules(&report, "t/gateway"), [""; 0]);
    stage.upfault(&["explain", "report.json"]).code(1).out_has(&[
        "sibling.stream-status (required)",
        "2 cases: 1 pass, 1 fail",
        ": the same findings and verdicts.",
    ]);
}

#[test]
fn a_stream_alone_is_held_against_nothing_and_the_report_says_so() {
    let stage = stage();
    let (said, report) = stage.run(&["scenarios/t", "--filter", "stream", "--proxy", DEFECT]);
    let note = "note: t/gateway[stream] was not held against t/gateway, which was not run";
    said.code(0).out_has(&["1 case: 1 pass", note]);
    assert_eq!(rules(&report, "t/gateway[stream]"), [""; 0]);
    stage.upfault(&["explain", "report.json"]).code(0).out_has(&[note, ": the same findings and verdicts."]);
    // A plain call is held against nobody, alone or not.
    let (said, _) = stage.run(&["scenarios/t", "--filter", "!stream", "--proxy", DEFECT]);
    assert!(!said.code(0).out.contains("note: t/gateway"));
}

#[test]
fn what_is_accepted_of_siblings_is_not_gone_because_one_of_them_was_not_run() {
    let stage = stage();
    stage.upfault(&["run", "scenarios/t", "--accept"]).code(0);
    let file = "snapshots/builtin/t/gateway.snap";
    let (before, of_the_stream) = {
        let text = stage.read(file);
        let (before, stream) = text.split_once("== t/gateway[stream]").expect("both cases are there");
        (before.to_owned(), format!("== t/gateway[stream]{stream}"))
    };
    let line = "findings:\n  sibling.stream-detail (recommended): as it was";
    let accepted = format!("{before}{}", of_the_stream.replace("findings: none", line));
    stage.write(file, &accepted);
    stage.upfault(&["run", "scenarios/t", "--filter", "stream"]).code(0).out_has(&["1 case: 1 pass"]);
    stage.upfault(&["run", "scenarios/t", "--filter", "stream", "--accept"]).code(0);
    assert_eq!(stage.read(file), accepted);
    // With both it can be told, and it is gone.
    stage.upfault(&["run", "scenarios/t"]).code(1).out_has(&["1 pass, 1 changed", "sibling.stream-detail"]);
}

#[test]
fn shards_do_not_part_siblings() {
    let stage = stage().scenario("t/other", &GATEWAY.replace("bad_gateway", "internal"));
    let mut shown = Vec::new();
    for shard in ["1/2", "2/2"] {
        let said = stage.upfault(&["list", "scenarios/t", "--shard", shard]).code(0).out;
        let ids: Vec<&str> = said.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(ids.len(), 2, "{said}");
        assert_eq!(ids[1], format!("{}[stream]", ids[0]));
        shown.push(ids[0].to_owned());
    }
    shown.sort();
    assert_eq!(shown, ["t/gateway", "t/other"]);
    stage
        .upfault(&["list", "scenarios/t", "--shard", "1/3"])
        .code(2)
        .err_has(&["4 cases cannot be dealt to 3 shards", "no larger than 2"]);
}
