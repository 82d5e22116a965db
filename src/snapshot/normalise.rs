//! Turns an observation into text for people that is the same in every run. Pure.

use serde_json::Value;

use super::{
    attempts,
    redact::Redactor,
    stream,
    volatile::{holds_id, holds_time, without_volatile},
};
use crate::{
    dialect::by_shape,
    observation::{
        Exchange, ExchangeOutcome, Observation, ReceivedFrame, Response, ResponseBody, ResponseEnd, StepName,
        Volatile, is_meaningful, is_request_id,
    },
    scenario::{LeaveBy, LeavePoint},
    wire::frames::Carrier,
};

/// The maximum length of a message in characters. Longer ones are shortened in the middle.
const LONGEST_MESSAGE: usize = 600;

/// The text of a case: everything that a caller can rely on, without the parts that vary between runs.
///
/// It contains a paragraph for each exchange, then the attempts of each deployment.
pub(crate) fn normalise(observation: &Observation) -> String {
    if let Some(harm) = observation.harm.as_ref().filter(|harm| harm.stopped_the_proxy()) {
        // Which requests were cut off, and where, is random.
        return harm.to_string();
    }
    let normaliser = Normaliser::new(observation);
    let mut lines = Vec::new();
    for exchange in &observation.exchanges {
        match exchange.step {
            StepName::Step(_) => {
                let waits = observation.arrangement.proxy.cooldown.is_some()
                    && observation.attempts_of(exchange).next().is_none();
                normaliser.exchange(exchange, waits, &mut lines);
            }
            StepName::Recovery => lines.push(normaliser.recovery(exchange)),
        }
    }
    lines.extend(attempts::lines(observation));
    lines.join("\n")
}

/// The step of a request, and its deployment unless that is the first one.
fn addressed(exchange: &Exchange) -> String {
    let to = exchange.to.as_ref().map(|to| format!(" to {to}"));
    format!("{}{}", exchange.step, to.unwrap_or_default())
}

/// Whether the caller left before it got a response, as the scenario says. How much of the response had arrived by then
/// depends on the speed of the proxy and the machine.
pub(crate) fn left_before_an_answer(exchange: &Exchange) -> bool {
    exchange
        .abandoned()
        .is_some_and(|left| left.how.at == LeavePoint::BeforeHeaders && left.how.by == LeaveBy::Close)
}

/// Replaces the tokens of one case by placeholders (in parsed JSON if the text is JSON), then the parts that vary between
/// runs.
#[derive(Debug, Clone)]
pub(crate) struct Normaliser<'a> {
    redactor: Redactor,
    /// Patterns for the parts of the proxy's messages that vary.
    own: &'a [Volatile],
}

impl<'a> Normaliser<'a> {
    /// A normaliser for the texts of this observation.
    pub(crate) fn new(observation: &'a Observation) -> Self {
        Self { redactor: Redactor::full(observation), own: &observation.arrangement.volatile }
    }

    /// Redacts a message, replaces the parts that vary, and shortens it in the middle if it is long.
    pub(crate) fn message(&self, text: &str) -> String {
        self.steady(&self.redactor.text(text))
    }

    /// Redacts a JSON value, replaces the parts that vary, and sorts members, because the order of a hash map can vary.
    pub(crate) fn json(&self, value: &Value) -> Value {
        self.scrub(&self.redactor.json(value))
    }

    pub(super) fn pretty(&self, value: &Value) -> String {
        format!("{:#}", self.json(value))
    }

    /// Replaces the parts that vary and shortens the text. The patterns of the proxy come first, because they are more
    /// specific.
    fn steady(&self, text: &str) -> String {
        let text = self.own.iter().fold(text.to_owned(), |text, own| own.replace(&text));
        shorten(&without_volatile(&text), LONGEST_MESSAGE)
    }

