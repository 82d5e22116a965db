//! Streams that are held back.

use super::{every_rule::RuleExample, seen::*};
use crate::{
    judge::{self, Policy},
    observation::{AttemptEnd, SentPause},
};

const RULE: &str = "stream.not-held-back";

/// A stream with a pause after its first piece.
fn paused(pieces: &[&str], lasting_ms: f64) -> ObservationBuilder {
    streamed().tried(events(pieces)).attempt(|attempt| {
        let after_bytes = attempt.sent.body.find("\n\n").map_or(0, |end| end as u64 + 2);
        let (from_ms, until_ms) = (attempt.at_ms, Some(attempt.at_ms + lasting_ms));
        attempt.sent.pauses = vec![SentPause { after_bytes, from_ms, until_ms }];
    })
}

pub(super) fn examples() -> Vec<RuleExample> {
    let seen = || paused(GOOD, 2000.0);
    vec![(RULE, seen().received(events(GOOD)), seen().wait(2000.0).received(events(GOOD)))]
}

fn breaks(seen: ObservationBuilder) -> bool {
    let findings = judge::judge(&seen.observation, &[], &Policy::default());
    findings.iter().any(|finding| finding.rule == RULE)
}

#[test]
fn content_is_held_back_if_it_arrives_after_a_long_pause() {
    assert!(!breaks(paused(GOOD, 2000.0).wait(1700.0).received(events(GOOD))), "before the end of the pause");
    assert!(!breaks(paused(GOOD, 900.0).wait(2000.0).received(events(GOOD))), "the pause is too short");
    assert!(breaks(paused(GOOD, 2000.0).wait(2000.0).received(error(504))), "it never arrived");
    let before_content =
        paused(&[r#"{"choices":[{"index":0,"delta":{"role":"assistant"}}]}"#, ONE, STOP], 2000.0);
    assert!(
        !breaks(before_content.wait(2000.0).received(events(&[ONE, STOP]))),
        "nothing was sent before it"
    );
}

#[test]
fn an_error_event_is_held_back_until_the_upstream_ends() {
    let silent = || {
        paused(&[ERROR], 3000.0).attempt(|attempt| {
            attempt.end = AttemptEnd::ClientLeft;
            attempt.end_ms = Some(attempt.at_ms + 3000.0);
        })
    };
    assert!(!breaks(silent().received(events(&[ERROR]))));
    assert!(breaks(silent().wait(3000.0).received(events(&[ERROR]))));
}
