//! A streamed case that is compared with its plain sibling: both cases, only one of them, and judged again.

use upfault::internals::report::Report;

use super::stage::Stage;

/// The defect below reports its stream as 500.
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
fn a_stream_that_fails_differently_from_the_plain_call_is_a_finding_live_and_stored() {
    let stage = stage();
    let (printed, report) = stage.run(&["scenarios/t", "--proxy", DEFECT]);
    printed.code(1).out_has(&[
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
fn a_stream_without_its_sibling_is_not_compared_and_the_report_says_so() {
    let stage = stage();
    let (printed, report) = stage.run(&["scenarios/t", "--filter", "stream", "--proxy", DEFECT]);
    let note = "note: t/gateway[stream] was not compared with t/gateway, which did not run";
    printed.code(0).out_has(&["1 case: 1 pass", note]);
    assert_eq!(rules(&report, "t/gateway[stream]"), [""; 0]);
    stage.upfault(&["explain", "report.json"]).code(0).out_has(&[note, ": the same findings and verdicts."]);
    // A plain call is never compared with a sibling.
    let (printed, _) = stage.run(&["scenarios/t", "--filter", "!stream", "--proxy", DEFECT]);
    assert!(!printed.code(0).out.contains("note: t/gateway"));
}

#[test]
fn an_accepted_sibling_finding_is_kept_if_the_sibling_did_not_run() {
    let stage = stage();
    stage.upfault(&["run", "scenarios/t", "--accept", "--force"]).code(0);
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
    stage.upfault(&["run", "scenarios/t", "--filter", "stream", "--accept", "--force"]).code(0);
    assert_eq!(stage.read(file), accepted);
    // If both run, the cases are compared, and the finding is gone.
    stage.upfault(&["run", "scenarios/t"]).code(1).out_has(&["1 pass, 1 changed", "sibling.stream-detail"]);
}

#[test]
fn siblings_are_in_the_same_shard() {
    let stage = stage().scenario("t/other", &GATEWAY.replace("bad_gateway", "internal"));
    let mut shown = Vec::new();
    for shard in ["1/2", "2/2"] {
        let printed = stage.upfault(&["list", "scenarios/t", "--shard", shard]).code(0).out;
        let ids: Vec<&str> = printed.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(ids.len(), 2, "{printed}");
        assert_eq!(ids[1], format!("{}[stream]", ids[0]));
        shown.push(ids[0].to_owned());
    }
    shown.sort();
    assert_eq!(shown, ["t/gateway", "t/other"]);
    stage
        .upfault(&["list", "scenarios/t", "--shard", "1/3"])
        .code(2)
        .err_has(&["4 cases cannot be split into 3 shards", "an N of at most 2"]);
}
