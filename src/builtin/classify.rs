//! What an upstream answer is: a success to pass on, or which failure.

use bytes::Bytes;
use serde_json::Value;

use super::{
    envelope,
    failure::{Cause, Failure, Raw},
    headers,
    stream::{EventKind, kind_of},
};
use crate::wire::sse::Event;

/// Whether a status is one under which an answer could be a success.
pub(super) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Judges a whole answer.
///
/// # Errors
///
/// The failure that the caller is to be told.
pub(super) fn whole(status: u16, upstream: Vec<(String, String)>, body: Bytes) -> Result<(), Failure> {
    let (cause, told) = match status {
        200..300 if is_completion(&body) => return Ok(()),
        200..300 => (Cause::OddBody, 502),
        400..600 => (Cause::Status(status), status),
        _ => (Cause::OddStatus, 502),
    };
    let mut error = envelope::of_body(&body, status);
    if cause == Cause::OddBody && !carries_error(&body) {
        error = envelope::error(
            odd_body(&body).into(),
            envelope::UPSTREAM_ERROR,
            Some("invalid_upstream_response"),
        );
    }
    if cause == Cause::OddStatus {
        let message = format!("The upstream answered with status {status}, which is no answer of this API.");
        error = envelope::error(message, envelope::UPSTREAM_ERROR, Some("invalid_upstream_response"));
    }
    let passed = headers::passed(&upstream);
    Err(Failure {
        cause,
        status: told,
        error,
        headers: passed,
        raw: Some(Box::new(Raw { headers: upstream, body })),
    })
}

/// Judges the first event of a stream, before any of it has been passed on.
///
/// # Errors
///
/// The failure that the caller is to be told.
pub(super) fn first_event(event: Option<&Event>, upstream: &[(String, String)]) -> Result<(), Failure> {
    let (cause, status, error) = match event.map(kind_of) {
        Some(EventKind::Chunk { .. }) => return Ok(()),
        Some(EventKind::Error(error)) => (Cause::FirstEvent, status_of(&error), error),
        Some(EventKind::Broken) => {
            (Cause::OddBody, 502, odd("The upstream's stream begins with something that is no chunk."))
        }
        Some(EventKind::Done) | None => (Cause::OddBody, 502, odd("The upstream's stream is empty.")),
    };
    let raw = Raw {
        headers: upstream.to_vec(),
        body: event
            .map(|event| crate::wire::sse::encode(event.event.as_deref(), &event.data).into())
            .unwrap_or_default(),
    };
    Err(Failure { cause, status, error, headers: headers::passed(upstream), raw: Some(Box::new(raw)) })
}

fn odd(message: &str) -> envelope::ErrorObject {
    envelope::error(message.into(), envelope::UPSTREAM_ERROR, Some("invalid_upstream_response"))
}

/// The status that fits an error which came under 200.
fn status_of(error: &envelope::ErrorObject) -> u16 {
    let is = |word: &str| {
        ["code", "type"].iter().any(|name| error.get(*name).and_then(Value::as_str) == Some(word))
    };
    if is("rate_limit_exceeded") || is("insufficient_quota") {
        429
    } else if is("server_is_overloaded") {
        503
    } else {
        502
    }
}

fn is_completion(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|value| {
        value.get("choices").and_then(Value::as_array).is_some_and(|choices| !choices.is_empty())
            && value.get("error").is_none_or(Value::is_null)
    })
}

fn carries_error(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|value| envelope::of_value(&value).is_some())
}

fn odd_body(body: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(body);
    if text.trim().is_empty() {
        "The upstream answered 200 with an empty body."
    } else if envelope::looks_like_html(&text) {
        "The upstream answered 200 with an HTML page."
    } else if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() {
        "The upstream answered 200 with JSON that is no completion."
    } else {
        "The upstream answered 200 with a body that is no JSON."
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, body: &'static str) -> Failure {
        whole(status, vec![], Bytes::from_static(body.as_bytes())).unwrap_err()
    }

    #[test]
    fn a_completion_is_a_success_and_nothing_else_under_200_is() {
        assert!(whole(200, vec![], Bytes::from_static(br#"{"choices":[{"index":0}]}"#)).is_ok());
        for body in [
            "",
            "null",
            "{",
            "<html>",
            "[]",
            r#"{"choices":[]}"#,
            r#"{"id":1}"#,
            r#"{"choices":[1],"error":{}}"#,
        ] {
            let failure = failure(200, body);
            assert_eq!((failure.cause, failure.status), (Cause::OddBody, 502), "{body}");
            assert_eq!(failure.error["code"], "invalid_upstream_response", "{body}");
        }
        let with_error = failure(200, r#"{"error":{"message":"m","type":"t","param":null,"code":"c"}}"#);
        assert_eq!(
            (with_error.status, &with_error.error["message"], &with_error.error["code"]),
            (502, &"m".into(), &"c".into())
        );
    }

    #[test]
    fn errors_keep_their_status_and_redirects_become_502() {
        for status in [400, 401, 403, 404, 413, 418, 422, 429, 500, 503, 529] {
            assert_eq!(failure(status, "x").status, status);
        }
        assert_eq!((failure(302, "x").status, failure(302, "x").cause), (502, Cause::OddStatus));
    }

    #[test]
    fn an_error_as_first_event_gets_the_status_that_its_code_means() {
        let status = |data: &str| {
            let event = Event { event: None, data: data.into(), id: String::new(), retry: None, span: 0..1 };
            first_event(Some(&event), &[]).unwrap_err().status
        };
        assert_eq!(status(r#"{"error":{"message":"m","code":"rate_limit_exceeded"}}"#), 429);
        assert_eq!(status(r#"{"error":{"message":"m","type":"insufficient_quota"}}"#), 429);
        assert_eq!(status(r#"{"error":{"message":"m","code":"server_is_overloaded"}}"#), 503);
        assert_eq!(status(r#"{"error":{"message":"m","code":500}}"#), 502);
        assert_eq!(status("[DONE]"), 502);
        assert_eq!(first_event(None, &[]).unwrap_err().status, 502);
    }
}
