//! Replaces the parts of texts that vary between runs. Pure.

use serde_json::Value;

use super::{
    redact::Redactor,
    volatile::{holds_id, holds_time, without_volatile},
};
use crate::observation::{Observation, Volatile};

/// The maximum length of a message in characters. Longer ones are shortened in the middle.
const LONGEST_MESSAGE: usize = 600;

/// Replaces the tokens of one case by placeholders (in parsed JSON if the text is JSON), then the parts that vary between
/// runs.
#[derive(Debug, Clone)]
pub(crate) struct Normaliser<'a> {
    pub(super) redactor: Redactor,
    /// Patterns for the parts of the proxy's messages that vary.
    pub(super) own: &'a [Volatile],
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
    pub(super) fn steady(&self, text: &str) -> String {
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
