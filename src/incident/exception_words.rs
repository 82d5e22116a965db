//! What the names and the messages of exceptions say about a response.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

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
