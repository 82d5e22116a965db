//! What a caller is owed when an upstream did answer.

use super::own;
use crate::{
    judge::{
        attempt_outcome::{is_terminated, is_truncated},
        caller_response::{CallerResponse, shorten},
        dialect,
        facts::Facts,
        rule::{Rule, RuleOutcome},
    },
    observation::{Attempt, AttemptEnd, StepName},
    scenario::{Api, Level, TurnReply},
};

pub const RULES: &[Rule] = &[
    Rule {
        id: "success.delivered",
        level: Level::Required,
        title: "What an upstream answered completely reaches the caller as a success",
        reason: "A proxy that fails calls which succeeded costs money and trust; a stream that has given its \
                 finish reason is complete even where its terminator is missing.",
        references: &["BerriAI/litellm#16294"],
        timing: true,
        check: delivered,
    },
    Rule {
        id: "success.content-intact",
        level: Level::Required,
        title: "The content of a success is what the upstream sent: all of it, in order, once",
        reason: "A missing or doubled piece changes the meaning of an answer and nobody notices.",
        references: &["maximhq/bifrost#6783"],
        timing: false,
        check: content_intact,
    },
    Rule {
        id: "success.own-answer",
        level: Level::Required,
        title: "An answer holds nothing that was said to another request",
        reason: "A connection that is used again out of step, or a buffer that two requests share, hands one \
                 caller's answer to another: the worst that a proxy can do, and invisible to both.",
        references: &["RFC 9112 section 9.2", "https://openai.com/index/march-20-chatgpt-outage/"],
        timing: false,
        check: own::answer,
    },
    Rule {
        id: "success.limit-told",
        level: Level::Required,
        title: "An answer that the limit of tokens cut off is told as such, and no other is",
        reason: "Under `stop` a half answer is taken for a whole one, and a half tool call is executed; a caller \
                 that is told `length` asks for the rest.",
        references: &["BerriAI/litellm#37710", "https://platform.openai.com/docs/api-reference/chat"],
        timing: false,
        check: limit_reported,
    },
    Rule {
        id: "success.terminated",
        level: Level::Required,
        title: "A successful stream ends with the terminator of its dialect: `data: [DONE]`, `message_stop`",
        reason: "Clients wait for it: without it some take the answer for broken off, and ask again and pay again.",
        references: &[
            "https://platform.openai.com/docs/api-reference/chat-streaming",
            "https://platform.claude.com/docs/en/build-with-claude/streaming",
        ],
        timing: false,
        check: terminated,
    },
    Rule {
        id: "request.forwarded",
        level: Level::Required,
        title: "A request leads to an attempt at an upstream",
        reason: "An error that the proxy makes without asking any upstream hides what really happened; only a \
                 cooldown that was asked for may do so.",
        references: &["BerriAI/litellm#27823"],
        timing: false,
        check: forwarded,
    },
];

/// Whether a stream that has its finish reason may be taken for complete, but need not be: it was cut
/// then, or ended without a terminator that its dialect's clients are told to expect. `[DONE]` is none:
/// many leave it out.
fn ends_open(facts: &Facts<'_>, attempt: &Attempt) -> bool {
    let case = facts.arrangement.combination;
    let owed = dialect::terminator(attempt.api.unwrap_or(case.api)).is_some_and(|name| name != "[DONE]");
    attempt.sent.carrier().is_some()
        && (owed || attempt.end != AttemptEnd::Finished)
        && !is_truncated(&attempt.sent)
        && !is_terminated(attempt, case)
}

fn delivered(facts: &Facts<'_>) -> RuleOutcome {
    if facts.exchange.step == StepName::Recovery {
        return RuleOutcome::NotApplicable;
    }
    let Some((attempt, _)) = facts.success() else { return RuleOutcome::NotApplicable };
    if attempt.sent.doubtful {
        return RuleOutcome::NotApplicable;
    }
    // Google refuses a prompt under 200: a caller may be told by an error, or by a finish reason.
    if attempt.turn.as_ref().is_some_and(|turn| matches!(turn.answer, TurnReply::Error(_))) {
        return RuleOutcome::NotApplicable;
    }
    if ends_open(facts, attempt) {
        return RuleOutcome::NotApplicable;
    }
    // After content, another attempt must not be spliced in; rules on retries speak of that.
    if facts.failures().any(|(_, fate)| fate.failed_after_content()) {
        return RuleOutcome::NotApplicable;
    }
    RuleOutcome::check(facts.response.looks_successful(), || {
        (format!("the success of {}#{}", attempt.deployment, attempt.n), facts.response.describe())
    })
}

