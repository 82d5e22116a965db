//! The origin of every error of a case.

use super::{
    detail::details,
    leaked::leaked,
    maker::maker,
    model::{ErrorOrigin, ErrorSource, Evidence},
};
use crate::{
    judge::{
        attempt_outcome::AttemptOutcome, caller_response::CallerResponse, facts::Facts, policy::Policy,
        session::is_normal,
    },
    observation::Observation,
};

/// Where each error came from that a caller got in this case, or should have got. Pure: it does not
/// depend on the policy, since nothing is judged.
pub fn origins(observation: &Observation) -> Vec<ErrorOrigin> {
    let policy = Policy::default();
    let facts = observation.exchanges.iter().map(|exchange| Facts::of(observation, exchange, &policy));
    facts.filter_map(|facts| origin(&facts)).collect()
}

fn origin(facts: &Facts<'_>) -> Option<ErrorOrigin> {
    // Whoever left waited for no answer, and nobody owes one.
    if facts.left.is_some() {
        return None;
    }
    // What a pass-through hands back is an error where its provider meant one, in whatever words.
    let handed_back = facts.arrangement.proxy.pass_through && facts.is_failure();
    let (maker, evidence, attempt) = if is_error(&facts.response) || handed_back {
        maker(facts)
    } else if facts.is_failure() && !ended_by_its_server(facts) {
        let why = "an upstream failed, and no error in words reached the caller";
        (ErrorSource::Nobody, vec![Evidence::sentence(why)], None)
    } else {
        return None;
    };
    let failed = || facts.failures().last();
    let own = |attempt| facts.attempts.iter().find(|(other, _)| std::ptr::eq(*other, attempt));
    // The reply of an earlier request is no failure of this one, and nothing of it had to be kept.
    let spoken = match attempt {
        Some(attempt) => own(attempt).map(|(attempt, fate)| (*attempt, fate)),
        None => failed(),
    };
    let mut traced = spoken.map(|(attempt, fate)| details(facts, attempt, fate)).unwrap_or_default();
    traced.extend(leaked(facts));
    Some(ErrorOrigin { step: facts.exchange.step, maker, evidence, details: traced })
}

/// A session that its server ended as one that has served its purpose, and that ended so for the caller
/// too, has no error.
fn ended_by_its_server(facts: &Facts<'_>) -> bool {
    let normal = |fate: &AttemptOutcome| matches!(fate, AttemptOutcome::Closed { closed, .. } if is_normal(closed.code));
    matches!(&facts.response, CallerResponse::Session(session) if session.closed.is_some())
        && facts.failures().all(|(_, fate)| normal(fate))
}

/// The caller got an error in words, by status, or by no answer at all.
fn is_error(told: &CallerResponse) -> bool {
    matches!(told, CallerResponse::Nothing(_) | CallerResponse::Failure { .. }) || told.error().is_some()
}
