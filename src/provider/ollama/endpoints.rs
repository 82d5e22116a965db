//! Ollama's endpoints: one function for success responses, one for error events.

use bytes::Bytes;

use super::native;

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
        Api::OllamaChat => Some(native::reply(&native::CHAT, reply, asked, canaries)),
        Api::OllamaGenerate => Some(native::reply(&native::GENERATE, reply, asked, canaries)),
        _ => None,
    }
}

/// Returns an error as an event of a stream that has begun: a separate line, which is the only form.
pub(in crate::provider) fn error_event(
    _api: Api,
    failure: &ProviderError<'_>,
    _form: Option<EventForm>,
    _canaries: &Canaries,
) -> Bytes {
    native::error_line(&failure.error)
}
