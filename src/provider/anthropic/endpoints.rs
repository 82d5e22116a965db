//! Anthropic's endpoints: one function for success responses, one for error events.

use bytes::Bytes;

use super::{count_tokens, error, messages};

use crate::{
    observation::Canaries,
    provider::{dialect::ProviderError, message::MessageBody, request::RequestedCall},
    scenario::{Api, EventForm, SuccessReply},
};

/// Returns the content type and body of a successful response; `None` for an endpoint that is not served.
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

/// Returns an error as an event of a stream that has begun.
pub(in crate::provider) fn error_event(
    _api: Api,
    failure: &ProviderError<'_>,
    form: Option<EventForm>,
    canaries: &Canaries,
) -> Bytes {
    error::event(failure, form, canaries)
}
