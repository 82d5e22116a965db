//! Sessions over a WebSocket.

use super::{every_rule::RuleExample, seen::*};
use crate::{
    judge::{self, Policy},
    observation::{AttemptEnd, ExchangeOutcome, ReceivedClose, ResponseEnd, SentPause},
    scenario::{Api, Provider},
    wire::websocket,
};

const CREATED: &str = r#"{"type":"session.created"}"#;
const A: &str = r#"{"type":"response.output_text.delta","delta":"a"}"#;
const B: &str = r#"{"type":"response.output_text.delta","delta":"b"}"#;
const DONE: &str = r#"{"type":"response.done","response":{"status":"completed"}}"#;
/// Contains the token of the first attempt, because a frame has a fixed length and cannot contain a placeholder.
const ERROR: &str =
    r#"{"type":"error","error":{"type":"kind","code":"c","message":"no canary-msg-tok-primary-1"}}"#;

fn session(events: &[&str]) -> SideReply {
    let headers = [("upgrade", "websocket"), ("connection", "Upgrade")];
    let frames = events.iter().flat_map(|event| websocket::text(event).to_vec()).collect();
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    SideReply::raw(101, headers, frames)
}

fn calling() -> ObservationBuilder {
    plain().calling(Api::OpenaiRealtime, Provider::Openai)
}

/// The upstream sent these events and did not fail.
fn said(events: &[&str]) -> ObservationBuilder {
    calling().tried_until(session(events), AttemptEnd::Finished)
}

/// The upstream sent these events and closed the session.
fn closed(events: &[&str], code: u16) -> ObservationBuilder {
    let mut seen = calling().tried_until(session(events), AttemptEnd::Closed);
    seen.observation.attempts[0].sent.closed =
        Some(ReceivedClose { code: Some(code), reason: "over".to_owned(), answered: false });
    seen
}

/// The upstream refused the handshake.
fn refused(status: u16) -> ObservationBuilder {
    calling().tried(error(status))
}

/// The caller got these events, and the proxy closed the session with this code and reason.
fn ended(seen: ObservationBuilder, events: &[&str], code: u16, reason: &str) -> ObservationBuilder {
    let mut seen = seen.received(session(events));
    if let Some(ExchangeOutcome::Answer(answer)) =
        seen.observation.exchanges.last_mut().map(|last| &mut last.outcome)
    {
        answer.closed = Some(ReceivedClose { code: Some(code), reason: reason.to_owned(), answered: false });
        answer.body.text.push_str(reason);
    }
    seen
}

#[test]
fn an_event_of_a_session_is_not_held_back() {
    let paused = || {
        said(&[CREATED, A, B, DONE]).attempt(|attempt| {
            let after_bytes = (websocket::text(CREATED).len() + websocket::text(A).len()) as u64;
            let (from_ms, until_ms) = (attempt.at_ms, Some(attempt.at_ms + 2000.0));
            attempt.sent.pauses = vec![SentPause { after_bytes, from_ms, until_ms }];
        })
    };
    let events = || session(&[CREATED, A, B, DONE]);
    assert_eq!(findings(&paused().received(events())), [""; 0]);
    assert_eq!(findings(&paused().wait(2000.0).received(events())), ["stream.not-held-back"]);
}

fn open(seen: ObservationBuilder, events: &[&str]) -> ObservationBuilder {
    seen.received_until(session(events).lasting(9000.0), ResponseEnd::Deadline)
}

pub(super) fn examples() -> Vec<RuleExample> {
    let relayed = |events: &[&str]| said(events).received(session(events));
    let one = &[CREATED, A];
    vec![
        (
            "realtime.no-silent-socket",
            ended(closed(one, 1011), one, 1011, "over"),
            open(closed(one, 1011), one),
        ),
        (
            "realtime.error-visible",
            ended(closed(one, 1011), one, 1008, "over"),
            ended(closed(one, 1011), one, 1001, "over"),
        ),
        (
            "realtime.no-forged-success",
            ended(closed(one, 1011), one, 1011, "over"),
            ended(closed(one, 1011), &[CREATED, A, DONE], 1000, ""),
        ),
        (
            "realtime.events-intact",
            ended(closed(&[A, B], 1011), &[A, B], 1011, "over"),
            ended(closed(&[A, B], 1011), &[B, A], 1011, "over"),
        ),
        ("realtime.detail", relayed(&[CREATED, ERROR]), ended(refused(429), &[], 1013, "try later")),
        (
            "realtime.event-form",
            relayed(&[CREATED, ERROR]),
            said(&[CREATED, ERROR])
                .received(session(&[r#"{"type":"error","error":"canary-msg-tok-primary-1"}"#])),
        ),
        (
            "realtime.handshake-status",
            refused(429).received(error(429)),
            ended(refused(429), &[ERROR], 1013, ""),
        ),
        (
            "realtime.close-code",
            ended(closed(one, 4001), one, 4001, "over"),
            ended(closed(one, 4001), one, 1011, "over"),
        ),
        (
            "realtime.close-reason",
            ended(closed(one, 4001), one, 4001, "it is over"),
            ended(closed(one, 4001), one, 4001, "no more"),
        ),
        (
            "realtime.close-told",
            ended(closed(one, 4001), one, 4001, "over"),
            closed(one, 4001).received_until(session(one), ResponseEnd::Closed),
        ),
    ]
}

fn findings(seen: &ObservationBuilder) -> Vec<String> {
    judge::judge(&seen.observation, &[], &Policy::default()).into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn an_unchanged_session_breaks_no_rule() {
    let nothing: Vec<String> = Vec::new();
    let all = &[CREATED, A, B, DONE];
    assert_eq!(findings(&said(all).received(session(all))), nothing);
    for code in [1000, 1001, 1008, 1011, 4001] {
        assert_eq!(
            findings(&ended(closed(&[CREATED, A], code), &[CREATED, A], code, "over")),
            nothing,
            "{code}"
        );
    }
    let failed = &[CREATED, A, ERROR];
    assert_eq!(findings(&said(failed).received(session(failed))), nothing);
}

#[test]
fn a_session_whose_upstream_is_silent_may_be_silent() {
    let silent = calling().tried_until(session(&[CREATED]), AttemptEnd::ClientLeft);
    assert_eq!(findings(&open(silent, &[CREATED])), Vec::<String>::new());
}

#[test]
fn a_handshake_without_a_response_has_the_same_timeout_as_any_call() {
    let silent = || calling().tried_in_vain(AttemptEnd::Open);
    assert_eq!(findings(&open(silent(), &[])), ["timeout.honoured"]);
    assert_eq!(findings(&silent().received(error(504))), Vec::<String>::new());
}

#[test]
fn rules_on_bodies_and_streams_do_not_apply_to_sessions() {
    // The proxy opened the session and then closed it: a close frame has no room for headers, type and code.
    let opened_then_closed = ended(refused(429), &[ERROR], 1013, "no canary-msg-tok-primary-1");
    assert_eq!(findings(&opened_then_closed), ["realtime.handshake-status"]);
}

#[test]
fn a_lost_piece_of_a_success_is_detected_in_a_session_too() {
    let lost = said(&[CREATED, A, B, DONE]).received(session(&[CREATED, B, DONE]));
    assert_eq!(findings(&lost), ["success.content-intact"]);
    let never = open(said(&[CREATED, A, B, DONE]), &[CREATED, A, B]);
    assert!(findings(&never).contains(&"success.delivered".to_owned()), "{:?}", findings(&never));
}
