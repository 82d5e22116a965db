//! What becomes of a call that fails after keep-alive pings have given its status away.

use serde_json::Value;

use crate::{
    judge::{
        attempt_outcome::AttemptOutcome,
        caller_response::CallerResponse,
        dialect::{self, ErrorObject},
        facts::Facts,
        rule::{Rule, RuleOutcome},
    },
    scenario::Level,
};

pub const RULES: &[Rule] = &[Rule {
    id: "keepalive.true-cause",
    level: Level::Required,
    title: "A call that fails after keep-alive pings is told by an error event with its true status, code or type",
    reason: "The pings have given the status away. Without the cause in the event nobody can tell a limit from an \
             outage, or knows whether to come back.",
    references: &["BerriAI/litellm#37322", "BerriAI/litellm#38358"],
    timing: false,
    check: true_cause,
}];

fn true_cause(facts: &Facts<'_>) -> RuleOutcome {
    let by_status = |fate: &AttemptOutcome| matches!(fate, AttemptOutcome::Status { .. });
    if !facts.is_pinged() || !facts.is_failure() || !facts.failures().all(|(_, fate)| by_status(fate)) {
        return RuleOutcome::NotApplicable;
    }
    let CallerResponse::Stream(stream) = &facts.response else { return RuleOutcome::NotApplicable };
    // A forged or a silent end is for the rules on streams.
    if stream.looks_finished() || (stream.errors.is_empty() && stream.complete) || stream.unending {
        return RuleOutcome::NotApplicable;
    }
    let causes: Vec<(u16, Option<&ErrorObject>)> = facts
        .failures()
        .filter_map(|(_, fate)| match fate {
            AttemptOutcome::Status { status, error } => Some((*status, error.as_ref())),
            _ => None,
        })
        .collect();
    let told = stream.errors.first().map(|(_, error)| error);
    let holds = told.is_some_and(|told| causes.iter().any(|(status, sent)| names(told, *status, *sent)));
    RuleOutcome::check(holds, || {
        let causes: Vec<String> = causes
            .iter()
            .map(|(status, sent)| match sent {
                Some(sent) => format!(
                    "{status}, code `{}`, type `{}`",
                    dialect::text(&sent.code),
                    dialect::text(&sent.kind)
                ),
                None => status.to_string(),
            })
            .collect();
        let observed = match told {
            Some(told) => {
                format!(
                    "an error event with code `{}`, type `{}`",
                    dialect::text(&told.code),
                    dialect::text(&told.kind)
                )
            }
            None => facts.response.describe(),
        };
        (format!("an error event that names one of: {}", causes.join(" or ")), observed)
    })
}

/// Whether an event names the cause: by the provider's code or type, by the status as a number, or by
/// the word that a dialect has for it.
fn names(told: &ErrorObject, status: u16, sent: Option<&ErrorObject>) -> bool {
    let own = told.raw.get("error").unwrap_or(&told.raw);
    let members = [
        &told.code,
        &told.kind,
        own.get("status").unwrap_or(&Value::Null),
        own.get("status_code").unwrap_or(&Value::Null),
    ];
    let same = |value: &Value, with: &Value| !with.is_null() && dialect::text(value) == dialect::text(with);
    members.iter().any(|member| {
        let text = dialect::text(member);
        text == status.to_string()
            || words(status).contains(&text.as_str())
            || sent.is_some_and(|sent| same(member, &sent.code) || same(member, &sent.kind))
    })
}

/// What dialects call an error of this status.
fn words(status: u16) -> &'static [&'static str] {
    match status {
        400 | 422 => &["invalid_request_error", "INVALID_ARGUMENT"],
        401 => &["authentication_error", "UNAUTHENTICATED"],
        402 => &["billing_error"],
        403 => &["permission_error", "PERMISSION_DENIED"],
        404 => &["not_found_error", "NOT_FOUND"],
        413 => &["request_too_large"],
        429 => &["rate_limit_error", "rate_limit_exceeded", "RESOURCE_EXHAUSTED"],
        500 | 502 => &["api_error", "server_error", "internal_server_error", "INTERNAL"],
        503 | 529 => &["overloaded_error", "server_is_overloaded", "UNAVAILABLE"],
        408 | 504 => &["timeout_error", "DEADLINE_EXCEEDED"],
        _ => &[],
    }
}
