//! What was sent and received in a case, as Markdown.

use super::{
    paint::{cut, safe},
    terminal_case::{end_words, event_line, named, seconds},
};
use crate::{
    event::CaseReport,
    observation::{Attempt, Exchange, ExchangeOutcome, StepName, is_meaningful},
    wire::frames,
};

/// How much of a body or an event is shown, in characters.
const BODY: usize = 2_000;

/// How many events are shown at the beginning and at the end of a stream.
const EVENTS: usize = 6;

/// How many headers are shown.
const HEADERS: usize = 25;

/// A part for each request of the caller, and one for each attempt that it caused.
pub(super) fn exchanges(case: &CaseReport) -> Vec<String> {
    let Some(observation) = &case.observation else {
        return vec!["The report contains no exchanges of this case.\n\n".to_owned()];
    };
    let about_recovery = case.findings.iter().any(|finding| finding.rule.starts_with("recovery."));
    let is_shown = |exchange: &&Exchange| exchange.step != StepName::Recovery || about_recovery;
    let shown: Vec<&Exchange> = observation.exchanges.iter().filter(is_shown).collect();
    let mut parts = Vec::new();
    for exchange in &shown {
        parts.push(caller(exchange, shown.len() > 1));
        let attempts = observation.attempts_of(exchange).map(upstream);
        let before = parts.len();
        parts.extend(attempts);
        if parts.len() == before {
            parts.push("No request reached a provider.\n\n".to_owned());
        }
    }
    parts
}

fn caller(exchange: &Exchange, several: bool) -> String {
    let mut sent = vec![format!("{} {}", exchange.method, exchange.url)];
    sent.extend(headers(&exchange.request_headers));
    sent.extend(body(&exchange.request_body));
    let mut got = vec![ending(exchange)];
    if let ExchangeOutcome::Answer(answer) = &exchange.outcome {
        got.extend(headers(&answer.headers));
        let frames = &answer.body.frames;
        match frames.is_empty() {
            true => got.extend(body(&answer.binary_size().unwrap_or_else(|| answer.body.text.clone()))),
            false => {
                got.extend(events(
                    frames.iter().map(|frame| event_line(frame.event.as_deref(), &frame.data)),
                ));
            }
        }
    }
    let which = if several { format!(" ({})", named(exchange)) } else { String::new() };
    let note =
        exchange.mistake.map(|mistake| format!(" On purpose, the caller {mistake}.")).unwrap_or_default();
    format!(
        "**The caller sent{which}.**{note}\n\n{}\n**The caller got{which}:**\n\n{}\n",
        fence("text", &sent.join("\n")),
        fence("text", &got.join("\n"))
    )
}

fn upstream(attempt: &Attempt) -> String {
    let name = format!("`{}`, attempt {}", attempt.deployment, attempt.n);
    let received = if attempt.was_asked() {
        let mut lines = vec![format!("{} {}", attempt.method, attempt.path)];
        lines.extend(headers(&attempt.headers));
        lines.extend(body(&attempt.body));
        format!("**The provider received ({name}):**\n\n{}\n", fence("text", &lines.join("\n")))
    } else {
        format!("**The provider saw a connection without a request ({name}).**\n\n")
    };
    let mut sent = vec![summary(attempt)];
    sent.extend(headers(&attempt.sent.headers));
    let decoded = attempt.sent.carrier().map(|carrier| frames::decode(carrier, &attempt.sent.body_bytes()));
    match decoded.filter(|frames| !frames.is_empty()) {
        Some(frames) => {
            sent.extend(events(frames.iter().map(|frame| event_line(frame.event.as_deref(), &frame.data))));
        }
        None => sent.extend(body(&attempt.sent.binary_size().unwrap_or_else(|| attempt.sent.body.clone()))),
    }
    format!("{received}**The provider sent ({name}):**\n\n{}\n", fence("text", &sent.join("\n")))
}

fn headers(headers: &[(String, String)]) -> Vec<String> {
    let all: Vec<_> = headers.iter().filter(|(name, _)| is_meaningful(name)).collect();
    let shown = all.iter().take(HEADERS);
    let mut lines: Vec<String> =
        shown.map(|(name, value)| safe(&cut(&format!("{name}: {value}"), BODY))).collect();
    if all.len() > HEADERS {
        lines.push(format!("... {} more headers ...", all.len() - HEADERS));
    }
    lines
}

/// An empty line and the body; nothing if there is no body.
fn body(text: &str) -> Vec<String> {
    let text = text.trim();
    match text.is_empty() {
        true => Vec::new(),
        false => std::iter::once(String::new()).chain(cut(text, BODY).lines().map(safe)).collect(),
    }
}

/// An empty line and the events at both ends of a stream.
fn events(lines: impl Iterator<Item = String>) -> Vec<String> {
    let all: Vec<String> = lines.map(|line| safe(&cut(&line, BODY))).collect();
    let left_out = if all.len() > 2 * EVENTS + 1 { all.len() - 2 * EVENTS } else { 0 };
    let head = if left_out > 0 { EVENTS } else { all.len() };
    let mut out = vec![String::new()];
    out.extend_from_slice(&all[..head]);
    if left_out > 0 {
        out.push(format!("... {left_out} more events ..."));
        out.extend_from_slice(&all[all.len() - EVENTS..]);
    }
    out
}

/// How the caller's request ended: `429, complete (after 12ms)`.
fn ending(exchange: &Exchange) -> String {
    let after = seconds(exchange.duration_ms());
    match &exchange.outcome {
        ExchangeOutcome::Answer(answer) => format!("{}, {} (after {after})", answer.status, answer.ending),
        ExchangeOutcome::NoAnswer { ending } => format!("no response: {ending} (after {after})"),
    }
}

/// What the provider sent, in words: `200, 120 bytes, then cut by RST; fault: reset after 1 event`.
fn summary(attempt: &Attempt) -> String {
    let status = attempt.sent.status.map_or("no status line".to_owned(), |status| status.to_string());
    let faults: Vec<String> =
        attempt.turn.iter().flat_map(|turn| &turn.faults).map(ToString::to_string).collect();
    let faults = if faults.is_empty() { String::new() } else { format!("; fault: {}", faults.join(", ")) };
    format!("{status}, {} bytes, {}{faults}", attempt.sent.bytes, end_words(attempt.end))
}

/// A fenced block that `text` cannot end.
pub(super) fn fence(language: &str, text: &str) -> String {
    let longest = text.split(|c: char| c != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(longest.max(2) + 1);
    format!("{ticks}{language}\n{}\n{ticks}\n", text.trim_end_matches('\n'))
}
