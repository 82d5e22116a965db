//! Which headers of a failure reach the caller, and which must not.

use super::{limits, own};
use crate::{
    dialect::ErrorForm,
    judge::{
        attempt_outcome::AttemptOutcome,
        facts::Facts,
        rule::{Rule, RuleOutcome},
        scope::{Failed, PassThrough, Scope, WithCooldown},
        trace::{is_named_after, poison},
    },
    observation::{Attempt, AttemptEnd, word},
    scenario::Level,
};

const FAILED: Scope = Scope::CALLS.only(&[Failed]).also(&[PassThrough]);

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "headers.retry-after",
        level: Level::Required,
        title: "Retry-After reaches the caller",
        reason: "SDKs wait as long as it says. Without it, one rate limit becomes a storm of retries.",
        references: &["RFC 9110 section 10.2.3", "BerriAI/litellm#21553"],
        timing: false,
        scope: FAILED,
        check: retry_after,
    },
    Rule {
        id: "headers.retry-after-ms",
        level: Level::Recommended,
        title: "retry-after-ms reaches the caller",
        reason: "SDKs read it before they read Retry-After.",
        references: &["https://github.com/openai/openai-python"],
        timing: false,
        scope: FAILED,
        check: retry_after_ms,
    },
    Rule {
        id: "headers.own-retry-after",
        level: Level::Required,
        title: "A response never contains the Retry-After of another request",
        reason: "A caller that could continue at once has to wait. If the header was meant for another caller, that \
                 caller has lost it.",
        references: &["RFC 9110 section 10.2.3"],
        timing: false,
        // During a configured cooldown, Retry-After contains the cooldown's own time.
        scope: Scope::CALLS.also(&[PassThrough]).never(&[WithCooldown]),
        check: own::retry_after,
    },
    Rule {
        id: "headers.own-attempt",
        level: Level::Required,
        title: "A success does not have the Retry-After, the limits or the request id of an attempt that failed",
        reason: "The headers describe the attempt whose content the caller gets. A Retry-After on a success makes \
                 callers wait for nothing, and the request id of another attempt misleads the provider's support.",
        references: &["RFC 9110 section 10.2.3"],
        timing: false,
        scope: Scope::CALLS,
        check: own_attempt,
    },
    Rule {
        id: "headers.rate-limits",
        level: Level::Recommended,
        title: "The provider's rate-limit headers reach the caller of a 429",
        reason: "They say which of several limits was hit, and when it resets.",
        references: &[
            "BerriAI/litellm#37754",
            "https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-11",
        ],
        timing: false,
        scope: FAILED,
        check: rate_limits,
    },
    Rule {
        id: "headers.ratelimit-not-loosened",
        level: Level::Recommended,
        title: "The caller's RateLimit and RateLimit-Policy promise no more than the provider's",
        reason: "An intermediary does not know what the provider counts. A caller that is promised more than it has runs \
                 into the limit.",
        references: &["https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-11"],
        timing: false,
        scope: Scope::CALLS.also(&[PassThrough]),
        check: limits::not_loosened,
    },
    Rule {
        id: "headers.request-id",
        level: Level::Recommended,
        title: "The provider's request id reaches the caller of a failure",
        reason: "The provider's support asks for it first.",
        references: &["https://platform.openai.com/docs/api-reference/debugging-requests"],
        timing: false,
        scope: FAILED,
        check: request_id,
    },
    Rule {
        id: "headers.no-poison",
        level: Level::Required,
        title: "The proxy does not pass on headers that belong to the upstream connection or session",
        reason: "A provider's cookie or a hop-by-hop header has another, possibly dangerous, meaning on the caller's \
                 connection.",
        references: &["RFC 9110 section 7.6.1"],
        timing: false,
        scope: Scope::CALLS,
        check: no_poison,
    },
];

/// The failed attempts with the status that the caller got; if there are none, all that failed with an error
/// status.
fn mirrored<'a>(facts: &Facts<'a>) -> Vec<&'a Attempt> {
    let Some(got) = facts.response.failure_status() else { return Vec::new() };
    let statuses = |result: &AttemptOutcome| result.status().is_some_and(|status| status >= 400);
    // A response whose body is incomplete cannot be passed on.
    let failures: Vec<_> = facts
        .failures()
        .filter(|(attempt, result)| statuses(result) && attempt.end == AttemptEnd::Finished)
        .collect();
    let same: Vec<_> = failures
        .iter()
        .filter(|(_, result)| result.status() == Some(got))
        .map(|(attempt, _)| *attempt)
        .collect();
    if same.is_empty() { failures.into_iter().map(|(attempt, _)| attempt).collect() } else { same }
}

fn sent<'a>(attempt: &'a Attempt, name: &str) -> Option<&'a str> {
    attempt.sent.header(name)
}

fn forwarded(facts: &Facts<'_>, name: &str) -> Option<RuleOutcome> {
    let mut wanted: Vec<&str> =
        mirrored(facts).into_iter().filter_map(|attempt| sent(attempt, name)).collect();
    wanted.dedup();
    let answer = facts.raw_response().filter(|_| !wanted.is_empty())?;
    let got = answer.header(name);
    RuleOutcome::check(got.is_some_and(|got| wanted.contains(&got)), || {
        (format!("{name}: {}", wanted.join(" or ")), found(facts, name))
    })
}

