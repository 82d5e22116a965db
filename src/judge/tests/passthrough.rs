//! Pass-through routes, and streams that begin with keep-alive pings.

use std::time::Duration;

use super::{every_rule::RuleExample, seen::*};
use crate::{
    judge::{self, Policy},
    observation::{AttemptEnd, ResponseEnd},
    scenario::{EventStreamFault, Fault, Http1Fault, Point},
};

fn passed() -> ObservationBuilder {
    plain().set(|arrangement| arrangement.proxy.pass_through = true)
}

fn passed_stream() -> ObservationBuilder {
    streamed().set(|arrangement| arrangement.proxy.pass_through = true)
}

/// A stream whose 200 and pings were sent before the upstream failed.
fn pinged(said: SideReply) -> ObservationBuilder {
    let interval = Duration::from_millis(100);
    let seen = streamed().set(|arrangement| arrangement.proxy.keep_alive = Some(interval));
    seen.tried(said).attempt(|attempt| attempt.end_ms = Some(1000.0))
}

pub(super) fn examples() -> Vec<RuleExample> {
    let page = || say(502, "<html>down</html>").with("content-type", "text/html");
    let cut = || passed_stream().tried_until(events(&[ONE]), AttemptEnd::Reset);
    let hop = || error(429).with("keep-alive", "timeout=5");
    let nothing = r#"{"error":{"message":"no MSG","type":"api_error","param":null,"code":null}}"#;
    vec![
        (
            "passthrough.status",
            passed().tried(error(529)).received(error(529)),
            passed().tried(error(529)).received(error(502)),
        ),
        (
            "passthrough.content-type",
            passed().tried(page()).received(page()),
            passed().tried(page()).received(page().with("content-type", "application/json")),
        ),
        (
            "passthrough.body",
            passed().tried(page()).received(page()),
            passed().tried(page()).received(say(502, ERROR).with("content-type", "text/html")),
        ),
        (
            "passthrough.cut-stays-cut",
            cut().received_until(events(&[ONE]), ResponseEnd::Closed),
            cut().received(events(&[ONE])),
        ),
        (
            "passthrough.hop-by-hop",
            passed().tried(hop()).received(error(429)),
            passed().tried(hop()).received(hop()),
        ),
        (
            "keepalive.true-cause",
            pinged(error(429)).received(events(&[ERROR])),
            pinged(error(429)).received(events(&[nothing])),
        ),
    ]
}

fn broken(seen: &ObservationBuilder) -> Vec<String> {
    judge::judge(&seen.observation, &[], &Policy::default()).into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn a_parameter_without_a_meaning_is_not_a_part_of_a_content_type() {
    let sent = |kind: &str| say(502, "{}").with("content-type", kind);
    let differs = |upstream, proxy| {
        let broken = broken(&passed().tried(sent(upstream)).received(sent(proxy)));
        broken.contains(&"passthrough.content-type".to_owned())
    };
    assert!(!differs("text/event-stream; charset=utf-8", "text/event-stream"));
    assert!(!differs("application/json", "application/json;charset=\"UTF-8\""));
    assert!(differs("application/json; charset=latin-1", "application/json"));
    assert!(differs("text/html; charset=utf-8", "text/html"));
}

#[test]
fn a_complete_message_with_broken_content_or_with_bytes_after_it_may_be_passed_on_as_complete() {
    let corrupt = EventStreamFault::BadMessageCrc { at: Point::AfterEvents(1) };
    for fault in [Fault::Http1(Http1Fault::ShortContentLength), Fault::EventStream(corrupt)] {
        let seen = passed_stream().tried(events(&[ONE])).received(events(&[ONE]));
        let seen = seen.with_fault(fault.clone()).attempt(|attempt| attempt.sent.broken_after = Some(3));
        assert_eq!(broken(&seen), Vec::<String>::new(), "{fault}");
    }
}

#[test]
fn an_unchanged_response_of_a_pass_through_route_breaks_no_rule() {
    let page = || say(502, "<html>down</html>").with("content-type", "text/html");
    for said in [page(), say(500, ""), say(200, ERROR), say(200, "null"), error(400)] {
        assert_eq!(broken(&passed().tried(said.clone()).received(said)), Vec::<String>::new());
    }
    // The proxy is not to blame for a stream that its provider ends early or continues after an error.
    for said in [events(&[ONE]), events(&[ONE, ERROR, TWO])] {
        assert_eq!(broken(&passed_stream().tried(said.clone()).received(said)), Vec::<String>::new());
    }
}

#[test]
fn a_proxy_that_reads_whole_bodies_may_report_in_an_error_of_its_own_that_one_broke_off() {
    let half = || say(500, r#"{"error":{"mess"#);
    let broken_by = |got: SideReply| broken(&passed().tried_until(half(), AttemptEnd::Reset).received(got));
    let rules = |got| broken_by(got).into_iter().filter(|rule| rule.starts_with("passthrough.")).count();
    assert_eq!(rules(say(500, r#"{"error":{"message":"the provider's body broke off"}}"#)), 0);
    assert!(broken_by(half()).contains(&"passthrough.cut-stays-cut".to_owned()));
}

#[test]
fn after_pings_a_failure_may_be_an_event_but_not_a_success() {
    let good = pinged(error(429)).received(events(&[ERROR]));
    assert_eq!(broken(&good), Vec::<String>::new());
    let forged = broken(&pinged(error(429)).received(events(&[STOP, DONE])));
    assert!(forged.contains(&"stream.no-forged-success".to_owned()), "{forged:?}");
    let silent = broken(&pinged(error(429)).received(events(&[])));
    assert!(silent.contains(&"stream.error-visible".to_owned()), "{silent:?}");
    let without_message = ERROR.replace("MSG", "");
    let without_message = broken(&pinged(error(429)).received(events(&[&without_message])));
    assert!(without_message.contains(&"stream.error-detail".to_owned()), "{without_message:?}");
    // For a failure before the first ping, the proxy could still send an error status.
    let early = pinged(error(429)).attempt(|attempt| attempt.end_ms = Some(1.5)).received(events(&[ERROR]));
    assert!(broken(&early).contains(&"stream.error-status".to_owned()));
}

#[test]
fn what_can_apply_follows_from_the_scope_of_a_rule() {
    use crate::judge::can_apply;
    assert!(can_apply("status.mirrored", false, false) && !can_apply("status.mirrored", true, false));
    assert!(can_apply("passthrough.hop-by-hop", true, false));
    assert!(can_apply("leak.provider-key", false, true) && !can_apply("no.such-rule", true, false));
    // The status was sent before the upstreams failed.
    assert!(!can_apply("status.failure-not-success", false, true));
}
