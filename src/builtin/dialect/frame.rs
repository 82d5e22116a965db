//! The frames that the proxy writes itself: errors in the middle of a stream, and ends of streams.

use bytes::Bytes;
use serde_json::json;

use super::{DialectError, ErrorForm, TypedStream};
use crate::{
    dialect::{ErrorEventForm, SampleEvent, carrier, row},
    scenario::Api,
    wire::{eventstream, frames::Carrier, sse},
};

/// An error as the last frame of a stream of `api`; in a Responses stream, the last two. `status` is the status that the
/// error would have as a response, `before` what the stream has contained so far.
pub(crate) fn error_frame(api: Api, error: DialectError, status: u16, before: &TypedStream) -> Bytes {
    let error = error.into_form(ErrorForm::of(api), status);
    match row(api).error_event() {
        ErrorEventForm::Body => event(api, None, &error.body().to_string()),
        ErrorEventForm::Named => event(api, Some("error"), &error.body().to_string()),
        ErrorEventForm::Typed => before.error(&error),
        ErrorEventForm::Exception => exception(error, status),
        ErrorEventForm::MessageEnd => {
            let delta = json!({"finish_reason": "ERROR", "error": error.message()});
            let data = json!({"type": "message-end", "delta": delta});
            event(api, Some("message-end"), &data.to_string())
        }
    }
}

/// The terminator of a stream of `api`, for a complete stream in which the upstream left it out.
pub(crate) fn closing(api: Api) -> Bytes {
    let terminator = row(api).stream.as_ref().and_then(|stream| stream.terminator);
    terminator.map(|SampleEvent(name, data)| event(api, name, data)).unwrap_or_default()
}

/// The frames that report the response as finished, whether it is or not. Only a defect sends them.
pub(crate) fn finish(api: Api) -> Bytes {
    let events = row(api).stream.as_ref().map_or(&[][..], |stream| stream.finish);
    let frames: Vec<Bytes> = events.iter().map(|SampleEvent(name, data)| event(api, *name, data)).collect();
    frames.concat().into()
}

/// A ping event of Anthropic in the framing of `api`. Only a defect sends it.
pub(crate) fn ping(api: Api) -> Bytes {
    event(api, Some("ping"), r#"{"type":"ping"}"#)
}

fn event(api: Api, name: Option<&str>, data: &str) -> Bytes {
    match (carrier(api), name) {
        (Carrier::Aws, name) => aws_event(name.unwrap_or_default(), data),
        (Carrier::Ndjson, _) => format!("{data}\n").into(),
        // Google's lines end with CR LF.
        (Carrier::Sse | Carrier::WebSocket, None) if ErrorForm::of(api) == ErrorForm::Google => {
            format!("data: {data}\r\n\r\n").into()
        }
        (Carrier::Sse | Carrier::WebSocket, name) => sse::encode(name, data).into(),
    }
}

/// An exception of AWS's event stream, with the closest name that both operations declare.
fn exception(error: DialectError, status: u16) -> Bytes {
    let name = match status {
        408 | 424 | 502 | 504 => "modelStreamErrorException",
        429 => "throttlingException",
        503 | 529 => "serviceUnavailableException",
        500.. => "internalServerException",
        _ => "validationException",
    };
    let mut payload = error.error;
    if name == "modelStreamErrorException" {
        payload.entry("originalStatusCode").or_insert(json!(status));
    }
    let headers =
        [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")];
    aws_message(&headers, &serde_json::Value::from(payload).to_string())
}

fn aws_event(name: &str, payload: &str) -> Bytes {
    let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    aws_message(&headers, payload)
}

fn aws_message(headers: &[(&str, &str)], payload: &str) -> Bytes {
    // A payload that is too long is replaced by an empty one.
    eventstream::encode(headers, payload.as_bytes())
        .or_else(|_| eventstream::encode(headers, b"{}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        builtin::{
            dialect::{FrameMeaning, meaning},
            envelope,
        },
        wire::frames::decode,
    };

    fn timeout() -> DialectError {
        DialectError::openai(envelope::error("m".into(), envelope::UPSTREAM_ERROR, Some("timeout")))
    }

    #[test]
    fn an_error_frame_is_read_as_an_error_in_its_dialect() {
        for api in Api::ALL.iter().copied().filter(|api| api.streams()) {
            let frames = decode(carrier(api), &error_frame(api, timeout(), 504, &TypedStream::default()));
            let FrameMeaning::Error(read) = meaning(api, &frames[0]) else { panic!("{api}: {frames:?}") };
            let closing = usize::from(api == Api::OpenaiResponses);
            assert_eq!((read.message(), frames.len()), ("m", 1 + closing), "{api}");
        }
    }

    #[test]
    fn a_finish_and_its_closing_end_a_response_in_its_dialect() {
        for api in Api::ALL.iter().copied().filter(|api| api.streams()) {
            let frames = decode(carrier(api), &[finish(api), closing(api)].concat());
            let read: Vec<FrameMeaning> = frames.iter().map(|frame| meaning(api, frame)).collect();
            let says_why = |read: &FrameMeaning| {
                let whole = matches!(read, FrameMeaning::Done { is_whole: true });
                whole || matches!(read, FrameMeaning::Part { choices, .. } if choices.contains(&(0, true)))
            };
            assert!(read.iter().any(says_why), "{api}: {frames:?}");
            assert!(!read.contains(&FrameMeaning::Broken), "{api}: {frames:?}");
        }
    }

    #[test]
    fn error_frames_have_the_form_of_their_dialect() {
        let mut before = TypedStream::default();
        before.passed(r#"{"type":"response.created","sequence_number":2,"response":{"id":"resp_1","status":"in_progress"}}"#);
        let shown =
            |api| String::from_utf8_lossy(&error_frame(api, timeout(), 504, &before)).trim_end().to_owned();
        insta::assert_snapshot!(shown(Api::OpenaiChat), @r#"data: {"error":{"message":"m","type":"upstream_error","param":null,"code":"timeout"}}"#);
        insta::assert_snapshot!(shown(Api::OpenaiResponses), @r#"
        event: error
        data: {"type":"error","sequence_number":3,"error":{"message":"m","type":"upstream_error","param":null,"code":"timeout"}}

        event: response.failed
        data: {"type":"response.failed","sequence_number":4,"response":{"id":"resp_1","status":"failed","error":{"code":"timeout","message":"m"}}}
        "#);
        insta::assert_snapshot!(shown(Api::AnthropicMessages), @r#"
        event: error
        data: {"type":"error","error":{"type":"timeout_error","message":"m","details":{"error_code":"timeout"}}}
        "#);
        insta::assert_snapshot!(shown(Api::GeminiGenerate), @r#"data: {"error":{"code":504,"message":"m","status":"DEADLINE_EXCEEDED"}}"#);
        insta::assert_snapshot!(shown(Api::CohereChat), @r#"
        event: message-end
        data: {"type":"message-end","delta":{"finish_reason":"ERROR","error":"m"}}
        "#);
        insta::assert_snapshot!(shown(Api::OllamaChat), @r#"{"error":"m"}"#);
    }
}
