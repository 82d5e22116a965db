//! Whether a client can undo the content coding of a response.

use crate::{
    judge::{
        facts::Facts,
        rule::{Rule, RuleOutcome},
        scope::{PassThrough, Scope},
    },
    observation::Response,
    scenario::Level,
    wire::content_coding::{ContentCoding, accepts, declared},
};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "format.content-coding",
    level: Level::Required,
    title: "The body of a response is coded as its Content-Encoding says, in a coding that the caller accepts",
    reason: "Every HTTP client decodes a body by this header. If it is false, an SDK reports a lost connection and \
             retries even an error that no retry can fix, or it reads compressed bytes as the response.",
    references: &["RFC 9110 section 8.4", "RFC 9110 section 12.5.3"],
    timing: false,
    scope: Scope::CALLS.also(&[PassThrough]),
    check: content_coding,
}];

fn content_coding(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let answer = facts.raw_response()?;
    let header = declared(answer.header("content-encoding"));
    let was_coded = facts.attempts.iter().any(|(attempt, _)| attempt.sent.coded.is_some());
    // A pass-through must not change the body, whatever it is.
    if (header.is_none() && answer.body.coded.is_none() && !was_coded)
        || (facts.is_pass_through() && facts.has_coded_body_as_sent())
    {
        return None;
    }
    let wrong = wrong(facts, answer, header);
    RuleOutcome::check(wrong.is_none(), || {
        let expected = "a body that the caller can decode as its Content-Encoding says";
        (expected.to_owned(), wrong.unwrap_or_default())
    })
}

fn wrong(facts: &Facts<'_>, answer: &Response, header: Option<&str>) -> Option<String> {
    let label = header.map_or("no content-encoding".to_owned(), |name| format!("content-encoding: {name}"));
    let coded = answer.body.coded.as_ref();
    if let Some(error) = coded.and_then(|coded| coded.error.as_deref()) {
        return Some(format!("{label}, but {error}"));
    }
    if let Some(undeclared) = coded.and_then(|coded| coded.undeclared.as_deref()) {
        return Some(format!("{label}, and a body that is still coded in {undeclared} after that"));
    }
    let asked = facts.exchange.request_headers.iter().find(|(name, _)| name == "accept-encoding");
    let asked = asked.map(|(_, value)| value.as_str())?;
    // Clients ignore a name that they do not know.
    let refused = header?
        .split(',')
        .filter_map(|name| ContentCoding::of(name).map(|_| name.trim()))
        .find(|name| !accepts(Some(asked), name))?;
    Some(format!("content-encoding: {refused}, although the caller asked for {asked}"))
}