    fn scrub(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.steady(text)),
            Value::Array(items) => items.iter().map(|item| self.scrub(item)).collect(),
            Value::Object(members) => {
                let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
                sorted.sort_by_key(|(name, _)| name.as_str());
                sorted
                    .into_iter()
                    .map(|(name, value)| (without_volatile(name), self.member(name, value)))
                    .collect()
            }
            other => other.clone(),
        }
    }

    fn member(&self, name: &str, value: &Value) -> Value {
        match value {
            Value::String(text) if holds_id(name) && !text.contains("<canary ") => "<own id>".into(),
            Value::Number(_) | Value::String(_) if holds_time(name) => "<time>".into(),
            other => self.scrub(other),
        }
    }

    /// Describes an exchange. `waits` means that the proxy rejected the request because of a cooldown, without an attempt.
    fn exchange(&self, exchange: &Exchange, waits: bool, lines: &mut Vec<String>) {
        let (answer, ending) = match &exchange.outcome {
            ExchangeOutcome::Answer(answer) => (Some(answer), &answer.ending),
            ExchangeOutcome::NoAnswer { ending } => (None, ending),
        };
        let Some(answer) = answer.filter(|_| !left_before_an_answer(exchange)) else {
            lines.push(format!("{}: no answer", addressed(exchange)));
            lines.push(format!("  ending: {}", self.ending(ending)));
            return;
        };
        lines.push(format!("{}: {}", addressed(exchange), answer.status));
        lines.extend(self.headers(answer, waits).into_iter().map(|line| format!("  {line}")));
        lines.extend(self.body(answer).into_iter().map(|line| format!("  {line}")));
        if let Some(closed) = answer.closed.as_ref().filter(|closed| !closed.answered) {
            lines.push(format!("  closed: {}", self.message(&closed.to_string())));
        }
        lines.push(format!("  ending: {}", self.ending(&answer.ending)));
    }

    fn headers(&self, answer: &Response, waits: bool) -> Vec<String> {
        let values = self.header_values(answer, waits);
        let mut lines: Vec<String> =
            values.into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
        lines.sort();
        lines
    }

    /// The meaningful headers without the parts that vary. `waits` means that the proxy rejected the
    /// request because of a cooldown, without an attempt.
    pub(crate) fn header_values(&self, answer: &Response, waits: bool) -> Vec<(String, String)> {
        answer
            .headers
            .iter()
            .filter_map(|(name, value)| {
                let redacted = self.redactor.text(value);
                let planted = ["<canary ", "<key ", "<proxy key", "<upstream>"];
                // A header with a token of upfault is always shown.
                let landed = planted.iter().any(|mark| redacted.contains(mark));
                if !landed && !is_meaningful(name) {
                    return None;
                }
                let shown = match name.as_str() {
                    _ if is_request_id(name) && !landed => "<own id>".to_owned(),
                    "retry-after" | "retry-after-ms" if waits => "<what is left of the cooldown>".to_owned(),
                    _ => self.message(value),
                };
                // The whole line is matched, so that a proxy definition can name the header whose value varies.
                let line = format!("{name}: {shown}");
                let line = self.own.iter().fold(line, |line, volatile| volatile.replace(&line));
                let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
                Some((name.to_owned(), value.to_owned()))
            })
            .collect()
    }

    fn body(&self, answer: &Response) -> Vec<String> {
        // A JSON or HTML body with the content type of a stream is shown as JSON or HTML.
        let no_body = answer.body.text.trim().is_empty();
        let is_session = answer.carrier() == Some(Carrier::WebSocket);
        if !answer.body.frames.is_empty() || is_session || (answer.carrier().is_some() && no_body) {
            let kind = if is_session { "session:" } else { "stream:" };
            let mut lines = vec![kind.to_owned()];
            lines
                .extend(stream::shape(&answer.body.frames, self).into_iter().map(|line| format!("  {line}")));
            lines.extend(answer.body.damage.iter().map(|damage| format!("  unreadable from here: {damage}")));
            return lines;
        }
        let ResponseBody { text, bytes, utf8, .. } = &answer.body;
        if *bytes == 0 && text.is_empty() {
            return vec!["body: empty".to_owned()];
        }
        if let Some(size) = answer.binary_size() {
            return vec![format!("body: {size}")];
        }
        let Ok(value) = serde_json::from_str::<Value>(text) else {
            let what = if *utf8 { "body that is not JSON:" } else { "body that is neither JSON nor UTF-8:" };
            let mut lines = vec![what.to_owned()];
            lines.extend(self.message(text).lines().map(|line| format!("  | {line}")));
            return lines;
        };
        if let Some(chunks) = by_shape::chunks(&value) {
            let frame = |chunk: &Value| ReceivedFrame { at_ms: 0.0, event: None, data: chunk.to_string() };
            let chunks: Vec<_> = chunks.iter().map(frame).collect();
            let mut lines = vec!["stream in one array:".to_owned()];
            lines.extend(stream::shape(&chunks, self).into_iter().map(|line| format!("  {line}")));
            return lines;
        }
        let failed = answer.status >= 400 || value.get("error").is_some_and(|error| !error.is_null());
        let digest = if failed { Vec::new() } else { self.success(&value) };
        if digest.is_empty() {
            let mut lines = vec!["body:".to_owned()];
            lines.extend(self.pretty(&value).lines().map(|line| format!("  {line}")));
            return lines;
        }
        digest
    }

    /// Summarizes a successful response; empty if its format is unknown.
    fn success(&self, value: &Value) -> Vec<String> {
        let mut lines = Vec::new();
        let content = by_shape::content(value);
        if !content.is_empty() {
            lines.push(format!("content: {}", Value::from(self.message(&content))));
        }
        if let Some(embeddings) = by_shape::embeddings(value) {
            lines.push(format!("embeddings: {embeddings}"));
        }
        if let Some(reason) = by_shape::finish_reason(value) {
            lines.push(format!("finish_reason: {}", self.message(&reason)));
        }
        if let Some(names) = by_shape::usage(value) {
            lines.push(format!("usage: {names}"));
        }
        lines
    }

    fn recovery(&self, exchange: &Exchange) -> String {
        match &exchange.outcome {
            ExchangeOutcome::NoAnswer { ending } => format!("recovery: no answer, {}", self.ending(ending)),
            ExchangeOutcome::Answer(answer) => {
                format!("recovery: {}, {}", answer.status, self.ending(&answer.ending))
            }
        }
    }

    fn ending(&self, ending: &ResponseEnd) -> String {
        self.message(&ending.to_string()).replace(['\n', '\r'], " ")
    }
}

/// Shortens `text` to its beginning and its end, `longest` characters in total, with the number of omitted characters
/// between them.
pub(crate) fn shorten(text: &str, longest: usize) -> String {
    let count = text.chars().count();
    if count <= longest {
        return text.to_owned();
    }
    let head = longest * 2 / 3;
    let tail = longest - head;
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{start} [... {} characters ...] {end}", count - longest)
}

#[cfg(test)]
pub(crate) mod tests;
