//! Whether limits of time are kept.

use crate::{
    judge::{
        attempt_outcome::AttemptOutcome,
        caller_response::CallerResponse,
        dialect::{self, StreamEvent},
        facts::Facts,
        rule::{Rule, RuleOutcome},
    },
    observation::{ReceivedFrame, ResponseEnd},
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
    facts.is_unreachable_in_silence()
        || facts.failures().any(|(_, fate)| matches!(fate, AttemptOutcome::Silent { .. }))
}

/// A session may be silent for as long as nobody speaks; only its handshake has a limit.
fn in_session_only(facts: &Facts<'_>) -> bool {
    let handshake = |fate: &AttemptOutcome| matches!(fate, AttemptOutcome::Silent { head_sent: false, .. });
    matches!(facts.response, CallerResponse::Session(_)) && !facts.failures().any(|(_, fate)| handshake(fate))
}

fn honoured(facts: &Facts<'_>) -> RuleOutcome {
    if !silent(facts) || in_session_only(facts) {
        return RuleOutcome::NotApplicable;
    }
    let settings = &facts.arrangement.proxy;
    let timeout_ms = settings.timeout.as_secs_f64() * 1000.0;
    // A stream's limit counts from its last chunk: what was sent in good time is not the proxy's.
    // What a proxy says of its own when it gives up is no such chunk.
    let is_chunk = |frame: &ReceivedFrame| {
        let event = dialect::event(facts.api(), frame.event.as_deref(), &frame.data);
        matches!(event, StreamEvent::Chunk { finish: None, .. })
    };
    let lead_ms = facts
        .raw_response()
        .and_then(|answer| answer.body.frames.iter().rfind(|frame| is_chunk(frame)))
        .map_or(0.0, |frame| (frame.at_ms - facts.exchange.sent_ms).max(0.0));
    let allowed = (f64::from(settings.retries) + 1.0) * facts.chain().len() as f64;
    let limit_ms = lead_ms + allowed * (timeout_ms + GRACE_MS);
    // With its error event the upstream is given up; when the stream then ends is for its own rule.
    let given_up = match &facts.response {
        CallerResponse::Stream(stream) => stream.errors.first().map(|(at_ms, _)| *at_ms),
        CallerResponse::Session(session) => session.errors.first().map(|(at_ms, _)| *at_ms),
        _ => None,
    };
    let took_ms = given_up.unwrap_or(facts.exchange.end_ms) - facts.exchange.sent_ms;
    let left_open = matches!(&facts.response, CallerResponse::Session(session) if session.is_open());
    let open = given_up.is_none() && (is_open(&facts.response) || left_open);
    if open && took_ms <= limit_ms {
        // upfault stopped waiting before the proxy's time was over: nobody knows what it would have done.
        return RuleOutcome::NotApplicable;
    }
    RuleOutcome::check(took_ms <= limit_ms, || {
        let how = if open { "still waiting" } else { "over" };
        (
            format!(
                "an answer within {:.1} s ({} attempt(s) of {:.1} s, one second more for each)",
                limit_ms / 1000.0,
                allowed,
                timeout_ms / 1000.0
            ),
            format!("{how} after {:.1} s: {}", took_ms / 1000.0, facts.response.describe()),
        )
    })
}

fn answered(facts: &Facts<'_>) -> RuleOutcome {
    // Where the upstream was silent the rule above has said it.
    if silent(facts) {
        return RuleOutcome::NotApplicable;
    }
    // An open stream that has shown its error is for the rules on streams.
    if matches!(&facts.response, CallerResponse::Stream(stream) if !stream.errors.is_empty()) {
        return RuleOutcome::NotApplicable;
    }
    RuleOutcome::check(!is_open(&facts.response), || {
        ("an end".to_owned(), format!("none until upfault's deadline: {}", facts.response.describe()))
    })
}

fn is_open(told: &CallerResponse) -> bool {
    match told {
        CallerResponse::Nothing(ending) => *ending == ResponseEnd::Deadline,
        CallerResponse::Stream(stream) => stream.unending,
        _ => false,
    }
}
