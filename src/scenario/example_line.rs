//! Lines of scenario files that are right, for messages about lines that are not.

/// A key or a name that takes values, and a line with it. A test loads each line in its place.
pub(super) const LINES: &[(Place, &str, &str)] = {
    use Place::{Expect, Fault, File, Leave, Matrix, Proxy, Step, Turn};
    &[
        (File, "title", "title: \"A 429 keeps its Retry-After\""),
        (File, "why", "why: \"SDKs wait as long as it says\""),
        (File, "tags", "tags: [incident]"),
        (File, "references", "references: [\"RFC 9110 section 10.2.3\"]"),
        (File, "matrix", "matrix: {provider: [anthropic], stream: [true]}"),
        (File, "upstream", "upstream: [{error: rate_limit}]"),
        (File, "deployments", "deployments: {primary: [{error: rate_limit}], backup: [{reply: ok}]}"),
        (File, "account", "account: {requests_per_minute: 60}"),
        (File, "proxy", "proxy: {timeout: 10s, retries: 1}"),
        (File, "steps", "steps: [{}, {}]"),
        (File, "expect", "expect: {status: 429, attempts: 1}"),
        (File, "except", "except: {headers.retry-after: \"the reason\"}"),
        (Matrix, "provider", "provider: [anthropic]"),
        (Matrix, "api", "api: [openai/chat]"),
        (Matrix, "stream", "stream: [true]"),
        (Turn, "reply", "reply: ok"),
        (Turn, "error", "error: rate_limit"),
        (Turn, "status", "status: 503"),
        (Turn, "headers", "headers: {retry-after: \"7\"}"),
        (Turn, "faults", "faults: [{reset: {at: after_content}}]"),
        (Fault, "hang", "hang: {at: before_headers}"),
        (Fault, "stall", "stall: {at: after_content, for: 2s}"),
        (Fault, "delay", "delay: {at: before_headers, for: 2s}"),
        (Fault, "latency", "latency: {time: {fixed: 100ms}}"),
        (Fault, "time", "latency: {time: {fixed: 100ms}}"),
        (Fault, "drip", "drip: {bytes_per_second: 100}"),
        (Fault, "split", "split: {bytes: 1}"),
        (Fault, "reset", "reset: {at: after_content}"),
        (Fault, "close", "close: {at: after_content}"),
        (Fault, "truncate", "truncate: {at: after_content}"),
        (Fault, "error_event", "error_event: {error: overloaded, at: after_content}"),
        (Fault, "unknown_event", "unknown_event: {at: after_content}"),
        (Fault, "comment", "comment: {at: after_content}"),
        (Fault, "ping", "ping: {at: after_content}"),
        (Fault, "malform", "malform: not_json"),
        (Fault, "connection", "connection: reset_at_once"),
        (Fault, "tls", "tls: expired_certificate"),
        (Fault, "http2", "http2: {goaway: {code: no_error, at: before_headers}}"),
        (Fault, "http1", "http1: {interim: 103}"),
        (Fault, "content_encoding", "content_encoding: gzip"),
        (Fault, "content_type", "content_type: wrong"),
        (Fault, "redirect", "redirect: 307"),
        (Fault, "at", "reset: {at: after_content}"),
        (Fault, "after_events", "reset: {at: {after_events: 3}}"),
        (Fault, "after_bytes", "reset: {at: {after_bytes: 100}}"),
        (Fault, "for", "delay: {at: before_headers, for: 2s}"),
        (Proxy, "timeout", "timeout: 10s"),
        (Proxy, "retries", "retries: 1"),
        (Proxy, "fallback", "fallback: [primary, backup]"),
        (Proxy, "group", "group: [primary, backup]"),
        (Proxy, "cooldown", "cooldown: {after: 1, for: 30s}"),
        (Proxy, "keep_alive", "keep_alive: 1s"),
        (Step, "body", "body: {max_tokens: 5}"),
        (Step, "headers", "headers: {x-tag: a}"),
        (Step, "leave", "leave: {at: after_headers}"),
        (Step, "pause", "pause: 1s"),
        (Leave, "at", "leave: {at: after_headers}"),
        (Expect, "status", "status: 429"),
        (Expect, "attempts", "attempts: {primary: 1, backup: 1}"),
        (Expect, "ending", "ending: failure"),
        (Expect, "error", "error: {message_contains: limit}"),
        (Expect, "headers", "headers: {retry-after: \"7\"}"),
        (Expect, "body", "body: {contains: limit}"),
        (Expect, "json", "body: {json: {/error/type: requests}}"),
        (Expect, "requests", "requests: [{model: gpt-4o-mini}]"),
        (Expect, "within", "within: 2s"),
        (Expect, "first_byte_within", "first_byte_within: 2s"),
        (Expect, "content_type", "content_type: application/json"),
    ]
};

