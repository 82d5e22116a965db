//! Responses with status 200 and an invalid body.

use std::time::Duration;

use bytes::Bytes;

use super::{
    catalogue::ErrorBodyForm,
    dialect::{error_asking, network_headers, own_headers, reply},
    form,
    header::header,
    message::{MessageBody, ProviderMessage},
    profile,
    request::RequestedCall,
};
use crate::{
    observation::Canaries,
    scenario::{MalformedBody, SuccessReply},
};

/// Returns a response with status 200 and an invalid body. An error in it asks the client to wait this long
/// wherever it states a wait.
pub(crate) fn malformed(
    asked: &RequestedCall,
    malform: MalformedBody,
    wait: Option<Duration>,
    canaries: &Canaries,
) -> ProviderMessage {
    let body = match malform {
        MalformedBody::NotJson => {
            Bytes::from(format!("upstream said: {} (this is not JSON)", canaries.message))
        }
        MalformedBody::Empty => Bytes::new(),
        MalformedBody::Null => Bytes::from_static(b"null"),
        MalformedBody::Html => {
            let page = form::short_page("cloudflare", "Just a moment...", canaries);
            let mut headers = vec![header("content-type", "text/html; charset=UTF-8")];
            headers.extend(network_headers(ErrorBodyForm::CloudflarePage));
            return ProviderMessage { status: 200, headers, body: MessageBody::Whole(page.into()) };
        }
        MalformedBody::CutJson => {
            let whole = reply(&RequestedCall { stream: false, ..asked.clone() }, &SuccessReply::Ok, canaries);
            let MessageBody::Whole(bytes) = whole.body else { return whole };
            // The body is ASCII, so every position is a character boundary.
            bytes.slice(..bytes.len() / 2)
        }
        // These bodies are the normal response, which the module `fault` edits later.
        MalformedBody::InvalidUtf8
        | MalformedBody::ByteOrderMark
        | MalformedBody::DeepNesting(_)
        | MalformedBody::VeryLarge(_) => {
            return reply(&RequestedCall { stream: false, ..asked.clone() }, &SuccessReply::Ok, canaries);
        }
        MalformedBody::Error(name) => {
            let mut message = error_asking(asked, name, wait, canaries);
            message.status = 200;
            return message;
        }
    };
    let mut headers = vec![header("content-type", "application/json")];
    headers.extend(own_headers(profile::of(asked.provider), canaries));
    ProviderMessage { status: 200, headers, body: MessageBody::Whole(body) }
}
