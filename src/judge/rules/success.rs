//! What the caller must get if an upstream succeeded.

use super::{content, finish, own};
use crate::{
    dialect::{self, FinishMeaning},
    judge::{
        attempt_outcome::{is_terminated, is_truncated},
        caller_response::CallerResponse,
        facts::Facts,
        rule::{Rule, RuleOutcome},
        scope::{InvalidRequest, PassThrough, Recovery, Scope, WithCooldown},
    },
    observation::{Attempt, AttemptEnd},
    scenario::{Api, Level, TurnReply},
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "success.delivered",
        level: Level::Required,
        title: "A complete response of an upstream reaches the caller as a success",
        reason: "A proxy that fails calls which succeeded costs money and trust. A stream that has sent its finish \
                 reason is complete even without its terminator.",
        references: &["BerriAI/litellm#16294"],
        timing: true,
        scope: Scope::CALLS.never(&[Recovery]),
        check: delivered,
    },
    Rule {
        id: "success.whole-or-failed",
        level: Level::Required,
        title: "If a proxy may accept or reject an upstream's response, the caller gets all of it or a visible failure",
        reason: "A stream that ends without a finish reason and without an error is neither: no SDK raises an \
                 exception, and the caller takes what there is for everything.",
        references: &["BerriAI/litellm#40578"],
        timing: false,
        scope: Scope::CALLS,
        check: whole_or_failed,
    },
    Rule {
        id: "success.content-intact",
        level: Level::Required,
        title: "The content of a success is what the upstream sent: all of it, in order, once",
        reason: "A missing or doubled piece changes the meaning of a response without any sign of it. Content is the \
                 text, the text of a refusal, each choice, and each tool call with its name, its arguments and an id \
                 of its own; between two sides of the same dialect also the model's reasoning.",
        references: &["maximhq/bifrost#6783", "BerriAI/litellm#39721"],
        timing: false,
        scope: Scope::CALLS,
        check: content::intact,
    },
    Rule {
        id: "success.own-answer",
        level: Level::Required,
        title: "A response contains nothing that an upstream sent for another request",
        reason: "A connection that is reused out of step, or a buffer that two requests share, gives one caller's \
                 response to another. This is the worst that a proxy can do, and neither caller can see it.",
        references: &["RFC 9112 section 9.2", "https://openai.com/index/march-20-chatgpt-outage/"],
        timing: false,
        scope: Scope::CALLS.also(&[PassThrough]),
        check: own::answer,
    },
    Rule {
        id: "success.tool-calls-told",
        level: Level::Required,
        title: "The finish reason of a response with tool calls says so",
        reason: "An agent runs tools when it sees `tool_calls` or `tool_use`. With `stop`, it takes the turn for an \
                 answer and runs nothing.",
        references: &[
            "https://platform.openai.com/docs/guides/function-calling",
            "https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons",
        ],
        timing: false,
        scope: Scope::CALLS,
        check: content::calls_reported,
    },
    Rule {
        id: "success.limit-told",
        level: Level::Required,
        title: "The finish reason says that the token limit cut the response off if, and only if, it did",
        reason: "With `stop`, a caller takes half a response for a whole one and executes half a tool call; with \
                 `length`, it asks for the rest.",
        references: &["BerriAI/litellm#37710", "https://platform.openai.com/docs/api-reference/chat"],
        timing: false,
        scope: Scope::CALLS,
        check: finish::limit,
    },
    Rule {
        id: "success.filter-told",
        level: Level::Required,
        title: "The finish reason of a response that was refused or filtered does not say that it is whole",
        reason: "With `stop`, an agent takes an empty or half response for a complete one, or asks for it until it \
                 gives up. No one learns that it was withheld.",
        references: &[
            "BerriAI/litellm#40857",
            "https://platform.claude.com/docs/en/test-and-evaluate/strengthen-guardrails/handle-streaming-refusals",
            "https://ai.google.dev/api/generate-content#FinishReason",
        ],
        timing: false,
        scope: Scope::CALLS,
        check: finish::filter,
    },
    Rule {
        id: "success.reason-told",
        level: Level::Recommended,
        title: "A response that is reported as incomplete says whether the token limit or a filter is the reason",
        reason: "After the token limit a caller asks for the rest; after a filter that is useless. `incomplete` \
                 without a reason does not separate the two.",
        references: &["BerriAI/litellm#40477", "https://platform.openai.com/docs/api-reference/responses"],
        timing: false,
        scope: Scope::CALLS,
        check: finish::reason,
    },
    Rule {
        id: "success.terminated",
        level: Level::Required,
        title: "A successful stream ends with the terminator of its dialect: `data: [DONE]`, `message_stop`",
        reason: "Clients wait for it. Without it, some take the response for incomplete, send the request again and \
                 pay again.",
        references: &[
            "https://platform.openai.com/docs/api-reference/chat-streaming",
            "https://platform.claude.com/docs/en/build-with-claude/streaming",
        ],
        timing: false,
        scope: Scope::CALLS,
        check: terminated,
    },
    Rule {
        id: "request.forwarded",
        level: Level::Required,
        title: "A request leads to an attempt at an upstream",
        reason: "An error that the proxy sends without calling any upstream hides what really happened. Only a \
                 configured cooldown justifies it.",
        references: &["BerriAI/litellm#27823"],
        timing: false,
        scope: Scope::CALLS.also(&[PassThrough]).never(&[InvalidRequest, WithCooldown]),
        check: forwarded,
    },
];

