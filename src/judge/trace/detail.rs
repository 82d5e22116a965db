//! The fate of each detail of an upstream's error.

use serde_json::Value;

use super::{
    model::{DetailFate, TracedDetail},
    place,
};
use crate::{
    dialect::{ErrorObject, Vocabulary, text},
    judge::{attempt_outcome::AttemptOutcome, facts::Facts},
    observation::{Attempt, excerpt, is_request_id, word},
};

/// The parts of the caller's response that can contain a detail.
struct Got<'f> {
    error: Option<&'f ErrorObject>,
    headers: &'f [(String, String)],
    /// Every leaf of the error's JSON; without an error object, of the whole body.
    leaves: Vec<(String, String, String)>,
    /// The body if it is not JSON, otherwise empty.
    prose: &'f str,
}

/// The fate of each detail that `attempt` sent.
pub(super) fn details(facts: &Facts<'_>, attempt: &Attempt, outcome: &AttemptOutcome) -> Vec<TracedDetail> {
    let error = facts.response.error();
    let answer = facts.raw_response();
    let body = answer.map_or("", |answer| answer.body.text.as_str());
    let whole = || serde_json::from_str::<Value>(body).ok();
    let value = error.map(|error| error.raw.clone()).or_else(whole);
    let got = Got {
        error,
        headers: answer.map_or(&[], |answer| answer.headers.as_slice()),
        prose: if value.is_none() { body } else { "" },
        leaves: value.as_ref().map(place::leaves).unwrap_or_default(),
    };
    let mut traced = Vec::new();
    let mut add = |detail: &str, sent: &str, fate: DetailFate| {
        traced.push(TracedDetail { detail: detail.to_owned(), sent: excerpt(sent), fate });
    };
    match outcome.error() {
        Some(sent) => {
            if !sent.message.is_empty() {
                add("message", &sent.message, message(&got, attempt, &sent.message));
            }
            let none = Value::Null;
            let members = [
                ("type", &sent.kind, error.map_or(&none, |error| &error.kind)),
                ("code", &sent.code, error.map_or(&none, |error| &error.code)),
                ("param", &sent.param, error.map_or(&none, |error| &error.param)),
            ];
            for (name, value, there) in members {
                if !value.is_null() {
                    add(name, &text(value), member(&got, sent, name, value, there));
                }
            }
        }
        // Not an error object, but a page or a plain text can contain a message as well.
        None if word::has_token(&attempt.said(), &attempt.canaries.message) => {
            add("message", &attempt.said(), message(&got, attempt, &attempt.said()));
        }
        None => {}
    }
    for (name, value) in &attempt.sent.headers {
        // The header with the request id, whatever name the provider uses.
        let planted = word::occurs(value, &attempt.canaries.request_id);
        if planted || is_detail(name) {
            add(name, value, header(&got, name, value, planted));
        }
    }
    traced
}

/// Whether a header is a detail of an error.
fn is_detail(name: &str) -> bool {
    matches!(name, "retry-after" | "retry-after-ms" | "x-should-retry")
        || is_request_id(name)
        || ["x-ratelimit-", "anthropic-ratelimit-", "ratelimitbysize-", "x-tokenlimit-"]
            .iter()
            .any(|family| name.starts_with(family))
}

impl Got<'_> {
    /// A place other than the message that contains a unique text.
    fn elsewhere(&self, token: &str) -> Option<String> {
        let in_message = |path: &str| self.is_message(path);
        let leaf = self.leaves.iter().find(|(path, _, text)| !in_message(path) && word::occurs(text, token));
        let header = || self.headers.iter().find(|(_, value)| word::occurs(value, token));
        leaf.map(|(path, ..)| path.clone()).or_else(|| header().map(|(name, _)| place::header(name)))
    }

    /// Whether this is the path of the message, in any dialect.
    fn is_message(&self, path: &str) -> bool {
        let error = self.error.map_or("", |error| error.message.as_str());
        let there = self.leaves.iter().find(|(.., text)| !error.is_empty() && text == error);
        there.is_some_and(|(message, ..)| message == path)
    }

    /// The text of the message, or the body if it is not JSON.
    fn message(&self) -> &str {
        self.error.map_or(self.prose, |error| error.message.as_str())
    }
}

fn message(got: &Got<'_>, attempt: &Attempt, sent: &str) -> DetailFate {
    if got.message() == sent {
        return DetailFate::Kept;
    }
    let canary = attempt.canaries.message.as_str();
    let token = if word::has_token(sent, canary) { canary } else { sent };
    if word::occurs(got.message(), token) {
        return DetailFate::Prose;
    }
    match got.elsewhere(token) {
        Some(to) => DetailFate::Moved { to },
        None => DetailFate::Lost,
    }
}

/// The fate of a member. `there` is the value of the corresponding member in the caller's error.
fn member(got: &Got<'_>, sent: &ErrorObject, name: &str, value: &Value, there: &Value) -> DetailFate {
    let word = text(value);
    let same = |other: &str| match sent.family {
        // AWS writes a type with an initial capital in the header, and with a small letter in a stream.
        Vocabulary::Aws => other.eq_ignore_ascii_case(&word),
        _ => other == word,
    };
    if !there.is_null() && same(&text(there)) {
        return DetailFate::Kept;
    }
    // A common word is evidence only in a member with the same name.
    let leaf = got.leaves.iter().find(|(_, key, text)| place::same_name(key, name) && same(text));
    if let Some((path, ..)) = leaf {
        return DetailFate::Moved { to: path.clone() };
    }
    if is_unmistakable(&word) {
        if let Some(to) = got.elsewhere(&word) {
            return DetailFate::Moved { to };
        }
        if word::occurs(got.message(), &word) && !word::occurs(&sent.message, &word) {
            return DetailFate::Prose;
        }
    }
    if there.is_null() { DetailFate::Lost } else { DetailFate::Mapped { to: excerpt(&text(there)) } }
}

/// Whether the word is a planted token, which cannot occur by chance.
fn is_unmistakable(word: &str) -> bool {
    word.starts_with("canary_")
}

/// The fate of a header. `planted` says whether the value contains the request id that was planted for this attempt.
fn header(got: &Got<'_>, name: &str, value: &str, planted: bool) -> DetailFate {
    let named = || got.headers.iter().filter(|(key, _)| key == name);
    if named().any(|(_, there)| there == value) {
        return DetailFate::Kept;
    }
    let prefixed = got.headers.iter().find(|(key, there)| place::is_named_after(key, name) && there == value);
    if let Some((key, _)) = prefixed {
        return DetailFate::Moved { to: place::header(key) };
    }
    let leaf = got.leaves.iter().find(|(_, key, text)| place::same_name(key, name) && text == value);
    if let Some((path, ..)) = leaf {
        return DetailFate::Moved { to: path.clone() };
    }
    if planted {
        if let Some(to) = got.elsewhere(value) {
            return DetailFate::Moved { to };
        }
        if word::occurs(got.message(), value) {
            return DetailFate::Prose;
        }
    }
    match named().next() {
        Some((_, there)) => DetailFate::Mapped { to: excerpt(there) },
        None => DetailFate::Lost,
    }
}
