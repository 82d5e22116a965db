//! Whether a cooldown that was asked for is kept, and closes no route for the wrong reason.

use std::sync::LazyLock;

use regex::Regex;

use crate::{
    judge::{
        attempt_outcome::AttemptOutcome,
        facts::Facts,
        retry_after::{asked_ms, wait_ms},
        rule::{Rule, RuleOutcome},
    },
    observation::{Attempt, word},
    scenario::{Cooldown, Level},
};

pub const RULES: &[Rule] = &[
    Rule {
        id: "cooldown.honoured",
        level: Level::Required,
        title: "With a cooldown set, a deployment that keeps failing is left alone for as long as it says",
        reason: "A cooldown is configured to give a struggling provider rest; a proxy that goes on asking keeps it \
                 down, and its callers waiting.",
        references: &["BerriAI/litellm#27823"],
        timing: false,
        check: honoured,
    },
    Rule {
        id: "cooldown.not-for-bad-requests",
        level: Level::Required,
        title: "With a cooldown set, 400, 404, 413 and 422 never close a route",
        reason: "They speak of the request, not of the provider: a breaker that counts them lets one caller with a \
                 faulty prompt shut everybody else out.",
        references: &["sgl-project/sglang#25811", "vllm-project/router#60"],
        timing: false,
        check: not_for_bad_requests,
    },
    Rule {
        id: "cooldown.status",
        level: Level::Required,
        title: "A call that is refused because its deployment rests after 429s gets a 429 or a 503",
        reason: "The reason is unchanged: there is a limit, and waiting helps. A 500, or a 200, says that something \
                 broke, or nothing.",
        references: &["BerriAI/litellm#2487", "BerriAI/litellm#27823"],
        timing: false,
        check: status,
    },
    Rule {
        id: "cooldown.retry-after",
        level: Level::Required,
        title: "A call that is refused because its deployment rests after 429s is told by Retry-After for how long",
        reason: "The proxy knows to the second when it will ask again. Callers who are not told come back at once, \
                 or never.",
        references: &["RFC 9110 section 10.2.3", "BerriAI/litellm#27823"],
        timing: false,
        check: retry_after,
    },
    Rule {
        id: "cooldown.names-cause",
        level: Level::Required,
        title: "While a deployment rests because its key was rejected, a 429 names that cause",
        reason: "The key is the operator's, and no pause of the caller's repairs it: a bare 429 sends the caller \
                 looking at its own traffic.",
        references: &["BerriAI/litellm#5764", "kortix-ai/suna#4923"],
        timing: false,
        check: names_cause,
    },
];

/// The provider is in trouble, and nobody disagrees: 429, 5xx, transport, silence.
fn is_trouble(fate: &AttemptOutcome) -> bool {
    match fate {
        AttemptOutcome::Status { status, .. } => *status == 429 || *status >= 500,
        AttemptOutcome::Cut { .. } | AttemptOutcome::Silent { .. } => true,
        _ => false,
    }
}

/// The request is wrong, and its provider well.
fn is_callers(fate: &AttemptOutcome) -> bool {
    matches!(fate, AttemptOutcome::Status { status: 400 | 404 | 413 | 422, .. })
}

