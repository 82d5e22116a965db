//! Streams that fail.

use super::responses_stream;
use crate::{
    dialect::{self, Completion, StreamEvent},
    judge::{
        attempt_outcome::{AttemptOutcome, frames, written_content},
        caller_response::CallerResponse,
        facts::Facts,
        policy::{AfterError, CleanEnd},
        rule::{Rule, RuleOutcome},
        scope::{Failed, Pinged, Scope, Stream},
    },
    observation::{AttemptEnd, ReceivedFrame, excerpt, word},
    scenario::{Api, Level},
};

/// The time within which a failed stream must end after its error event, in milliseconds.
const END_AFTER_ERROR_MS: f64 = 2000.0;

const FAILED: Scope = Scope::CALLS.only(&[Failed]);

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "stream.error-status",
        level: Level::Required,
        title: "A call that fails before its stream begins gets an error status, not an error inside a stream",
        reason: "SDKs retry only by the status; they retry nothing that comes after a 200.",
        references: &["BerriAI/litellm#10962"],
        timing: false,
        scope: Scope::CALLS.only(&[Failed, Stream]).never(&[Pinged]),
        check: error_status,
    },
    Rule {
        id: "stream.no-forged-success",
        level: Level::Required,
        title: "A stream that failed never ends as if it were complete",
        reason: "No client retries what looks complete: agents act on half a response or half a tool call.",
        references: &["BerriAI/litellm#33404", "BerriAI/litellm#40260"],
        timing: false,
        scope: Scope::CALLS.only(&[Failed, Stream]),
        check: no_forged_success,
    },
    Rule {
        id: "stream.error-visible",
        level: Level::Required,
        title: "A stream that failed shows it: by an error event, or by a cut connection",
        reason: "No SDK raises an error for a stream that just ends, or for a finish reason such as `error`.",
        references: &["BerriAI/litellm#40578"],
        timing: false,
        scope: FAILED,
        check: error_visible,
    },
    Rule {
        id: "stream.content-intact",
        level: Level::Required,
        title: "The content that was streamed before a failure reaches the caller in order, unchanged, once",
        reason: "A caller that can use a part of a response must be able to trust that part.",
        references: &["maximhq/bifrost#6783"],
        timing: false,
        scope: FAILED,
        check: content_intact,
    },
    Rule {
        id: "stream.one-error-event",
        level: Level::Required,
        title: "A failed stream contains one error event, and nothing but a terminator after it",
        reason: "Clients raise an exception at the first error; what follows is lost or read as content of the next \
                 call.",
        references: &["BerriAI/litellm#39748"],
        timing: false,
        scope: FAILED,
        check: one_error_event,
    },
    Rule {
        id: "stream.ends-after-error",
        level: Level::Required,
        title: "A failed stream ends within two seconds of its error event",
        reason: "A stream that stays open keeps its caller waiting for nothing.",
        references: &["api7/aisix#177"],
        timing: true,
        scope: FAILED,
        check: ends_after_error,
    },
    Rule {
        id: "stream.error-detail",
        level: Level::Required,
        title: "The error event contains the upstream's message",
        reason: "Without it, a caller cannot distinguish an overload from a content filter.",
        references: &["BerriAI/litellm#40243"],
        timing: false,
        scope: FAILED,
        check: error_detail,
    },
    Rule {
        id: "stream.sequence-rises",
        level: Level::Required,
        title: "Every event of a Responses stream has a sequence_number, and the numbers rise",
        reason: "Clients put the events in order by it, and continue an interrupted response after the last number that \
                 they have.",
        references: &[
            "https://developers.openai.com/api/docs/api-reference/responses-streaming",
            "https://www.openresponses.org/specification",
            "BerriAI/litellm#40243",
        ],
        timing: false,
        scope: Scope::CALLS,
        check: responses_stream::sequence_rises,
    },
    Rule {
        id: "stream.one-terminal-event",
        level: Level::Required,
        title: "At most one event ends a Responses stream",
        reason: "A response that has both failed and completed is whichever of the two the client reads first.",
        references: &["https://www.openresponses.org/specification", "Wei-Shaw/sub2api#1007"],
        timing: false,
        scope: Scope::CALLS,
        check: responses_stream::one_terminal_event,
    },
    Rule {
        id: "stream.failed-follows",
        level: Level::Recommended,
        title: "In a Responses stream, `response.failed` follows the error event",
        reason: "Some clients act only on the event that ends the response. To them, a stream that ends after its error \
                 event was cut, and they do not report the error.",
        references: &["https://www.openresponses.org/specification", "maximhq/bifrost#6944"],
        timing: false,
        scope: FAILED,
        check: responses_stream::failed_follows,
    },
];

