//! Who made an error, by the tokens that stand in it.

use serde_json::Value;

use super::{
    model::{ErrorSource, Evidence},
    place,
};
use crate::{
    judge::{caller_response::CallerResponse, facts::Facts},
    observation::{Attempt, Response, ResponseEnd, word},
};

/// What a mock answers by itself where nobody told it what to do.
const NOT_ARMED: &str = "No mock is armed at this path";

/// Who made the error that the caller got, and what shows it; the attempt, where it is an upstream.
pub(super) fn maker<'a>(facts: &Facts<'a>) -> (ErrorSource, Vec<Evidence>, Option<&'a Attempt>) {
    if let CallerResponse::Nothing(ending) = &facts.response {
        return match ending {
            ResponseEnd::Deadline => {
                let why = "upfault's own deadline ended the wait; no status line had come";
                (ErrorSource::Upfault, vec![Evidence::sentence(why)], None)
            }
            other => (ErrorSource::Proxy, vec![Evidence::sentence(&format!("no answer: {other}"))], None),
        };
    }
    let Some(answer) = facts.raw_response() else { return (ErrorSource::Nobody, Vec::new(), None) };
    if answer.body.text.contains(NOT_ARMED) {
        let why = "a mock that nobody had told what to do answered, and the proxy passed that on";
        return (ErrorSource::Upfault, vec![Evidence::sentence(why)], None);
    }
    let object = facts.response.error().map(|error| error.raw.clone());
    // Attempts of this request come after the others, and the last of equals is taken.
    let own = |attempt: &Attempt| facts.attempts.iter().any(|(other, _)| std::ptr::eq(*other, attempt));
    let found = facts
        .all_attempts
        .iter()
        .map(|attempt| (evidence(answer, object.as_ref(), attempt), attempt))
        .filter(|(evidence, _)| !evidence.is_empty())
        .max_by_key(|(evidence, attempt)| (evidence.len(), own(attempt)));
    match found {
        Some((evidence, attempt)) => {
            let maker = ErrorSource::Upstream { deployment: attempt.deployment.clone(), n: attempt.n };
            (maker, evidence, Some(attempt))
        }
        None => {
            let why = if facts.all_attempts.is_empty() {
                "no request had reached an upstream"
            } else {
                "nothing by which an upstream marks its replies stands in it"
            };
            (ErrorSource::Proxy, vec![Evidence::sentence(why)], None)
        }
    }
}

/// Everything of this attempt that stands in the error.
fn evidence(answer: &Response, object: Option<&Value>, attempt: &Attempt) -> Vec<Evidence> {
    let canaries = &attempt.canaries;
    let tokens = [
        ("message", &canaries.message),
        ("code", &canaries.code),
        ("type", &canaries.kind),
        ("param", &canaries.param),
        ("request id", &canaries.request_id),
        ("header", &canaries.header),
    ];
    let leaves = object.map(place::leaves).unwrap_or_default();
    let place = |token: &str| {
        let leaf = leaves.iter().find(|(_, _, text)| word::occurs(text, token));
        let header = || answer.headers.iter().find(|(_, value)| word::occurs(value, token));
        let body = || object.is_none() && word::occurs(&answer.body.text, token);
        leaf.map(|(path, ..)| path.clone())
            .filter(|path| !path.is_empty())
            .or_else(|| header().map(|(name, _)| place::header(name)))
            .or_else(|| body().then(|| "the body".to_owned()))
    };
    let mut found: Vec<Evidence> = tokens
        .iter()
        .filter_map(|(name, token)| Some(Evidence { found: (*name).to_owned(), place: Some(place(token)?) }))
        .collect();
    // A page of HTML or an error without a place for a token is known by being the same.
    let said = attempt.said();
    if found.is_empty() && !said.is_empty() && answer.body.text == said {
        found.push(Evidence::sentence("the body is the one that it sent"));
    }
    found
}
