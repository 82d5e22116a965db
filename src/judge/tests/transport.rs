//! Faults below the message: no connection, no handshake, invalid HTTP.

use super::{every_rule::RuleExample, seen::*};
use crate::{
    judge::{self, Policy},
    observation::{AttemptEnd, ExchangeOutcome, ResponseEnd},
    scenario::{ConnectionFault, Fault, Http2Code, Http2Fault, Http2Strike, Point, TlsFault},
};

pub(super) fn examples() -> Vec<RuleExample> {
    let expired = Fault::Tls(TlsFault::ExpiredCertificate);
    let refused = || plain().tried_in_vain(AttemptEnd::HandshakeFailed).with_fault(expired.clone());
    let redirected = || plain().tried(say(307, "")).with_fault(Fault::Redirect(307));
    let key = |seen: &ObservationBuilder| seen.observation.arrangement.deployments[0].key.clone();
    vec![
        (
            "leak.unproven-upstream",
            refused().attempt(|attempt| attempt.method.clear()).received(error(502)),
            plain().tried(say(200, OK)).with_fault(expired.clone()).received(say(200, OK)),
        ),
        ("leak.redirected-key", redirected().received(error(502)), {
            let seen = redirected();
            let key = key(&seen);
            let followed = seen.tried(error(404)).attempt(|attempt| {
                attempt.path = "/elsewhere".to_owned();
                attempt.api = None;
                attempt.headers.push(("authorization".to_owned(), format!("Bearer {key}")));
            });
            followed.received(error(404))
        }),
    ]
}

/// An error in the proxy's own words, with no token of an upstream.
fn own(status: u16) -> SideReply {
    say(status, &ERROR.replace("MSG", "answer"))
}

