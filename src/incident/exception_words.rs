//! What the names and the messages of exceptions say about a response.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use super::{evidence::IncidentEvidence, python_literal};

/// The statuses of exceptions that are named after one.
const STATUSES: [(&str, u16); 18] = [
    ("BadRequestError", 400),
    ("ContextWindowExceededError", 400),
    ("ContentPolicyViolationError", 400),
    ("AuthenticationError", 401),
    ("PaymentRequiredError", 402),
    ("PermissionDeniedError", 403),
    ("NotFoundError", 404),
    ("RequestTimeoutError", 408),
    ("ConflictError", 409),
    ("ContentTooLargeError", 413),
    ("UnprocessableEntityError", 422),
    ("RateLimitError", 429),
    ("InternalServerError", 500),
    ("BadGatewayError", 502),
    ("ServiceUnavailableError", 503),
    ("GatewayTimeoutError", 504),
    ("ServerError", 500),
    ("OverloadedError", 529),
];

/// The status at the start of a message, and the JSON or the text after it: `Error code: 429 - {…}`, `429 {…}`.
static WITH_STATUS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?:Error code: )?(?P<status>[1-5]\d\d)(?: [A-Z_]+\.)?(?: - |:? |$)(?P<rest>(?s:.*))")
});

/// An exception of an AWS event stream: `throttlingException {"message":"…"}`.
static OF_AWS_EVENT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^(?P<name>[a-z][A-Za-z]*Exception) (?P<rest>\{(?s:.*))"));

/// Compiles a pattern that is a constant; the tests use each of them.
pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|error| unreachable!("{error}"))
}

/// The status of an exception that is named after one.
pub(super) fn status_of(class: &str) -> Option<u16> {
    STATUSES.iter().find(|(name, _)| *name == class).map(|(_, status)| *status)
}

/// Reads the message of an exception: a status if it begins with one, and the body, which is JSON as Python or as JSON
/// prints it, a page, or a text of one line.
pub(super) fn read_message(message: &str, found: &mut IncidentEvidence) {
    let mut text = message.trim();
    if let Some(with_status) = WITH_STATUS.captures(text) {
        found.status = with_status["status"].parse().ok();
        found.is_status_guessed = false;
        text = with_status.name("rest").map_or("", |rest| rest.as_str()).trim();
    }
    if let Some(event) = OF_AWS_EVENT.captures(text) {
        found.headers = Some(vec![("x-amzn-errortype".to_owned(), event["name"].to_owned())]);
        (found.in_stream, found.stream, found.status) = (true, Some(true), None);
        text = event.name("rest").map_or("", |rest| rest.as_str());
    }
    found.body = match python_literal::value(text) {
        Some((value, _)) if value.is_object() || value.is_array() => value.to_string().into_bytes(),
        Some((Value::String(inner), _)) => inner.into_bytes(),
        _ if text.starts_with('<') => text.as_bytes().to_vec(),
        _ => text.lines().next().unwrap_or_default().trim().as_bytes().to_vec(),
    };
}

/// A member of an error that Node prints after its stack: `  type: 'tokens',`.
static OF_NODE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?m)^ {2,}(?P<key>type|code): (?:'(?P<one>[^']*)'|"(?P<two>[^"]*)")"#));

/// Reads the type and the code of an error of a Node SDK, whose message is only the text of the error.
pub(super) fn read_members_of_node(message: &str, found: &mut IncidentEvidence) {
    let member = |key: &str| {
        let found = OF_NODE.captures_iter(message).find(|member| &member["key"] == key)?;
        found.name("one").or(found.name("two")).map(|value| value.as_str().to_owned())
    };
    let (kind, code) = (member("type"), member("code"));
    let is_text = serde_json::from_slice::<Value>(&found.body).is_err() && !found.body.starts_with(b"<");
    if is_text && (kind.is_some() || code.is_some()) {
        let error = json!({"message": found.text(), "type": kind, "param": null, "code": code});
        found.body = json!({"error": error}).to_string().into_bytes();
    }
}

/// A body at which a parser fails with this exception, and what it is; `None` if the exception is not about JSON.
pub(super) fn unreadable_body(class: &str, message: &str) -> Option<(&'static str, &'static str)> {
    let first = message.lines().next().unwrap_or_default();
    let is_cut =
        ["Unterminated", "delimiter", "Unexpected end of JSON"].iter().any(|part| first.contains(part))
            || first.starts_with("Expecting value") && !first.contains("(char 0)");
    match class {
        "JSONDecodeError" => {}
        "SyntaxError" if first.contains("JSON") => {}
        _ => return None,
    }
    Some(match () {
        () if is_cut => ("{\"id\": \"", "a JSON body that is cut"),
        () if first.contains("token '<'") || first.contains("token <") => ("<html></html>", "an HTML page"),
        () => ("not JSON", "a body that is not JSON"),
    })
}
