//! Whether the proxy passes a stream on while it arrives.

use crate::{
    dialect::{self, StreamEvent},
    judge::{
        attempt_outcome,
        facts::Facts,
        rule::{Rule, RuleOutcome},
        scope::{PassThrough, Scope},
    },
    observation::{Attempt, SentPause, excerpt},
    scenario::{Api, Level, SuccessReply, TurnReply},
};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "stream.not-held-back",
    level: Level::Required,
    title: "What the upstream sent before a pause reaches the caller before the pause is over",
    reason: "A proxy that collects a stream before it passes it on turns every pause into silence, and every stream \
             into a plain call that takes as long as the whole response.",
    references: &[],
    timing: true,
    scope: Scope::CALLS.also(&[PassThrough]),
    check: not_held_back,
}];

/// The shortest pause that shows whether a proxy holds something back, in milliseconds.
const PAUSE_MS: f64 = 1000.0;

/// The part of a pause at its end in which it is no longer certain that the pause was not over.
const MARGIN: f64 = 0.1;

/// What a stream contained up to a certain time.
struct Content {
    text: String,
    has_error: bool,
}

impl Content {
    fn of<'f>(api: Api, frames: impl Iterator<Item = (Option<&'f str>, &'f str)>) -> Self {
        let mut content = Self { text: String::new(), has_error: false };
        for (name, data) in frames {
            match dialect::event(api, name, data) {
                StreamEvent::Chunk { content: chunk, .. } => content.text.push_str(&chunk.text),
                StreamEvent::Error(_) => content.has_error = true,
                StreamEvent::Done | StreamEvent::Odd(_) => {}
            }
        }
        content
    }

    /// What an attempt had sent before a pause.
    fn sent(attempt: &Attempt, pause: &SentPause, api: Api) -> Option<Self> {
        let frames = attempt_outcome::frames(&attempt.sent.before(pause), api)?;
        Some(Self::of(api, frames.iter().map(|frame| (frame.event.as_deref(), frame.data.as_str()))))
    }

    /// What the caller had received by this time.
    fn received(facts: &Facts<'_>, by_ms: f64) -> Self {
        let frames = facts.raw_response().map_or(&[][..], |response| &response.body.frames);
        let early = frames.iter().take_while(|frame| frame.at_ms <= by_ms);
        Self::of(facts.api(), early.map(|frame| (frame.event.as_deref(), frame.data.as_str())))
    }
}

fn not_held_back(facts: &Facts<'_>) -> Option<RuleOutcome> {
    if !facts.wants_stream() && !facts.api().is_session() {
        return None;
    }
    let (attempt, _) = facts.attempts.last()?;
    // Some dialects have no parts of a tool call: a translator has to wait until it is complete.
    let is_tool_call = |turn: &crate::scenario::Turn| turn.answer == TurnReply::Reply(SuccessReply::ToolCall);
    if attempt.turn.as_ref().is_some_and(is_tool_call) {
        return None;
    }
    let mut outcome = None;
    for pause in &attempt.sent.pauses {
        let until_ms = pause.until_ms?;
        let lasting_ms = until_ms - pause.from_ms;
        if lasting_ms < PAUSE_MS {
            continue;
        }
        let sent = Content::sent(attempt, pause, attempt.api.unwrap_or(facts.api()))?;
        if sent.text.is_empty() && !sent.has_error {
            continue;
        }
        let got = Content::received(facts, until_ms - MARGIN * lasting_ms);
        if got.text.contains(sent.text.trim_end()) && (got.has_error || !sent.has_error) {
            outcome = Some(RuleOutcome::Holds);
            continue;
        }
        let held = if sent.has_error { "an error event" } else { "content" };
        return RuleOutcome::broken(
            format!("{held} that the upstream sent before a pause of {:.1} s", lasting_ms / 1000.0),
            format!("of `{}`, the caller had got `{}` by then", excerpt(&sent.text), excerpt(&got.text)),
            facts.attempt_lines(),
        );
    }
    outcome
}
