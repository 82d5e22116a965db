//! What an error says in members other than its message, type, code and param: details, inner errors, raw texts.

use serde_json::Value;

use crate::{
    dialect::{ErrorObject, Vocabulary},
    observation::{Attempt, word},
};

/// Members that other rules check, or that identify the reply and not the error.
const KNOWN: &[&str] =
    &["message", "type", "code", "param", "status", "error", "request_id", "object", "title", "detail"];

/// The header in which AWS sends an error's text.
const AWS_MESSAGE: &str = "x-amzn-errormessage";

/// A member or a header of an error, and a text in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OtherText {
    /// The name of the member or of the header.
    pub place: String,
    /// The text.
    pub text: String,
}

impl OtherText {
    /// The wait that the text states, in seconds, if it is nothing but a duration: `34.4s`, as in Google's `RetryInfo`.
    pub(super) fn wait(&self) -> Option<f64> {
        let number = self.text.strip_suffix('s')?;
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        number.parse().ok().filter(|_| is_number)
    }
}

/// The texts of an error's other members. Between two vocabularies only those with the canary of the message, which a
/// proxy can recognise as words of the provider by their place alone, and a wait that the reply states nowhere else.
pub(super) fn other_texts(attempt: &Attempt, error: Option<&ErrorObject>, own: Vocabulary) -> Vec<OtherText> {
    let canary = attempt.canaries.message.as_str();
    let mut found = Vec::new();
    if let Some(error) = error {
        let object = error.raw.get("error").filter(|error| error.is_object()).unwrap_or(&error.raw);
        let others =
            object.as_object().into_iter().flatten().filter(|(name, _)| !KNOWN.contains(&name.as_str()));
        for (name, value) in others {
            collect(value, &mut |text| {
                // In some dialects the message itself is in another place.
                if text != error.message {
                    found.push(OtherText { place: name.clone(), text: text.to_owned() });
                }
            });
        }
        if error.family != own || error.raw.get("error").is_none_or(|error| !error.is_object()) {
            let has_header =
                ["retry-after", "retry-after-ms"].iter().any(|name| attempt.sent.header(name).is_some());
            let is_only_wait = |other: &OtherText| {
                let number = other.text.trim_end_matches('s');
                let repeated = [&other.text, number].iter().any(|text| word::occurs(&error.message, text));
                other.wait().is_some() && !has_header && !repeated
            };
            found.retain(|other| word::has_token(&other.text, canary) || is_only_wait(other));
        }
    }
    let header = attempt.sent.header(AWS_MESSAGE).filter(|text| word::has_token(text, canary));
    found.extend(header.map(|text| OtherText { place: AWS_MESSAGE.to_owned(), text: text.to_owned() }));
    found
}

/// Calls `found` for each text in a value that is long enough not to be anywhere by chance.
fn collect(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) if text.chars().count() > 2 => found(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => members.values().for_each(|item| collect(item, found)),
        _ => {}
    }
}
