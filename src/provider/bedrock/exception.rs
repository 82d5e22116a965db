//! Errors inside a stream.
//!
//! Source: the members of `ConverseStreamOutput` and `ResponseStream` in AWS's description of
//! `bedrock-runtime` (botocore, `service-2.json`).

use bytes::Bytes;
use serde_json::json;

use super::frame;
use crate::{
    provider::{catalogue::ErrorRow, failure::ProviderError},
    scenario::Api,
};

const INTERNAL: &str = "internalServerException";
const MODEL_STREAM: &str = "modelStreamErrorException";
const VALIDATION: &str = "validationException";
const THROTTLING: &str = "throttlingException";
const UNAVAILABLE: &str = "serviceUnavailableException";
const MODEL_TIMEOUT: &str = "modelTimeoutException";

const CONVERSE: &[&str] = &[INTERNAL, MODEL_STREAM, VALIDATION, THROTTLING, UNAVAILABLE];
const INVOKE: &[&str] = &[INTERNAL, MODEL_STREAM, VALIDATION, THROTTLING, MODEL_TIMEOUT, UNAVAILABLE];

/// An error as an exception that the operation declares.
pub(super) fn declared(api: Api, failure: &ProviderError<'_>) -> Bytes {
    let name = name(api, failure.row);
    let payload = if name == MODEL_STREAM {
        json!({"message": failure.text, "originalStatusCode": failure.row.status})
    } else {
        json!({"message": failure.text})
    };
    frame::exception(name, &payload)
}

/// An error that no operation declares, with the name that it has in a response header.
pub(super) fn low_level(failure: &ProviderError<'_>) -> Bytes {
    frame::error(failure.row.kind.as_deref().unwrap_or("InternalFailure"), &failure.text)
}

/// An error's own name in camel case, or the nearest one that the operation declares: a client SDK turns an
/// unknown name into an empty error.
fn name(api: Api, row: &ErrorRow) -> &'static str {
    let names = if api == Api::BedrockInvoke { INVOKE } else { CONVERSE };
    let own = row.kind.as_deref().unwrap_or_default();
    // The names differ from those in the headers only in the case of the first letter.
    if let Some(name) = names.iter().find(|name| name.eq_ignore_ascii_case(own)) {
        return name;
    }
    match row.status {
        408 | 424 => MODEL_STREAM,
        429 => THROTTLING,
        503 | 529 => UNAVAILABLE,
        500.. => INTERNAL,
        _ => VALIDATION,
    }
}
