//! Whether the proxy keeps a configured cooldown, and starts none for the wrong reason.

use std::sync::LazyLock;

use regex::Regex;

use crate::{
    judge::{
        attempt_outcome::AttemptOutcome,
        facts::Facts,
        retry_after::{asked_ms, wait_ms},
        rule::{Rule, RuleOutcome},
        scope::{InvalidRequest, Scope, WithCooldown},
    },
    observation::{Attempt, word},
    scenario::{Cooldown, Level},
};

const COOLDOWN: Scope = Scope::CALLS.only(&[WithCooldown]);

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "cooldown.honoured",
        level: Level::Required,
        title: "With a cooldown configured, the proxy stops sending requests to a failing deployment until the cooldown is over",
        reason: "A cooldown gives a struggling provider time to recover. A proxy that goes on sending requests keeps \
                 the provider down and its callers waiting.",
        references: &["BerriAI/litellm#27823"],
        timing: false,
        scope: COOLDOWN,
        check: honoured,
    },
    Rule {
        id: "cooldown.ends",
        level: Level::Required,
        title: "The proxy uses a deployment again once its cooldown is over",
        reason: "A cooldown that never ends takes a deployment out of service for good after one bad minute of its \
                 provider, unnoticed until the last deployment is gone.",
        references: &["BerriAI/litellm#27823"],
        timing: true,
        scope: COOLDOWN.never(&[InvalidRequest]),
        check: ends,
    },
    Rule {
        id: "cooldown.spares-others",
        level: Level::Required,
        title: "While one deployment of a group is in cooldown, calls go to the others",
        reason: "That is the purpose of a group. A proxy that closes the whole group turns one deployment's bad minute \
                 into an outage of the model.",
        references: &["BerriAI/litellm#34399"],
        timing: false,
        scope: COOLDOWN.never(&[InvalidRequest]),
        check: spares_others,
    },
    Rule {
        id: "cooldown.not-for-bad-requests",
        level: Level::Required,
        title: "With a cooldown configured, 400, 404, 413 and 422 never start it",
        reason: "These statuses mean that the request is wrong, not that the provider is in trouble. A proxy that \
                 counts them lets one caller with a faulty prompt block the route for every other caller.",
        references: &["sgl-project/sglang#25811", "vllm-project/router#60"],
        timing: false,
        scope: COOLDOWN,
        check: not_for_bad_requests,
    },
    Rule {
        id: "cooldown.status",
        level: Level::Required,
        title: "A call that the proxy refuses because its deployment is in cooldown after 429s gets a 429 or a 503",
        reason: "The cause is unchanged: there is a limit, and waiting helps. A 500 says that something broke, and a \
                 200 reports no failure.",
        references: &["BerriAI/litellm#2487", "BerriAI/litellm#27823"],
        timing: false,
        scope: COOLDOWN,
        check: status,
    },
    Rule {
        id: "cooldown.retry-after",
        level: Level::Required,
        title: "A call that the proxy refuses because its deployment is in cooldown after 429s gets a Retry-After that says how long to wait",
        reason: "The proxy knows to the second when it will use the deployment again. Without Retry-After, callers \
                 come back at once or never.",
        references: &["RFC 9110 section 10.2.3", "BerriAI/litellm#27823"],
        timing: false,
        scope: COOLDOWN,
        check: retry_after,
    },
    Rule {
        id: "cooldown.names-cause",
        level: Level::Required,
        title: "While a deployment is in cooldown because its key was rejected, a 429 names that cause",
        reason: "The key belongs to the operator, and no waiting by the caller repairs it. A bare 429 makes the \
                 caller look for the cause in its own traffic.",
        references: &["BerriAI/litellm#5764", "kortix-ai/suna#4923"],
        timing: false,
        scope: COOLDOWN,
        check: names_cause,
    },
];

/// The outcome of an attempt at any time of the case.
fn outcome_of(facts: &Facts<'_>, attempt: &Attempt) -> AttemptOutcome {
    AttemptOutcome::of(attempt, facts.arrangement.combination_of(&attempt.deployment))
}

/// Whether the provider is beyond dispute in trouble: 429, 5xx, a cut connection, silence.
fn is_trouble(result: &AttemptOutcome) -> bool {
    match result {
        AttemptOutcome::Status { status, .. } => *status == 429 || *status >= 500,
        AttemptOutcome::Cut { .. } | AttemptOutcome::Silent { .. } => true,
        _ => false,
    }
}

/// Whether the request is wrong and the provider healthy.
fn is_bad_request(result: &AttemptOutcome) -> bool {
    matches!(result.status(), Some(400 | 404 | 413 | 422))
}

