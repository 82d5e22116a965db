//! Callers that leave.

use super::{every_rule::RuleExample, seen::*};
use crate::{
    judge::{self, Policy},
    observation::{AttemptEnd, CallerLeft, Exchange, ResponseEnd},
    scenario::{Leave, LeaveBy, LeavePoint},
};

/// The caller left at 2 ms, and the proxy cancelled the upstream request `ms` milliseconds later.
pub(super) fn cancelled_after(seen: ObservationBuilder, ms: f64) -> ObservationBuilder {
    let left = seen.tried_in_vain(AttemptEnd::ClientLeft).received_nothing(ResponseEnd::Left);
    left.left_by(LeaveBy::Close).attempt(|attempt| attempt.end_ms = Some(2.0 + ms))
}

pub(super) fn examples() -> Vec<RuleExample> {
    // The builder's clock advances by two milliseconds after each exchange.
    let again = |ms: f64| cancelled_after(plain().retrying(1), 1.0).wait(ms - 2.0).tried(say(200, OK));
    vec![
        (
            "disconnect.stream-let-go",
            cancelled_after(streamed(), 1999.0),
            cancelled_after(streamed(), 2001.0),
        ),
        ("disconnect.plain-let-go", cancelled_after(plain(), 1999.0), cancelled_after(plain(), 2001.0)),
        ("disconnect.no-new-attempt", again(499.0), again(501.0)),
    ]
}

fn broken(seen: &ObservationBuilder) -> Vec<String> {
    let findings = judge::judge(&seen.observation, &[], &Policy::default());
    findings.into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn if_the_caller_left_only_rules_on_that_apply() {
    for seen in [
        cancelled_after(plain(), 1.0),
        streamed()
            .tried_until(events(&[ONE]), AttemptEnd::ClientLeft)
            .received_until(events(&[ONE]), ResponseEnd::Left)
            .left_by(LeaveBy::Close),
    ] {
        let applicable = judge::applicable(&seen.observation, &[], &Policy::default());
        let is_allowed = |rule: &&str| rule.starts_with("disconnect.") || rule.starts_with("process.");
        assert!(applicable.iter().all(is_allowed), "{applicable:?}");
        assert_eq!(broken(&seen), [""; 0]);
    }
}

#[test]
fn an_attempt_that_is_never_cancelled_is_a_finding() {
    let held = cancelled_after(streamed(), 1.0).attempt(|attempt| {
        attempt.end = AttemptEnd::Open;
        attempt.end_ms = None;
    });
    assert_eq!(broken(&held), ["disconnect.stream-let-go"]);
}

#[test]
fn a_caller_that_half_closed_and_got_the_whole_response_has_not_left() {
    let served = plain().tried(say(200, OK)).received(say(200, OK)).left_by(LeaveBy::HalfClose);
    let applicable = judge::applicable(&served.observation, &[], &Policy::default());
    assert!(
        applicable.contains(&"success.delivered") && !applicable.iter().any(|rule| rule.starts_with("disc"))
    );
    let cut = || streamed().tried_until(events(&[ONE]), AttemptEnd::ClientLeft);
    let given_up = cut().received_until(events(&[ONE]), ResponseEnd::Closed).left_by(LeaveBy::HalfClose);
    assert_eq!(broken(&given_up), [""; 0]);
    let never_cancelled = given_up.attempt(|attempt| attempt.end_ms = None);
    assert_eq!(broken(&never_cancelled), ["disconnect.stream-let-go"]);
}

#[test]
fn an_attempt_that_its_caller_ended_starts_no_cooldown() {
    let in_cooldown = |seen: ObservationBuilder| {
        let next = seen.wait(10.0).tried(say(200, OK)).received(say(200, OK));
        broken(&next).contains(&"cooldown.honoured".to_owned())
    };
    assert!(!in_cooldown(cancelled_after(plain().cooling(1, 60), 1.0)));
    assert!(in_cooldown(plain().cooling(1, 60).tried_in_vain(AttemptEnd::ClientLeft).received(error(504))));
}

#[test]
fn the_evidence_says_when_the_caller_left_and_how() {
    let findings = judge::judge(&cancelled_after(streamed(), 3000.0).observation, &[], &Policy::default());
    insta::assert_snapshot!(findings[0].evidence.join("\n"), @"
    upstream primary#1 never answered
    step 1: the caller got no response: the caller left
    the caller closes the connection as soon as an upstream has the request at 2 ms, and was gone at 2 ms
    ");
}

#[test]
fn an_exchange_without_the_field_left_can_be_read() {
    let exchange = plain().tried(say(200, OK)).received(say(200, OK)).observation.exchanges.remove(0);
    let stored = serde_json::to_string(&exchange).unwrap();
    assert!(!stored.contains("left"), "{stored}");
    assert_eq!(serde_json::from_str::<Exchange>(&stored).unwrap(), exchange);
}

impl ObservationBuilder {
    /// The caller of the last exchange left at its end.
    fn left_by(mut self, by: LeaveBy) -> Self {
        let how = Leave { at: LeavePoint::BeforeHeaders, by };
        if let Some(last) = self.observation.exchanges.last_mut() {
            last.left = Some(CallerLeft { at_ms: last.end_ms, how });
        }
        self
    }
}
