//! The success responses of Bedrock's operations, and their errors inside a stream.

use bytes::Bytes;

use super::{content_block::BedrockContent, converse, exception, invoke};
use crate::{
    observation::Canaries,
    provider::{
        catalogue::ErrorBodyForm,
        failure::ProviderError,
        header::{HeaderField, header},
        message::MessageBody,
        request::RequestedCall,
    },
    scenario::{Api, EventForm, SuccessReply},
};

/// Returns the content type and body of a successful response; `None` for an endpoint that is not served.
pub(in crate::provider) fn reply(
    api: Api,
    reply: &SuccessReply,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> Option<(&'static str, MessageBody)> {
    written(api, &BedrockContent::of(reply, canaries), asked, canaries)
}

/// The response with which a guardrail replaces the model's, a failure sent as a success: its headers in
/// addition to the provider's, and its body.
pub(in crate::provider) fn intervened(
    api: Api,
    text: &str,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> Option<(Vec<HeaderField>, MessageBody)> {
    let content = BedrockContent::blocked(text);
    let (content_type, body) = written(api, &content, asked, canaries)?;
    let mut headers = vec![header("content-type", content_type)];
    headers.extend(headers_of(api, &content, asked));
    Some((headers, body))
}

fn written(
    api: Api,
    content: &BedrockContent,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> Option<(&'static str, MessageBody)> {
    match api {
        Api::BedrockConverse => Some(converse::reply(content, asked)),
        Api::BedrockInvoke => Some(invoke::reply(content, asked, canaries)),
        _ => None,
    }
}

/// The headers of a successful response in addition to the provider's.
pub(in crate::provider) fn headers(
    api: Api,
    reply: &SuccessReply,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> Vec<HeaderField> {
    headers_of(api, &BedrockContent::of(reply, canaries), asked)
}

fn headers_of(api: Api, content: &BedrockContent, asked: &RequestedCall) -> Vec<HeaderField> {
    if api == Api::BedrockInvoke { invoke::headers(content, asked) } else { Vec::new() }
}

/// Returns an error as an event of a stream that has begun.
pub(in crate::provider) fn error_event(
    api: Api,
    failure: &ProviderError<'_>,
    form: Option<EventForm>,
) -> Bytes {
    let blocked = failure.row.form == Some(ErrorBodyForm::Guardrail);
    match (api, form) {
        (_, Some(EventForm::LowLevel)) => exception::low_level(failure),
        (Api::BedrockConverse, _) if blocked => {
            converse::blocked_event(&BedrockContent::blocked(&failure.text))
        }
        (Api::BedrockInvoke, _) if blocked => invoke::blocked_event(&BedrockContent::blocked(&failure.text)),
        _ => exception::declared(api, failure),
    }
}