/// The part of a file that a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    File,
    Matrix,
    Turn,
    Fault,
    Proxy,
    Step,
    Leave,
    Expect,
}

impl Place {
    /// The place of a value, by the keys that lead to it.
    pub(super) fn of(keys: &[&str]) -> Self {
        match keys {
            [.., "faults", _] | [.., "faults", _, _] | [.., "faults", _, _, _] => Self::Fault,
            ["matrix", ..] if keys.len() > 1 => Self::Matrix,
            ["proxy", _, ..] => Self::Proxy,
            ["steps", "leave", _, ..] => Self::Leave,
            ["steps", _, ..] => Self::Step,
            ["expect", _, ..] => Self::Expect,
            ["upstream", _, ..] | ["deployments", _, _, ..] => Self::Turn,
            _ => Self::File,
        }
    }

    /// How messages call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::File => "the file itself",
            Self::Matrix => "`matrix`",
            Self::Turn => "a turn of `upstream`",
            Self::Fault => "the list `faults` of a turn",
            Self::Proxy => "`proxy`",
            Self::Step => "one of `steps`",
            Self::Leave => "`leave` of a step",
            Self::Expect => "`expect`",
        }
    }
}

/// The line for a key in a place; `None` if there is none.
pub(super) fn line(place: Place, key: &str) -> Option<&'static str> {
    LINES.iter().find(|(own, name, _)| *own == place && *name == key).map(|(.., line)| *line)
}

/// The place, other than this one, to which a key belongs, with its line.
pub(super) fn elsewhere(place: Place, key: &str) -> Option<(Place, &'static str)> {
    let mut others =
        LINES.iter().filter(|(own, name, line)| *own != place && *name == key && line.starts_with(name));
    let (other, _, line) = others.next()?;
    Some((*other, line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load_text;

    #[test]
    fn every_line_loads_in_its_place() {
        for (place, key, line) in LINES {
            let two = "deployments: {primary: [{reply: ok}], backup: [{reply: ok}]}\n";
            let one = "upstream: [{reply: ok}]\n";
            let stream = "matrix: {stream: [true]}\n";
            let text = match place {
                Place::File => {
                    let given = |key: &str| line.starts_with(key);
                    let title = if given("title") { "" } else { "title: t\n" };
                    let why = if given("why") { "" } else { "why: w\n" };
                    let upstream = if given("upstream") || given("deployments") { "" } else { one };
                    format!("{title}{why}{upstream}{line}\n")
                }
                Place::Matrix => format!("title: t\nwhy: w\n{one}matrix: {{{line}}}\n"),
                Place::Turn if line.starts_with("headers") => {
                    format!("title: t\nwhy: w\nupstream: [{{reply: ok, {line}}}]\n")
                }
                Place::Turn if line.starts_with("faults") => {
                    format!("title: t\nwhy: w\n{stream}upstream: [{{reply: ok, {line}}}]\n")
                }
                Place::Turn => format!("title: t\nwhy: w\nupstream: [{{{line}}}]\n"),
                Place::Fault => {
                    format!("title: t\nwhy: w\n{stream}upstream: [{{reply: ok, faults: [{{{line}}}]}}]\n")
                }
                Place::Proxy => format!("title: t\nwhy: w\n{stream}{two}proxy: {{{line}}}\n"),
                Place::Step | Place::Leave => format!("title: t\nwhy: w\n{one}steps: [{{{line}}}]\n"),
                Place::Expect => format!("title: t\nwhy: w\n{two}expect: {{{line}}}\n"),
            };
            if let Err(errors) = load_text("x", "f", &text) {
                panic!("{key}: {}\n{text}", errors.render(false));
            }
        }
    }
}
