//! Computes the facts about a case from its observation.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fact::{CaseFact, CaseFacts, ExchangeFacts, FactKind, THE_PROVIDERS};
use crate::{
    dialect::ErrorObject,
    judge::{CallerResponse, CallerSession, CallerStream, DetailFate, ErrorOrigin, ErrorSource, StepView},
    observation::{Exchange, Observation, ResponseEnd, StepName, passed_on},
    snapshot::{Normaliser, left_before_an_answer, shorten},
};

/// The maximum length of a value other than a message, in characters.
const LONGEST_VALUE: usize = 200;

/// The headers that the official SDKs read when they decide whether and when to retry.
const DECIDES_RETRIES: [&str; 3] = ["retry-after", "retry-after-ms", "x-should-retry"];

/// Details with this in their names are counted: a provider sends a dozen of them.
const RATE_LIMIT: &str = "ratelimit";

impl CaseFacts {
    /// The facts about a case. Pure. `origins` and `sdk_view` are those of the observation.
    pub(crate) fn new(observation: &Observation, origins: &[ErrorOrigin], sdk_view: &[StepView]) -> Self {
        if let Some(harm) = observation.harm.as_ref().filter(|harm| harm.stopped_the_proxy()) {
            return Self { stopped: Some(harm.to_string()), exchanges: Vec::new() };
        }
        let normaliser = Normaliser::new(observation);
        let facts = |exchange: &Exchange| {
            let mut gathering =
                Gathering { observation, exchange, normaliser: &normaliser, seen: Vec::new() };
            if exchange.step == StepName::Recovery {
                gathering.response();
            } else {
                gathering.all(
                    origins.iter().find(|origin| origin.step == exchange.step),
                    sdk_view.iter().find(|view| view.step == exchange.step),
                );
            }
            gathering.sort();
            ExchangeFacts {
                step: exchange.step,
                took_ms: took_ms(observation, exchange),
                seen: gathering.seen,
            }
        };
        Self { stopped: None, exchanges: observation.exchanges.iter().map(facts).collect() }
    }
}

/// From the first call of an upstream to the end of the last one; 0 without calls.
fn took_ms(observation: &Observation, exchange: &Exchange) -> f64 {
    let until = |end: Option<f64>| end.unwrap_or(exchange.end_ms).min(exchange.end_ms);
    let calls = || observation.attempts_of(exchange);
    let began = calls().map(|attempt| attempt.at_ms).fold(f64::INFINITY, f64::min);
    let ended = calls().map(|attempt| until(attempt.end_ms)).fold(0.0, f64::max);
    (ended - began).max(0.0)
}

/// The facts about one exchange, as they are gathered.
struct Gathering<'a> {
    observation: &'a Observation,
    exchange: &'a Exchange,
    normaliser: &'a Normaliser<'a>,
    seen: Vec<CaseFact>,
}

