//! What the proxy does after its caller left.

use crate::{
    judge::{
        facts::Facts,
        rule::{Rule, RuleOutcome},
        scope::{CallerLeft, PassThrough, Scope, Stream},
    },
    observation::Attempt,
    scenario::Level,
};

/// How long a proxy may keep an upstream request running after the caller left, in milliseconds.
const CANCEL_WITHIN_MS: f64 = 2000.0;

/// An attempt that begins within this time after the caller left was already on its way, in milliseconds.
const UNDER_WAY_MS: f64 = 500.0;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "disconnect.stream-let-go",
        level: Level::Required,
        title: "When the caller of a stream leaves, the proxy cancels the upstream request within two seconds",
        reason: "Content that no one receives costs as much as any other, and occupies a slot that other callers \
                 wait for.",
        references: &["BerriAI/litellm#13774", "RFC 9112 section 9.6"],
        timing: true,
        scope: Scope::CALLS.only(&[CallerLeft, Stream]).also(&[PassThrough]),
        check: cancelled,
    },
    Rule {
        id: "disconnect.plain-let-go",
        level: Level::Recommended,
        title: "When the caller of a plain response leaves, the proxy cancels the upstream request within two seconds",
        reason: "No one receives the response. Some proxies finish it on purpose, to keep their usage records \
                 complete.",
        references: &["BerriAI/litellm#37140"],
        timing: true,
        scope: Scope::CALLS.only(&[CallerLeft]).also(&[PassThrough]).never(&[Stream]),
        check: cancelled,
    },
    Rule {
        id: "disconnect.no-new-attempt",
        level: Level::Required,
        title: "Once the caller has left, the proxy starts no new attempt on its behalf",
        reason: "A retry that no one waits for costs as much as any other, and puts load on a provider that is \
                 already in trouble.",
        references: &["BerriAI/litellm#13774", "BerriAI/litellm#37140"],
        timing: true,
        scope: Scope::CALLS.only(&[CallerLeft]).also(&[PassThrough]),
        check: no_new_attempt,
    },
];

/// When the caller was gone, in milliseconds: when it left, or when the connection that it had half-closed ended.
fn gone_ms(facts: &Facts<'_>) -> f64 {
    facts.exchange.end_ms
}

fn cancelled(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let gone = gone_ms(facts);
    let late = |attempt: &Attempt| attempt.end_ms.is_none_or(|end| end - gone > CANCEL_WITHIN_MS);
    let mut outcome = None;
    for (attempt, _) in &facts.attempts {
        // An attempt that ended earlier needs no cancelling; `disconnect.no-new-attempt` checks those that begin later.
        if attempt.at_ms - gone > UNDER_WAY_MS || attempt.end_ms.is_some_and(|end| end < gone) {
            continue;
        }
        if late(attempt) {
            let observed = match attempt.end_ms {
                Some(end) => format!("it ended {:.1} s after the caller left", (end - gone) / 1000.0),
                None => "it was still running when upfault stopped watching".to_owned(),
            };
            return RuleOutcome::broken(
                format!("{} cancelled within 2 s after the caller left", attempt.name()),
                observed,
                Vec::new(),
            );
        }
        outcome = Some(RuleOutcome::Holds);
    }
    outcome
}

fn no_new_attempt(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let gone = gone_ms(facts);
    let new = facts.attempts.iter().find(|(attempt, _)| attempt.at_ms - gone > UNDER_WAY_MS);
    match new {
        None => Some(RuleOutcome::Holds),
        Some((attempt, _)) => RuleOutcome::broken(
            "no further attempt after the caller left",
            format!("{} began {:.2} s later", attempt.name(), (attempt.at_ms - gone) / 1000.0),
            Vec::new(),
        ),
    }
}
