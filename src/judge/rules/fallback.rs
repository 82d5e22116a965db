//! Whether the proxy uses a fallback when it should, and reports a true error when the fallback fails too.

use std::collections::BTreeSet;

use crate::{
    judge::{
        attempt_outcome::AttemptOutcome,
        facts::Facts,
        policy::{ChainError, Weight},
        rule::{Rule, RuleOutcome},
        scope::{Failed, FailedAfterContent, Recovery, Scope, WithCooldown, WithFallbacks},
    },
    observation::{Attempt, Response, word},
    scenario::Level,
};

const CHAIN: Scope = Scope::CALLS.only(&[WithFallbacks]).never(&[Recovery]);

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "fallback.used",
        level: Level::Required,
        title: "After a deployment that is rate limited, broken, silent or unreachable, the proxy calls the next one of the chain",
        reason: "That is what the chain is configured for.",
        references: &["BerriAI/litellm#24004"],
        timing: false,
        scope: CHAIN.never(&[Recovery, WithCooldown]),
        check: used,
    },
    Rule {
        id: "fallback.only-when-needed",
        level: Level::Required,
        title: "The proxy does not call a fallback if the deployment before it succeeds, or fails in a way after which the policy forbids a fallback",
        reason: "A fallback costs money, and it is often the worse model. If the request itself was wrong, the \
                 fallback hides that.",
        references: &["maximhq/bifrost#3261"],
        timing: false,
        scope: CHAIN,
        check: only_when_needed,
    },
    Rule {
        id: "fallback.true-error",
        level: Level::Required,
        title: "When the whole chain fails, the caller gets a failure that really happened upstream",
        reason: "A message that the router makes up says nothing about what to do.",
        references: &["BerriAI/litellm#27967"],
        timing: false,
        scope: Scope::CALLS.only(&[WithFallbacks, Failed]).never(&[Recovery, FailedAfterContent]),
        check: true_error,
    },
    Rule {
        id: "fallback.no-splice",
        level: Level::Required,
        title: "A response never contains content of two deployments",
        reason: "Half a response of one model that another model continues is a response that no model gave.",
        references: &["maximhq/bifrost#3261"],
        timing: false,
        scope: Scope::CALLS,
        check: no_splice,
    },
];

fn used(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let chain = facts.chain();
    let mut outcome = None;
    for pair in chain.windows(2) {
        let [name, next] = pair else { continue };
        let unreachable = facts.cannot_reach(name);
        let last = facts.attempts.iter().rfind(|(attempt, _)| attempt.deployment == *name);
        let failed =
            unreachable || last.is_some_and(|(attempt, result)| deserves_fallback(facts, attempt, result));
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
        outcome = Some(RuleOutcome::Holds);
    }
    outcome
}

fn deserves_fallback(facts: &Facts<'_>, attempt: &Attempt, result: &AttemptOutcome) -> bool {
    // Above 599 it is not a valid status, which is undisputed.
    let by_status = |status: u16| facts.policy.fallback_on.answer.contains(status) || status >= 600;
    match result {
        AttemptOutcome::Status { status, .. } => by_status(*status),
        // The status of an error is enough to decide, even if its body did not arrive.
        AttemptOutcome::Cut { .. } | AttemptOutcome::Silent { .. } => {
            // Once the proxy has passed on an event, even without content, it cannot change the status any more.
            if attempt.sent.frames > 0 && facts.ended_without_an_error() {
                return false;
            }
            let refused = attempt.sent.status.filter(|status| !(200..300).contains(status));
            refused.map_or(!result.failed_after_content(), by_status)
        }
        _ => false,
    }
}

fn only_when_needed(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let mut outcome = None;
    if let Some(first) = facts.attempts.iter().position(|(_, result)| result.is_success()) {
        let more = facts.attempts.len() - first - 1;
        if more > 0 {
            let (attempt, _) = &facts.attempts[first];
            return RuleOutcome::broken(
                format!("no attempt after {} succeeded", attempt.name()),
                format!("{more} more"),
                Vec::new(),
            );
        }
        outcome = Some(RuleOutcome::Holds);
    }
    for name in facts.chain() {
        let Some(last) = facts.attempts.iter().rposition(|(attempt, _)| attempt.deployment == name) else {
            continue;
        };
        let (attempt, result) = &facts.attempts[last];
        let Some(status) = forbids_fallback(facts, attempt, result) else { continue };
        if let Some((next, _)) = facts.attempts.get(last + 1) {
            return RuleOutcome::broken(
                format!(
                    "no fallback after {} answered {status} (policy `{}`)",
                    attempt.name(),
                    facts.policy.name
                ),
                format!("an attempt at {}", next.deployment),
                Vec::new(),
            );
        }
        outcome = Some(RuleOutcome::Holds);
    }
    outcome
}

