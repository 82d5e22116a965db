//! Success, status, stream.

use super::{every_rule::Proof, seen::*};
use crate::{
    observation::{AttemptEnd, Ending},
    scenario::{Fault, Turn},
};

pub fn proofs() -> Vec<Proof> {
    [success(), status(), stream()].concat()
}

fn success() -> Vec<Proof> {
    let ok = || plain().tried(say(200, OK));
    let stream = || streamed().tried(events(GOOD));
    let limited = || plain().tried(say(200, LIMITED));
    vec![
        ("success.delivered", ok().told(say(200, OK)), ok().told(error(502))),
        ("success.content-intact", stream().told(events(GOOD)), stream().told(events(&[ONE, STOP, DONE]))),
        ("success.limit-told", limited().told(say(200, LIMITED)), limited().told(say(200, OK))),
        ("success.terminated", stream().told(events(GOOD)), stream().told(events(&[ONE, TWO, STOP]))),
        ("request.forwarded", ok().told(say(200, OK)), plain().told(error(500))),
    ]
}

fn status() -> Vec<Proof> {
    let failed = |upstream, told| plain().tried(error(upstream)).told(error(told));
    let silent = || plain().tried_in_vain(AttemptEnd::ClientLeft);
    let refused = || {
        plain().set(|arrangement| {
            arrangement.deployments[0].turns = vec![Turn {
                answer: crate::scenario::Answer::Reply(crate::scenario::Reply::Ok),
                headers: indexmap::IndexMap::new(),
                faults: vec![Fault::Refuse],
            }];
        })
    };
    let cut = || plain().tried_until(say(200, "{\"cho"), AttemptEnd::Closed);
    vec![
        ("status.failure-not-success", failed(400, 400), failed(400, 200)),
        ("status.mirrored", failed(404, 404), failed(404, 400)),
        ("status.class-kept", failed(500, 502), failed(413, 500)),
        ("status.rate-limit", failed(429, 429), failed(429, 503)),
        ("status.credentials", failed(401, 502), failed(401, 429)),
        ("status.timeout", silent().told(error(504)), silent().told(error(500))),
        ("status.unreachable", refused().told(error(502)), refused().told(error(500))),
        ("status.broken-reply", cut().told(error(502)), cut().told(error(400))),
        ("status.overloaded", failed(529, 503), failed(529, 500)),
    ]
}

fn stream() -> Vec<Proof> {
    let refused = || streamed().tried(error(503));
    let cut = || streamed().tried_until(events(&[ONE, TWO]), AttemptEnd::Closed);
    let broken = || streamed().tried(events(&[ONE, TWO, ERROR]));
    vec![
        ("stream.error-status", refused().told(error(503)), refused().told(events(&[ERROR]))),
        ("stream.no-forged-success", cut().told(events(&[ONE, TWO, ERROR])), cut().told(events(GOOD))),
        (
            "stream.error-visible",
            cut().told_until(events(&[ONE, TWO]), Ending::Reset),
            cut().told(events(&[ONE, TWO])),
        ),
        (
            "stream.content-intact",
            broken().told(events(&[ONE, TWO, ERROR])),
            broken().told(events(&[ONE, ERROR])),
        ),
        (
            "stream.one-error-event",
            broken().told(events(&[ONE, TWO, ERROR, DONE])),
            broken().told(events(&[ONE, TWO, ERROR, ERROR])),
        ),
        (
            "stream.ends-after-error",
            broken().told(events(&[ONE, TWO, ERROR]).lasting(1900.0)),
            broken().told(events(&[ONE, TWO, ERROR]).lasting(2100.0)),
        ),
        (
            "stream.error-detail",
            broken().told(events(&[ONE, TWO, ERROR])),
            broken().told(events(&[ONE, TWO, r#"{"error":{"message":"Internal error"}}"#])),
        ),
    ]
}
