//! What each of them answers, and how it fails in the midst of a stream.

use bytes::Bytes;

use super::{content_block::ContentBlock, converse, exception, invoke};
use crate::{
    observation::Canaries,
    provider::{
        catalogue::ErrorBodyForm,
        dialect::ProviderError,
        header::{HeaderField, header},
        message::MessageBody,
        request::RequestedCall,
    },
    scenario::{Api, EventForm, SuccessReply},
};

/// A successful reply's content type and body; `None` for an endpoint that is not served.
pub(in crate::provider) fn reply(
    api: Api,
    reply: &SuccessReply,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> Option<(&'static str, MessageBody)> {
    written(api, &ContentBlock::of(reply, canaries), asked, canaries)
}

/// The reply with which a guardrail takes the place of the model, a success that is none: its headers
/// beside the provider's own, and its body.
pub(in crate::provider) fn intervened(
    api: Api,
    text: &str,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> Option<(Vec<HeaderField>, MessageBody)> {
    let said = ContentBlock::blocked(text);
    let (content_type, body) = written(api, &said, asked, canaries)?;
    let mut headers = vec![header("content-type", content_type)];
    headers.extend(headers_of(api, &said, asked));
    Some((headers, body))
}

fn written(
    api: Api,
    said: &ContentBlock,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> Option<(&'static str, MessageBody)> {
    match api {
        Api::BedrockConverse => Some(converse::reply(said, asked, canaries)),
        Api::BedrockInvoke => Some(invoke::reply(said, asked, canaries)),
        _ => None,
    }
}

/// The headers that a successful reply has beside the provider's own.
pub(in crate::provider) fn headers(
    api: Api,
    reply: &SuccessReply,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> Vec<HeaderField> {
    headers_of(api, &ContentBlock::of(reply, canaries), asked)
}

fn headers_of(api: Api, said: &ContentBlock, asked: &RequestedCall) -> Vec<HeaderField> {
    if api == Api::BedrockInvoke { invoke::headers(said, asked) } else { Vec::new() }
}

/// An error as an event of a stream that has begun.
pub(in crate::provider) fn error_event(
    api: Api,
    failure: &ProviderError<'_>,
    form: Option<EventForm>,
    _canaries: &Canaries,
) -> Bytes {
    let blocked = failure.row.form == Some(ErrorBodyForm::Guardrail);
    match (api, form) {
        (_, Some(EventForm::LowLevel)) => exception::low_level(failure),
        (Api::BedrockConverse, _) if blocked => {
            converse::blocked_event(&ContentBlock::blocked(&failure.text))
        }
        (Api::BedrockInvoke, _) if blocked => invoke::blocked_event(&ContentBlock::blocked(&failure.text)),
        _ => exception::declared(api, failure),
    }
}