/// The last of the failures that put a deployment to sleep before this exchange was sent.
///
/// A failure counts from the end of its answer, when the proxy can know of it. Whatever is no
/// clear trouble of the provider's begins the count anew, so that a doubtful one binds nobody.
fn put_to_sleep_by<'a>(facts: &Facts<'a>, deployment: &str, after: u32) -> Option<&'a Attempt> {
    let mut failures = 0;
    let mut last = None;
    let known = facts.all_attempts.iter().filter(|attempt| {
        attempt.deployment == deployment
            && attempt.end_ms.is_some_and(|end| end <= facts.exchange.sent_ms)
            && !facts.ended_by_leaving(attempt)
    });
    for attempt in known {
        if is_trouble(&AttemptOutcome::of(attempt, facts.arrangement.combination)) {
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

fn honoured(facts: &Facts<'_>) -> RuleOutcome {
    let Some(Cooldown { after, lasting }) = facts.arrangement.proxy.cooldown else {
        return RuleOutcome::NotApplicable;
    };
    let lasting_ms = lasting.as_secs_f64() * 1000.0;
    let mut outcome = RuleOutcome::NotApplicable;
    for deployment in &facts.arrangement.deployments {
        let name = deployment.name.as_str();
        let Some(failure) = put_to_sleep_by(facts, name, after) else { continue };
        // Measured from the arrival of the attempt that failed: the proxy cannot have known of the
        // failure earlier, so a slow machine can make this gap only wider.
        let gap_ms = |attempt: &Attempt| attempt.at_ms - failure.at_ms;
        let too_early = facts
            .attempts
            .iter()
            .map(|(attempt, _)| *attempt)
            .find(|attempt| attempt.deployment == name && gap_ms(attempt) < lasting_ms);
        if let Some(attempt) = too_early {
            let fate = AttemptOutcome::of(failure, facts.arrangement.combination);
            return RuleOutcome::broken(
                format!(
                    "{name} left alone for {} after {after} failure(s), the last of them #{}",
                    humantime::format_duration(lasting),
                    failure.n
                ),
                format!("attempt #{} after {:.2} s", attempt.n, gap_ms(attempt) / 1000.0),
                vec![format!("upstream {name}#{} {}", failure.n, fate.describe())],
            );
        }
        if facts.exchange.sent_ms - failure.at_ms < lasting_ms {
            outcome = RuleOutcome::Holds;
        }
    }
    outcome
}

fn not_for_bad_requests(facts: &Facts<'_>) -> RuleOutcome {
    if facts.arrangement.proxy.cooldown.is_none() || !facts.unreachable.is_empty() {
        return RuleOutcome::NotApplicable;
    }
    let earlier: Vec<(&Attempt, AttemptOutcome)> = facts
        .all_attempts
        .iter()
        .filter(|attempt| attempt.at_ms < facts.exchange.sent_ms)
        .map(|attempt| (attempt, AttemptOutcome::of(attempt, facts.arrangement.combination)))
        .collect();
    let only_callers = earlier.iter().all(|(_, fate)| fate.is_success() || is_callers(fate));
    let Some((last, fate)) = earlier.iter().rfind(|(_, fate)| is_callers(fate)).filter(|_| only_callers)
    else {
        return RuleOutcome::NotApplicable;
    };
    if facts.attempts.is_empty() {
        return RuleOutcome::broken(
            "an attempt: all failures before were the callers' own",
            format!("none; the caller got {}", facts.response.describe()),
            vec![format!("upstream {}#{} {}", last.deployment, last.n, fate.describe())],
        );
    }
    RuleOutcome::Holds
}

/// The failures since the last success, of an exchange that was refused without asking anybody.
fn refused_after<'a>(facts: &Facts<'a>) -> Option<Vec<(&'a Attempt, AttemptOutcome)>> {
    facts.arrangement.proxy.cooldown?;
    if !facts.attempts.is_empty() || !facts.unreachable.is_empty() {
        return None;
    }
    let known = facts.all_attempts.iter().filter(|attempt| {
        attempt.end_ms.is_some_and(|end| end <= facts.exchange.sent_ms) && !facts.ended_by_leaving(attempt)
    });
    let mut failures: Vec<(&Attempt, AttemptOutcome)> =
        known.map(|attempt| (attempt, AttemptOutcome::of(attempt, facts.arrangement.combination))).collect();
    if let Some(last) = failures.iter().rposition(|(_, fate)| fate.is_success()) {
        failures.drain(..=last);
    }
    (!failures.is_empty()).then_some(failures)
}

/// The same, where every one of them was of these statuses and there was some answer.
fn refused_after_only<'a>(facts: &Facts<'a>, statuses: &[u16]) -> Option<Vec<(&'a Attempt, AttemptOutcome)>> {
    facts.raw_response()?;
    let only = |(_, fate): &(&Attempt, AttemptOutcome)| matches!(fate, AttemptOutcome::Status { status, .. } if statuses.contains(status));
    refused_after(facts).filter(|failures| failures.iter().all(only))
}

/// Whether a text says that a key was rejected, by the status or in words.
fn names_rejected_key(text: &str) -> bool {
    // At the beginning of a word, be it behind an escape of JSON or, by its capital, inside a name.
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
    let line = |(attempt, fate): &(&Attempt, AttemptOutcome)| {
        format!("upstream {}#{} {}", attempt.deployment, attempt.n, fate.describe())
    };
    failures.iter().map(line).collect()
}

fn status(facts: &Facts<'_>) -> RuleOutcome {
    let Some(failures) = refused_after_only(facts, &[429]) else { return RuleOutcome::NotApplicable };
    let got = facts.response.failure_status();
    if got.is_some_and(|got| matches!(got, 429 | 503) || facts.policy.rate_limit.answer.contains(got)) {
        return RuleOutcome::Holds;
    }
    RuleOutcome::broken("429 or 503", facts.response.describe(), lines(&failures))
}

fn retry_after(facts: &Facts<'_>) -> RuleOutcome {
    let Some(failures) = refused_after_only(facts, &[429]) else { return RuleOutcome::NotApplicable };
    let (Some(answer), Some(cooldown)) = (facts.raw_response(), facts.arrangement.proxy.cooldown) else {
        return RuleOutcome::NotApplicable;
    };
    // What the provider asked for may be longer than the cooldown; a second is left for rounding.
    let own_ms = cooldown.lasting.as_secs_f64() * 1000.0;
    let asked = failures.iter().filter_map(|(attempt, _)| wait_ms(attempt, facts.began));
    let most_ms = asked.fold(own_ms, f64::max) + 1000.0;
    let got = asked_ms(|name| answer.header(name), facts.exchange.end_ms, facts.began);
    if got.is_some_and(|got| got <= most_ms) {
        return RuleOutcome::Holds;
    }
    let observed = match answer.header("retry-after") {
        Some(value) => format!("retry-after: {value}"),
        None => format!("no retry-after; the caller got {}", facts.response.describe()),
    };
    let expected = format!("Retry-After of at most {:.0} s", most_ms / 1000.0);
    RuleOutcome::broken(expected, observed, lines(&failures))
}

fn names_cause(facts: &Facts<'_>) -> RuleOutcome {
    let Some(failures) = refused_after_only(facts, &[401, 403]) else { return RuleOutcome::NotApplicable };
    let Some(answer) = facts.raw_response() else { return RuleOutcome::NotApplicable };
    let text = facts.steady(&answer.body.text);
    let planted = |(attempt, _): &(&Attempt, AttemptOutcome)| {
        word::has_token(&answer.body.text, &attempt.canaries.message)
    };
    let named = failures.iter().any(planted) || names_rejected_key(&text);
    if answer.status != 429 || named {
        return RuleOutcome::Holds;
    }
    let expected = "another status than 429, or a word about the rejected key";
    RuleOutcome::broken(expected, facts.response.describe(), lines(&failures))
}
