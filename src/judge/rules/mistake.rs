//! What a proxy makes of a request that is wrong in itself.

use crate::{
    judge::{
        caller_response::CallerResponse,
        facts::Facts,
        rule::{Rule, RuleOutcome},
    },
    scenario::{Level, RequestMistake},
};

pub const RULES: &[Rule] = &[
    Rule {
        id: "mistake.refused",
        level: Level::Required,
        title: "A request that is wrong in itself is refused with a 4xx that says whose mistake it is",
        reason: "A 5xx is retried, and an alarm goes off at the proxy, for what only the caller can mend; a 429 is \
                 waited for.",
        references: &[
            "RFC 9110 section 15.5.1",
            "RFC 9110 section 15.5.2",
            "https://platform.openai.com/docs/guides/error-codes",
        ],
        timing: false,
        check: refused,
    },
    Rule {
        id: "mistake.not-forwarded",
        level: Level::Required,
        title: "No upstream is asked for a caller whose key is wrong, or for a model that is not there",
        reason: "The one is somebody else's money, the other somebody else's model.",
        references: &["RFC 9110 section 15.5.2"],
        timing: false,
        check: not_forwarded,
    },
];

/// The statuses that say whose mistake it is.
fn allowed(mistake: RequestMistake) -> &'static [u16] {
    match mistake {
        RequestMistake::WrongKey => &[401, 403],
        RequestMistake::UnknownModel => &[400, 404, 422],
        RequestMistake::BrokenJson => &[400, 422],
    }
}

fn refused(facts: &Facts<'_>) -> RuleOutcome {
    let Some(mistake) = facts.exchange.mistake else { return RuleOutcome::NotApplicable };
    // A proxy that passes bytes on need not read them: then it is the upstream that refuses.
    if mistake == RequestMistake::BrokenJson && !facts.attempts.is_empty() {
        return RuleOutcome::NotApplicable;
    }
    let allowed = allowed(mistake);
    let refused =
        matches!(&facts.response, CallerResponse::Failure { status, .. } if allowed.contains(status));
    RuleOutcome::check(refused, || {
        let statuses: Vec<String> = allowed.iter().map(u16::to_string).collect();
        (format!("{}, for a caller that {mistake}", statuses.join(" or ")), facts.response.describe())
    })
}

fn not_forwarded(facts: &Facts<'_>) -> RuleOutcome {
    match facts.exchange.mistake {
        Some(mistake @ (RequestMistake::WrongKey | RequestMistake::UnknownModel)) => {
            RuleOutcome::check(facts.attempts.is_empty(), || {
                let asked = facts.attempts.first().map(|(attempt, _)| {
                    format!(
                        "{}#{} was asked {} {}",
                        attempt.deployment, attempt.n, attempt.method, attempt.path
                    )
                });
                (format!("no attempt at any upstream for a caller that {mistake}"), asked.unwrap_or_default())
            })
        }
        _ => RuleOutcome::NotApplicable,
    }
}