impl Gathering<'_> {
    /// Sorts the facts. A header that was sent twice is one fact.
    fn sort(&mut self) {
        self.seen.sort_by(|a, b| (a.kind, &a.subject, &a.value).cmp(&(b.kind, &b.subject, &b.value)));
        let mut once: Vec<CaseFact> = Vec::new();
        for fact in std::mem::take(&mut self.seen) {
            match once.last_mut().filter(|last| last.kind == fact.kind && last.subject == fact.subject) {
                Some(last) => last.value = format!("{}, {}", last.value, fact.value),
                None => once.push(fact),
            }
        }
        self.seen = once;
    }

    fn add(&mut self, kind: FactKind, subject: &str, value: impl Into<String>) {
        let value = shorten(&value.into(), LONGEST_VALUE);
        self.seen.push(CaseFact { kind, subject: subject.to_owned(), value });
    }

    fn all(&mut self, origin: Option<&ErrorOrigin>, view: Option<&StepView>) {
        let response = self.response();
        self.attempts();
        // What had arrived before the caller left depends on the speed of the machine.
        let Some(response) = response else { return };
        self.content(&response);
        self.error(&response);
        self.headers();
        origin.into_iter().for_each(|origin| self.origin(origin));
        for sdk in view.iter().flat_map(|view| &view.sdks) {
            self.add(FactKind::Sdk, sdk.sdk.as_str(), sdk.describe());
        }
    }

    /// The response as one value, and parsed; not parsed if the caller left before it.
    fn response(&mut self) -> Option<CallerResponse> {
        if left_before_an_answer(self.exchange) {
            self.add(FactKind::Response, "", "none: the caller left");
            return None;
        }
        let status = self.exchange.answer().map_or(0, |answer| answer.status);
        let response = CallerResponse::of(self.exchange, self.observation.arrangement.combination.api);
        let value = match &response {
            CallerResponse::Nothing(ending) => format!("no response: {}", self.ending(ending)),
            CallerResponse::Failure { status, .. } if self.is_the_providers(*status) => {
                format!("{status}{THE_PROVIDERS}")
            }
            CallerResponse::Failure { status, .. } => status.to_string(),
            CallerResponse::Whole { error: Some(_), .. } => format!("{status} with an error object"),
            CallerResponse::Whole { undecodable: Some(_), .. } => {
                format!("{status} with a body that no client can decode")
            }
            CallerResponse::Whole { complete: false, .. } => format!("{status} with an incomplete body"),
            CallerResponse::Whole { completion: None, .. } => format!("{status} with an invalid body"),
            CallerResponse::Whole { .. } => format!("{status} with a completion"),
            CallerResponse::Stream(stream) => format!("{status}, {}", of_stream(stream)),
            CallerResponse::Session(session) => format!("{status}, {}", self.of_session(session)),
        };
        self.add(FactKind::Response, "", value);
        Some(response)
    }

    /// Whether an upstream sent this status in reply to the request.
    fn is_the_providers(&self, status: u16) -> bool {
        self.observation.attempts_of(self.exchange).any(|attempt| attempt.sent.status == Some(status))
    }

    fn of_session(&self, session: &CallerSession) -> String {
        let mut parts = Vec::new();
        if !session.errors.is_empty() {
            parts.push("a session with an error event".to_owned());
        } else if session.looks_successful() {
            parts.push("a successful session".to_owned());
        } else {
            parts.push("a session".to_owned());
        }
        match &session.closed {
            Some(closed) if closed.answered => {}
            Some(closed) => parts.push(match closed.code {
                Some(code) => format!("closed with {code}"),
                None => "closed without a code".to_owned(),
            }),
            None if session.is_open() => parts.push("never ended".to_owned()),
            None if session.was_cut() => parts.push(self.ending(&session.ending)),
            None => {}
        }
        parts.join(", ")
    }

    fn ending(&self, ending: &ResponseEnd) -> String {
        self.normaliser.message(&ending.to_string()).replace(['\n', '\r'], " ")
    }

    fn attempts(&mut self) {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for attempt in self.observation.attempts_of(self.exchange) {
            match counts.iter_mut().find(|(name, _)| *name == attempt.deployment) {
                Some((_, count)) => *count += 1,
                None => counts.push((&attempt.deployment, 1)),
            }
        }
        counts.sort_unstable();
        let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
        self.add(
            FactKind::Attempts,
            "",
            if counts.is_empty() { "none".to_owned() } else { counts.join(", ") },
        );
    }

    fn content(&mut self, response: &CallerResponse) {
        let Some(completion) = response.completion() else { return };
        let content = completion.text();
        self.add(FactKind::Content, "", self.normaliser.message(&content));
        let mut end = completion.finish.as_deref().map_or("no finish reason".to_owned(), |finish| {
            self.normaliser.message(&format!("finish reason {finish}"))
        });
        if matches!(response, CallerResponse::Stream(stream) if stream.done) {
            end.push_str(", then the terminator");
        }
        self.add(FactKind::StreamEnd, "", end);
    }

    fn error(&mut self, response: &CallerResponse) {
        if let Some(error) = response.error() {
            let ErrorObject { message, kind, code, param, raw, .. } = error;
            self.add(FactKind::ErrorShape, "", self.members(raw));
            for (fact, value) in
                [(FactKind::ErrorType, kind), (FactKind::ErrorCode, code), (FactKind::ErrorParam, param)]
            {
                self.add(fact, "", self.scalar(value));
            }
            self.message(message);
        } else if let (CallerResponse::Failure { body, .. }, Some(answer)) =
            (response, self.exchange.answer())
        {
            let shape = match body {
                Some(value) => format!("none, but JSON: {}", self.members(value)),
                None if answer.body.bytes == 0 => "none: the body is empty".to_owned(),
                None => "none: the body is not JSON".to_owned(),
            };
            self.add(FactKind::ErrorShape, "", shape);
            self.message(&answer.body.text);
        }
    }

    /// A message keeps the length that snapshots give it.
    fn message(&mut self, text: &str) {
        let value = self.normaliser.message(text);
        self.seen.push(CaseFact { kind: FactKind::Message, subject: String::new(), value });
    }

    /// The names of the members of an error object: `error.code, error.message`.
    fn members(&self, value: &Value) -> String {
        let value = self.normaliser.json(value);
        let value = value.as_array().and_then(|items| items.first()).unwrap_or(&value);
        let Some(members) = value.as_object() else { return "not an object".to_owned() };
        let mut names: Vec<String> = Vec::new();
        for (name, inner) in members {
            match inner.as_object().filter(|_| name == "error") {
                Some(inner) => names.extend(inner.keys().map(|inner| format!("{name}.{inner}"))),
                None => names.push(name.clone()),
            }
        }
        names.sort();
        names.join(", ")
    }

    fn scalar(&self, value: &Value) -> String {
        match value {
            Value::Null => "null".to_owned(),
            Value::String(text) => self.normaliser.message(text),
            other => self.normaliser.json(other).to_string(),
        }
    }

    fn headers(&mut self) {
        let Some(answer) = self.exchange.answer() else { return };
        let mut limits = 0;
        let mut passed = BTreeSet::new();
        for (name, value) in self.normaliser.header_values(answer, self.waits()) {
            if name.contains(RATE_LIMIT) {
                limits += 1;
            } else if let Some(bare) = passed_on(&name) {
                passed.insert(bare.to_owned());
            } else if DECIDES_RETRIES.contains(&name.as_str()) {
                self.add(FactKind::RetryHeader, &name, value);
            } else {
                self.add(FactKind::Header, &name, value);
            }
        }
        if !passed.is_empty() {
            self.add(FactKind::PassedOn, "", passed.into_iter().collect::<Vec<_>>().join(", "));
        }
        if limits > 0 {
            self.add(FactKind::Header, "rate limits", format!("{limits} headers"));
        }
    }

    /// Whether the proxy rejected the request because of a cooldown, so that the wait that it requests varies.
    fn waits(&self) -> bool {
        self.observation.arrangement.proxy.cooldown.is_some()
            && self.observation.attempts_of(self.exchange).next().is_none()
    }

    fn origin(&mut self, origin: &ErrorOrigin) {
        let source = match &origin.maker {
            // The number of the attempt follows from the number of attempts.
            ErrorSource::Upstream { deployment, .. } => format!("upstream {deployment}"),
            other => other.to_string(),
        };
        self.add(FactKind::Source, "", source);
        let mut limits: Vec<(&str, usize)> = Vec::new();
        for traced in &origin.details {
            let fate = match &traced.fate {
                DetailFate::Leaked { at } => {
                    let (what, at) = (self.normaliser.message(&traced.detail), self.normaliser.message(at));
                    self.add(FactKind::Leak, &what, format!("in {at}"));
                    continue;
                }
                DetailFate::Kept => "kept",
                DetailFate::Moved { .. } => "moved",
                DetailFate::Mapped { .. } => "replaced",
                DetailFate::Prose => "inside the text of the error",
                DetailFate::Lost => "lost",
            };
            if traced.detail.contains(RATE_LIMIT) {
                match limits.iter_mut().find(|(known, _)| *known == fate) {
                    Some((_, count)) => *count += 1,
                    None => limits.push((fate, 1)),
                }
            } else {
                self.add(FactKind::Detail, &traced.detail, fate);
            }
        }
        limits.sort_unstable();
        let limits: Vec<String> = limits.iter().map(|(fate, count)| format!("{count} {fate}")).collect();
        if !limits.is_empty() {
            self.add(FactKind::Detail, "rate limits", limits.join(", "));
        }
    }
}

fn of_stream(stream: &CallerStream) -> &'static str {
    if stream.left {
        "a stream until the caller left"
    } else if stream.unending {
        "a stream that never ends"
    } else if stream.damage.is_some() {
        "an unreadable stream"
    } else if !stream.errors.is_empty() && stream.complete {
        "a stream with an error event"
    } else if !stream.errors.is_empty() {
        "a stream with an error event, cut off"
    } else if !stream.complete {
        "a stream that is cut off"
    } else if stream.looks_finished() {
        "a complete stream"
    } else {
        "a stream without an end"
    }
}
