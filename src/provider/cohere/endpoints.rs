//! Cohere's endpoints: one function for success responses, one for error events.

use bytes::Bytes;

use super::{chat, embed, rerank};
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
        Api::CohereChat => Some(chat::reply(reply, asked, canaries)),
        Api::CohereEmbed => Some(embed::reply(asked, canaries)),
        Api::CohereRerank => Some(rerank::reply(asked, canaries)),
        _ => None,
    }
}

/// Returns an error as an event of a stream that has begun.
pub(in crate::provider) fn error_event(
    _api: Api,
    failure: &ProviderError<'_>,
    form: Option<EventForm>,
    _canaries: &Canaries,
) -> Bytes {
    chat::error_event(failure, form)
}
