//! The source of an error, according to the tokens in it.

use serde_json::Value;

use super::{
    model::{ErrorSource, Evidence},
    place,
};
use crate::{
    judge::{caller_response::CallerResponse, facts::Facts},
    observation::{Attempt, Response, ResponseEnd, word},
};

/// The beginning of the mock's error message for a path without instructions.
const NOT_ARMED: &str = "No mock is armed at this path";

/// The source of the error that the caller got, the evidence, and the attempt if the source is an upstream.
pub(super) fn source<'a>(facts: &Facts<'a>) -> (ErrorSource, Vec<Evidence>, Option<&'a Attempt>) {
    if let CallerResponse::Nothing(ending) = &facts.response {
        return match ending {
            ResponseEnd::Deadline => {
                let why = "upfault stopped waiting at its deadline, before a status line arrived";
                (ErrorSource::Upfault, vec![Evidence::sentence(why)], None)
            }
            other => (ErrorSource::Proxy, vec![Evidence::sentence(&format!("no response: {other}"))], None),
        };
    }
    let Some(answer) = facts.raw_response() else { return (ErrorSource::Unreported, Vec::new(), None) };
    if answer.body.text.contains(NOT_ARMED) {
        let why = "the proxy passed on the error of a mock that has no instructions for this path";
        return (ErrorSource::Upfault, vec![Evidence::sentence(why)], None);
    }
    let object = facts.response.error().map(|error| error.raw.clone());
    // If several attempts have equally much evidence, an attempt of this request wins, then the last one.
    let own = |attempt: &Attempt| facts.attempts.iter().any(|(other, _)| std::ptr::eq(*other, attempt));
    let found = facts
        .all_attempts
        .iter()
        .map(|attempt| (evidence(answer, object.as_ref(), attempt), attempt))
        .filter(|(evidence, _)| !evidence.is_empty())
        .max_by_key(|(evidence, attempt)| (evidence.len(), own(attempt)));
    match found {
        Some((evidence, attempt)) => {
            let source = ErrorSource::Upstream { deployment: attempt.deployment.clone(), n: attempt.n };
            (source, evidence, Some(attempt))
        }
        None => {
            let why = if facts.all_attempts.is_empty() {
                "no request reached an upstream"
            } else {
                "it contains no token of an upstream"
            };
            (ErrorSource::Proxy, vec![Evidence::sentence(why)], None)
        }
    }
}

/// The tokens of this attempt that the error contains, with their places.
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
    // An HTML page, or an error without room for a token, is recognised if it is identical.
    let said = attempt.said();
    if found.is_empty() && !said.is_empty() && answer.body.text == said {
        found.push(Evidence::sentence("the body is identical to the one that it sent"));
    }
    found
}
