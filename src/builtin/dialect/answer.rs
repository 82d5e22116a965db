//! Checks whether the body of a 2xx response is valid for its API.

use serde_json::{Value, json};

use super::{DialectError, ErrorForm};
use crate::{dialect, scenario::Api};

/// Whether a body is a successful response of `api`.
pub(crate) fn is_answer(api: Api, content_type: &str, body: &[u8]) -> bool {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    value.get("error").is_none_or(Value::is_null)
        && dialect::completion(api, body, Some(content_type)).is_some()
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