/// Whether a proxy may, but need not, accept a stream with a finish reason as complete: because it was cut after the
/// finish reason, or ended without a terminator that clients of its dialect expect. A missing `[DONE]` does not
/// count, because many providers omit it.
fn ends_open(facts: &Facts<'_>, attempt: &Attempt) -> bool {
    let case = facts.arrangement.combination;
    let expected_by_clients =
        dialect::terminator(attempt.api.unwrap_or(case.api)).is_some_and(|name| name != "[DONE]");
    attempt.sent.carrier().is_some()
        && (expected_by_clients || attempt.end != AttemptEnd::Finished)
        && !is_truncated(&attempt.sent)
        && !is_terminated(attempt, case)
}

fn delivered(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let (attempt, sent) = facts.success()?;
    // A refusal has status 200: a proxy may report it by an error or by a finish reason.
    let refused = attempt.turn.as_ref().is_some_and(|turn| matches!(turn.answer, TurnReply::Error(_)))
        || sent.ended_by() == Some(FinishMeaning::Filtered);
    // After content, a second attempt must not be appended; `retry.not-after-content` checks that.
    let after_content = facts.failures().any(|(_, result)| result.failed_after_content());
    if attempt.sent.doubtful || refused || ends_open(facts, attempt) || after_content {
        return None;
    }
    RuleOutcome::check(facts.response.looks_successful(), || {
        (format!("the success of {}", attempt.name()), facts.response.describe())
    })
}

fn whole_or_failed(facts: &Facts<'_>) -> Option<RuleOutcome> {
    // The other rules check what is clearly a success or clearly a failure.
    let is_doubtful = facts.attempts.iter().any(|(attempt, _)| attempt.sent.doubtful)
        || facts.success().is_some_and(|(attempt, _)| ends_open(facts, attempt));
    // What a proxy passes on byte for byte is the provider's own.
    let is_unchanged = facts
        .raw_response()
        .zip(facts.attempts.last())
        .is_some_and(|(answer, (attempt, _))| attempt.said() == answer.body.text);
    if !is_doubtful {
        return None;
    }
    let is_half = match &facts.response {
        CallerResponse::Stream(stream) => {
            !stream.looks_finished() && !stream.shows_failure() && !stream.unending
        }
        // A 204 has no body. An SDK raises an exception for any other body that is not a completion.
        CallerResponse::Whole { complete: true, .. } => facts
            .raw_response()
            .is_some_and(|answer| answer.status != 204 && answer.body.text.trim().is_empty()),
        _ => false,
    };
    RuleOutcome::check(!is_half || is_unchanged, || {
        ("the whole response, or a failure that the caller can see".to_owned(), facts.response.describe())
    })
}

fn terminated(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let (got, (attempt, sent)) = (facts.response.stream()?, facts.success()?);
    let terminator = dialect::terminator(facts.api())?;
    // A stream that was cut, or that contains an error, was not passed on as a success.
    let delivered = got.complete
        && got.errors.is_empty()
        && got.completion.finish.is_some()
        && got.completion.says_the_same(sent);
    if !delivered || ends_open(facts, attempt) {
        return None;
    }
    RuleOutcome::check(got.done, || (format!("{} at the end", data(terminator)), facts.response.describe()))
}

fn data(terminator: &str) -> String {
    if terminator == "[DONE]" { format!("data: {terminator}") } else { terminator.to_owned() }
}

fn forwarded(facts: &Facts<'_>) -> Option<RuleOutcome> {
    // A proxy may list models and count tokens without calling an upstream.
    if facts.is_unreachable() || matches!(facts.api(), Api::OpenaiModels | Api::AnthropicCountTokens) {
        return None;
    }
    RuleOutcome::check(!facts.attempts.is_empty(), || {
        (
            "at least one attempt at an upstream".to_owned(),
            format!("none; the caller got {}", facts.response.describe()),
        )
    })
}

/// Whether the caller got no response.
pub(super) fn unanswered(response: &CallerResponse) -> bool {
    matches!(response, CallerResponse::Nothing(_))
}
