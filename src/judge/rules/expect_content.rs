//! The expectations of a scenario about what a response or a request contains.

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    judge::{caller_response, facts::Facts, rule::RuleOutcome},
    observation::{Response, excerpt},
    provider,
    scenario::BodyExpect,
};

/// A body in which expectations are looked up.
pub(super) struct SearchedBody<'a> {
    /// The body as text, and its decoded parts: a text can be escaped in the body, or distributed over events.
    pub(super) texts: Vec<Cow<'a, str>>,
    /// The body as JSON, or each event of a stream.
    pub(super) values: Vec<Value>,
    /// Whether the record does not contain the end of the body.
    pub(super) is_cut: bool,
}

impl SearchedBody<'_> {
    /// What is expected and what was observed instead, for the first expectation that does not hold. Placeholders are
    /// filled in with the tokens of any attempt.
    pub(super) fn breach(&self, wanted: &BodyExpect, facts: &Facts<'_>) -> Option<(String, String)> {
        let occurs = |text: &str| {
            let filled: Vec<String> = match text.contains("{{canary.") {
                true => {
                    facts.all_attempts.iter().map(|attempt| provider::fill(text, &attempt.canaries)).collect()
                }
                false => vec![text.to_owned()],
            };
            filled.iter().any(|text| self.texts.iter().any(|own| own.contains(text.as_str())))
        };
        if let Some(text) = wanted.contains.0.iter().find(|text| !occurs(text) && !self.is_cut) {
            return Some((format!("{text:?} in the body"), self.describe()));
        }
        if let Some(text) = wanted.not_contains.0.iter().find(|text| occurs(text)) {
            return Some((format!("no {text:?} in the body"), self.describe()));
        }
        wanted.json.iter().filter(|_| !self.is_cut).find_map(|(pointer, value)| {
            let found =
                || self.values.iter().filter_map(|own| own.pointer(pointer)).filter(|own| !own.is_null());
            let holds = if value.is_null() {
                found().next().is_none()
            } else {
                found().any(|own| is_equal(own, value))
            };
            let shown: Vec<String> = found().take(3).map(|own| excerpt(&own.to_string())).collect();
            let observed = match shown.as_slice() {
                [] if self.values.is_empty() => format!("a body that is not JSON: {}", self.describe()),
                [] => format!("no value at {pointer}"),
                some => format!("{pointer} is {}", some.join(" and ")),
            };
            let expected = if value.is_null() { "no value".to_owned() } else { value.to_string() };
            (!holds).then(|| (format!("{expected} at {pointer} of the body"), observed))
        })
    }

    fn describe(&self) -> String {
        match self.texts.first().map(|text| text.trim()) {
            None | Some("") => "an empty body".to_owned(),
            Some(text) => excerpt(&text.split_whitespace().collect::<Vec<_>>().join(" ")),
        }
    }
}

/// Whether two JSON values are equal. Numbers are equal if their values are: `0` and `0.0`.
fn is_equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| is_equal(one, other)))
        }
        _ => one == other,
    }
}

/// A header as it was observed.
pub(super) fn shown_header(name: &str, value: Option<&str>) -> String {
    value.map_or(format!("no {name}"), |value| format!("{name}: {value}"))
}

pub(super) fn content_type(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let wanted = facts.arrangement.expect.content_type.as_ref()?;
    let got = facts.raw_response().and_then(|answer| answer.header("content-type"));
    let essence = got.map(|got| got.split(';').next().unwrap_or_default().trim());
    RuleOutcome::check(essence.is_some_and(|essence| essence.eq_ignore_ascii_case(wanted)), || {
        let observed = match facts.raw_response() {
            None => facts.response.describe(),
            Some(_) => got.map_or_else(|| "no content type".to_owned(), str::to_owned),
        };
        (format!("the content type {wanted}"), observed)
    })
}

pub(super) fn body(facts: &Facts<'_>) -> Option<RuleOutcome> {
    let wanted = facts.arrangement.expect.body.as_ref()?;
    let Some(response) = facts.raw_response() else {
        return RuleOutcome::broken("a response with a body", facts.response.describe(), Vec::new());
    };
    match searched(facts, response).breach(wanted, facts) {
        Some((expected, observed)) => RuleOutcome::broken(expected, observed, Vec::new()),
        None => Some(RuleOutcome::Holds),
    }
}

fn searched<'a>(facts: &Facts<'_>, response: &'a Response) -> SearchedBody<'a> {
    let body = &response.body;
    let mut texts = vec![Cow::Borrowed(body.text.as_str())];
    texts.extend(body.frames.iter().map(|frame| Cow::Borrowed(frame.data.as_str())));
    texts.extend(facts.response.completion().map(|completion| Cow::Owned(completion.text())));
    texts.extend(facts.response.error().map(|error| Cow::Owned(error.message.clone())));
    let whole = body.frames.is_empty().then_some(body.text.as_str());
    let json = whole.into_iter().chain(body.frames.iter().map(|frame| frame.data.as_str()));
    let values = json.filter_map(|text| serde_json::from_str(text).ok()).collect();
    SearchedBody { texts, values, is_cut: caller_response::is_truncated(response) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_equal_by_their_values() {
        assert!(is_equal(&json!({"a": [0, 1.5], "b": 1}), &json!({"b": 1.0, "a": [0.0, 1.5]})));
        for (one, other) in [
            (json!(0), json!("0")),
            (json!([1]), json!([1, 2])),
            (json!({"a": 1}), json!({"a": 2})),
            (json!(9_007_199_254_740_993_u64), json!(1)),
        ] {
            assert!(!is_equal(&one, &other), "{one} {other}");
        }
    }
}
