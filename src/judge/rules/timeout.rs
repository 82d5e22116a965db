//! Whether limits of time are kept.

use crate::{
    judge::{
        dialect::{self, StreamEvent},
        facts::Facts,
        fate::Fate,
        rule::{Outcome, Rule},
        told::Told,
    },
    observation::{Ending, Frame},
    scenario::Level,
};

/// What a proxy may take beyond the timeout for each attempt, in milliseconds.
const GRACE_MS: f64 = 1000.0;

pub const RULES: &[Rule] = &[
    Rule {
        id: "timeout.honoured",
        level: Level::Required,
        title: "A silent upstream is given up within the timeout plus one second for each allowed attempt",
        reason: "The timeout is what a caller's own deadlines are built on; a proxy that waits for ever takes the \
                 caller down with it.",
        references: &["BerriAI/litellm#38358"],
        timing: true,
        check: honoured,
    },
    Rule {
        id: "timeout.answered",
        level: Level::Required,
        title: "Every call comes to an end",
        reason: "A caller without an answer can do nothing: no retry, no fallback, no message to a person.",
        references: &["BerriAI/litellm#26752"],
        timing: true,
        check: answered,
    },
];

fn silent(facts: &Facts<'_>) -> bool {
    facts.is_unreachable_in_silence() || facts.failures().any(|(_, fate)| matches!(fate, Fate::Silent { .. }))
}

/// A session may be silent for as long as nobody speaks; only its handshake has a limit.
fn in_session_only(facts: &Facts<'_>) -> bool {
    let handshake = |fate: &Fate| matches!(fate, Fate::Silent { head_sent: false, .. });
    matches!(facts.told, Told::Session(_)) && !facts.failures().any(|(_, fate)| handshake(fate))
}

fn honoured(facts: &Facts<'_>) -> Outcome {
    if !silent(facts) || in_session_only(facts) {
        return Outcome::NotApplicable;
    }
    let settings = &facts.arrangement.proxy;
    let timeout_ms = settings.timeout.as_secs_f64() * 1000.0;
    // A stream's limit counts from its last chunk: what was sent in good time is not the proxy's.
    // What a proxy says of its own when it gives up is no such chunk.
    let is_chunk = |frame: &Frame| {
        let event = dialect::event(facts.api(), frame.event.as_deref(), &frame.data);
        matches!(event, StreamEvent::Chunk { finish: None, .. })
    };
    let lead_ms = facts
        .answer()
        .and_then(|answer| answer.body.frames.iter().rfind(|frame| is_chunk(frame)))
        .map_or(0.0, |frame| (frame.at_ms - facts.exchange.sent_ms).max(0.0));
    let allowed = (f64::from(settings.retries) + 1.0) * facts.chain().len() as f64;
    let limit_ms = lead_ms + allowed * (timeout_ms + GRACE_MS);
    // With its error event the upstream is given up; when the stream then ends is for its own rule.
    let given_up = match &facts.told {
        Told::Stream(stream) => stream.errors.first().map(|(at_ms, _)| *at_ms),
        Told::Session(session) => session.errors.first().map(|(at_ms, _)| *at_ms),
        _ => None,
    };
    let took_ms = given_up.unwrap_or(facts.exchange.end_ms) - facts.exchange.sent_ms;
    let left_open = matches!(&facts.told, Told::Session(session) if session.is_open());
    let open = given_up.is_none() && (is_open(&facts.told) || left_open);
    if open && took_ms <= limit_ms {
        // upfault stopped waiting before the proxy's time was over: nobody knows what it would have done.
        return Outcome::NotApplicable;
    }
    Outcome::check(took_ms <= limit_ms, || {
        let how = if open { "still waiting" } else { "over" };
        (
            format!(
                "an answer within {:.1} s ({} attempt(s) of {:.1} s, one second more for each)",
                limit_ms / 1000.0,
                allowed,
                timeout_ms / 1000.0
            ),
            format!("{how} after {:.1} s: {}", took_ms / 1000.0, facts.told.describe()),
        )
    })
}

fn answered(facts: &Facts<'_>) -> Outcome {
    // Where the upstream was silent the rule above has said it.
    if silent(facts) {
        return Outcome::NotApplicable;
    }
    // An open stream that has shown its error is for the rules on streams.
    if matches!(&facts.told, Told::Stream(stream) if !stream.errors.is_empty()) {
        return Outcome::NotApplicable;
    }
    Outcome::check(!is_open(&facts.told), || {
        ("an end".to_owned(), format!("none until upfault's deadline: {}", facts.told.describe()))
    })
}

fn is_open(told: &Told) -> bool {
    match told {
        Told::Nothing(ending) => *ending == Ending::Deadline,
        Told::Stream(stream) => stream.unending,
        _ => false,
    }
}
