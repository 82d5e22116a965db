//! The expectations of the scenario itself.

use super::{expect_content, expect_requests, finish};
use crate::{
    dialect::{self, Completion, FinishMeaning},
    judge::{
        caller_response::{self, CallerResponse},
        facts::Facts,
        rule::{Rule, RuleOutcome},
        scope::{AtOtherEndpoint, CallerLeft, PassThrough, Scope, Subject},
    },
    observation::StepName,
    scenario::{Attempts, EndingExpect, FinishExpect, Level},
};

const REASON: &str = "The scenario demands it; its `why` gives the reason.";

pub(super) const RULES: &[Rule] = &[
    rule("expect.status", "The status is one that the scenario demands", false, status),
    rule("expect.attempts", "The upstreams get as many requests as the scenario demands", false, attempts),
    rule("expect.ending", "The response ends as the scenario demands", false, ending),
    rule("expect.finish", "The finish reason means what the scenario demands", false, finish_meaning),
    rule("expect.error", "The error object has the members that the scenario demands", false, error),
    rule("expect.headers", "The response has the headers that the scenario demands", false, headers),
    rule(
        "expect.content-type",
        "The response has the content type that the scenario demands",
        false,
        expect_content::content_type,
    ),
    rule("expect.body", "The body contains what the scenario demands", false, expect_content::body),
    rule(
        "expect.requests",
        "The requests that reach the upstreams are those that the scenario demands",
        false,
        expect_requests::requests,
    ),
    rule(
        "expect.first-byte",
        "The response begins within the time that the scenario demands",
        true,
        first_byte,
    ),
    rule("expect.within", "The response ends within the time that the scenario demands", true, within),
];

/// For an expectation, the beginnings of the ids of the rules that are about the same facts. A broken expectation repeats
/// the finding of such a rule.
pub(crate) const SAME_FACTS: &[(&str, &[&str])] = &[
    ("expect.status", &["status.", "timeout.", "mistake.", "fallback."]),
    ("expect.attempts", &["retry.", "fallback.", "cooldown."]),
    ("expect.ending", &["stream.", "success.", "format.", "status.", "realtime."]),
    ("expect.finish", &["success.", "stream."]),
    ("expect.error", &["detail.", "format.", "stream."]),
    ("expect.headers", &["headers."]),
    ("expect.content-type", &["format.", "stream."]),
    ("expect.body", &["detail.", "success.", "leak."]),
    ("expect.requests", &["retry.", "fallback."]),
    ("expect.first-byte", &["timeout."]),
    ("expect.within", &["timeout."]),
];