/// The status of a failure, if the policy forbids a fallback after it.
fn forbids_fallback(facts: &Facts<'_>, attempt: &Attempt, result: &AttemptOutcome) -> Option<u16> {
    let status = result.status()?;
    let forbidden =
        facts.policy.no_fallback_on.answer.contains(status) && !deserves_fallback(facts, attempt, result);
    forbidden.then_some(status)
}

/// Whether the policy allows the proxy to hide the message of this failure.
fn may_be_hidden(facts: &Facts<'_>, result: &AttemptOutcome) -> bool {
    let rule = match result {
        AttemptOutcome::Status { status: ..500, .. } => "detail.message-kept",
        AttemptOutcome::Status { .. } => "detail.server-message-kept",
        AttemptOutcome::ErrorEvent { .. } => "stream.error-detail",
        _ => return false,
    };
    facts.policy.weight(rule) == Some(Weight::Lifted)
}

fn true_error(facts: &Facts<'_>) -> Option<RuleOutcome> {
    // Of several attempts at one deployment, the last one counts.
    let is_last = |attempt: &Attempt| {
        let of_it = |(other, _): &&(&Attempt, AttemptOutcome)| other.deployment == attempt.deployment;
        facts.attempts.iter().rfind(of_it).is_some_and(|(last, _)| last.n == attempt.n)
    };
    let spoke: Vec<_> = facts
        .failures()
        .filter(|(attempt, result)| is_last(attempt) && result.error().is_some())
        .filter(|(attempt, _)| word::has_token(&attempt.said(), &attempt.canaries.message))
        .collect();
    // If the proxy may report one of them in its own words, no message can prove that it did not.
    if spoke.iter().any(|(_, result)| may_be_hidden(facts, result)) {
        return None;
    }
    let spoke: Vec<_> = spoke.into_iter().map(|(attempt, _)| attempt).collect();
    let (wanted, whose) = match facts.policy.chain_error.answer {
        ChainError::Any => (None, "one of the failed upstreams"),
        ChainError::First => (spoke.first(), "the upstream that failed first"),
        ChainError::Last => (spoke.last(), "the upstream that failed last"),
    };
    let answer = facts.raw_response().filter(|_| !spoke.is_empty())?;
    if facts.ended_without_an_error() || reports_failure_without_message(facts, answer, &spoke) {
        return None;
    }
    // The proxy need not find a message outside an error object of the dialect, but if it reports one, that is
    // a true error as well.
    let is_true = facts.failures().any(|(attempt, result)| {
        let counts =
            result.error().is_none() || wanted.is_none_or(|one| one.deployment == attempt.deployment);
        counts && word::has_token(&answer.body.text, &attempt.canaries.message)
    });
    RuleOutcome::check(is_true, || (format!("the message of {whose}"), facts.response.describe()))
}

/// Whether the status is that of an upstream which sent no error object, and not that of one which did.
fn reports_failure_without_message(facts: &Facts<'_>, answer: &Response, spoke: &[&Attempt]) -> bool {
    let has = |attempt: &Attempt| attempt.sent.status == Some(answer.status);
    answer.status >= 400
        && !spoke.iter().any(|attempt| has(attempt))
        && facts.failures().any(|(attempt, result)| result.error().is_none() && has(attempt))
}

fn no_splice(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let got = facts.response.completion()?;
    let text = got.text();
    let sources: BTreeSet<&str> = facts
        .attempts
        .iter()
        .filter(|(attempt, _)| word::has_token(&text, &attempt.canaries.content))
        .map(|(attempt, _)| attempt.deployment.as_str())
        .collect();
    if facts.arrangement.deployments.len() < 2 || sources.is_empty() {
        return None;
    }
    RuleOutcome::check(sources.len() == 1, || {
        (
            "content of one deployment".to_owned(),
            format!("content of {}", Vec::from_iter(sources).join(" and ")),
        )
    })
}