fn error_status(facts: &Facts<'_>) -> Option<RuleOutcome> {
    if !facts.failures().all(|(_, result)| matches!(result, AttemptOutcome::Status { .. })) {
        return None;
    }
    match &facts.response {
        CallerResponse::Stream(stream) if stream.shows_failure() => {
            RuleOutcome::broken("an error status with a JSON body", facts.response.describe(), Vec::new())
        }
        CallerResponse::Failure { .. } => Some(RuleOutcome::Holds),
        _ => None,
    }
}

fn no_forged_success(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let by_status = |result: &AttemptOutcome| {
        matches!(result, AttemptOutcome::Status { .. } | AttemptOutcome::OddBody { .. })
    };
    let before_stream = !facts.is_pinged() && facts.failures().all(|(_, result)| by_status(result));
    if before_stream || may_be_a_success(facts) {
        return None;
    }
    let forged = match &facts.response {
        CallerResponse::Stream(stream) => stream.looks_finished(),
        CallerResponse::Whole { completion, error, .. } => completion.is_some() && error.is_none(),
        _ => false,
    };
    RuleOutcome::check(!forged, || {
        let done = dialect::terminator(facts.api()).map(|name| format!(" and without {name}"));
        (
            format!("an error, or a stream without a finish reason{}", done.unwrap_or_default()),
            facts.response.describe(),
        )
    })
}

/// Whether the policy also accepts a stream as a success that ends properly but without a finish reason.
fn may_be_a_success(facts: &Facts<'_>) -> bool {
    let ended = |said_done: bool| {
        facts.failures().any(
            |(_, result)| matches!(result, AttemptOutcome::EndedEarly { done, .. } if *done || !said_done),
        )
    };
    match facts.policy.clean_end.answer {
        CleanEnd::Failure => false,
        CleanEnd::FailureUnlessDone => ended(true),
        CleanEnd::Either => ended(false),
    }
}

fn error_visible(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let stream = facts.response.stream()?;
    // `stream.no-forged-success` checks a forged end, and the rules on timeouts check a stream that is still open.
    let accepted = facts.policy.clean_end.answer == CleanEnd::Either && may_be_a_success(facts);
    // An upstream that itself ended with this finish reason, and without a message, gave the proxy nothing to report.
    let is_bare = |result: &AttemptOutcome| matches!(result, AttemptOutcome::ErrorEvent { error, .. } if error.message.is_empty());
    let mirrored = stream.completion.finish.as_deref() == Some("error")
        && facts.failures().any(|(_, result)| is_bare(result));
    if stream.looks_finished() || stream.unending || accepted || mirrored {
        return None;
    }
    RuleOutcome::check(stream.shows_failure(), || {
        ("an error event, or a cut connection".to_owned(), facts.response.describe())
    })
}

fn content_intact(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let stream = facts.response.stream()?;
    let [(attempt, result)] = facts.attempts.as_slice() else { return None };
    let got = &stream.completion;
    let is_of = |sent: &Completion| match result {
        // A cut connection may lose content that was on its way: then the first part is enough.
        AttemptOutcome::Cut { .. } => sent.text().starts_with(&got.text()),
        _ => sent.says_the_same(got),
    };
    let sent = result.delivered()?;
    // A lenient proxy may read on where the message is invalid.
    let lenient = || attempt.sent.broken_after.map(|_| written_content(&attempt.sent, facts.api()));
    RuleOutcome::check(is_of(sent) || lenient().is_some_and(|written| is_of(&written)), || {
        (format!("the content as sent: {:?}", excerpt(&sent.text())), format!("{:?}", excerpt(&got.text())))
    })
}

