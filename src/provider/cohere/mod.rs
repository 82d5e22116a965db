//! Cohere's endpoints.

mod chat;
mod embed;
mod rerank;

use bytes::Bytes;

use super::{dialect::Failure, message::MessageBody, request::Asked};
use crate::{
    observation::Canaries,
    scenario::{Api, EventForm, Reply},
};

/// A successful reply's content type and body; `None` for an endpoint that is not served.
pub(super) fn reply(
    api: Api,
    reply: &Reply,
    asked: &Asked,
    canaries: &Canaries,
) -> Option<(&'static str, MessageBody)> {
    match api {
        Api::CohereChat => Some(chat::reply(reply, asked, canaries)),
        Api::CohereEmbed => Some(embed::reply(asked, canaries)),
        Api::CohereRerank => Some(rerank::reply(asked, canaries)),
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
    chat::error_event(failure, form)
}

#[cfg(test)]
mod tests;
