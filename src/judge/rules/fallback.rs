//! Whether a fallback is used when it should be, and tells the truth when it fails too.

use std::collections::BTreeSet;

use crate::{
    judge::{
        attempt_outcome::AttemptOutcome,
        facts::Facts,
        policy::{ChainError, Weight},
        rule::{Rule, RuleOutcome},
    },
    observation::{Attempt, Response, StepName, word},
    scenario::Level,
};

pub const RULES: &[Rule] = &[
    Rule {
        id: "fallback.used",
        level: Level::Required,
        title: "A deployment that is limited, broken, silent or unreachable is followed by the next of the chain",
        reason: "That is what the chain was configured for.",
        references: &["BerriAI/litellm#24004"],
        timing: false,
        check: used,
    },
    Rule {
        id: "fallback.only-when-needed",
        level: Level::Required,
        title: "A fallback is not called while the deployment before it succeeds, or fails as the policy says that none may follow",
        reason: "It costs money, and it is often the worse model; and where the request itself was wrong it hides that.",
        references: &["maximhq/bifrost#3261"],
        timing: false,
        check: only_when_needed,
    },
    Rule {
        id: "fallback.true-error",
        level: Level::Required,
        title: "When the whole chain fails, the caller is shown a failure that really happened upstream",
        reason: "A sentence of the router's own says nothing about what to do.",
        references: &["BerriAI/litellm#27967"],
        timing: false,
        check: true_error,
    },
    Rule {
        id: "fallback.no-splice",
        level: Level::Required,
        title: "An answer never holds content of two deployments",
        reason: "Half an answer of one model continued by another is an answer that no model gave.",
        references: &["maximhq/bifrost#3261"],
        timing: false,
        check: no_splice,
    },
];

fn chain_matters(facts: &Facts<'_>) -> bool {
    facts.arrangement.proxy.fallback.len() > 1 && facts.exchange.step != StepName::Recovery
}

fn used(facts: &Facts<'_>) -> RuleOutcome {
    if !chain_matters(facts) || facts.arrangement.proxy.cooldown.is_some() {
        return RuleOutcome::NotApplicable;
    }
    let chain = facts.chain();
    let mut outcome = RuleOutcome::NotApplicable;
    for pair in chain.windows(2) {
        let [name, next] = pair else { continue };
        let unreachable = facts.cannot_reach(name);
        let last = facts.attempts.iter().rfind(|(attempt, _)| attempt.deployment == *name);
        let failed =
            unreachable || last.is_some_and(|(attempt, fate)| deserves_fallback(facts, attempt, fate));
        if !failed {
            break;
        }
        let tried =
            facts.cannot_reach(next) || facts.attempts.iter().any(|(attempt, _)| attempt.deployment == *next);
        if !tried {
            return RuleOutcome::broken(
                format!("an attempt at {next} after {name} failed"),
                format!("none; the caller got {}", facts.response.describe()),
                Vec::new(),
            );
        }
        outcome = RuleOutcome::Holds;
    }
    outcome
}

fn deserves_fallback(facts: &Facts<'_>, attempt: &Attempt, fate: &AttemptOutcome) -> bool {
    // Beyond 599 it is no status at all, and nobody disputes that.
    let by_status = |status: u16| facts.policy.fallback_on.answer.contains(status) || status >= 600;
    match fate {
        AttemptOutcome::Status { status, .. } => by_status(*status),
        // Who has read the status of an error knows what it is, whatever became of its body.
        AttemptOutcome::Cut { .. } | AttemptOutcome::Silent { .. } => {
            // Once an event was passed on, be it without content, the head is committed.
            if attempt.sent.frames > 0 && facts.ended_without_a_word() {
                return false;
            }
            let refused = attempt.sent.status.filter(|status| !(200..300).contains(status));
            refused.map_or(!fate.failed_after_content(), by_status)
        }
        _ => false,
    }
}

fn only_when_needed(facts: &Facts<'_>) -> RuleOutcome {
    if !chain_matters(facts) {
        return RuleOutcome::NotApplicable;
    }
    let mut outcome = RuleOutcome::NotApplicable;
    if let Some(first) = facts.attempts.iter().position(|(_, fate)| fate.is_success()) {
        let more = facts.attempts.len() - first - 1;
        if more > 0 {
            let (attempt, _) = &facts.attempts[first];
            return RuleOutcome::broken(
                format!("no attempt after {}#{} succeeded", attempt.deployment, attempt.n),
                format!("{more} more"),
                Vec::new(),
            );
        }
        outcome = RuleOutcome::Holds;
    }
    for name in facts.chain() {
        let Some(last) = facts.attempts.iter().rposition(|(attempt, _)| attempt.deployment == name) else {
            continue;
        };
        let (attempt, fate) = &facts.attempts[last];
        let Some(status) = forbids_fallback(facts, attempt, fate) else { continue };
        if let Some((next, _)) = facts.attempts.get(last + 1) {
            return RuleOutcome::broken(
                format!(
                    "no fallback after {}#{} answered {status} (policy `{}`)",
                    attempt.deployment, attempt.n, facts.policy.name
                ),
                format!("an attempt at {}", next.deployment),
                Vec::new(),
            );
        }
        outcome = RuleOutcome::Holds;
    }
    outcome
}