/// What the response contains in place of a header: nothing, another value, or the header with a prefixed name.
fn found(facts: &Facts<'_>, name: &str) -> String {
    let headers = facts.raw_response().map_or(&[][..], |answer| answer.headers.as_slice());
    let forms: Vec<String> = headers
        .iter()
        .filter(|(key, _)| is_named_after(key, name))
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    if forms.is_empty() { format!("no {name}") } else { forms.join(", ") }
}

fn retry_after(facts: &Facts<'_>) -> Option<RuleOutcome> {
    forwarded(facts, "retry-after")
}

fn retry_after_ms(facts: &Facts<'_>) -> Option<RuleOutcome> {
    forwarded(facts, "retry-after-ms")
}

fn own_attempt(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let ((succeeded, _), answer) = (facts.success()?, facts.raw_response()?);
    if !facts.response.looks_successful() || facts.failures().next().is_none() {
        return None;
    }
    let describes_attempt = |(attempt, name): &(&Attempt, &str)| {
        matches!(*name, "retry-after" | "retry-after-ms")
            || name.contains("ratelimit")
            || id_sent(attempt).is_some_and(|(id, _)| id == *name)
    };
    let of_failed = facts.failures().flat_map(|(attempt, _)| {
        attempt.sent.headers.iter().map(move |(name, value)| ((attempt, name.as_str()), value.as_str()))
    });
    let strayed = of_failed.filter(|(place, _)| describes_attempt(place)).find(|((_, name), value)| {
        answer.header(name) == Some(*value) && sent(succeeded, name) != Some(*value)
    });
    RuleOutcome::check(strayed.is_none(), || {
        let ((attempt, name), value) = strayed.unwrap_or(((succeeded, ""), ""));
        (
            format!("the headers of {}, which succeeded", succeeded.name()),
            format!("{name}: {value}, which {} sent", attempt.name()),
        )
    })
}

fn rate_limits(facts: &Facts<'_>) -> Option<RuleOutcome> {
    if !facts.failed_only_by(|status| status == 429) {
        return None;
    }
    // No client of one dialect reads the headers of another, but the standard fields belong to no dialect.
    let prefix = ErrorForm::of(facts.api()).rate_limit_prefix();
    let has_meaning = |name: &&str| {
        limits::is_standard_field(name) || prefix.is_some_and(|prefix| name.starts_with(prefix))
    };
    let attempts = mirrored(facts);
    let answer = facts.raw_response()?;
    let mut lost = Vec::new();
    let mut any = false;
    let names = attempts.iter().flat_map(|attempt| &attempt.sent.headers).map(|(name, _)| name.as_str());
    for name in names.filter(has_meaning) {
        any = true;
        let kept =
            attempts.iter().filter_map(|attempt| sent(attempt, name)).any(|v| answer.header(name) == Some(v));
        if !kept && !lost.contains(&name) {
            lost.push(name);
        }
    }
    if !any {
        return None;
    }
    RuleOutcome::check(lost.is_empty(), || {
        let observed = lost.iter().map(|name| found(facts, name)).collect::<Vec<_>>().join(", ");
        (format!("{} as sent", lost.join(", ")), observed)
    })
}

fn request_id(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let ids: Vec<(&str, &str)> = mirrored(facts).into_iter().filter_map(id_sent).collect();
    let answer = facts.raw_response().filter(|_| !ids.is_empty())?;
    let shown = |(_, id): &(&str, &str)| {
        answer.headers.iter().any(|(_, value)| word::occurs(value, id)) || word::occurs(&answer.body.text, id)
    };
    // A proxy that reports a last attempt which broke off after its head may give the id of that attempt.
    let last = facts
        .attempts
        .last()
        .filter(|(_, result)| matches!(result, AttemptOutcome::Cut { .. } | AttemptOutcome::Silent { .. }));
    let of_last = last.and_then(|(attempt, _)| id_sent(attempt));
    RuleOutcome::check(ids.iter().chain(&of_last).any(shown), || {
        let (name, _) = ids[0];
        let ids: Vec<&str> = ids.iter().map(|(_, id)| *id).collect();
        (format!("{} in a header or the body", ids.join(" or ")), found(facts, name))
    })
}

/// The header with the provider's request id, under the name that this provider uses, and its value.
fn id_sent(attempt: &Attempt) -> Option<(&str, &str)> {
    let planted = |(_, value): &&(String, String)| word::has_token(value, &attempt.canaries.request_id);
    sent(attempt, "x-request-id").map(|id| ("x-request-id", id)).or_else(|| {
        attempt.sent.headers.iter().find(planted).map(|(name, value)| (name.as_str(), value.as_str()))
    })
}

fn no_poison(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let answer = facts.raw_response()?;
    let mut outcome = None;
    for (attempt, _) in &facts.attempts {
        for (name, value) in poison(attempt) {
            outcome = Some(RuleOutcome::Holds);
            // Under another name, a cookie is still a credential, but a hop-by-hop header has no effect.
            let is_same = |key: &str| key == name || name == "set-cookie" && is_named_after(key, name);
            if answer.headers.iter().any(|(key, got)| is_same(key) && got == value) {
                return RuleOutcome::broken(format!("no {name}"), found(facts, name), Vec::new());
            }
        }
    }
    outcome
}