fn one_error_event(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let stream = facts.response.stream()?;
    stream.errors.first()?;
    let api = facts.api();
    let closes = |frame: &ReceivedFrame| dialect::closes_error(api, frame.event.as_deref(), &frame.data);
    let frames = facts.raw_response().map(|answer| answer.body.frames.as_slice()).unwrap_or_default();
    let after = frames.iter().skip_while(|frame| !is_error(api, frame)).skip(1);
    let after: Vec<&ReceivedFrame> = after.collect();
    let trailing = after.iter().filter(|frame| !closes(frame)).count();
    let done = after
        .iter()
        .any(|frame| dialect::event(api, frame.event.as_deref(), &frame.data) == StreamEvent::Done);
    match facts.policy.after_error.answer {
        AfterError::Nothing if done => {
            return RuleOutcome::broken(
                "an error event, and no terminator after it",
                facts.response.describe(),
                Vec::new(),
            );
        }
        // Only in the dialects that end with [DONE] do clients expect a terminator after an error.
        AfterError::Done if !done && dialect::terminator(api) == Some("[DONE]") => {
            return RuleOutcome::broken("an error event, then [DONE]", facts.response.describe(), Vec::new());
        }
        _ => {}
    }
    RuleOutcome::check(stream.errors.len() == 1 && trailing == 0, || {
        let more = dialect::terminator(api).map(|name| format!(", then at most {name}"));
        (
            format!("one error event{}", more.unwrap_or_default()),
            format!("{} error events, {trailing} event(s) after the first", stream.errors.len()),
        )
    })
}

fn is_error(api: Api, frame: &ReceivedFrame) -> bool {
    matches!(dialect::event(api, frame.event.as_deref(), &frame.data), StreamEvent::Error(_))
}

/// Whether the caller's error event is the provider's own, after which the provider kept its stream open. A proxy that passes
/// on events unread ends such a stream when it gives up the silent provider; `timeout.honoured` checks that.
fn is_open_upstream(facts: &Facts<'_>) -> bool {
    let api = facts.api();
    let Some((attempt, _)) = facts.attempts.last().filter(|(attempt, _)| attempt.api == Some(api)) else {
        return false;
    };
    let got = facts.raw_response().into_iter().flat_map(|answer| &answer.body.frames);
    let error = got.into_iter().find(|frame| is_error(api, frame));
    let sent = frames(&attempt.sent, api).unwrap_or_default();
    matches!(attempt.end_as_planned(), AttemptEnd::Open | AttemptEnd::ClientLeft)
        && error.is_some_and(|error| sent.iter().any(|frame| frame.data == error.data))
}

fn ends_after_error(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let stream = facts.response.stream()?;
    let (at, _) = stream.errors.first()?;
    if is_open_upstream(facts) {
        return None;
    }
    let after = facts.exchange.end_ms - at;
    RuleOutcome::check(after <= END_AFTER_ERROR_MS && !stream.unending, || {
        let how = if stream.unending { "still open" } else { "ended" };
        ("the stream ends within 2 s".to_owned(), format!("{how} after {:.1} s", after / 1000.0))
    })
}

fn error_detail(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let stream = facts.response.stream().filter(|_| !facts.ended_without_an_error())?;
    let canaries: Vec<&str> = facts
        .failures()
        .filter(|(attempt, result)| match result {
            AttemptOutcome::ErrorEvent { error, .. } => {
                word::has_token(&error.raw.to_string(), &attempt.canaries.message)
            }
            // After pings, the event replaces the whole error response.
            AttemptOutcome::Status { .. } => {
                facts.is_pinged() && word::has_token(&attempt.said(), &attempt.canaries.message)
            }
            _ => false,
        })
        .map(|(attempt, _)| attempt.canaries.message.as_str())
        .collect();
    if canaries.is_empty() || stream.errors.is_empty() {
        return None;
    }
    let shown = |canary: &&str| {
        stream.errors.iter().any(|(_, error)| word::has_token(&error.raw.to_string(), canary))
    };
    RuleOutcome::check(canaries.iter().any(shown), || {
        ("the upstream's message in the error event".to_owned(), facts.response.describe())
    })
}
