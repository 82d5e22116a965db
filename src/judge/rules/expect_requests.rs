//! The expectations of a scenario about the requests that reach the upstreams.

use std::borrow::Cow;

use serde_json::Value;

use super::expect_content::{SearchedBody, shown_header};
use crate::{
    judge::{facts::Facts, rule::RuleOutcome},
    observation::{Attempt, MAX_KEPT_BODY, StepName},
    provider::{self, Header, ReceivedCall},
    scenario::RequestExpect,
};

pub(super) fn requests(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let wanted = &facts.arrangement.expect.requests;
    let last = wanted.last()?;
    let is_of_recovery = |attempt: &Attempt| {
        facts.seen.exchange_of(attempt).is_some_and(|from| from.step == StepName::Recovery)
    };
    let seen: Vec<&Attempt> =
        facts.all_attempts.iter().filter(|attempt| attempt.was_asked() && !is_of_recovery(attempt)).collect();
    if seen.len() < wanted.len() {
        return RuleOutcome::broken(
            format!("at least {} request(s)", wanted.len()),
            seen.len().to_string(),
            Vec::new(),
        );
    }
    for (n, attempt) in seen.iter().enumerate() {
        let before = n.checked_sub(1).and_then(|n| seen.get(n)).copied();
        if let Some((expected, observed)) = breach(wanted.get(n).unwrap_or(last), attempt, before, facts) {
            let name = format!("request {} ({})", n + 1, attempt.name());
            return RuleOutcome::broken(format!("{name}: {expected}"), observed, Vec::new());
        }
    }
    Some(RuleOutcome::Holds)
}

/// What is expected of a request and what was observed instead, for the first expectation that does not hold.
fn breach(
    wanted: &RequestExpect,
    attempt: &Attempt,
    before: Option<&Attempt>,
    facts: &Facts<'_>,
) -> Option<(String, String)> {
    if let Some(name) = wanted.deployment.as_ref().filter(|name| **name != attempt.deployment) {
        return Some((format!("it reaches {name}"), attempt.deployment.clone()));
    }
    if let Some(api) = wanted.api.filter(|api| Some(*api) != attempt.api) {
        return Some((format!("a call of {api}"), format!("{} {}", attempt.method, attempt.path)));
    }
    if let Some(model) = &wanted.model {
        let got = model_of(attempt, facts);
        if got != *model {
            return Some((format!("the model {model}"), got));
        }
    }
    for (name, value) in &wanted.headers {
        let header = attempt.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        let got = header.map(|(_, value)| value.as_str());
        if !value.matches(got) {
            return Some((value.describe(name), shown_header(name, got)));
        }
    }
    if let Some(after) = wanted.after {
        // The mock and the caller have the same clock; a proxy that waits for as long as it should is not early.
        let asked = facts.seen.exchange_of(attempt).map_or(0.0, |exchange| exchange.sent_ms);
        let waited = attempt.at_ms - before.map_or(asked, |before| before.at_ms);
        if waited < after.as_secs_f64() * 1000.0 {
            let since = if before.is_some() { "the request before it" } else { "the caller's request" };
            let after = humantime::format_duration(after);
            return Some((format!("at least {after} after {since}"), format!("{:.2} s", waited / 1000.0)));
        }
    }
    let body = SearchedBody {
        texts: vec![Cow::Borrowed(attempt.body.as_str())],
        values: serde_json::from_str(&attempt.body).into_iter().collect(),
        // A cut inside a character costs its first bytes.
        is_cut: attempt.body.len() + char::MAX.len_utf8() > MAX_KEPT_BODY,
    };
    body.breach(wanted.body.as_ref()?, facts)
}

/// The model that a request names, in its path or its body; empty if it names none.
fn model_of(attempt: &Attempt, facts: &Facts<'_>) -> String {
    let provider = facts.arrangement.combination_of(&attempt.deployment).provider;
    let headers: Vec<_> = attempt
        .headers
        .iter()
        .map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() })
        .collect();
    let received = ReceivedCall {
        method: &attempt.method,
        path: &attempt.path,
        headers: &headers,
        body: attempt.body.as_bytes(),
    };
    let asked = match provider::read(provider, &received, &attempt.canaries) {
        Ok(asked) | Err((asked, _)) => asked.model,
    };
    // The mock reads no body of a request that it refuses.
    let body = || serde_json::from_str::<Value>(&attempt.body).ok()?["model"].as_str().map(str::to_owned);
    Some(asked).filter(|model| !model.is_empty()).or_else(body).unwrap_or_default()
}
