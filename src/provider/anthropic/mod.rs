//! Anthropic's endpoints, whoever serves them.

mod count_tokens;
mod error;
mod messages;

use bytes::Bytes;

use super::{dialect::Failure, message::MessageBody, request::Asked};
use crate::{
    observation::Canaries,
    scenario::{Api, EventForm, Reply},
};
pub(super) use error::word;

/// A successful reply's content type and body; `None` for an endpoint that is not served.
pub(super) fn reply(
    api: Api,
    reply: &Reply,
    asked: &Asked,
    canaries: &Canaries,
) -> Option<(&'static str, MessageBody)> {
    match api {
        Api::AnthropicMessages => Some(messages::reply(reply, asked, canaries)),
        Api::AnthropicCountTokens => Some(count_tokens::reply(asked)),
        _ => None,
    }
}

/// An error as an event of a stream that has begun.
pub(super) fn error_event(
    _api: Api,
    failure: &Failure<'_>,
    form: Option<EventForm>,
    canaries: &Canaries,
) -> Bytes {
    error::event(failure, form, canaries)
}

#[cfg(test)]
mod tests;
