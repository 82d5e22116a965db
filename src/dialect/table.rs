//! The row of each client API.

use super::{
    anthropic, bedrock, chat, cohere, error_form::ErrorForm, gemini, listing, ollama, payload, realtime,
    responses, row::ApiRow,
};
use crate::{scenario::Api, wire::frames::Carrier};

/// What is known about a client API.
pub(crate) const fn row(api: Api) -> &'static ApiRow {
    match api {
        Api::OpenaiChat => &chat::CHAT,
        Api::OpenaiResponses => &responses::RESPONSES,
        Api::OpenaiCompletions => &chat::COMPLETIONS,
        Api::OpenaiEmbeddings => &payload::EMBEDDINGS,
        Api::OpenaiImages => &payload::IMAGES,
        Api::OpenaiSpeech => &payload::SPEECH,
        Api::OpenaiTranscriptions => &payload::TRANSCRIPTIONS,
        Api::OpenaiModerations => &payload::MODERATIONS,
        Api::OpenaiModels => &listing::MODELS,
        Api::OpenaiFiles => &listing::FILES,
        Api::OpenaiBatches => &listing::BATCHES,
        Api::OpenaiRealtime => &realtime::REALTIME,
        Api::AnthropicMessages => &anthropic::MESSAGES,
        Api::AnthropicCountTokens => &anthropic::COUNT_TOKENS,
        Api::GeminiGenerate => &gemini::GENERATE,
        Api::BedrockConverse => &bedrock::CONVERSE,
        Api::BedrockInvoke => &bedrock::INVOKE,
        Api::CohereChat => &cohere::CHAT,
        Api::CohereEmbed => &cohere::EMBED,
        Api::CohereRerank => &cohere::RERANK,
        Api::OllamaChat => &ollama::CHAT,
        Api::OllamaGenerate => &ollama::GENERATE,
    }
}

impl ErrorForm {
    /// The form of an API's own dialect.
    pub(crate) const fn of(api: Api) -> Self {
        row(api).errors
    }
}

/// The format of a stream of `api` in the body of a response. Bodies of an API without streams are parsed as
/// server-sent events if they are streams.
pub(crate) fn carrier(api: Api) -> Carrier {
    let own = row(api).stream.as_ref().map(|stream| stream.carrier);
    own.filter(|carrier| *carrier != Carrier::WebSocket).unwrap_or(Carrier::Sse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{StreamEvent, row::SampleEvent};

    #[test]
    fn an_api_has_a_stream_if_callers_can_request_one() {
        for api in Api::ALL.iter().copied() {
            assert_eq!(row(api).stream.is_some(), api.streams() || api.is_session(), "{api}");
        }
    }

    #[test]
    fn the_events_of_a_row_end_a_response_for_its_own_reader() {
        for (api, stream) in Api::ALL.iter().filter_map(|api| Some((*api, row(*api).stream.as_ref()?))) {
            let read = |event: &SampleEvent| (stream.event)(event.0, event.1);
            let finishes = |event| matches!(event, StreamEvent::Chunk { finish: Some(_), .. });
            assert!(api.is_session() || stream.finish.iter().map(read).any(finishes), "{api}");
            assert!(stream.terminator.iter().map(read).all(|event| event == StreamEvent::Done), "{api}");
        }
    }
}
