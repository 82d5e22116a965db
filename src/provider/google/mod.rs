//! Google's endpoints: Gemini and Vertex AI.

mod carried;
mod error;
mod generate;

use bytes::Bytes;

use super::{dialect::Failure, message::MessageBody, request::Asked};
use crate::{
    observation::Canaries,
    scenario::{Api, EventForm, Reply},
};
pub(super) use error::{blocked, framed, page};

/// A successful reply's content type and body; `None` for an endpoint that is not served.
pub(super) fn reply(
    api: Api,
    reply: &Reply,
    asked: &Asked,
    canaries: &Canaries,
) -> Option<(&'static str, MessageBody)> {
    match api {
        Api::GeminiGenerate => Some(generate::reply(reply, asked, canaries)),
        _ => None,
    }
}

/// An error as an event of a stream that has begun.
pub(super) fn error_event(
    _api: Api,
    failure: &Failure<'_>,
    form: Option<EventForm>,
    _canaries: &Canaries,
) -> Bytes {
    error::event(failure, form)
}

#[cfg(test)]
mod tests;