/// The last of the failures that put a deployment into cooldown before this exchange was sent.
///
/// A failure counts from the end of its response, when the proxy can know of it. An attempt that does not
/// clearly show a provider in trouble resets the count, so that a doubtful failure never obliges the proxy.
fn cooldown_started_by<'a>(facts: &Facts<'a>, deployment: &str, after: u32) -> Option<&'a Attempt> {
    let mut failures = 0;
    let mut last = None;
    let known = facts.all_attempts.iter().filter(|attempt| {
        attempt.deployment == deployment
            && attempt.end_ms.is_some_and(|end| end <= facts.exchange.sent_ms)
            && !facts.ended_by_leaving(attempt)
    });
    for attempt in known {
        if is_trouble(&outcome_of(facts, attempt)) {
            failures += 1;
            if failures >= after {
                last = Some(attempt);
            }
        } else {
            (failures, last) = (0, None);
        }
    }
    last
}

fn honoured(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let Cooldown { after, lasting } = facts.arrangement.proxy.cooldown?;
    let lasting_ms = lasting.as_secs_f64() * 1000.0;
    let mut outcome = None;
    for deployment in &facts.arrangement.deployments {
        let name = deployment.name.as_str();
        let Some(failure) = cooldown_started_by(facts, name, after) else { continue };
        // Measured from the arrival of the failed attempt: the proxy cannot have known of the failure
        // earlier, so a slow machine can only make this gap wider.
        let gap_ms = |attempt: &Attempt| attempt.at_ms - failure.at_ms;
        let too_early = facts
            .attempts
            .iter()
            .map(|(attempt, _)| *attempt)
            .find(|attempt| attempt.deployment == name && gap_ms(attempt) < lasting_ms);
        if let Some(attempt) = too_early {
            let result = outcome_of(facts, failure);
            return RuleOutcome::broken(
                format!(
                    "no request to {name} for {} after {after} failure(s), the last of them #{}",
                    humantime::format_duration(lasting),
                    failure.n
                ),
                format!("attempt #{} after {:.2} s", attempt.n, gap_ms(attempt) / 1000.0),
                vec![format!("upstream {name}#{} {}", failure.n, result.describe())],
            );
        }
        if facts.exchange.sent_ms - failure.at_ms < lasting_ms {
            outcome = Some(RuleOutcome::Holds);
        }
    }
    outcome
}

/// How long after the end of a cooldown the proxy may still hold a deployment back: it may round to seconds.
const GRACE_MS: f64 = 1000.0;

fn ends(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let own_ms = facts.arrangement.proxy.cooldown?.lasting.as_secs_f64() * 1000.0;
    let first = *facts.chain().first()?;
    if facts.cannot_reach(first) {
        return None;
    }
    let earlier = |attempt: &&Attempt| attempt.deployment == first && attempt.at_ms < facts.exchange.sent_ms;
    let last = facts.all_attempts.iter().rfind(earlier)?;
    let result = outcome_of(facts, last);
    // The provider may have asked for a longer wait than the cooldown.
    let over_ms = facts.all_attempts.iter().filter(earlier).try_fold(0.0, |over: f64, attempt| {
        let asked = wait_ms(attempt, facts.began).unwrap_or(0.0);
        Some(over.max(attempt.end_ms? + own_ms.max(asked)))
    })?;
    let after_ms = facts.exchange.sent_ms - over_ms;
    if result.is_success() || facts.ended_by_leaving(last) || after_ms < GRACE_MS {
        return None;
    }
    let is_group = !facts.arrangement.proxy.group.is_empty();
    if facts.attempts.iter().any(|(attempt, _)| is_group || attempt.deployment == first) {
        return Some(RuleOutcome::Holds);
    }
    RuleOutcome::broken(
        format!("a request to {first}, whose cooldown was over {:.1} s before", after_ms / 1000.0),
        format!("none; the caller got {}", facts.response.describe()),
        vec![format!("upstream {first}#{} {}", last.n, result.describe())],
    )
}

fn spares_others(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let group = &facts.arrangement.proxy.group;
    let addressed = facts.chain();
    if !facts.unreachable.is_empty() || !group.iter().any(|member| addressed.contains(&member.as_str())) {
        return None;
    }
    let earlier = facts.all_attempts.iter().filter(|attempt| attempt.at_ms < facts.exchange.sent_ms);
    let failed: Vec<(&Attempt, AttemptOutcome)> = earlier
        .map(|attempt| (attempt, outcome_of(facts, attempt)))
        .filter(|(_, result)| !result.is_success())
        .collect();
    let is_well = |member: &&String| failed.iter().all(|(attempt, _)| attempt.deployment != **member);
    let well = group.iter().find(is_well).filter(|_| !failed.is_empty())?;
    if !facts.attempts.is_empty() {
        return Some(RuleOutcome::Holds);
    }
    RuleOutcome::broken(
        format!("a request to {well}, which has not failed"),
        format!("none; the caller got {}", facts.response.describe()),
        lines(&failed),
    )
}

