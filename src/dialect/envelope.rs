//! Checks an error object against the form that the clients of each dialect require.

use serde_json::Value;

use super::{error_form::ErrorForm, row::ErrorEventForm, table::row};
use crate::{observation::excerpt, scenario::Api};

/// How an error differs from the form of `api`'s dialect; `None` if it does not.
///
/// `header` is `x-amzn-errortype`, for a response with an error status. `own` returns whether an upstream itself sent
/// this member with this value: then the proxy is not to blame.
pub(crate) fn wrong_envelope(
    api: Api,
    value: &Value,
    in_stream: bool,
    header: Option<&str>,
    own: impl Fn(&str, &Value) -> bool,
) -> Option<String> {
    let row = row(api);
    if in_stream {
        match row.error_event() {
            ErrorEventForm::Typed => return responses_event(value),
            // These are errors by their name or their reason, which the reader has checked.
            ErrorEventForm::Exception | ErrorEventForm::MessageEnd => return None,
            ErrorEventForm::Body | ErrorEventForm::Named => {}
        }
    }
    match row.errors {
        ErrorForm::Openai => openai(value, own),
        ErrorForm::Anthropic => anthropic(value),
        ErrorForm::Google => gemini(value),
        ErrorForm::Aws => bedrock(value, header),
        ErrorForm::Cohere => text_member(value, "message"),
        ErrorForm::Ollama => text_member(value, "error"),
    }
}

fn openai(value: &Value, own: impl Fn(&str, &Value) -> bool) -> Option<String> {
    let Some(error) = value.get("error").and_then(Value::as_object) else {
        return Some(excerpt(&value.to_string()));
    };
    if value.get("type").is_some_and(|kind| kind == "error") {
        return Some(format!("another dialect's envelope: {}", excerpt(&value.to_string())));
    }
    if !error.get("message").is_some_and(Value::is_string) {
        return Some(format!("`message` is {}", describe(error.get("message"))));
    }
    for name in ["type", "param", "code"] {
        let Some(member) = error.get(name) else { continue };
        let fits = member.is_string() || member.is_null() || (name == "code" && member.is_number());
        // Several providers of this dialect send a number as `code`, and some send other types.
        if !fits && !own(name, member) {
            return Some(format!("`{name}` is {}", describe(Some(member))));
        }
    }
    None
}

/// An error event of a Responses stream: nested as in recordings, flat as in the published schema, or a failed
/// response.
fn responses_event(value: &Value) -> Option<String> {
    let holder = match value.get("type").and_then(Value::as_str) {
        Some("response.failed") => value.pointer("/response/error"),
        Some("error") => value.get("error").or(Some(value)),
        _ => value.get("error"),
    };
    let Some(holder) = holder.filter(|holder| holder.is_object()) else {
        return Some(excerpt(&value.to_string()));
    };
    text_member(holder, "message")
}

fn anthropic(value: &Value) -> Option<String> {
    let error = value.get("error").filter(|error| error.is_object());
    match error {
        Some(error) if value["type"] == "error" => {
            text_member(error, "message").or_else(|| text_member(error, "type"))
        }
        _ => Some(excerpt(&value.to_string())),
    }
}

fn gemini(value: &Value) -> Option<String> {
    // In streams without `alt=sse` the error is in an array.
    let object = value.as_array().and_then(|items| items.first()).unwrap_or(value);
    let Some(error) = object.get("error").filter(|error| error.is_object()) else {
        return Some(excerpt(&value.to_string()));
    };
    if !error["code"].is_number() {
        return Some(format!("`code` is {}", describe(error.get("code"))));
    }
    text_member(error, "message").or_else(|| text_member(error, "status"))
}

fn bedrock(value: &Value, header: Option<&str>) -> Option<String> {
    if header.is_none_or(str::is_empty) {
        return Some("no x-amzn-errortype".to_owned());
    }
    // The AWS layer that checks keys writes `Message`.
    if value.get("Message").is_some_and(Value::is_string) { None } else { text_member(value, "message") }
}

fn text_member(holder: &Value, name: &str) -> Option<String> {
    let member = holder.get(name);
    (!member.is_some_and(Value::is_string)).then(|| format!("`{name}` is {}", describe(member)))
}

fn describe(value: Option<&Value>) -> String {
    value.map_or_else(|| "missing".to_owned(), |value| excerpt(&value.to_string()))
}
