//! The OpenAI form of an error: `{"error": {"message", "type", "param", "code"}}`.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::observation::shorten;

/// The members of an error object.
pub(crate) type ErrorMembers = Map<String, Value>;

/// The `type` of errors for which the upstream sent no type.
pub(super) const UPSTREAM_ERROR: &str = "upstream_error";

/// The `code` of an error that the proxy writes because the upstream's response is not valid for its API.
pub(super) const INVALID_RESPONSE: &str = "invalid_upstream_response";

/// The maximum number of characters that an error message contains of a body without an error object.
const SHOWN: usize = 1000;

/// The number of bytes of an HTML page that are searched for text.
const PAGE: usize = 8 * 1024;

/// An error object with all four members.
pub(super) fn error(message: String, kind: &str, code: Option<&str>) -> ErrorMembers {
    let members =
        [("message", json!(message)), ("type", json!(kind)), ("param", Value::Null), ("code", json!(code))];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The error object of an upstream body. It is the body's own, unchanged except for missing members, if it
/// has OpenAI's form; otherwise its message is the shortened text of the body.
pub(super) fn of_body(body: &[u8], status: u16) -> ErrorMembers {
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        return of_value(&value).unwrap_or_else(|| wrapped(&value.to_string(), status));
    }
    let text = String::from_utf8_lossy(body);
    let text = if looks_like_html(&text) { Cow::Owned(text_of_html(&text)) } else { text };
    wrapped(&text, status)
}

/// The error in a JSON value, if it contains one in a known form.
pub(super) fn of_value(value: &Value) -> Option<ErrorMembers> {
    match value {
        Value::Object(members) => match members.get("error") {
            Some(Value::Object(error)) if error.get("message").is_some_and(Value::is_string) => {
                Some(completed(error.clone()))
            }
            Some(Value::String(text)) => Some(flat(text, members)),
            Some(Value::Object(error)) if !error.is_empty() => {
                Some(self::error(shortened(&Value::from(error.clone()).to_string()), UPSTREAM_ERROR, None))
            }
            _ => ["message", "detail"]
                .iter()
                .find_map(|name| members.get(*name).and_then(sentence))
                .map(|text| flat(&text, members)),
        },
        Value::Array(entries) => match entries.as_slice() {
            [one] => of_value(one),
            _ => None,
        },
        _ => None,
    }
}

/// The text of a message: a string, or the joined texts of a list of validation errors (`[{"loc", "msg"}]`),
/// which some servers send instead, either directly or as the `detail` of an object.
fn sentence(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Object(members) => sentence(members.get("detail")?),
        Value::Array(entries) if !entries.is_empty() => {
            let texts: Option<Vec<&str>> = entries.iter().map(|entry| entry.get("msg")?.as_str()).collect();
            Some(Cow::Owned(texts?.join("; ")))
        }
        _ => None,
    }
}

/// An error whose members are at the top level of the body, as with Mistral and xAI.
fn flat(text: &str, members: &ErrorMembers) -> ErrorMembers {
    let kind = ["type", "error_type", "title"].iter().find_map(|name| members.get(*name)?.as_str());
    let mut error = error(shortened(text), kind.unwrap_or(UPSTREAM_ERROR), None);
    for name in ["param", "code"] {
        if let Some(value) = members.get(name) {
            error.insert(name.into(), value.clone());
        }
    }
    error
}

/// Adds the members that are missing, since typed clients expect all four. Those that the upstream sent do
/// not change.
fn completed(mut error: ErrorMembers) -> ErrorMembers {
    for (name, value) in [("type", json!(UPSTREAM_ERROR)), ("param", Value::Null), ("code", Value::Null)] {
        error.entry(name).or_insert(value);
    }
    error
}

fn wrapped(text: &str, status: u16) -> ErrorMembers {
    let text = shortened(text);
    let empty = text.is_empty() || text == "null" || text == "{}" || text == "[]";
    let message = if empty { format!("The upstream answered {status} without saying why.") } else { text };
    error(message, UPSTREAM_ERROR, None)
}

fn shortened(text: &str) -> String {
    shorten(text.trim(), SHOWN)
}

