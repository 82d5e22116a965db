//! The functions that write the successes and the error events of each API.

use bytes::Bytes;

use super::{
    anthropic, bedrock, cohere, failure::ProviderError, google, message::MessageBody, ollama, openai,
    request::RequestedCall,
};
use crate::{
    observation::Canaries,
    scenario::{Api, EventForm, SuccessReply},
};

/// Returns the content type and body of a successful response; `None` for an endpoint that is not served.
pub(super) fn success(
    api: Api,
    reply: &SuccessReply,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> Option<(&'static str, MessageBody)> {
    Some(match api {
        Api::OpenaiChat => openai::chat::reply(reply, asked, canaries),
        Api::OpenaiResponses => openai::responses::reply(reply, asked, canaries),
        Api::OpenaiCompletions => openai::completions::reply(reply, asked, canaries),
        Api::OpenaiEmbeddings => openai::embeddings::reply(asked),
        Api::OpenaiImages => openai::images::reply(reply, asked, canaries),
        Api::OpenaiSpeech => openai::audio::speech(reply, asked, canaries),
        Api::OpenaiTranscriptions => openai::audio::transcription(reply, asked, canaries),
        Api::OpenaiModerations => openai::moderations::reply(asked, canaries),
        Api::OpenaiModels => openai::listing::models(asked, canaries),
        Api::OpenaiFiles => openai::listing::files(asked, canaries),
        Api::OpenaiBatches => openai::listing::batches(asked, canaries),
        // The response that switches to a WebSocket has no content.
        Api::OpenaiRealtime => ("", openai::realtime::reply(reply, asked, canaries)),
        Api::AnthropicMessages => anthropic::messages::reply(reply, asked, canaries),
        Api::AnthropicCountTokens => anthropic::count_tokens::reply(asked),
        Api::GeminiGenerate => google::generate::reply(reply, asked, canaries),
        Api::BedrockConverse | Api::BedrockInvoke => return bedrock::reply(api, reply, asked, canaries),
        Api::CohereChat => cohere::chat::reply(reply, asked, canaries),
        Api::CohereEmbed => cohere::embed::reply(asked, canaries),
        Api::CohereRerank => cohere::rerank::reply(asked, canaries),
        Api::OllamaChat => ollama::native::reply(&ollama::native::CHAT, reply, asked, canaries),
        Api::OllamaGenerate => ollama::native::reply(&ollama::native::GENERATE, reply, asked, canaries),
    })
}

/// Returns an error as an event of a stream that has begun.
pub(super) fn error_event(
    api: Api,
    failure: &ProviderError<'_>,
    form: Option<EventForm>,
    canaries: &Canaries,
) -> Bytes {
    match api {
        Api::OpenaiResponses => openai::responses::error_event(failure, form, canaries),
        Api::OpenaiRealtime => openai::realtime::error_event(failure, canaries),
        Api::OpenaiChat
        | Api::OpenaiCompletions
        | Api::OpenaiEmbeddings
        | Api::OpenaiImages
        | Api::OpenaiSpeech
        | Api::OpenaiTranscriptions
        | Api::OpenaiModerations
        | Api::OpenaiModels
        | Api::OpenaiFiles
        | Api::OpenaiBatches => openai::chat::error_event(&failure.error, form),
        Api::AnthropicMessages | Api::AnthropicCountTokens => {
            anthropic::error::event(failure, form, canaries)
        }
        Api::GeminiGenerate => google::error::event(failure, form),
        Api::BedrockConverse | Api::BedrockInvoke => bedrock::error_event(api, failure, form),
        Api::CohereChat | Api::CohereEmbed | Api::CohereRerank => cohere::chat::error_event(failure, form),
        Api::OllamaChat | Api::OllamaGenerate => ollama::native::error_line(&failure.error),
    }
}
