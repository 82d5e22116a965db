//! From an endpoint to the reader of its dialect.

use serde_json::Value;

use super::{
    anthropic, bedrock, chat, cohere, gemini, ollama, payload, realtime, responses,
    words::{Completion, StreamEvent},
};
use crate::scenario::Api;

/// Reads a whole reply; `None` if it is no success of this endpoint.
pub fn completion(api: Api, body: &[u8], content_type: Option<&str>) -> Option<Completion> {
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
        // A session has no whole reply.
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

/// Reads one event of a stream: its name, if it has one, and its data.
pub fn event(api: Api, name: Option<&str>, data: &str) -> StreamEvent {
    match api {
        Api::OpenaiResponses => responses::event(name, data),
        Api::OpenaiRealtime => realtime::event(data),
        Api::AnthropicMessages => anthropic::event(name, data),
        Api::GeminiGenerate => gemini::event(data),
        Api::BedrockConverse => bedrock::converse(name, data),
        Api::BedrockInvoke => bedrock::invoke(name, data),
        Api::CohereChat => cohere::event(name, data),
        Api::OllamaChat | Api::OllamaGenerate => ollama::event(data),
        // The others have no stream; one that comes all the same is most likely of this form.
        _ => chat::event(data),
    }
}

/// What a good stream ends with beyond its finish reason, in the dialects whose clients wait for it.
pub fn terminator(api: Api) -> Option<&'static str> {
    match api {
        Api::OpenaiChat | Api::OpenaiCompletions => Some("[DONE]"),
        Api::AnthropicMessages | Api::BedrockInvoke => Some("message_stop"),
        _ => None,
    }
}

/// Whether an event may follow an error event without being a second word on the matter.
pub fn closes_error(api: Api, name: Option<&str>, data: &str) -> bool {
    event(api, name, data) == StreamEvent::Done || (api == Api::OpenaiResponses && responses::closes(data))
}

/// The elements of an array in which a dialect streams without frames, as far as they came; `None`
/// where the body is no such stream.
pub fn elements(api: Api, body: &str) -> Option<Vec<String>> {
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
