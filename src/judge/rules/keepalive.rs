//! Calls that fail after the proxy sent keep-alive pings, and with them the status 200.

use serde_json::Value;

use crate::{
    dialect::{self, ErrorObject},
    judge::{
        attempt_outcome::AttemptOutcome,
        facts::Facts,
        rule::{Rule, RuleOutcome},
        scope::{Failed, Pinged, Scope},
    },
    scenario::Level,
};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "keepalive.true-cause",
    level: Level::Required,
    title: "If a call fails after keep-alive pings, the proxy reports it by an error event with the true status, code or type",
    reason: "The proxy sent its status with the first ping. Without the cause in the event, a client cannot \
             distinguish a rate limit from an outage, and does not know whether to retry.",
    references: &["BerriAI/litellm#37322", "BerriAI/litellm#38358"],
    timing: false,
    scope: Scope::CALLS.only(&[Failed, Pinged]),
    check: true_cause,
}];

fn true_cause(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let by_status = |result: &AttemptOutcome| matches!(result, AttemptOutcome::Status { .. });
    let stream = facts.response.stream()?;
    // The rules on streams check a forged or a silent end.
    let elsewhere =
        stream.looks_finished() || (stream.errors.is_empty() && stream.complete) || stream.unending;
    if elsewhere || !facts.failures().all(|(_, result)| by_status(result)) {
        return None;
    }
    let causes: Vec<(u16, Option<&ErrorObject>)> = facts
        .failures()
        .filter_map(|(_, result)| match result {
            AttemptOutcome::Status { status, error } => Some((*status, error.as_ref())),
            _ => None,
        })
        .collect();
    let got = stream.errors.first().map(|(_, error)| error);
    let holds = got.is_some_and(|got| causes.iter().any(|(status, sent)| names(got, *status, *sent)));
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
        let observed = match got {
            Some(got) => {
                format!(
                    "an error event with code `{}`, type `{}`",
                    dialect::text(&got.code),
                    dialect::text(&got.kind)
                )
            }
            None => facts.response.describe(),
        };
        (format!("an error event that names one of: {}", causes.join(" or ")), observed)
    })
}

/// Whether an event names the cause: by the provider's code or type, by the status as a number, or by a word that
/// a dialect uses for it.
fn names(got: &ErrorObject, status: u16, sent: Option<&ErrorObject>) -> bool {
    let own = got.raw.get("error").unwrap_or(&got.raw);
    let members = [
        &got.code,
        &got.kind,
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

/// The words that dialects use for an error of this status.
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
