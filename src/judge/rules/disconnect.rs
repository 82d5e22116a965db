//! What a proxy does for a caller that has left.

use crate::{
    judge::{
        facts::Facts,
        rule::{Rule, RuleOutcome},
    },
    observation::Attempt,
    scenario::Level,
};

/// For so long after its caller left may a proxy keep an upstream at work, in milliseconds.
const LET_GO_MS: f64 = 2000.0;

/// What begins no later than this after the caller left was on its way already, in milliseconds.
const UNDER_WAY_MS: f64 = 500.0;

pub const RULES: &[Rule] = &[
    Rule {
        id: "disconnect.stream-let-go",
        level: Level::Required,
        title: "When the caller of a stream leaves, the upstream is let go within two seconds",
        reason: "What is generated for nobody is paid for all the same, and holds a slot that others wait for.",
        references: &["BerriAI/litellm#13774", "RFC 9112 section 9.6"],
        timing: true,
        check: stream_let_go,
    },
    Rule {
        id: "disconnect.plain-let-go",
        level: Level::Recommended,
        title: "When the caller of a plain answer leaves, the upstream is let go within two seconds",
        reason: "The answer has nobody to go to. Some proxies finish it on purpose, to keep their accounts.",
        references: &["BerriAI/litellm#37140"],
        timing: true,
        check: plain_let_go,
    },
    Rule {
        id: "disconnect.no-new-attempt",
        level: Level::Required,
        title: "Once the caller has left, no upstream is asked on its behalf",
        reason: "A retry for nobody costs as much as one for somebody, and puts load on a provider that is in \
                 trouble already.",
        references: &["BerriAI/litellm#13774", "BerriAI/litellm#37140"],
        timing: true,
        check: no_new_attempt,
    },
];

/// When the caller was gone: it left, or the connection that it had half-closed ended.
fn gone_ms(facts: &Facts<'_>) -> Option<f64> {
    facts.left.map(|_| facts.exchange.end_ms)
}

fn stream_let_go(facts: &Facts<'_>) -> RuleOutcome {
    if facts.wants_stream() { let_go(facts) } else { RuleOutcome::NotApplicable }
}

fn plain_let_go(facts: &Facts<'_>) -> RuleOutcome {
    if facts.wants_stream() { RuleOutcome::NotApplicable } else { let_go(facts) }
}

fn let_go(facts: &Facts<'_>) -> RuleOutcome {
    let Some(gone) = gone_ms(facts) else { return RuleOutcome::NotApplicable };
    let late = |attempt: &Attempt| attempt.end_ms.is_none_or(|end| end - gone > LET_GO_MS);
    let mut outcome = RuleOutcome::NotApplicable;
    for (attempt, _) in &facts.attempts {
        // What was over before has been let go already; what begins later is for the rule on that.
        if attempt.at_ms - gone > UNDER_WAY_MS || attempt.end_ms.is_some_and(|end| end < gone) {
            continue;
        }
        if late(attempt) {
            let observed = match attempt.end_ms {
                Some(end) => format!("it was held for {:.1} s", (end - gone) / 1000.0),
                None => "it was still held when upfault stopped watching".to_owned(),
            };
            return RuleOutcome::broken(
                format!("{}#{} let go within 2 s of the caller's leaving", attempt.deployment, attempt.n),
                observed,
                Vec::new(),
            );
        }
        outcome = RuleOutcome::Holds;
    }
    outcome
}

fn no_new_attempt(facts: &Facts<'_>) -> RuleOutcome {
    let Some(gone) = gone_ms(facts) else { return RuleOutcome::NotApplicable };
    let new = facts.attempts.iter().find(|(attempt, _)| attempt.at_ms - gone > UNDER_WAY_MS);
    match new {
        None => RuleOutcome::Holds,
        Some((attempt, _)) => RuleOutcome::broken(
            "no further attempt after the caller left",
            format!(
                "{}#{} began {:.2} s later",
                attempt.deployment,
                attempt.n,
                (attempt.at_ms - gone) / 1000.0
            ),
            Vec::new(),
        ),
    }
}
