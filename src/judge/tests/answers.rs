//! Examples for the rules on success, status and streams.

use super::{every_rule::RuleExample, seen::*};
use crate::{
    judge::{self, Policy},
    observation::{AttemptEnd, ResponseEnd},
    scenario::{Api, Fault, Provider, Turn},
};

pub(super) fn examples() -> Vec<RuleExample> {
    [success(), status(), stream()].concat()
}

fn success() -> Vec<RuleExample> {
    let ok = || plain().tried(say(200, OK));
    let stream = || streamed().tried(events(GOOD));
    let doubtful = || stream().attempt(|attempt| attempt.sent.doubtful = true);
    let limited = || plain().tried(say(200, LIMITED));
    let ended_by = |word: &str| say(200, &OK.replace("stop", word));
    let filtered = || plain().tried(ended_by("content_filter"));
    let incomplete = |details: &str| {
        let body = format!(
            r#"{{"object":"response","status":"incomplete","incomplete_details":{details},"output":[]}}"#
        );
        let candidate = say(200, r#"{"candidates":[{"finishReason":"SAFETY","index":0}]}"#);
        let called = plain().calling(Api::OpenaiResponses, Provider::Gemini).tried(candidate);
        called.asked(Api::GeminiGenerate).received(say(200, &body))
    };
    vec![
        ("success.delivered", ok().received(say(200, OK)), ok().received(error(502))),
        (
            "success.whole-or-failed",
            doubtful().received(events(GOOD)),
            doubtful().received(events(&[r#"{"choices":[{"index":0,"delta":{"role":"assistant"}}]}"#])),
        ),
        (
            "success.content-intact",
            stream().received(events(GOOD)),
            stream().received(events(&[ONE, STOP, DONE])),
        ),
        ("success.limit-told", limited().received(say(200, LIMITED)), limited().received(say(200, OK))),
        (
            "success.filter-told",
            filtered().received(ended_by("content_filter")),
            filtered().received(ended_by("stop")),
        ),
        ("success.reason-told", incomplete(r#"{"reason":"content_filter"}"#), incomplete("null")),
        ("success.terminated", stream().received(events(GOOD)), stream().received(events(&[ONE, TWO, STOP]))),
        ("request.forwarded", ok().received(say(200, OK)), plain().received(error(500))),
    ]
}

/// The rules on finish reasons that a case breaks.
fn broken(seen: ObservationBuilder) -> Vec<String> {
    let findings = judge::judge(&seen.observation, &[], &Policy::default());
    findings.into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn an_answer_that_the_limit_cut_off_needs_a_finish_reason() {
    let limited = || plain().tried(say(200, LIMITED));
    assert_eq!(
        broken(limited().received(say(200, &OK.replace(r#""stop""#, "null")))),
        ["success.limit-told"]
    );
    // A normal end is not a matter of the limit, whatever is missing.
    assert!(
        broken(plain().tried(say(200, OK)).received(say(200, &OK.replace(r#""stop""#, "null")))).is_empty()
    );
}

#[test]
fn a_filter_can_be_reported_by_an_error_or_as_incomplete_but_not_as_the_token_limit() {
    let ended_by = |word: &str| say(200, &OK.replace("stop", word));
    let filtered = || plain().tried(ended_by("content_filter"));
    for word in ["content_filter", "refusal", "SAFETY"] {
        assert!(broken(filtered().received(ended_by(word))).is_empty(), "{word}");
    }
    assert!(broken(filtered().received(error(400))).is_empty());
    assert_eq!(broken(filtered().received(ended_by("length"))), ["success.filter-told"]);
    assert_eq!(broken(filtered().received(ended_by("incomplete"))), ["success.reason-told"]);
    // In a stream.
    let stopped = |word: &str| events(&[ONE, TWO, &STOP.replace("stop", word), DONE]);
    let streamed = || streamed().tried(stopped("content_filter"));
    assert!(broken(streamed().received(stopped("content_filter"))).is_empty());
    assert_eq!(broken(streamed().received(stopped("stop"))), ["success.filter-told"]);
    // Cohere's dialect has no reason for it.
    let whole =
        r#"{"message":{"content":[{"type":"text","text":"one TXT two"}]},"finish_reason":"COMPLETE"}"#;
    let cohere = plain().calling(Api::CohereChat, Provider::Openai).tried(ended_by("content_filter"));
    assert!(broken(cohere.asked(Api::OpenaiChat).received(say(200, whole))).is_empty());
}

fn status() -> Vec<RuleExample> {
    let failed = |upstream, reported| plain().tried(error(upstream)).received(error(reported));
    let silent = || plain().tried_in_vain(AttemptEnd::ClientLeft);
    let refused = || {
        plain().set(|arrangement| {
            arrangement.deployments[0].turns = vec![Turn {
                answer: crate::scenario::TurnReply::Reply(crate::scenario::SuccessReply::Ok),
                headers: indexmap::IndexMap::new(),
                faults: vec![Fault::Refuse],
            }];
        })
    };
    let cut = || plain().tried_until(say(200, "{\"cho"), AttemptEnd::Closed);
    vec![
        (
            "status.answered",
            failed(400, 400),
            plain().tried(error(400)).received_nothing(ResponseEnd::Closed),
        ),
        ("status.credentials-apart", failed(403, 502), failed(403, 401)),
        ("status.failure-not-success", failed(400, 400), failed(400, 200)),
        ("status.mirrored", failed(404, 404), failed(404, 400)),
        ("status.class-kept", failed(500, 502), failed(413, 500)),
        ("status.rate-limit", failed(429, 429), failed(429, 503)),
        ("status.credentials", failed(401, 502), failed(401, 429)),
        ("status.timeout", silent().received(error(504)), silent().received(error(500))),
        ("status.unreachable", refused().received(error(502)), refused().received(error(500))),
        ("status.broken-reply", cut().received(error(502)), cut().received(error(400))),
        ("status.overloaded", failed(529, 503), failed(529, 500)),
    ]
}

fn stream() -> Vec<RuleExample> {
    let refused = || streamed().tried(error(503));
    let cut = || streamed().tried_until(events(&[ONE, TWO]), AttemptEnd::Closed);
    let broken = || streamed().tried(events(&[ONE, TWO, ERROR]));
    vec![
        ("stream.error-status", refused().received(error(503)), refused().received(events(&[ERROR]))),
        (
            "stream.no-forged-success",
            cut().received(events(&[ONE, TWO, ERROR])),
            cut().received(events(GOOD)),
        ),
        (
            "stream.error-visible",
            cut().received_until(events(&[ONE, TWO]), ResponseEnd::Reset),
            cut().received(events(&[ONE, TWO])),
        ),
        (
            "stream.content-intact",
            broken().received(events(&[ONE, TWO, ERROR])),
            broken().received(events(&[ONE, ERROR])),
        ),
        (
            "stream.one-error-event",
            broken().received(events(&[ONE, TWO, ERROR, DONE])),
            broken().received(events(&[ONE, TWO, ERROR, ERROR])),
        ),
        (
            "stream.ends-after-error",
            broken().received(events(&[ONE, TWO, ERROR]).lasting(1900.0)),
            broken().received(events(&[ONE, TWO, ERROR]).lasting(2100.0)),
        ),
        (
            "stream.error-detail",
            broken().received(events(&[ONE, TWO, ERROR])),
            broken().received(events(&[ONE, TWO, r#"{"error":{"message":"Internal error"}}"#])),
        ),
    ]
}
