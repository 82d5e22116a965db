//! An observation as text that people read and that does not vary by itself. Pure.

use serde_json::Value;

use super::{
    attempts, event_text,
    redact::Redactor,
    stream,
    volatile::{holds_id, holds_time, without_volatile},
};
use crate::{
    observation::{
        Exchange, ExchangeOutcome, Observation, ReceivedFrame, Response, ResponseBody, ResponseEnd, StepName,
        Volatile, is_meaningful, is_request_id,
    },
    scenario::{LeaveBy, LeavePoint},
    wire::frames::Carrier,
};

/// Messages that are longer are shortened in the middle; so many characters remain.
const LONGEST_MESSAGE: usize = 600;

/// The text of a case: what a caller can rely on, and nothing that varies by itself.
///
/// One paragraph for each exchange, then the attempts of each deployment.
pub fn normalise(observation: &Observation) -> String {
    if let Some(harm) = observation.harm.as_ref().filter(|harm| harm.stopped_the_proxy()) {
        // Who was cut off where is a matter of chance.
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

/// Which request it is, and whom it was for where that is not the first deployment.
fn addressed(exchange: &Exchange) -> String {
    let to = exchange.to.as_ref().map(|to| format!(" to {to}"));
    format!("{}{}", exchange.step, to.unwrap_or_default())
}

/// Whether the caller was to leave before any answer, and did. How much of one had come by then says how fast
/// the proxy and the machine were.
fn left_before_an_answer(exchange: &Exchange) -> bool {
    exchange
        .abandoned()
        .is_some_and(|left| left.how.at == LeavePoint::BeforeHeaders && left.how.by == LeaveBy::Close)
}

/// Redaction for one case: placeholders for its own tokens first, on parsed JSON where it is JSON,
/// then for what varies by itself.
#[derive(Debug, Clone)]
pub struct Normaliser<'a> {
    redactor: Redactor,
    /// What varies in the words of the proxy under test.
    own: &'a [Volatile],
}

impl<'a> Normaliser<'a> {
    /// For everything that was seen in `observation`.
    pub fn new(observation: &'a Observation) -> Self {
        Self { redactor: Redactor::full(observation), own: &observation.arrangement.volatile }
    }

    /// A message: redacted, without what varies, shortened in the middle if it is long.
    pub fn message(&self, text: &str) -> String {
        self.steady(&self.redactor.text(text))
    }

    /// A JSON value: redacted, without what varies, its members sorted (a hash map's order is
    /// nothing to rely on).
    pub fn json(&self, value: &Value) -> Value {
        self.scrub(&self.redactor.json(value))
    }

    pub(super) fn pretty(&self, value: &Value) -> String {
        format!("{:#}", self.json(value))
    }

    /// Without what varies, and not too long. The proxy's own patterns come first: they know it best.
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

    /// `waits` says that the proxy refused the request by itself, because a cooldown was not over yet.
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
        let mut lines: Vec<String> = answer
            .headers
            .iter()
            .filter_map(|(name, value)| {
                let redacted = self.redactor.text(value);
                let planted = ["<canary ", "<key ", "<proxy key", "<upstream>"];
                // A token of ours is worth a line wherever it landed.
                let landed = planted.iter().any(|mark| redacted.contains(mark));
                if !landed && !is_meaningful(name) {
                    return None;
                }
                let shown = match name.as_str() {
                    _ if is_request_id(name) && !landed => "<own id>".to_owned(),
                    "retry-after" | "retry-after-ms" if waits => "<what is left of the cooldown>".to_owned(),
                    _ => self.message(value),
                };
                // By its whole line, so that a definition can say whose value varies.
                let line = format!("{name}: {shown}");
                Some(self.own.iter().fold(line, |line, volatile| volatile.replace(&line)))
            })
            .collect();
        lines.sort();
        lines
    }

    fn body(&self, answer: &Response) -> Vec<String> {
        // JSON or a page under the name of a stream is shown as what it is.
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
            let what = if *utf8 { "body that is no JSON:" } else { "body that is neither JSON nor UTF-8:" };
            let mut lines = vec![what.to_owned()];
            lines.extend(self.message(text).lines().map(|line| format!("  | {line}")));
            return lines;
        };
        if let Some(chunks) = chunks(&value) {
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

    /// What matters of a successful answer; empty where it is none that we know.
    fn success(&self, value: &Value) -> Vec<String> {
        let mut lines = Vec::new();
        let content = event_text::content(value);
        if !content.is_empty() {
            lines.push(format!("content: {}", Value::from(self.message(&content))));
        }
        if let Some(embeddings) = event_text::embeddings(value) {
            lines.push(format!("embeddings: {embeddings}"));
        }
        if let Some(reason) = event_text::finish_reason(value) {
            lines.push(format!("finish_reason: {}", self.message(&reason)));
        }
        if let Some(names) = event_text::usage(value) {
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

/// The elements of an array in which Google streams where it is not asked for events.
fn chunks(value: &Value) -> Option<Vec<ReceivedFrame>> {
    let elements = value.as_array()?;
    elements.iter().any(|element| element.get("candidates").is_some()).then(|| {
        let frame = |element: &Value| ReceivedFrame { at_ms: 0.0, event: None, data: element.to_string() };
        elements.iter().map(frame).collect()
    })
}

/// At most `longest` characters of `text`: its beginning and its end, with the number of those
/// that were left out between them.
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