fn broken(seen: ObservationBuilder) -> Vec<String> {
    judge::judge(&seen.observation, &[], &Policy::default()).into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn content_after_broken_framing_counts_as_cut() {
    // The whole stream was sent, but only its first piece is readable.
    let first = events(&[ONE]);
    let broken_after_first = || {
        streamed().tried(events(GOOD)).attempt(|attempt| {
            let body = attempt.sent.body.clone();
            attempt.sent.broken_after = body.find("\n\n").map(|end| end as u64 + 2);
        })
    };
    assert!(broken(broken_after_first().received(events(&[ONE, ERROR]))).is_empty());
    assert_eq!(broken(broken_after_first().received(events(GOOD)))[0], "stream.no-forged-success");
    assert!(broken(broken_after_first().received_until(first, ResponseEnd::Closed)).is_empty());

    let plain = || plain().tried(say(200, OK)).attempt(|attempt| attempt.sent.broken_after = Some(0));
    assert!(broken(plain().received(error(502))).is_empty());
    assert!(broken(plain().received(say(200, OK))).contains(&"status.failure-not-success".to_owned()));
    assert!(broken(plain().received(error(400))).contains(&"status.broken-reply".to_owned()));
}

#[test]
fn a_reply_without_a_readable_status_line_is_a_broken_reply() {
    let garbage = || {
        plain().tried(say(200, OK)).attempt(|attempt| {
            attempt.sent.status = None;
            attempt.sent.broken_after = Some(0);
        })
    };
    assert!(broken(garbage().received(error(502))).is_empty());
    assert!(broken(garbage().received(error(404))).contains(&"status.broken-reply".to_owned()));
}

#[test]
fn a_proxy_that_follows_a_redirect_may_report_what_the_target_answered() {
    let redirected = || plain().tried(say(307, "")).with_fault(Fault::Redirect(307));
    let followed = || {
        redirected().tried(error(404)).attempt(|attempt| {
            attempt.path = "/elsewhere".to_owned();
            attempt.api = None;
        })
    };
    let is_broken = |seen| broken(seen).contains(&"status.broken-reply".to_owned());
    assert!(!is_broken(followed().received(error(404))));
    assert!(!is_broken(redirected().received(error(502))));
    assert!(is_broken(followed().received(error(400))));
    assert!(is_broken(redirected().received(error(404))));
}

#[test]
fn a_doubtful_reply_may_be_accepted_or_refused_but_not_changed() {
    let doubtful = || plain().tried(say(200, OK)).attempt(|attempt| attempt.sent.doubtful = true);
    assert!(broken(doubtful().received(say(200, OK))).is_empty());
    assert!(broken(doubtful().received(error(502))).is_empty());
    assert_eq!(
        broken(doubtful().received(say(200, &OK.replace("two", "three")))),
        ["success.content-intact"]
    );
    assert_eq!(broken(doubtful().received_nothing(ResponseEnd::Deadline)), ["timeout.answered"]);
}

#[test]
fn a_body_that_cannot_be_decompressed_is_an_invalid_response() {
    let packed = || plain().tried(say(200, OK).with("content-encoding", "gzip"));
    assert!(broken(packed().received(error(502))).is_empty());
    assert!(broken(packed().received(say(200, OK))).contains(&"status.failure-not-success".to_owned()));
}

#[test]
fn a_provider_that_never_accepts_counts_as_late_and_as_unreachable() {
    let never = || plain().unreachable(Fault::Connection(ConnectionFault::NeverAccepted));
    for status in [502, 503, 504, 408] {
        assert!(broken(never().wait(2100.0).received(own(status))).is_empty(), "{status}");
    }
    assert_eq!(broken(never().wait(2100.0).received(own(500))), ["status.unreachable"]);
    assert_eq!(broken(never().wait(3100.0).received(own(504))), ["timeout.honoured"]);

    let nameless = || plain().unreachable(Fault::Connection(ConnectionFault::UnresolvableName));
    assert!(broken(nameless().received(own(502))).is_empty());
    assert_eq!(broken(nameless().received(own(504))), ["status.unreachable"]);
}

#[test]
fn a_connection_on_which_no_request_was_read_does_not_count_as_a_retry() {
    let closed = |seen: ObservationBuilder| {
        seen.tried_in_vain(AttemptEnd::Closed).attempt(|attempt| attempt.method.clear())
    };
    let twice = closed(closed(plain()));
    let budget = "retry.budget".to_owned();
    assert!(!broken(twice.clone().tried(error(503)).received(error(503))).contains(&budget));
    assert!(broken(twice.tried(error(503)).tried(error(503)).received(error(503))).contains(&budget));
}

#[test]
fn a_request_that_the_upstream_refused_before_it_processed_it_does_not_count_as_a_retry() {
    let reset = |code| {
        let fault = Fault::Http2(Http2Fault::RstStream(Http2Strike { code, at: Point::BeforeHeaders }));
        let tried =
            |seen: ObservationBuilder| seen.tried_in_vain(AttemptEnd::StreamReset).with_fault(fault.clone());
        broken(tried(tried(plain())).received(error(502))).contains(&"retry.budget".to_owned())
    };
    assert!(!reset(Http2Code::RefusedStream));
    assert!(reset(Http2Code::InternalError));
}

#[test]
fn a_handshake_that_never_ends_counts_as_late_or_as_unreachable() {
    let stalled = || {
        plain()
            .tried_in_vain(AttemptEnd::ClientLeft)
            .with_fault(Fault::Tls(TlsFault::HandshakeStall))
            .attempt(|attempt| attempt.method.clear())
    };
    for status in [502, 503, 504] {
        assert!(broken(stalled().wait(2000.0).received(error(status))).is_empty(), "{status}");
    }
    assert_eq!(broken(stalled().wait(2000.0).received(error(500))), ["status.timeout"]);
}

#[test]
fn a_damaged_stream_that_is_passed_on_shows_its_failure_to_the_caller() {
    let cut = || streamed().tried_until(events(&[ONE, TWO]), AttemptEnd::Closed);
    let mut seen = cut().received(events(&[ONE, TWO]));
    assert!(broken(seen.clone()).contains(&"stream.error-visible".to_owned()));
    let exchange = seen.observation.exchanges.first_mut().expect("an exchange");
    let ExchangeOutcome::Answer(answer) = &mut exchange.outcome else { panic!("an answer") };
    answer.body.damage = Some("a wrong message checksum at byte 33".to_owned());
    assert!(!broken(seen).contains(&"stream.error-visible".to_owned()));
}

#[test]
fn a_timeout_that_the_upstream_reports_may_get_the_policys_timeout_status() {
    for (sent, reported, allowed) in
        [(524, 408, true), (524, 504, true), (504, 408, true), (524, 400, false), (502, 408, false)]
    {
        let rules = broken(plain().tried(error(sent)).received(error(reported)));
        assert_eq!(
            !rules.contains(&"status.class-kept".to_owned()),
            allowed,
            "{sent} reported as {reported}: {rules:?}"
        );
    }
}
