//! OpenAI's endpoints: one function for success responses, one for error events.

use bytes::Bytes;

use super::{audio, chat, completions, embeddings, images, listing, moderations, realtime, responses};

use crate::{
    observation::Canaries,
    provider::{dialect::ProviderError, message::MessageBody, request::RequestedCall},
    scenario::{Api, EventForm, SuccessReply},
};

/// Returns the content type and body of a successful response; `None` for an endpoint that is not served.
pub(in crate::provider) fn reply(
    api: Api,
    reply: &SuccessReply,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> Option<(&'static str, MessageBody)> {
    Some(match api {
        Api::OpenaiChat => chat::reply(reply, asked, canaries),
        Api::OpenaiResponses => responses::reply(reply, asked, canaries),
        Api::OpenaiCompletions => completions::reply(reply, asked, canaries),
        Api::OpenaiEmbeddings => embeddings::reply(asked),
        Api::OpenaiImages => images::reply(reply, asked, canaries),
        Api::OpenaiSpeech => audio::speech(reply, asked, canaries),
        Api::OpenaiTranscriptions => audio::transcription(reply, asked, canaries),
        Api::OpenaiModerations => moderations::reply(asked, canaries),
        Api::OpenaiModels => listing::models(asked, canaries),
        Api::OpenaiFiles => listing::files(asked, canaries),
        Api::OpenaiBatches => listing::batches(asked, canaries),
        // The response that switches to a WebSocket has no content.
        Api::OpenaiRealtime => ("", realtime::reply(reply, asked, canaries)),
        _ => return None,
    })
}

/// Returns an error as an event of a stream that has begun.
pub(in crate::provider) fn error_event(
    api: Api,
    failure: &ProviderError<'_>,
    form: Option<EventForm>,
    canaries: &Canaries,
) -> Bytes {
    match api {
        Api::OpenaiResponses => responses::error_event(failure, form, canaries),
        Api::OpenaiRealtime => realtime::error_event(failure, canaries),
        _ => chat::error_event(&failure.error, form),
    }
}