/// The status of a failure after which the policy wants nobody else to be asked.
fn forbids_fallback(facts: &Facts<'_>, attempt: &Attempt, fate: &AttemptOutcome) -> Option<u16> {
    let AttemptOutcome::Status { status, .. } = fate else { return None };
    let forbidden =
        facts.policy.no_fallback_on.answer.contains(*status) && !deserves_fallback(facts, attempt, fate);
    forbidden.then_some(*status)
}

/// Whether the policy lets a proxy keep the message of this failure to itself.
fn may_be_hidden(facts: &Facts<'_>, fate: &AttemptOutcome) -> bool {
    let rule = match fate {
        AttemptOutcome::Status { status: ..500, .. } => "detail.message-kept",
        AttemptOutcome::Status { .. } => "detail.server-message-kept",
        AttemptOutcome::ErrorEvent { .. } => "stream.error-detail",
        _ => return false,
    };
    facts.policy.weight(rule) == Some(Weight::Lifted)
}

fn true_error(facts: &Facts<'_>) -> RuleOutcome {
    if !chain_matters(facts) || !facts.is_failure() || facts.content_committed() {
        return RuleOutcome::NotApplicable;
    }
    // Of several tries at one deployment the last is what became of it.
    let is_last = |attempt: &Attempt| {
        let of_it = |(other, _): &&(&Attempt, AttemptOutcome)| other.deployment == attempt.deployment;
        facts.attempts.iter().rfind(of_it).is_some_and(|(last, _)| last.n == attempt.n)
    };
    let spoke: Vec<_> = facts
        .failures()
        .filter(|(attempt, fate)| is_last(attempt) && fate.error().is_some())
        .filter(|(attempt, _)| word::has_token(&attempt.said(), &attempt.canaries.message))
        .collect();
    // Where one of them may be told in words of the proxy's own, no message shows that it was not.
    if spoke.iter().any(|(_, fate)| may_be_hidden(facts, fate)) {
        return RuleOutcome::NotApplicable;
    }
    let spoke: Vec<_> = spoke.into_iter().map(|(attempt, _)| attempt).collect();
    let (wanted, whose) = match facts.policy.chain_error.answer {
        ChainError::Any => (None, "one of the failed upstreams"),
        ChainError::First => (spoke.first(), "the upstream that failed first"),
        ChainError::Last => (spoke.last(), "the upstream that failed last"),
    };
    let Some(answer) = facts.raw_response().filter(|_| !spoke.is_empty()) else {
        return RuleOutcome::NotApplicable;
    };
    if facts.ended_without_a_word() || reports_a_wordless_failure(facts, answer, &spoke) {
        return RuleOutcome::NotApplicable;
    }
    // Words that are no error object of the dialect need not be found; told, they are as true.
    let is_true = facts.failures().any(|(attempt, fate)| {
        let counts = fate.error().is_none() || wanted.is_none_or(|one| one.deployment == attempt.deployment);
        counts && word::has_token(&answer.body.text, &attempt.canaries.message)
    });
    RuleOutcome::check(is_true, || (format!("the message of {whose}"), facts.response.describe()))
}

/// The status is that of an upstream which said nothing in its dialect, and of none that did.
fn reports_a_wordless_failure(facts: &Facts<'_>, answer: &Response, spoke: &[&Attempt]) -> bool {
    let has = |attempt: &Attempt| attempt.sent.status == Some(answer.status);
    answer.status >= 400
        && !spoke.iter().any(|attempt| has(attempt))
        && facts.failures().any(|(attempt, fate)| fate.error().is_none() && has(attempt))
}

fn no_splice(facts: &Facts<'_>) -> RuleOutcome {
    let Some(got) = facts.response.completion() else { return RuleOutcome::NotApplicable };
    let text = got.text();
    let sources: BTreeSet<&str> = facts
        .attempts
        .iter()
        .filter(|(attempt, _)| word::has_token(&text, &attempt.canaries.content))
        .map(|(attempt, _)| attempt.deployment.as_str())
        .collect();
    if facts.arrangement.deployments.len() < 2 || sources.is_empty() {
        return RuleOutcome::NotApplicable;
    }
    RuleOutcome::check(sources.len() == 1, || {
        (
            "content of one deployment".to_owned(),
            format!("content of {}", Vec::from_iter(sources).join(" and ")),
        )
    })
}