fn content_intact(facts: &Facts<'_>) -> RuleOutcome {
    let (Some((attempt, sent)), Some(got)) = (facts.success(), facts.response.completion()) else {
        return RuleOutcome::NotApplicable;
    };
    // Of a very long body only a part is on record, on both sides.
    if is_truncated(&attempt.sent) {
        return RuleOutcome::NotApplicable;
    }
    if !facts.response.looks_successful() || facts.failures().any(|(_, fate)| fate.failed_after_content()) {
        return RuleOutcome::NotApplicable;
    }
    RuleOutcome::check(sent.says_the_same(got), || {
        let (sent, got) = (sent.text(), got.text());
        (format!("the content as sent: {:?}", shorten(&sent)), format!("{:?}", shorten(&got)))
    })
}

fn limit_reported(facts: &Facts<'_>) -> RuleOutcome {
    let (Some((_, sent)), Some(got)) = (facts.success(), facts.response.completion()) else {
        return RuleOutcome::NotApplicable;
    };
    if !facts.response.looks_successful() || !sent.says_the_same(got) {
        return RuleOutcome::NotApplicable;
    }
    let (Some(cut), Some(told)) = (sent.is_cut_by_limit(), got.is_cut_by_limit()) else {
        return RuleOutcome::NotApplicable;
    };
    RuleOutcome::check(cut == told, || {
        let expected = if cut { "that the limit of tokens cut it off" } else { "that it is whole" };
        let words = [sent, got].map(|side| side.finish.clone().unwrap_or_default());
        (format!("{expected}: the upstream said `{}`", words[0]), format!("`{}`", words[1]))
    })
}

fn terminated(facts: &Facts<'_>) -> RuleOutcome {
    let (CallerResponse::Stream(got), Some((attempt, sent))) = (&facts.response, facts.success()) else {
        return RuleOutcome::NotApplicable;
    };
    if ends_open(facts, attempt) {
        return RuleOutcome::NotApplicable;
    }
    let Some(terminator) = dialect::terminator(facts.api()) else { return RuleOutcome::NotApplicable };
    // A stream that was cut, or that shows an error, has not been passed on as a success.
    let delivered = got.complete
        && got.errors.is_empty()
        && got.completion.finish.is_some()
        && got.completion.says_the_same(sent);
    if !delivered {
        return RuleOutcome::NotApplicable;
    }
    RuleOutcome::check(got.done, || (format!("{} at the end", data(terminator)), facts.response.describe()))
}

fn data(terminator: &str) -> String {
    if terminator == "[DONE]" { format!("data: {terminator}") } else { terminator.to_owned() }
}

fn forwarded(facts: &Facts<'_>) -> RuleOutcome {
    if facts.exchange.mistake.is_some() {
        return RuleOutcome::NotApplicable;
    }
    // A list of models, or a count of tokens, a proxy may have of its own.
    if matches!(facts.api(), Api::OpenaiModels | Api::AnthropicCountTokens) {
        return RuleOutcome::NotApplicable;
    }
    if facts.is_unreachable() || facts.arrangement.proxy.cooldown.is_some() {
        return RuleOutcome::NotApplicable;
    }
    RuleOutcome::check(!facts.attempts.is_empty(), || {
        (
            "at least one attempt at an upstream".to_owned(),
            format!("none; the caller got {}", facts.response.describe()),
        )
    })
}

/// Whether nothing at all came back.
pub(super) fn unanswered(told: &CallerResponse) -> bool {
    matches!(told, CallerResponse::Nothing(_))
}