const fn rule(
    id: &'static str,
    title: &'static str,
    timing: bool,
    check: fn(&Facts<'_>) -> Option<RuleOutcome>,
) -> Rule {
    let scope = Scope::of(Subject::Expectation).also(&[PassThrough, CallerLeft]).never(&[AtOtherEndpoint]);
    Rule { id, level: Level::Required, title, reason: REASON, references: &[], timing, scope, check }
}

fn status(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let wanted = facts.arrangement.expect.status.as_ref()?;
    let got = facts.raw_response().map(|answer| answer.status);
    RuleOutcome::check(got.is_some_and(|got| wanted.contains(got)), || {
        (wanted.to_string(), facts.response.describe())
    })
}

fn attempts(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let wanted = facts.arrangement.expect.attempts.as_ref()?;
    // Counts the attempts of all steps, including those that arrived after the last one, but not of the recovery
    // request.
    let steps = facts.all_exchanges.iter().filter(|exchange| exchange.step != StepName::Recovery);
    let end = steps
        .map(|step| step.end_ms)
        .chain(facts.attempts.last().map(|(attempt, _)| attempt.at_ms))
        .fold(facts.exchange.end_ms, f64::max);
    let seen: Vec<&str> = facts
        .all_attempts
        .iter()
        .filter(|attempt| attempt.at_ms <= end)
        .map(|attempt| attempt.deployment.as_str())
        .collect();
    let holds = match wanted {
        // A scenario cannot prevent such a proxy from retrying; `retry.budget` judges how often it does.
        Attempts::Total(n) if facts.arrangement.own_retries.is_some() && seen.len() > *n as usize => {
            return None;
        }
        Attempts::Total(n) => seen.len() == *n as usize,
        Attempts::Each(each) => {
            each.iter().all(|(name, n)| seen.iter().filter(|seen| *seen == name).count() == *n as usize)
        }
    };
    RuleOutcome::check(holds, || {
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

fn ending(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let wanted = facts.arrangement.expect.ending?;
    let response = &facts.response;
    let stream = response.stream();
    let holds = match wanted {
        EndingExpect::Success => response.looks_successful(),
        EndingExpect::Failure => match response {
            CallerResponse::Failure { .. } => true,
            CallerResponse::Stream(stream) => stream.shows_failure(),
            CallerResponse::Session(session) => session.shows_failure(),
            CallerResponse::Whole { complete, undecodable, .. } => !complete || undecodable.is_some(),
            CallerResponse::Nothing(ending) => *ending != crate::observation::ResponseEnd::Deadline,
        },
        EndingExpect::ErrorEvent => match response {
            CallerResponse::Session(session) => !session.errors.is_empty(),
            _ => stream.is_some_and(|stream| !stream.errors.is_empty()),
        },
        EndingExpect::Cut => match response {
            CallerResponse::Stream(stream) => !stream.complete && !stream.unending,
            CallerResponse::Session(session) => session.was_cut(),
            CallerResponse::Whole { complete, .. } => !complete,
            _ => false,
        },
    };
    RuleOutcome::check(holds, || {
        let wanted = match wanted {
            EndingExpect::Success => "a complete success",
            EndingExpect::Failure => "a failure that the caller can see",
            EndingExpect::ErrorEvent => "an error event",
            EndingExpect::Cut => "a cut connection",
        };
        (wanted.to_owned(), response.describe())
    })
}

fn finish_meaning(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let wanted = facts.arrangement.expect.finish?;
    // The end of a very long body is not recorded.
    if facts.raw_response().is_some_and(caller_response::is_truncated) {
        return None;
    }
    let got = facts.response.completion();
    let meaning = got.and_then(Completion::ended_by);
    let holds = match wanted {
        FinishExpect::Stop => meaning == Some(FinishMeaning::Stop),
        FinishExpect::ToolCalls if dialect::has_word_for_tools(facts.api()) => {
            meaning == Some(FinishMeaning::ToolCalls)
        }
        FinishExpect::ToolCalls => meaning == Some(FinishMeaning::Stop),
        // `success.reason-told` finds an incomplete response without a reason.
        FinishExpect::Limit => matches!(meaning, Some(FinishMeaning::Limit | FinishMeaning::Incomplete)),
        FinishExpect::Filter => matches!(meaning, Some(FinishMeaning::Filtered | FinishMeaning::Incomplete)),
    };
    RuleOutcome::check(holds, || {
        let wanted = match wanted {
            FinishExpect::Stop => "a normal end",
            FinishExpect::ToolCalls => "a tool call",
            FinishExpect::Limit => "the token limit",
            FinishExpect::Filter => "a refusal or a filter",
        };
        let observed = got.map_or_else(|| facts.response.describe(), finish::quoted);
        (format!("a finish reason that means {wanted}"), observed)
    })
}

fn error(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let wanted = facts.arrangement.expect.error.as_ref()?;
    let Some(got) = facts.response.error() else {
        return RuleOutcome::broken("an error object", facts.response.describe(), Vec::new());
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
            return RuleOutcome::broken(
                format!("`{name}` {wanted:?}"),
                format!("`{}`", dialect::text(got)),
                Vec::new(),
            );
        }
    }
    match &wanted.message_contains {
        Some(part) => RuleOutcome::check(got.message.contains(part.as_str()), || {
            (format!("{part:?} in the message"), got.message.clone())
        }),
        None => Some(RuleOutcome::Holds),
    }
}

fn headers(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let wanted = &facts.arrangement.expect.headers;
    if wanted.is_empty() {
        return None;
    }
    for (name, value) in wanted {
        let got = facts.raw_response().and_then(|answer| answer.header(&name.to_ascii_lowercase()));
        if !value.matches(got) {
            return RuleOutcome::broken(
                value.describe(name),
                expect_content::shown_header(name, got),
                Vec::new(),
            );
        }
    }
    Some(RuleOutcome::Holds)
}

fn first_byte(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let limit = facts.arrangement.expect.first_byte_within?;
    let took = facts.raw_response().map(|answer| answer.head_ms - facts.exchange.sent_ms);
    RuleOutcome::check(took.is_some_and(|took| took <= limit.as_secs_f64() * 1000.0), || {
        (
            format!("a response that begins within {}", humantime::format_duration(limit)),
            took.map_or_else(
                || facts.response.describe(),
                |took| format!("headers after {:.2} s", took / 1000.0),
            ),
        )
    })
}

fn within(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let limit = facts.arrangement.expect.within?;
    let took = facts.exchange.duration_ms();
    RuleOutcome::check(took <= limit.as_secs_f64() * 1000.0, || {
        (
            format!("a response that ends within {}", humantime::format_duration(limit)),
            format!("{:.2} s", took / 1000.0),
        )
    })
}
