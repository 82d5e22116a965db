//! Whether a cooldown that was asked for is kept, and closes no route for the wrong reason.

use crate::{
    judge::{
        facts::Facts,
        fate::Fate,
        rule::{Outcome, Rule},
    },
    observation::Attempt,
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
];

/// The provider is in trouble, and nobody disagrees: 429, 5xx, transport, silence.
fn is_trouble(fate: &Fate) -> bool {
    match fate {
        Fate::Status { status, .. } => *status == 429 || *status >= 500,
        Fate::Cut { .. } | Fate::Silent { .. } => true,
        _ => false,
    }
}

/// The request is wrong, and its provider well.
fn is_callers(fate: &Fate) -> bool {
    matches!(fate, Fate::Status { status: 400 | 404 | 413 | 422, .. })
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
        if is_trouble(&Fate::of(attempt, facts.arrangement.combination)) {
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

fn honoured(facts: &Facts<'_>) -> Outcome {
    let Some(Cooldown { after, lasting }) = facts.arrangement.proxy.cooldown else {
        return Outcome::NotApplicable;
    };
    let lasting_ms = lasting.as_secs_f64() * 1000.0;
    let mut outcome = Outcome::NotApplicable;
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
            let fate = Fate::of(failure, facts.arrangement.combination);
            return Outcome::broken(
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
            outcome = Outcome::Holds;
        }
    }
    outcome
}

fn not_for_bad_requests(facts: &Facts<'_>) -> Outcome {
    if facts.arrangement.proxy.cooldown.is_none() || !facts.unreachable.is_empty() {
        return Outcome::NotApplicable;
    }
    let earlier: Vec<(&Attempt, Fate)> = facts
        .all_attempts
        .iter()
        .filter(|attempt| attempt.at_ms < facts.exchange.sent_ms)
        .map(|attempt| (attempt, Fate::of(attempt, facts.arrangement.combination)))
        .collect();
    let only_callers = earlier.iter().all(|(_, fate)| fate.is_success() || is_callers(fate));
    let Some((last, fate)) = earlier.iter().rfind(|(_, fate)| is_callers(fate)).filter(|_| only_callers)
    else {
        return Outcome::NotApplicable;
    };
    if facts.attempts.is_empty() {
        return Outcome::broken(
            "an attempt: all failures before were the callers' own",
            format!("none; the caller got {}", facts.told.describe()),
            vec![format!("upstream {}#{} {}", last.deployment, last.n, fate.describe())],
        );
    }
    Outcome::Holds
}
