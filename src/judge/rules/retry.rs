//! How often, and when, the proxy retries an upstream.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    judge::{
        attempt_outcome::AttemptOutcome,
        facts::Facts,
        retry_after::wait_ms,
        rule::{Rule, RuleOutcome},
        scope::{PassThrough, Scope},
    },
    observation::Attempt,
    scenario::Level,
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "retry.budget",
        level: Level::Required,
        title: "The number of attempts at a deployment is at most one more than the number of allowed retries",
        reason: "Each attempt costs time and money, and a storm of them keeps a struggling provider down.",
        references: &["BerriAI/litellm#19216"],
        timing: false,
        scope: Scope::CALLS.also(&[PassThrough]),
        check: budget,
    },
    Rule {
        id: "retry.terminal-errors-once",
        level: Level::Required,
        title: "The proxy does not retry 400, 401, 403, 404 and 422 at the same deployment",
        reason: "The same request with the same key gets the same response.",
        references: &["BerriAI/litellm#7130"],
        timing: false,
        scope: Scope::CALLS.also(&[PassThrough]),
        check: terminal_once,
    },
    Rule {
        id: "retry.not-after-content",
        level: Level::Required,
        title: "Once the proxy has passed on content, it does not retry the call",
        reason: "A second response after half of the first is a response that no model gave.",
        references: &["api7/aisix#177"],
        timing: false,
        scope: Scope::CALLS.also(&[PassThrough]),
        check: not_after_content,
    },
    Rule {
        id: "retry.pacing",
        level: Level::Required,
        title: "The proxy retries no earlier than Retry-After allows",
        reason: "Rate limits punish clients that come back too early.",
        references: &["RFC 9110 section 10.2.3", "RFC 9110 section 5.6.7", "BerriAI/litellm#21736"],
        timing: true,
        scope: Scope::CALLS.also(&[PassThrough]),
        check: pacing,
    },
];

fn by_deployment<'f, 'a>(facts: &'f Facts<'a>) -> BTreeMap<&'a str, Vec<&'f (&'a Attempt, AttemptOutcome)>> {
    let mut map: BTreeMap<&'a str, Vec<_>> = BTreeMap::new();
    for entry in &facts.attempts {
        map.entry(entry.0.deployment.as_str()).or_default().push(entry);
    }
    map
}

fn budget(facts: &Facts<'_>) -> Option<RuleOutcome> {
    if !facts.failures().any(|(_, result)| !is_terminal(result) && !result.failed_after_content()) {
        return None;
    }
    let allowed = (facts.arrangement.allowed_retries()? as usize).saturating_add(1);
    let worst = by_deployment(facts)
        .into_iter()
        .filter(|(_, attempts)| !attempts.iter().any(|(_, result)| is_terminal(result)))
        // If a connection ends before the upstream has read the request, the proxy may open another one for it
        // (RFC 9112 section 9.3.1): the request has had no effect yet. The same is true of one that the upstream refused.
        .map(|(deployment, attempts)| {
            let counts = |attempt: &Attempt| attempt.was_asked() && !attempt.was_refused();
            (deployment, attempts.iter().filter(|(attempt, _)| counts(attempt)).count())
        })
        .max_by_key(|(_, count)| *count);
    let (deployment, count) = worst?;
    RuleOutcome::check(count <= allowed, || {
        (format!("at most {allowed} attempt(s) at {deployment}"), format!("{count}"))
    })
}

fn is_terminal(result: &AttemptOutcome) -> bool {
    matches!(result.status(), Some(400 | 401 | 403 | 404 | 422))
}

fn terminal_once(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let mut outcome = None;
    for (deployment, attempts) in by_deployment(facts) {
        let Some(first) = attempts.iter().position(|(_, result)| is_terminal(result)) else { continue };
        let more = attempts.len() - first - 1;
        if more > 0 {
            let (_, result) = attempts[first];
            return RuleOutcome::broken(
                format!("no further attempt at {deployment}, which {}", result.describe()),
                format!("{more} more"),
                Vec::new(),
            );
        }
        outcome = Some(RuleOutcome::Holds);
    }
    outcome
}

fn not_after_content(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let got = facts.response.completion()?;
    let text = got.text();
    for (i, (attempt, result)) in facts.attempts.iter().enumerate() {
        let passed_on = result.failed_after_content()
            && result
                .delivered()
                .and_then(|sent| sent.pieces.first())
                .is_some_and(|piece| text.contains(piece.as_str()));
        if !passed_on {
            continue;
        }
        let again = facts.attempts[i + 1..].iter().any(|(later, _)| later.deployment == attempt.deployment);
        return RuleOutcome::check(!again, || {
            (
                format!("no further attempt after content of {} was passed on", attempt.name()),
                format!("{} attempts; the caller got {}", facts.attempts.len(), facts.response.describe()),
            )
        });
    }
    None
}

fn pacing(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let mut outcome = None;
    for (deployment, attempts) in by_deployment(facts) {
        for pair in attempts.windows(2) {
            let [(before, result), (after, _)] = pair else { continue };
            // An HTTP client that reports a lost connection may not give the proxy the head of the response.
            if matches!(result, AttemptOutcome::Cut { .. } | AttemptOutcome::Silent { .. }) {
                continue;
            }
            let Some(wait_ms) = wait_ms(before, facts.began) else { continue };
            // Measured from the end of the response that asked for the wait. 10 % are allowed for clocks and rounding.
            let gap_ms = after.at_ms - before.end_ms.unwrap_or(before.at_ms);
            if gap_ms < wait_ms * 0.9 {
                return RuleOutcome::broken(
                    format!("no request to {deployment} for {} after #{}", shown(wait_ms), before.n),
                    format!("retried after {:.2} s", gap_ms / 1000.0),
                    Vec::new(),
                );
            }
            outcome = Some(RuleOutcome::Holds);
        }
    }
    outcome
}

/// A human-readable duration.
fn shown(ms: f64) -> String {
    if ms < 60_000.0 {
        format!("{:.1} s", ms / 1000.0)
    } else {
        humantime::format_duration(Duration::from_secs_f64((ms / 1000.0).round().min(1e12))).to_string()
    }
}
