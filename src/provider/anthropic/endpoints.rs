//! Anthropic's endpoints, one function each way.

use bytes::Bytes;

use super::{count_tokens, error, messages};

use crate::{
    observation::Canaries,
    provider::{dialect::ProviderError, message::MessageBody, request::RequestedCall},
    scenario::{Api, EventForm, SuccessReply},
};

/// A successful reply's content type and body; `None` for an endpoint that is not served.
pub(in crate::provider) fn reply(
    api: Api,
    reply: &SuccessReply,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> Option<(&'static str, MessageBody)> {
    match api {
        Api::AnthropicMessages => Some(messages::reply(reply, asked, canaries)),
        Api::AnthropicCountTokens => Some(count_tokens::reply(asked)),
        _ => None,
    }
}

/// An error as an event of a stream that has begun.
pub(in crate::provider) fn error_event(
    _api: Api,
    failure: &ProviderError<'_>,
    form: Option<EventForm>,
    canaries: &Canaries,
) -> Bytes {
    error::event(failure, form, canaries)
}
