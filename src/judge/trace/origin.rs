//! Traces the origin of every error of a case.

use super::{
    detail::details,
    leaked::leaked,
    model::{ErrorOrigin, ErrorSource, Evidence},
    source::source,
};
use crate::{
    judge::{
        attempt_outcome::AttemptOutcome, caller_response::CallerResponse, facts::Facts, policy::Policy,
        session::is_normal,
    },
    observation::Observation,
};

/// The origin of each error that a caller got in this case, or should have got. Pure, and independent of the policy,
/// because it judges nothing.
pub fn origins(observation: &Observation) -> Vec<ErrorOrigin> {
    let policy = Policy::default();
    let facts = observation.exchanges.iter().map(|exchange| Facts::of(observation, exchange, &policy));
    facts.filter_map(|facts| origin(&facts)).collect()
}

fn origin(facts: &Facts<'_>) -> Option<ErrorOrigin> {
    // A caller that left does not wait for a response.
    if facts.left.is_some() {
        return None;
    }
    // The response of a pass-through route is an error if the provider's is, in whatever form.
    let passed_on = facts.arrangement.proxy.pass_through && facts.is_failure();
    let (source, evidence, attempt) = if is_error(&facts.response) || passed_on {
        source(facts)
    } else if facts.is_failure() && !ended_by_its_server(facts) {
        let why = "an upstream failed, but the caller got no error";
        (ErrorSource::Unreported, vec![Evidence::sentence(why)], None)
    } else {
        return None;
    };
    let failed = || facts.failures().last();
    let own = |attempt| facts.attempts.iter().find(|(other, _)| std::ptr::eq(*other, attempt));
    // If the error comes from an earlier request, the proxy did not have to keep any of its details.
    let spoken = match attempt {
        Some(attempt) => own(attempt).map(|(attempt, outcome)| (*attempt, outcome)),
        None => failed(),
    };
    let mut traced = spoken.map(|(attempt, outcome)| details(facts, attempt, outcome)).unwrap_or_default();
    traced.extend(leaked(facts));
    Some(ErrorOrigin { step: facts.exchange.step, maker: source, evidence, details: traced })
}

/// Whether the upstreams ended the session with a normal close code, and the caller got a close frame as well: then
/// there is no error.
fn ended_by_its_server(facts: &Facts<'_>) -> bool {
    let normal = |outcome: &AttemptOutcome| matches!(outcome, AttemptOutcome::Closed { closed, .. } if is_normal(closed.code));
    matches!(&facts.response, CallerResponse::Session(session) if session.closed.is_some())
        && facts.failures().all(|(_, outcome)| normal(outcome))
}

/// Whether the caller got an error object, an error status, or no response.
fn is_error(response: &CallerResponse) -> bool {
    matches!(response, CallerResponse::Nothing(_) | CallerResponse::Failure { .. })
        || response.error().is_some()
}
