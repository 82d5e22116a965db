//! Anthropic: `POST /v1/messages/count_tokens`.

use serde_json::json;

use crate::provider::{
    message::{MessageBody, json},
    request::RequestedCall,
};

/// Counts about four characters per token: a longer prompt counts more, and the same prompt always the same.
pub(crate) fn reply(asked: &RequestedCall) -> (&'static str, MessageBody) {
    let characters: usize =
        ["system", "messages", "tools"].iter().map(|member| asked.body[*member].to_string().len()).sum();
    json(&json!({"input_tokens": characters.div_ceil(4)}))
}
