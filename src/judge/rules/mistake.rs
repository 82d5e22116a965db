//! What a proxy does with an invalid request.

use crate::{
    judge::{
        caller_response::CallerResponse,
        facts::Facts,
        rule::{Rule, RuleOutcome},
        scope::{InvalidRequest, Scope},
    },
    scenario::{Level, RequestMistake},
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "mistake.refused",
        level: Level::Required,
        title: "The proxy refuses an invalid request with a 4xx that reports the caller's mistake",
        reason: "Clients retry after a 5xx, and the proxy's operator is alarmed, although only the caller can fix \
                 the request; after a 429 they wait.",
        references: &[
            "RFC 9110 section 15.5.1",
            "RFC 9110 section 15.5.2",
            "https://platform.openai.com/docs/guides/error-codes",
        ],
        timing: false,
        scope: Scope::CALLS.only(&[InvalidRequest]),
        check: refused,
    },
    Rule {
        id: "mistake.not-forwarded",
        level: Level::Required,
        title: "The proxy calls no upstream for a caller with a wrong key, or for a model that does not exist",
        reason: "The first spends someone else's money, the second uses a model that the caller did not ask for.",
        references: &["RFC 9110 section 15.5.2"],
        timing: false,
        scope: Scope::CALLS.only(&[InvalidRequest]),
        check: not_forwarded,
    },
];

/// The statuses that report this mistake correctly.
fn allowed(mistake: RequestMistake) -> &'static [u16] {
    match mistake {
        RequestMistake::WrongKey => &[401, 403],
        RequestMistake::UnknownModel => &[400, 404, 422],
        RequestMistake::BrokenJson => &[400, 422],
    }
}

fn refused(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let mistake = facts.exchange.mistake?;
    // A proxy may pass a body on without parsing it: then the upstream refuses it.
    if mistake == RequestMistake::BrokenJson && !facts.attempts.is_empty() {
        return None;
    }
    let allowed = allowed(mistake);
    let refused =
        matches!(&facts.response, CallerResponse::Failure { status, .. } if allowed.contains(status));
    RuleOutcome::check(refused, || {
        let statuses: Vec<String> = allowed.iter().map(u16::to_string).collect();
        (format!("{}, for a caller that {mistake}", statuses.join(" or ")), facts.response.describe())
    })
}

fn not_forwarded(facts: &Facts<'_>) -> Option<RuleOutcome> {
    match facts.exchange.mistake {
        Some(mistake @ (RequestMistake::WrongKey | RequestMistake::UnknownModel)) => {
            RuleOutcome::check(facts.attempts.is_empty(), || {
                let asked = facts.attempts.first().map(|(attempt, _)| {
                    format!("{} got {} {}", attempt.name(), attempt.method, attempt.path)
                });
                (format!("no attempt at any upstream for a caller that {mistake}"), asked.unwrap_or_default())
            })
        }
        _ => None,
    }
}
