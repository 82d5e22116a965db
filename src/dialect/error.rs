//! Error objects in all forms that providers send.

use serde_json::Value;

use super::parsed::{ErrorObject, Vocabulary};

/// Parses `{"error": {…}}` or `{"error": "text"}`: the forms of OpenAI, Anthropic and Google, and the plain form of
/// Ollama, TGI and xAI.
pub(crate) fn nested(value: &Value) -> Option<ErrorObject> {
    let outer = |name: &str| value.get(name).cloned().unwrap_or_default();
    match value.get("error")? {
        Value::Null => None,
        Value::Object(error) => {
            let member = |name: &str| error.get(name).cloned().unwrap_or_default();
            let family = if value.get("type").is_some_and(|kind| kind == "error") {
                Vocabulary::Anthropic
            } else if member("status").is_string() && member("code").is_number() {
                Vocabulary::Google
            } else {
                Vocabulary::OpenAi
            };
            Some(ErrorObject {
                message: error.get("message").map(text).unwrap_or_default(),
                kind: member(if family == Vocabulary::Google { "status" } else { "type" }),
                code: member("code"),
                param: member("param"),
                family,
                raw: value.clone(),
            })
        }
        other => Some(ErrorObject {
            message: text(other),
            kind: outer("error_type"),
            raw: value.clone(),
            ..ErrorObject::default()
        }),
    }
}

/// Parses an error in any form that a known provider sends: [`nested`], inside an array, or flat as AWS, Cohere,
/// Mistral, FastAPI and NVIDIA send it. `header` is `x-amzn-errortype`.
///
/// Only for responses of calls that failed, because many successful responses have a `message` as well.
pub(crate) fn any(value: &Value, header: Option<&str>) -> Option<ErrorObject> {
    let object = match value {
        // Google wraps the errors of streams and of its OpenAI-compatible route in an array.
        Value::Array(items) => items.first()?,
        other => other,
    };
    if let Some(error) = nested(object) {
        return Some(ErrorObject { raw: value.clone(), ..error });
    }
    let members = object.as_object()?;
    let member = |names: &[&str]| {
        names.iter().find_map(|name| members.get(*name).filter(|member| !member.is_null())).cloned()
    };
    let message = member(&["message", "Message", "detail", "title"])?;
    let family = match header {
        Some(_) => Vocabulary::Aws,
        None if members.get("object").is_some_and(|object| object == "error") => Vocabulary::OpenAi,
        None => Vocabulary::Other,
    };
    // AWS may write `ThrottlingException:http://internal.amazon.com/…`.
    let header = header.map(|name| Value::from(name.split(':').next().unwrap_or(name)));
    Some(ErrorObject {
        message: text(&message),
        kind: header.or_else(|| member(&["type", "title"])).unwrap_or_default(),
        code: member(&["code", "status"]).unwrap_or_default(),
        param: member(&["param"]).unwrap_or_default(),
        family,
        raw: value.clone(),
    })
}

/// A JSON value as text; strings without quotes.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
