//! Classifies an upstream response: a success to pass on, or a failure and its cause.

use bytes::Bytes;
use serde_json::Value;

use super::{
    dialect::{self, DialectError, ErrorForm, FrameMeaning, meaning},
    envelope,
    failure::{CallFailure, Cause, RawUpstreamReply},
    headers,
};
use crate::{
    dialect::{exception_type, stated_status},
    scenario::Api,
    wire::frames::{Frame, RawFrame},
};

/// Whether a response with this status can be a success.
pub(super) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// Classifies a complete response of an upstream.
///
/// # Errors
///
/// The failure to send to the caller, with the upstream's error if it sent one.
pub(super) fn whole(
    api: Api,
    status: u16,
    upstream: Vec<(String, String)>,
    body: Bytes,
) -> Result<(), CallFailure> {
    let content_type = headers::value(&upstream, "content-type").unwrap_or_default();
    let (cause, callers_status) = match status {
        200..300 if dialect::is_answer(api, content_type, &body) => return Ok(()),
        200..300 => (Cause::OddBody, 502),
        400..600 => (Cause::Status(status), status),
        _ => (Cause::OddStatus, 502),
    };
    let error = if cause == Cause::OddBody && !dialect::carries_error(api, &body) {
        invalid(&describe_body(api, &body))
    } else if cause == Cause::OddStatus {
        invalid(&format!("The upstream answered with status {status}, which this API does not use."))
    } else if let Some(text) = headers::value(&upstream, "x-amzn-errormessage").filter(|_| body.is_empty()) {
        DialectError::openai(envelope::error(text.to_owned(), envelope::UPSTREAM_ERROR, None))
    } else {
        DialectError::of_body(ErrorForm::of(api), &body, status)
    };
    let passed = headers::passed(&upstream);
    Err(CallFailure {
        cause,
        status: callers_status,
        error,
        headers: passed,
        raw: Some(Box::new(RawUpstreamReply { headers: upstream, body })),
    })
}

/// Classifies the first frame of a stream, before any of it has been passed on.
///
/// # Errors
///
/// The failure to send to the caller, with the upstream's error if it sent one.
pub(super) fn first_frame(
    api: Api,
    first: Option<&RawFrame>,
    upstream: &[(String, String)],
) -> Result<(), CallFailure> {
    let mut passed = headers::passed(upstream);
    let (cause, status, error) = match first.map(|first| (&first.frame, meaning(api, &first.frame))) {
        Some((_, FrameMeaning::Part { .. } | FrameMeaning::Done { is_whole: true })) => return Ok(()),
        Some((frame, FrameMeaning::Error(error))) => {
            if let Some(name) = aws_name(frame) {
                passed.retain(|(name, _)| name != AWS_TYPE);
                passed.push((AWS_TYPE.to_owned(), name));
            }
            (Cause::FirstEvent, status_of(frame, &error), error)
        }
        Some((_, FrameMeaning::Broken)) => {
            (Cause::OddBody, 502, invalid("The upstream's stream begins with data that is not a chunk."))
        }
        Some((_, FrameMeaning::Done { .. })) | None => {
            (Cause::OddBody, 502, invalid("The upstream's stream is empty."))
        }
    };
    let body = first.map(|first| first.raw.clone()).unwrap_or_default();
    let raw = RawUpstreamReply { headers: upstream.to_vec(), body };
    Err(CallFailure { cause, status, error, headers: passed, raw: Some(Box::new(raw)) })
}

/// The header in which AWS names an error.
pub(super) const AWS_TYPE: &str = "x-amzn-errortype";

/// The name of an AWS event stream exception in the form of the header.
fn aws_name(frame: &Frame) -> Option<String> {
    let name = frame.event.as_deref()?.strip_prefix("exception:")?;
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

fn invalid(message: &str) -> DialectError {
    let code = Some(envelope::INVALID_RESPONSE);
    DialectError::openai(envelope::error(message.into(), envelope::UPSTREAM_ERROR, code))
}

/// The status for an error that an upstream sent in a stream with status 200.
pub(super) fn status_of(frame: &Frame, error: &DialectError) -> u16 {
    let member = |name: &str| error.error.get(name).cloned().unwrap_or_default();
    let kind = match frame.event.as_deref().and_then(exception_type) {
        Some(name) => Value::from(name),
        None => [member("type"), member("status")].into_iter().find(Value::is_string).unwrap_or_default(),
    };
    stated_status(&member("code"), &kind).unwrap_or(502)
}

fn describe_body(api: Api, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let what = if text.trim().is_empty() {
        "an empty body".to_owned()
    } else if envelope::looks_like_html(&text) {
        "an HTML page".to_owned()
    } else if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() {
        format!("JSON that is not a valid {}", dialect::response_name(api))
    } else {
        "a body that is not JSON".to_owned()
    };
    format!("The upstream answered 200 with {what}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: Api = Api::OpenaiChat;

    fn failure(status: u16, body: &'static str) -> CallFailure {
        whole(CHAT, status, vec![], Bytes::from_static(body.as_bytes())).unwrap_err()
    }

    #[test]
    fn under_200_only_a_completion_is_a_success() {
        assert!(
            whole(CHAT, 200, vec![], Bytes::from_static(br#"{"choices":[{"message":{"content":"a"}}]}"#))
                .is_ok()
        );
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
            assert_eq!(failure.error.error["code"], "invalid_upstream_response", "{body}");
        }
        let with_error = failure(200, r#"{"error":{"message":"m","type":"t","param":null,"code":"c"}}"#);
        assert_eq!(
            (with_error.status, &with_error.error.error["message"], &with_error.error.error["code"]),
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
            let frame = Frame { event: None, data: data.into() };
            first_frame(CHAT, Some(&RawFrame { frame, raw: Bytes::new() }), &[]).unwrap_err().status
        };
        assert_eq!(status(r#"{"error":{"message":"m","code":"rate_limit_exceeded"}}"#), 429);
        assert_eq!(status(r#"{"error":{"message":"m","type":"insufficient_quota"}}"#), 429);
        assert_eq!(status(r#"{"error":{"message":"m","code":"server_is_overloaded"}}"#), 503);
        assert_eq!(status(r#"{"error":{"message":"m","type":"invalid_request_error"}}"#), 400);
        assert_eq!(status(r#"{"error":{"message":"m","code":500}}"#), 500);
        assert_eq!(status(r#"{"error":{"message":"m"}}"#), 502);
        assert_eq!(status("[DONE]"), 502);
        assert_eq!(first_frame(CHAT, None, &[]).unwrap_err().status, 502);
    }
}
