//! Which calls of a case are compared with a sibling, and the form in which they can be compared.

use super::{
    facts::{Facts, SiblingFacts},
    policy::Policy,
};
use crate::{
    observation::{Arrangement, Exchange, ExchangeOutcome, Observation, ResponseEnd, StepName, word},
    scenario::SiblingKind,
};

/// The calls of a case, each with the same call of `sibling`, which has the tokens of the case. Empty if the two
/// cannot be compared.
pub(crate) fn compared_calls<'a>(
    observation: &'a Observation,
    sibling: &'a Observation,
    policy: &'a Policy,
) -> Vec<Facts<'a>> {
    let (own, other) = (&observation.arrangement, &sibling.arrangement);
    let Some(kin) = SiblingKind::between(own.combination, other.combination) else { return Vec::new() };
    let turns = |arrangement: &Arrangement| {
        let turns = arrangement.deployments.iter().map(|one| (one.name.clone(), one.turns.clone()));
        turns.collect::<Vec<_>>()
    };
    // A case that stopped the proxy does not show how the proxy answers.
    if sibling.stopped_the_proxy() || own.proxy != other.proxy || turns(own) != turns(other) {
        return Vec::new();
    }
    let is_clear = |facts: &Facts<'_>| {
        ended_by_itself(facts.exchange) && !facts.attempts.iter().any(|(attempt, _)| attempt.sent.doubtful)
    };
    let compared = |exchange: &'a Exchange| {
        let same = sibling.exchanges.iter().find(|other| other.step == exchange.step)?;
        let mut own = Facts::of(observation, exchange, policy);
        let facts = Facts::of(sibling, same, policy);
        let are_clear = is_clear(&own) && is_clear(&facts);
        own.sibling = Some(Box::new(SiblingFacts { kin, facts }));
        are_clear.then_some(own)
    };
    let steps = observation.exchanges.iter().filter(|one| one.step != StepName::Recovery);
    steps.filter_map(compared).collect()
}

/// Whether the exchange ended by itself: neither the caller nor upfault ended it.
fn ended_by_itself(exchange: &Exchange) -> bool {
    let ending = match &exchange.outcome {
        ExchangeOutcome::Answer(answer) => &answer.ending,
        ExchangeOutcome::NoAnswer { ending } => ending,
    };
    exchange.left.is_none() && *ending != ResponseEnd::Deadline
}

/// The observations of siblings with the tokens and secrets of the case. Remaining differences are real ones, and the
/// evidence contains no secrets of a sibling.
pub(crate) fn in_the_tokens_of(observation: &Observation, siblings: &[&Observation]) -> Vec<Observation> {
    siblings.iter().map(|sibling| in_its_tokens(observation, sibling)).collect()
}

fn in_its_tokens(observation: &Observation, sibling: &Observation) -> Observation {
    let arrangement = &observation.arrangement;
    let mut seen = sibling.clone();
    let theirs = &sibling.arrangement;
    // Attempts with the same number correspond to each other.
    let mut tokens: Vec<(&str, &str)> = Vec::new();
    for attempt in &sibling.attempts {
        let own = observation
            .attempts
            .iter()
            .find(|own| own.deployment == attempt.deployment && own.n == attempt.n);
        tokens.extend(own.map(|own| (attempt.canaries.stem(), own.canaries.stem())));
    }
    // `…-primary-10` begins with `…-primary-1`.
    tokens.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
    tokens.push((&theirs.identity.token, &arrangement.identity.token));
    let addresses = theirs.upstream_addresses.iter().zip(&arrangement.upstream_addresses);
    tokens.extend(addresses.map(|(from, to)| (from.as_str(), to.as_str())));
    tokens.retain(|(from, to)| !from.is_empty() && from != to);
    let own = |text: &mut String| {
        for (from, to) in &tokens {
            if word::has_token(text, from) {
                *text = word::replace_token(text, from, to);
            }
        }
    };
    own(&mut seen.arrangement.identity.token);
    seen.arrangement.upstream_addresses.iter_mut().for_each(own);
    for deployment in &mut seen.arrangement.deployments {
        own(&mut deployment.model);
        own(&mut deployment.key);
    }
    for exchange in &mut seen.exchanges {
        own(&mut exchange.url);
        own(&mut exchange.request_body);
        let ExchangeOutcome::Answer(answer) = &mut exchange.outcome else { continue };
        answer.headers.iter_mut().for_each(|(_, value)| own(value));
        own(&mut answer.body.text);
        answer.body.frames.iter_mut().for_each(|frame| own(&mut frame.data));
    }
    for attempt in &mut seen.attempts {
        own(&mut attempt.path);
        own(&mut attempt.body);
        attempt.headers.iter_mut().for_each(|(_, value)| own(value));
        attempt.sent.headers.iter_mut().for_each(|(_, value)| own(value));
        own(&mut attempt.sent.body);
        let canaries = &mut attempt.canaries;
        for token in [
            &mut canaries.message,
            &mut canaries.code,
            &mut canaries.kind,
            &mut canaries.param,
            &mut canaries.header,
            &mut canaries.request_id,
            &mut canaries.content,
        ] {
            own(token);
        }
    }
    seen
}
