//! Checks whether the body of a 2xx response is valid for its API.

use serde_json::{Value, json};

use super::{DialectError, ErrorForm};
use crate::scenario::Api;

/// Whether a body is a successful response of `api`.
pub(crate) fn is_answer(api: Api, content_type: &str, body: &[u8]) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match api {
        // Audio, in whatever format was requested.
        Api::OpenaiSpeech => !body.is_empty() && !matches!(kind.as_str(), "application/json" | "text/html"),
        // The caller may have requested plain text or subtitles.
        Api::OpenaiTranscriptions if matches!(kind.as_str(), "text/plain" | "text/vtt") => !body.is_empty(),
        _ => serde_json::from_slice::<Value>(body).is_ok_and(|value| is_answer_value(api, &value)),
    }
}

fn is_answer_value(api: Api, value: &Value) -> bool {
    let no_error = value.get("error").is_none_or(Value::is_null);
    let list = |name: &str| value.get(name).is_some_and(Value::is_array);
    let object = |name: &str| value.get(name).is_some_and(Value::is_object);
    let text = |name: &str| value.get(name).is_some_and(Value::is_string);
    let filled =
        |name: &str| value.get(name).and_then(Value::as_array).is_some_and(|entries| !entries.is_empty());
    no_error
        && match api {
            Api::OpenaiChat | Api::OpenaiCompletions => filled("choices"),
            Api::OpenaiResponses => list("output"),
            Api::OpenaiEmbeddings | Api::OpenaiImages | Api::OpenaiModels => list("data"),
            Api::OpenaiTranscriptions => text("text"),
            Api::OpenaiModerations | Api::CohereRerank => list("results"),
            Api::OpenaiFiles | Api::OpenaiBatches => text("id"),
            Api::OpenaiSpeech | Api::OpenaiRealtime => false,
            Api::AnthropicMessages => list("content"),
            Api::AnthropicCountTokens => value.get("input_tokens").is_some_and(Value::is_u64),
            // Without `alt=sse`, Google sends a stream as a list of chunks.
            Api::GeminiGenerate => match value {
                Value::Array(chunks) => chunks.last().is_some_and(|last| is_answer_value(api, last)),
                _ => filled("candidates") || object("promptFeedback"),
            },
            Api::BedrockConverse => object("output"),
            // Each model has its own response format.
            Api::BedrockInvoke => value
                .as_object()
                .is_some_and(|members| members.keys().any(|name| !name.eq_ignore_ascii_case("message"))),
            Api::CohereChat | Api::OllamaChat => object("message"),
            Api::CohereEmbed => value.get("embeddings").is_some_and(|value| !value.is_null()),
            Api::OllamaGenerate => text("response"),
        }
}

/// Whether a body contains an error in a known form.
pub(crate) fn carries_error(api: Api, body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|value| {
        DialectError::of_value(ErrorForm::of(api), &value)
            .or_else(|| DialectError::of_value(ErrorForm::Openai, &value))
            .is_some()
    })
}

/// The name of a response of `api`, for messages.
pub(crate) fn response_name(api: Api) -> &'static str {
    match api {
        Api::OpenaiChat | Api::OpenaiCompletions => "completion",
        _ => "response of this API",
    }
}

/// An empty response; `None` if none is defined for `api`. Only a defect sends it.
pub(crate) fn empty_response(api: Api) -> Option<Value> {
    match api {
        Api::OpenaiChat => {
            let choice =
                json!({"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"});
            Some(
                json!({"id": "chatcmpl-0", "object": "chat.completion", "created": 0, "model": "unknown", "choices": [choice]}),
            )
        }
        Api::AnthropicMessages => Some(json!({
            "id": "msg_0", "type": "message", "role": "assistant", "model": "unknown", "content": [],
            "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": 0, "output_tokens": 0},
        })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_api_accepts_an_error_or_a_page_as_a_response() {
        let bodies =
            ["", "null", "{}", "[]", "<html>", "{\"message\":\"m\"}", "{\"error\":{\"message\":\"m\"}}"];
        for api in Api::ALL.iter().copied() {
            for body in bodies {
                assert!(!is_answer(api, "application/json", body.as_bytes()), "{api}: {body}");
            }
        }
        assert!(!is_answer(Api::OpenaiSpeech, "text/html; charset=UTF-8", b"<html>"));
        assert!(is_answer(Api::OpenaiSpeech, "audio/mpeg", b"\xff\xf3"));
        assert!(!is_answer(Api::OpenaiResponses, "", br#"{"output":[],"error":{"code":"server_error"}}"#));
        assert!(is_answer(Api::OpenaiResponses, "", br#"{"output":[],"error":null}"#));
        assert!(is_answer(Api::GeminiGenerate, "", br#"[{"candidates":[{}]}]"#));
    }
}
