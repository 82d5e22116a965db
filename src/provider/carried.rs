//! The stream format of each API.

use crate::{scenario::Api, wire::frames::Carrier};

/// The stream format that an API's own SDKs parse, regardless of the content type.
pub(crate) const fn carrier(api: Api) -> Carrier {
    match api {
        Api::BedrockConverse | Api::BedrockInvoke => Carrier::Aws,
        Api::OllamaChat | Api::OllamaGenerate => Carrier::Ndjson,
        _ => Carrier::Sse,
    }
}
