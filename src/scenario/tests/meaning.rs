//! Points that are named by content, times that are divided, and expectations about bodies and requests.

use std::time::Duration;

use super::errors;
use crate::scenario::{Fault, Point, Scenario, TurnReply, load_text};

fn loaded(text: &str) -> Scenario {
    load_text("x", "scenarios/x.yaml", &format!("title: t\nwhy: w\n{text}"))
        .unwrap_or_else(|errors| panic!("{}\n{text}", errors.render(false)))
}

fn refused(text: &str) -> String {
    errors(&format!("title: t\nwhy: w\n{text}"))
}

fn stream(turn: &str) -> String {
    format!("matrix: {{stream: [true]}}\nupstream: [{{{turn}}}]\n")
}

#[test]
fn a_point_of_content_needs_that_content_and_a_stream() {
    let point = |reply: &str, at: &str| stream(&format!("reply: {reply}, faults: [{{reset: {{at: {at}}}}}]"));
    for (reply, at) in [
        ("ok", "after_content"),
        ("{chunks: 3}", "after_content"),
        ("tool_call", "inside_tool_call"),
        ("two_tool_calls", "after_tool_arguments"),
        ("text_and_tool_call", "after_content"),
        ("text_and_tool_call", "inside_tool_call"),
    ] {
        loaded(&point(reply, at));
    }
    let shown = refused(&point("tool_call", "after_content"));
    assert!(shown.contains("`after_content` needs a text, and this turn's reply has none"), "{shown}");
    assert!(shown.contains("write `at: inside_tool_call`"), "{shown}");
    let shown = refused(&point("ok", "inside_tool_call"));
    assert!(
        shown.contains("`inside_tool_call` needs a tool call") && shown.contains("text_and_tool_call"),
        "{shown}"
    );
    let shown = refused("upstream: [{reply: ok, faults: [{reset: {at: after_content}}]}]\n");
    assert!(shown.contains("needs the events of a stream") && shown.contains("stream: [true]"), "{shown}");
    let shown = refused(&stream("error: rate_limit, faults: [{reset: {at: after_content}}]"));
    assert!(shown.contains("this turn sends none"), "{shown}");
}

#[test]
fn points_of_content_have_an_order_among_themselves_only() {
    use Point::{
        AfterBytes, AfterContent, AfterEvents, AfterHeaders, AfterToolArguments, BeforeEnd, BeforeHeaders,
        InsideToolCall,
    };
    let order = [BeforeHeaders, AfterHeaders, AfterContent, InsideToolCall, AfterToolArguments, BeforeEnd];
    for (i, one) in order.into_iter().enumerate() {
        for (j, other) in order.into_iter().enumerate() {
            assert_eq!(one.is_before(other), i < j, "{one}, {other}");
            assert!(!one.may_come_after(other), "{one}, {other}");
        }
    }
    for counted in [AfterEvents(3), AfterBytes(300)] {
        for content in [AfterContent, InsideToolCall, AfterToolArguments] {
            assert!(!counted.is_before(content) && !content.is_before(counted), "{counted}, {content}");
            assert!(
                counted.may_come_after(content) && content.may_come_after(counted),
                "{counted}, {content}"
            );
        }
    }
    // No event comes before the first one.
    assert!(!AfterEvents(1).may_come_after(AfterContent) && AfterContent.may_come_after(AfterEvents(1)));
    let two = |first: &str, second: &str| {
        stream(&format!(
            "reply: text_and_tool_call, faults: [{{comment: {{at: {first}}}}}, {{reset: {{at: {second}}}}}]"
        ))
    };
    loaded(&two("after_content", "inside_tool_call"));
    assert!(
        refused(&two("inside_tool_call", "after_content"))
            .contains("before the point at which an earlier fault")
    );
    assert!(refused(&two("{after_events: 4}", "after_content")).contains("may end the response before"));
}

