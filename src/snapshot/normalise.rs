//! Turns an observation into text for people that is the same in every run. Pure.

use serde_json::Value;

use super::{attempts, normaliser::Normaliser, stream, tool_calls};
use crate::{
    dialect::by_shape,
    observation::{
        Exchange, ExchangeOutcome, Observation, ReceivedFrame, Response, ResponseBody, ResponseEnd, StepName,
        is_meaningful, is_request_id,
    },
    scenario::{LeaveBy, LeavePoint},
    wire::frames::Carrier,
};

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

impl Normaliser<'_> {
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
        lines.extend(tool_calls::lines(&tool_calls::of([value]), self));
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

#[cfg(test)]
pub(crate) mod tests;
