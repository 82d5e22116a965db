//! What carries the streams of each API.

use crate::{scenario::Api, wire::frames::Carrier};

/// What the events of an API's streams come in: its own SDKs read them so, whatever the content type
/// says.
pub const fn carrier(api: Api) -> Carrier {
    match api {
        Api::BedrockConverse | Api::BedrockInvoke => Carrier::Aws,
        Api::OllamaChat | Api::OllamaGenerate => Carrier::Ndjson,
        _ => Carrier::Sse,
    }
}
