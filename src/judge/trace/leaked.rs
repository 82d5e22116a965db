//! Leaks: secrets and headers of an upstream that reached the caller.

use super::{
    model::{DetailFate, TracedDetail},
    place,
};
use crate::{
    judge::facts::Facts,
    observation::{Attempt, Response, word},
    wire::hop::HOP_BY_HOP,
};

/// The headers of a response that apply only to the upstream's connection (RFC 9110 section 7.6.1), without those that
/// frame the body and without `Connection` itself, because every connection has its own.
pub(crate) fn hop_by_hop(attempt: &Attempt) -> impl Iterator<Item = (&str, &str)> {
    let named = named_by_connection(attempt);
    let headers = attempt.sent.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    headers.filter(move |(name, _)| is_of_one_connection(name) || named.iter().any(|hop| hop == name))
}

/// Whether a header applies only to the upstream's connection, without those that every connection has.
fn is_of_one_connection(name: &str) -> bool {
    HOP_BY_HOP.contains(&name) && !matches!(name, "connection" | "transfer-encoding")
}

/// The names of headers that `Connection` lists.
fn named_by_connection(attempt: &Attempt) -> Vec<String> {
    let named = attempt.sent.header("connection").unwrap_or_default().to_ascii_lowercase();
    named
        .split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !matches!(name.as_str(), "" | "close" | "keep-alive"))
        .collect()
}

/// The headers of a response that belong to the upstream's connection or session.
pub(crate) fn poison(attempt: &Attempt) -> impl Iterator<Item = (&str, &str)> {
    let hop_by_hop = named_by_connection(attempt);
    let headers = attempt.sent.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    // After a protocol switch, `Upgrade` has the same value on every connection.
    let switched = attempt.sent.status == Some(101);
    headers.filter(move |(name, _)| !(switched && *name == "upgrade")).filter(move |(name, _)| {
        *name == "set-cookie"
            || is_of_one_connection(name) && *name != "keep-alive"
            || hop_by_hop.iter().any(|hop| hop == name)
    })
}

/// The leaks in this response: keys, addresses and headers of an upstream that must not reach the caller.
pub(super) fn leaked(facts: &Facts<'_>) -> Vec<TracedDetail> {
    let Some(answer) = facts.raw_response() else { return Vec::new() };
    let arrangement = facts.arrangement;
    let keys = arrangement.deployments.iter().map(|d| (format!("key of {}", d.name), d.key.as_str()));
    let addresses =
        arrangement.upstream_addresses.iter().map(|a| ("address of an upstream".to_owned(), a.as_str()));
    let secrets = keys.map(|key| (key, word::has_token as Contains));
    let secrets = secrets.chain(addresses.map(|address| (address, word::occurs as Contains)));
    let leak = |detail: String, at: String| TracedDetail {
        detail,
        sent: String::new(),
        fate: DetailFate::Leaked { at },
    };
    let mut found: Vec<TracedDetail> = Vec::new();
    for ((what, secret), contains) in secrets.filter(|((_, secret), _)| !secret.is_empty()) {
        // What the upstream itself sent is not a leak of the proxy.
        if facts.attempts.iter().any(|(attempt, _)| contains(&attempt.said(), secret)) {
            continue;
        }
        found.extend(first_place(answer, secret, contains).map(|at| leak(what, at)));
    }
    for (attempt, _) in &facts.attempts {
        for (name, value) in poison(attempt) {
            let got =
                answer.headers.iter().find(|(key, got)| place::is_named_after(key, name) && got == value);
            found.extend(got.map(|(key, _)| leak(name.to_owned(), place::header(key))));
        }
    }
    found.dedup();
    found
}

/// Whether a text (first argument) contains a secret (second argument).
type Contains = fn(&str, &str) -> bool;

fn first_place(answer: &Response, secret: &str, contains: Contains) -> Option<String> {
    let header = answer.headers.iter().find(|(_, value)| contains(value, secret));
    header
        .map(|(name, _)| place::header(name))
        .or_else(|| contains(&answer.body.text, secret).then(|| "the body".to_owned()))
}
