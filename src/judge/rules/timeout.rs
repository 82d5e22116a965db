//! Whether the proxy keeps its time limits.

use crate::{
    dialect::{self, StreamEvent},
    judge::{
        attempt_outcome::AttemptOutcome,
        caller_response::CallerResponse,
        facts::Facts,
        rule::{Rule, RuleOutcome},
        scope::{PassThrough, Scope},
        session::CallerSession,
    },
    observation::{ReceivedFrame, ResponseEnd},
    scenario::{Fault, Level},
};

/// The time that a proxy may take in addition to the timeout, for each attempt, in milliseconds.
const GRACE_MS: f64 = 1000.0;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "timeout.honoured",
        level: Level::Required,
        title: "The proxy gives up a silent upstream within the timeout plus one second for each allowed attempt",
        reason: "Callers derive their own deadlines from this timeout; a proxy that waits without end takes the \
                 caller down with it.",
        references: &["BerriAI/litellm#38358"],
        timing: true,
        scope: Scope::CALLS.also(&[PassThrough]),
        check: honoured,
    },
    Rule {
        id: "timeout.answered",
        level: Level::Required,
        title: "Every call ends",
        reason: "A caller without a response can do nothing: no retry, no fallback, no message to a person.",
        references: &["BerriAI/litellm#26752"],
        timing: true,
        scope: Scope::CALLS.also(&[PassThrough]),
        check: answered,
    },
];

fn silent(facts: &Facts<'_>) -> bool {
    facts.is_unreachable_in_silence()
        || facts.failures().any(|(_, result)| matches!(result, AttemptOutcome::Silent { .. }))
}

/// Whether the only silence is in an open session, which may be silent without limit; only its handshake has a
/// timeout.
fn in_session_only(facts: &Facts<'_>) -> bool {
    let handshake =
        |result: &AttemptOutcome| matches!(result, AttemptOutcome::Silent { head_sent: false, .. });
    facts.response.session().is_some() && !facts.failures().any(|(_, result)| handshake(result))
}

/// The longest silence of the upstream in a success that the caller got, in milliseconds, if it was longer than the timeout
/// allows: then the proxy waited for it.
fn waited_ms(facts: &Facts<'_>, timeout_ms: f64) -> Option<f64> {
    let (attempt, _) = facts.success().filter(|_| facts.response.looks_successful())?;
    if facts.response.session().is_some() {
        return None;
    }
    let pauses = attempt.turn.iter().flat_map(|turn| &turn.faults).filter_map(Fault::pause);
    let longest_ms = pauses.max()?.as_secs_f64() * 1000.0;
    (longest_ms > timeout_ms + GRACE_MS).then_some(longest_ms)
}

fn honoured(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let settings = &facts.arrangement.proxy;
    let timeout_ms = settings.timeout.as_secs_f64() * 1000.0;
    if let Some(silence_ms) = waited_ms(facts, timeout_ms) {
        return RuleOutcome::broken(
            format!(
                "an end after {:.1} s of silence (the timeout, plus one second)",
                (timeout_ms + GRACE_MS) / 1000.0
            ),
            format!(
                "the proxy waited {:.1} s; the caller got {}",
                silence_ms / 1000.0,
                facts.response.describe()
            ),
            Vec::new(),
        );
    }
    if !silent(facts) || in_session_only(facts) {
        return None;
    }
    // The timeout of a stream counts from its last chunk: the time before it was not the proxy's delay. A message
    // that the proxy itself adds when it gives up does not count as a chunk.
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
    // The proxy gives up with its error event; `stream.ends-after-error` checks when the stream then ends.
    let given_up = match &facts.response {
        CallerResponse::Stream(stream) => stream.errors.first().map(|(at_ms, _)| *at_ms),
        CallerResponse::Session(session) => session.errors.first().map(|(at_ms, _)| *at_ms),
        _ => None,
    };
    let took_ms = given_up.unwrap_or(facts.exchange.end_ms) - facts.exchange.sent_ms;
    let left_open = facts.response.session().is_some_and(CallerSession::is_open);
    let open = given_up.is_none() && (is_open(&facts.response) || left_open);
    if open && took_ms <= limit_ms {
        // upfault stopped waiting before the proxy's time was over, so it cannot know what the proxy would have done.
        return None;
    }
    RuleOutcome::check(took_ms <= limit_ms, || {
        let how = if open { "still waiting" } else { "ended" };
        (
            format!(
                "a response within {:.1} s ({} attempt(s) of {:.1} s, plus one second for each)",
                limit_ms / 1000.0,
                allowed,
                timeout_ms / 1000.0
            ),
            format!("{how} after {:.1} s: {}", took_ms / 1000.0, facts.response.describe()),
        )
    })
}

fn answered(facts: &Facts<'_>) -> Option<RuleOutcome> {
    // If the upstream was silent, `timeout.honoured` applies. The rules on streams check an open stream that contains
    // an error event.
    if silent(facts) || facts.response.stream().is_some_and(|stream| !stream.errors.is_empty()) {
        return None;
    }
    RuleOutcome::check(!is_open(&facts.response), || {
        ("an end".to_owned(), format!("no end before upfault's deadline: {}", facts.response.describe()))
    })
}

fn is_open(response: &CallerResponse) -> bool {
    match response {
        CallerResponse::Nothing(ending) => *ending == ResponseEnd::Deadline,
        CallerResponse::Stream(stream) => stream.unending,
        _ => false,
    }
}
