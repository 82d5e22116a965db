//! What the scenario itself demands.

use crate::{
    judge::{
        dialect,
        facts::Facts,
        rule::{Outcome, Rule},
        told::Told,
    },
    scenario::{Attempts, EndingExpect, Level},
};

const REASON: &str = "The scenario says so; its `why` tells the rest.";

pub const RULES: &[Rule] = &[
    rule("expect.status", "The status is one that the scenario demands", false, status),
    rule("expect.attempts", "As many requests reach the upstreams as the scenario demands", false, attempts),
    rule("expect.ending", "The answer ends as the scenario demands", false, ending),
    rule("expect.error", "The error object has the members that the scenario demands", false, error),
    rule("expect.headers", "The answer has the headers that the scenario demands", false, headers),
    rule("expect.within", "The answer is over within the time that the scenario demands", true, within),
];

const fn rule(id: &'static str, title: &'static str, timing: bool, check: fn(&Facts<'_>) -> Outcome) -> Rule {
    Rule { id, level: Level::Required, title, reason: REASON, references: &[], timing, check }
}

fn status(facts: &Facts<'_>) -> Outcome {
    let Some(wanted) = facts.arrangement.expect.status.as_ref().filter(|_| facts.is_last_step) else {
        return Outcome::NotApplicable;
    };
    let got = facts.answer().map(|answer| answer.status);
    Outcome::check(got.is_some_and(|got| wanted.contains(got)), || {
        (wanted.to_string(), facts.told.describe())
    })
}

fn attempts(facts: &Facts<'_>) -> Outcome {
    let Some(wanted) = facts.arrangement.expect.attempts.as_ref().filter(|_| facts.is_last_step) else {
        return Outcome::NotApplicable;
    };
    // Over all steps, and whatever still came after the last one; the recovery request is not meant.
    let end = facts
        .attempts
        .last()
        .map_or(facts.exchange.end_ms, |(attempt, _)| attempt.at_ms.max(facts.exchange.end_ms));
    let seen: Vec<&str> = facts
        .all_attempts
        .iter()
        .filter(|attempt| attempt.at_ms <= end)
        .map(|attempt| attempt.deployment.as_str())
        .collect();
    let holds = match wanted {
        Attempts::Total(n) => seen.len() == *n as usize,
        Attempts::Each(each) => {
            each.iter().all(|(name, n)| seen.iter().filter(|seen| *seen == name).count() == *n as usize)
        }
    };
    Outcome::check(holds, || {
        let observed = match wanted {
            Attempts::Total(_) => seen.len().to_string(),
            Attempts::Each(each) => each
                .keys()
                .map(|name| format!("{name}: {}", seen.iter().filter(|seen| *seen == name).count()))
                .collect::<Vec<_>>()
                .join(", "),
        };
        (format!("{wanted} attempt(s)"), observed)
    })
}

fn ending(facts: &Facts<'_>) -> Outcome {
    let Some(wanted) = facts.arrangement.expect.ending.filter(|_| facts.is_last_step) else {
        return Outcome::NotApplicable;
    };
    let told = &facts.told;
    let stream = match told {
        Told::Stream(stream) => Some(stream),
        _ => None,
    };
    let holds = match wanted {
        EndingExpect::Success => told.looks_successful(),
        EndingExpect::Failure => match told {
            Told::Failure { .. } => true,
            Told::Stream(stream) => stream.shows_failure(),
            Told::Session(session) => session.shows_failure(),
            Told::Whole { complete, .. } => !complete,
            Told::Nothing(ending) => *ending != crate::observation::Ending::Deadline,
        },
        EndingExpect::ErrorEvent => match told {
            Told::Session(session) => !session.errors.is_empty(),
            _ => stream.is_some_and(|stream| !stream.errors.is_empty()),
        },
        EndingExpect::Cut => match told {
            Told::Stream(stream) => !stream.complete && !stream.unending,
            Told::Session(session) => session.was_cut(),
            Told::Whole { complete, .. } => !complete,
            _ => false,
        },
    };
    Outcome::check(holds, || {
        let wanted = match wanted {
            EndingExpect::Success => "a complete success",
            EndingExpect::Failure => "a failure that the caller can see",
            EndingExpect::ErrorEvent => "an error event",
            EndingExpect::Cut => "a cut connection",
        };
        (wanted.to_owned(), told.describe())
    })
}

fn error(facts: &Facts<'_>) -> Outcome {
    let Some(wanted) = facts.arrangement.expect.error.as_ref().filter(|_| facts.is_last_step) else {
        return Outcome::NotApplicable;
    };
    let Some(got) = facts.told.error() else {
        return Outcome::broken("an error object", facts.told.describe(), Vec::new());
    };
    let members = [
        ("code", &wanted.code, &got.code),
        ("type", &wanted.kind, &got.kind),
        ("param", &wanted.param, &got.param),
    ];
    for (name, wanted, got) in members {
        if let Some(wanted) = wanted
            && *wanted != dialect::text(got)
        {
            return Outcome::broken(
                format!("`{name}` {wanted:?}"),
                format!("`{}`", dialect::text(got)),
                Vec::new(),
            );
        }
    }
    match &wanted.message_contains {
        Some(part) => Outcome::check(got.message.contains(part.as_str()), || {
            (format!("{part:?} in the message"), got.message.clone())
        }),
        None => Outcome::Holds,
    }
}

fn headers(facts: &Facts<'_>) -> Outcome {
    let wanted = &facts.arrangement.expect.headers;
    if wanted.is_empty() || !facts.is_last_step {
        return Outcome::NotApplicable;
    }
    for (name, value) in wanted {
        let got = facts.answer().and_then(|answer| answer.header(&name.to_ascii_lowercase()));
        if got != value.as_deref() {
            let show =
                |value: Option<&str>| value.map_or(format!("no {name}"), |value| format!("{name}: {value}"));
            return Outcome::broken(show(value.as_deref()), show(got), Vec::new());
        }
    }
    Outcome::Holds
}

fn within(facts: &Facts<'_>) -> Outcome {
    let Some(limit) = facts.arrangement.expect.within.filter(|_| facts.is_last_step) else {
        return Outcome::NotApplicable;
    };
    let took = facts.exchange.duration_ms();
    Outcome::check(took <= limit.as_secs_f64() * 1000.0, || {
        (format!("over within {}", humantime::format_duration(limit)), format!("{:.2} s", took / 1000.0))
    })
}