#[test]
fn a_speedup_divides_every_time_of_a_file() {
    let text = "speedup: 10\ndeployments:\n  a:\n    - reply: {chunks: 20}\n      faults: [{delay: {at: before_headers, for: 40s}}, {latency: {time: {uniform: {from: 1s, to: 2s}}}}, {drip: {bytes_per_second: 100}}]\n  b: [{reply: ok}]\nproxy: {timeout: 60s, fallback: [a, b], cooldown: {after: 1, for: 30s}}\nsteps: [{}, {pause: 5s}]\nexpect: {within: 50s, first_byte_within: 45s, requests: [{}, {after: 20s}]}\n";
    let scenario = loaded(text);
    assert_eq!(scenario.speedup, Some(10));
    let faults = &scenario.deployments["a"][0].faults;
    assert_eq!(faults[0], Fault::Delay { at: Point::BeforeHeaders, lasting: Duration::from_secs(4) });
    assert_eq!(faults[1].to_string(), "latency of 100ms to 200ms before the first byte");
    assert_eq!(faults[2], Fault::Drip { bytes_per_second: 1000 });
    let cooldown = scenario.proxy.cooldown.map(|cooldown| cooldown.lasting);
    assert_eq!((scenario.proxy.timeout, cooldown), (Duration::from_secs(6), Some(Duration::from_secs(3))));
    assert_eq!(scenario.steps[1].pause, Some(Duration::from_millis(500)));
    let expect = &scenario.expect;
    let times = [expect.within, expect.first_byte_within, expect.requests[1].after];
    assert_eq!(times.map(|time| time.unwrap().as_millis()), [5000, 4500, 2000]);
    assert_eq!(loaded("upstream: [{reply: ok}]\n").speedup, None);
    let chunks = loaded(
        "speedup: 10\nupstream: [{status: 200, chunks: [{text: a}, {after: 6s, text: b}]}]\nproxy: {timeout: 60s}\n",
    );
    let TurnReply::Literal { chunks, .. } = &chunks.deployments["primary"][0].answer else {
        panic!("{chunks:?}")
    };
    assert_eq!(chunks[1].after, Some(Duration::from_millis(600)));
}

#[test]
fn a_speedup_that_leaves_too_little_time_is_refused() {
    for (text, message) in [
        ("speedup: 1\n", "`speedup` must be between 2 and 100"),
        ("speedup: 101\n", "`speedup` must be between 2 and 100"),
        ("speedup: 50\nproxy: {timeout: 2s}\n", "this timeout of 2s is only 40ms with `speedup: 50`"),
        (
            "speedup: 50\nproxy: {timeout: 60s, cooldown: {after: 1, for: 1s}}\n",
            "this cooldown of 1s is only 20ms",
        ),
    ] {
        let shown = refused(&format!("{text}upstream: [{{reply: ok}}]\n"));
        assert!(shown.contains(message), "{shown}");
        assert_eq!(shown.matches("error: ").count(), 1, "{shown}");
    }
    let shown = refused(
        "speedup: 20\nupstream: [{reply: ok, faults: [{delay: {at: before_headers, for: 500ms}}]}]\n",
    );
    assert!(
        shown.contains("this wait of 500ms is only 25ms") && shown.contains("use a smaller `speedup`"),
        "{shown}"
    );
}

#[test]
fn expectations_that_can_never_hold_are_refused() {
    for (expect, message) in [
        ("headers: {'a b': x}", "`a b` is not a valid header name"),
        ("requests: [{headers: {'a b': null}}]", "`a b` is not a valid header name"),
        ("requests: [{deployment: backup}]", "there is no deployment `backup`"),
        ("content_type: json", "`json` is not a media type"),
        ("content_type: text/html; charset=utf-8", "is not a media type"),
        ("body: {json: {$.error.type: x}}", "write `/error/type`"),
        ("requests: [{body: {json: {model: x}}}]", "write `/model`"),
        ("body: {contains: ''}", "an empty text occurs in every body"),
        ("body: {contains: '{{canary.massage}}'}", "did you mean `{{canary.message}}`?"),
        ("first_byte_within: 3s, within: 2s", "`first_byte_within` is longer than `within`"),
    ] {
        let shown = refused(&format!("upstream: [{{error: rate_limit}}]\nexpect: {{{expect}}}\n"));
        assert!(shown.contains(message), "{expect}: {shown}");
        assert_eq!(shown.matches("error: ").count(), 1, "{shown}");
    }
}