fn not_for_bad_requests(facts: &Facts<'_>) -> Option<RuleOutcome> {
    if !facts.unreachable.is_empty() {
        return None;
    }
    let earlier: Vec<(&Attempt, AttemptOutcome)> = facts
        .all_attempts
        .iter()
        .filter(|attempt| attempt.at_ms < facts.exchange.sent_ms)
        .map(|attempt| (attempt, outcome_of(facts, attempt)))
        .collect();
    let only_bad_requests = earlier.iter().all(|(_, result)| result.is_success() || is_bad_request(result));
    let (last, result) =
        earlier.iter().rfind(|(_, result)| is_bad_request(result)).filter(|_| only_bad_requests)?;
    if facts.attempts.is_empty() {
        return RuleOutcome::broken(
            "an attempt: all earlier failures were caused by the callers' requests",
            format!("none; the caller got {}", facts.response.describe()),
            vec![format!("upstream {} {}", last.name(), result.describe())],
        );
    }
    Some(RuleOutcome::Holds)
}

/// The failures since the last success; `None` unless the proxy refused this exchange without an attempt.
fn refused_after<'a>(facts: &Facts<'a>) -> Option<Vec<(&'a Attempt, AttemptOutcome)>> {
    if !facts.attempts.is_empty() || !facts.unreachable.is_empty() {
        return None;
    }
    let known = facts.all_attempts.iter().filter(|attempt| {
        attempt.end_ms.is_some_and(|end| end <= facts.exchange.sent_ms) && !facts.ended_by_leaving(attempt)
    });
    let mut failures: Vec<(&Attempt, AttemptOutcome)> =
        known.map(|attempt| (attempt, outcome_of(facts, attempt))).collect();
    if let Some(last) = failures.iter().rposition(|(_, result)| result.is_success()) {
        failures.drain(..=last);
    }
    (!failures.is_empty()).then_some(failures)
}

/// Like [`refused_after`], but `None` unless all failures have one of these statuses and the caller got a
/// response.
fn refused_after_only<'a>(facts: &Facts<'a>, statuses: &[u16]) -> Option<Vec<(&'a Attempt, AttemptOutcome)>> {
    facts.raw_response()?;
    let only = |(_, result): &(&Attempt, AttemptOutcome)| matches!(result, AttemptOutcome::Status { status, .. } if statuses.contains(status));
    refused_after(facts).filter(|failures| failures.iter().all(only))
}

/// Whether a text says that a key was rejected, by the status or in words.
fn names_rejected_key(text: &str) -> bool {
    // At the beginning of a word, even if a JSON escape precedes it, or at a capital letter inside a name.
    static WORDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"(?i:(?:^|[^a-z0-9]|\\[ntrbf])(?:authenticat|unauthori[sz]ed|credential|api[ _-]?key))|Authenticat|Unauthori[sz]ed|Credential|A(?:PI|pi)Key",
        )
        .ok()
    });
    ["401", "403"].iter().any(|status| word::occurs(text, status))
        || WORDS.as_ref().is_some_and(|words| words.is_match(text))
}

fn lines(failures: &[(&Attempt, AttemptOutcome)]) -> Vec<String> {
    let line = |(attempt, result): &(&Attempt, AttemptOutcome)| {
        format!("upstream {} {}", attempt.name(), result.describe())
    };
    failures.iter().map(line).collect()
}

fn status(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let failures = refused_after_only(facts, &[429])?;
    let got = facts.response.failure_status();
    if got.is_some_and(|got| matches!(got, 429 | 503) || facts.policy.rate_limit.answer.contains(got)) {
        return Some(RuleOutcome::Holds);
    }
    RuleOutcome::broken("429 or 503", facts.response.describe(), lines(&failures))
}

fn retry_after(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let failures = refused_after_only(facts, &[429])?;
    let (answer, cooldown) = (facts.raw_response()?, facts.arrangement.proxy.cooldown?);
    // The provider may have asked for a longer wait than the cooldown. One second is allowed for rounding.
    let own_ms = cooldown.lasting.as_secs_f64() * 1000.0;
    let asked = failures.iter().filter_map(|(attempt, _)| wait_ms(attempt, facts.began));
    let most_ms = asked.fold(own_ms, f64::max) + 1000.0;
    let got = asked_ms(|name| answer.header(name), facts.exchange.end_ms, facts.began);
    if got.is_some_and(|got| got <= most_ms) {
        return Some(RuleOutcome::Holds);
    }
    let observed = match answer.header("retry-after") {
        Some(value) => format!("retry-after: {value}"),
        None => format!("no retry-after; the caller got {}", facts.response.describe()),
    };
    let expected = format!("Retry-After of at most {:.0} s", most_ms / 1000.0);
    RuleOutcome::broken(expected, observed, lines(&failures))
}

fn names_cause(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let failures = refused_after_only(facts, &[401, 403])?;
    let answer = facts.raw_response()?;
    let text = facts.steady(&answer.body.text);
    let planted = |(attempt, _): &(&Attempt, AttemptOutcome)| {
        word::has_token(&answer.body.text, &attempt.canaries.message)
    };
    let named = failures.iter().any(planted) || names_rejected_key(&text);
    if answer.status != 429 || named {
        return Some(RuleOutcome::Holds);
    }
    let expected = "a status other than 429, or a message about the rejected key";
    RuleOutcome::broken(expected, facts.response.describe(), lines(&failures))
}
