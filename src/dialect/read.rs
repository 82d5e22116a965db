//! Selects the parser for the dialect of an endpoint.

use serde_json::Value;

use super::{
    anthropic, bedrock, chat, cohere, gemini, ollama,
    parsed::{Completion, StreamEvent},
    payload, realtime, responses,
};
use crate::scenario::Api;

/// Parses a complete response; `None` if it is not a successful response of this endpoint.
pub(crate) fn completion(api: Api, body: &[u8], content_type: Option<&str>) -> Option<Completion> {
    if api == Api::OpenaiSpeech {
        return payload::speech(body, content_type);
    }
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        let plain = content_type.is_some_and(|kind| kind.starts_with("text/plain"));
        return (api == Api::OpenaiTranscriptions && plain)
            .then(|| Completion::of(String::from_utf8_lossy(body).trim_end().to_owned(), None));
    };
    match api {
        Api::OpenaiChat => chat::completion(&value),
        Api::OpenaiCompletions => chat::legacy(&value),
        Api::OpenaiResponses => responses::completion(&value),
        Api::OpenaiEmbeddings | Api::CohereEmbed => payload::embeddings(&value),
        Api::OpenaiImages => payload::images(&value),
        // Speech is parsed above, and a session has no complete response.
        Api::OpenaiSpeech | Api::OpenaiRealtime => None,
        Api::OpenaiTranscriptions => payload::transcription(&value),
        Api::OpenaiModerations => payload::moderations(&value),
        Api::OpenaiModels => payload::models(&value),
        Api::OpenaiFiles => payload::object(&value, "file"),
        Api::OpenaiBatches => payload::object(&value, "batch"),
        Api::AnthropicMessages | Api::BedrockInvoke => anthropic::completion(&value),
        Api::AnthropicCountTokens => anthropic::count(&value),
        Api::GeminiGenerate => gemini::completion(&value),
        Api::BedrockConverse => bedrock::completion(&value),
        Api::CohereChat => cohere::completion(&value),
        Api::CohereRerank => cohere::ranking(&value),
        Api::OllamaChat | Api::OllamaGenerate => ollama::completion(&value),
    }
}

/// Parses one event of a stream from its name, if it has one, and its data.
pub(crate) fn event(api: Api, name: Option<&str>, data: &str) -> StreamEvent {
    match api {
        Api::OpenaiResponses => responses::event(name, data),
        Api::OpenaiRealtime => realtime::event(data),
        Api::AnthropicMessages => anthropic::event(name, data),
        Api::GeminiGenerate => gemini::event(data),
        Api::BedrockConverse => bedrock::converse(name, data),
        Api::BedrockInvoke => bedrock::invoke(name, data),
        Api::CohereChat => cohere::event(name, data),
        Api::OllamaChat | Api::OllamaGenerate => ollama::event(data),
        // The other endpoints do not stream; an unexpected stream most likely has this form.
        _ => chat::event(data),
    }
}

/// The terminator that follows the finish reason of a complete stream, in dialects whose clients wait for it.
pub(crate) fn terminator(api: Api) -> Option<&'static str> {
    match api {
        Api::OpenaiChat | Api::OpenaiCompletions => Some("[DONE]"),
        Api::AnthropicMessages | Api::BedrockInvoke => Some("message_stop"),
        _ => None,
    }
}

/// Whether an event may follow an error event without being a second error.
pub(crate) fn closes_error(api: Api, name: Option<&str>, data: &str) -> bool {
    event(api, name, data) == StreamEvent::Done || (api == Api::OpenaiResponses && responses::closes(data))
}

/// The complete elements of the array that is a stream without frames (Gemini without `alt=sse`); `None` if the body
/// is not such a stream.
pub(crate) fn elements(api: Api, body: &str) -> Option<Vec<String>> {
    let mut rest = body.trim_start().strip_prefix('[').filter(|_| api == Api::GeminiGenerate)?;
    let mut elements = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n', ',']);
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde::de::IgnoredAny>();
        let Some(Ok(_)) = values.next() else { return Some(elements) };
        let end = values.byte_offset();
        elements.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
}
