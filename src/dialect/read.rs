//! Parses responses and events with the reader of their API.

use super::{
    chat,
    error_form::ErrorForm,
    parsed::{Completion, StreamEvent},
    responses,
    row::{ErrorEventForm, ResponseReader},
    table::row,
};
use crate::scenario::Api;

/// Parses a complete response; `None` if it is not a successful response of this endpoint.
pub(crate) fn completion(api: Api, body: &[u8], content_type: Option<&str>) -> Option<Completion> {
    match row(api).response {
        ResponseReader::Json(read) => read(&serde_json::from_slice(body).ok()?),
        ResponseReader::Bytes(read) => read(body, content_type),
        ResponseReader::None => None,
    }
}

/// Parses one event of a stream from its name, if it has one, and its data.
pub(crate) fn event(api: Api, name: Option<&str>, data: &str) -> StreamEvent {
    match &row(api).stream {
        Some(stream) => (stream.event)(name, data),
        // The API does not stream; an unexpected stream most likely has this form.
        None => chat::event(data),
    }
}

/// The terminator that follows the finish reason of a complete stream, in dialects whose clients wait for it.
pub(crate) fn terminator(api: Api) -> Option<&'static str> {
    row(api).stream.as_ref()?.awaited_terminator
}

/// Whether an event may follow an error event without being a second error.
pub(crate) fn closes_error(api: Api, name: Option<&str>, data: &str) -> bool {
    event(api, name, data) == StreamEvent::Done
        || (row(api).error_event() == ErrorEventForm::Typed && responses::closes(data))
}

/// The complete elements of the array that is a stream without frames (Gemini without `alt=sse`); `None` if the body
/// is not such a stream.
pub(crate) fn elements(api: Api, body: &str) -> Option<Vec<String>> {
    let mut rest = body.trim_start().strip_prefix('[').filter(|_| ErrorForm::of(api) == ErrorForm::Google)?;
    let mut elements = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n', ',']);
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde::de::IgnoredAny>();
        let Some(Ok(_)) = values.next() else { return Some(elements) };
        let end = values.byte_offset();
        elements.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
}
