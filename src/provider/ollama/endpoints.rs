//! Ollama's endpoints, one function each way.

use bytes::Bytes;

use super::native;

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
        Api::OllamaChat => Some(native::reply(&native::CHAT, reply, asked, canaries)),
        Api::OllamaGenerate => Some(native::reply(&native::GENERATE, reply, asked, canaries)),
        _ => None,
    }
}

/// An error as an event of a stream that has begun: a line of its own, in no other form.
pub(in crate::provider) fn error_event(
    _api: Api,
    failure: &ProviderError<'_>,
    _form: Option<EventForm>,
    _canaries: &Canaries,
) -> Bytes {
    native::error_line(&failure.error)
}
