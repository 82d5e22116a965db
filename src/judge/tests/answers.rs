//! Examples for the rules on success, status and streams.

use super::{every_rule::RuleExample, seen::*};
use crate::{
    observation::{AttemptEnd, ResponseEnd},
    scenario::{Fault, Turn},
};

pub(super) fn examples() -> Vec<RuleExample> {
    [success(), status(), stream()].concat()
}

fn success() -> Vec<RuleExample> {
    let ok = || plain().tried(say(200, OK));
    let stream = || streamed().tried(events(GOOD));
    let doubtful = || stream().attempt(|attempt| attempt.sent.doubtful = true);
    let limited = || plain().tried(say(200, LIMITED));
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
        ("success.terminated", stream().received(events(GOOD)), stream().received(events(&[ONE, TWO, STOP]))),
        ("request.forwarded", ok().received(say(200, OK)), plain().received(error(500))),
    ]
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