pub(super) fn looks_like_html(text: &str) -> bool {
    let start = text.trim_start().get(..9).unwrap_or(text.trim_start()).to_ascii_lowercase();
    ["<!doctype", "<html", "<head", "<body"].iter().any(|tag| start.starts_with(tag))
}

/// The text of an HTML page: what is between tags, without scripts and styles.
fn text_of_html(html: &str) -> String {
    // The message of an error page is near its start.
    let end = (0..=html.len().min(PAGE)).rev().find(|end| html.is_char_boundary(*end)).unwrap_or(0);
    let mut rest = &html[..end];
    let mut words = String::new();
    while let Some(open) = rest.find('<') {
        words.push_str(&rest[..open]);
        words.push(' ');
        rest = &rest[open..];
        let hidden = ["script", "style"]
            .iter()
            .find(|name| rest.get(1..=name.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(name)));
        let end = match hidden {
            Some(name) => format!("</{name}"),
            None => ">".to_owned(),
        };
        let Some(close) = rest.to_ascii_lowercase().find(&end) else { return collapsed(&words) };
        // After `</script` the `>` is still to come; the next iteration skips it as the end of a tag.
        rest = &rest[if hidden.is_some() { close } else { close + 1 }..];
    }
    words.push_str(rest);
    collapsed(&words)
}

fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &str) -> String {
        Value::from(of_body(body.as_bytes(), 502)).to_string()
    }

    #[test]
    fn an_openai_error_does_not_change() {
        let body = r#"{"error":{"message":"m","type":"t","param":"p","code":17,"inner":{"a":1}}}"#;
        assert_eq!(shown(body), r#"{"message":"m","type":"t","param":"p","code":17,"inner":{"a":1}}"#);
        assert_eq!(
            shown(r#"{"error":{"code":null,"message":"m"}}"#),
            r#"{"code":null,"message":"m","type":"upstream_error","param":null}"#
        );
    }

    #[test]
    fn other_bodies_become_the_message_of_an_openai_error() {
        let message =
            |body: &str| of_body(body.as_bytes(), 502)["message"].as_str().map(str::to_owned).unwrap();
        assert_eq!(message(""), "The upstream answered 502 without saying why.");
        assert_eq!(message("null"), "The upstream answered 502 without saying why.");
        assert_eq!(message(" upstream connect error \n"), "upstream connect error");
        assert_eq!(message(r#"{"detail":"Unauthorized"}"#), "Unauthorized");
        assert_eq!(message(r#"{"error":"busy"}"#), "busy");
        assert_eq!(message(r#"[{"error":{"message":"in a list","code":1}}]"#), "in a list");
        assert_eq!(message(r#"{"detail":[{"loc":1}]}"#), r#"{"detail":[{"loc":1}]}"#);
        assert_eq!(message(r#"{"message":{"detail":[{"msg":"a"},{"msg":"b"}]}}"#), "a; b");
        assert_eq!(
            message(
                "<html><head><title>502 Bad Gateway</title><style>p{}</style></head>\n<body><h1>502</h1> oh</body>"
            ),
            "502 Bad Gateway 502 oh"
        );
        assert_eq!(message(&"é".repeat(2000)).chars().count(), 1001);
    }

    #[test]
    fn members_next_to_a_top_level_message_are_kept() {
        assert_eq!(
            shown(r#"{"object":"error","message":"m","type":"rate_limited","param":null,"code":"1300"}"#),
            r#"{"message":"m","type":"rate_limited","param":null,"code":"1300"}"#
        );
        assert_eq!(
            shown(r#"{"code":"The system is at capacity","error":"m"}"#),
            r#"{"message":"m","type":"upstream_error","param":null,"code":"The system is at capacity"}"#
        );
        assert_eq!(
            shown(r#"{"error":"m","error_type":"overloaded"}"#),
            r#"{"message":"m","type":"overloaded","param":null,"code":null}"#
        );
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_it_panic(body in ".{0,60}", bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..40)) {
            of_body(format!("<html>{body}<sCript <{body}").as_bytes(), 500);
            of_body(body.as_bytes(), 500);
            of_body(&bytes, 500);
        }
    }
}
