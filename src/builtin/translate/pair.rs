//! Selects the translation for a pair of APIs.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::{answer, chat_request, chat_stream, messages_request, messages_stream};
use crate::{scenario::Api, wire::frames::Frame};

/// Translates the body of a caller's request to the upstream's API.
pub(crate) fn request(caller: Api, upstream: Api, body: &Map<String, Value>) -> Map<String, Value> {
    match (caller, upstream) {
        (Api::OpenaiChat, Api::AnthropicMessages) => chat_request::for_messages(body),
        (Api::AnthropicMessages, Api::OpenaiChat) => messages_request::for_chat(body),
        _ => body.clone(),
    }
}

/// Translates the body of a successful response to the caller's API.
pub(crate) fn reply(caller: Api, upstream: Api, body: Bytes) -> Bytes {
    let translate = match (caller, upstream) {
        (Api::OpenaiChat, Api::AnthropicMessages) => answer::completion,
        (Api::AnthropicMessages, Api::OpenaiChat) => answer::message,
        _ => return body,
    };
    match serde_json::from_slice::<Value>(&body) {
        Ok(value) => translate(&value).to_string().into(),
        Err(_) => body,
    }
}

/// Translates a stream from one API to another, frame by frame.
#[derive(Debug)]
pub(crate) enum Translator {
    /// From messages to chat.
    ToChat(chat_stream::ToChat),
    /// From chat to messages.
    ToMessages(messages_stream::ToMessages),
}

impl Translator {
    /// Creates the translator for one stream; `None` if its frames pass unchanged.
    pub(crate) fn new(caller: Api, upstream: Api, include_usage: bool) -> Option<Self> {
        match (caller, upstream) {
            (Api::OpenaiChat, Api::AnthropicMessages) => {
                Some(Self::ToChat(chat_stream::ToChat::new(include_usage)))
            }
            (Api::AnthropicMessages, Api::OpenaiChat) => {
                Some(Self::ToMessages(messages_stream::ToMessages::default()))
            }
            _ => None,
        }
    }

    /// Translates a frame with a part of the response; empty if the caller's API has no such part.
    pub(crate) fn frame(&mut self, frame: &Frame) -> Bytes {
        let data = serde_json::from_str::<Value>(&frame.data).unwrap_or_default();
        match self {
            Self::ToChat(stream) => stream.event(&data).into(),
            Self::ToMessages(stream) => stream.chunk(&data).into(),
        }
    }

    /// Returns the end of a complete stream.
    pub(crate) fn end(&mut self) -> Bytes {
        match self {
            Self::ToChat(stream) => stream.end().into(),
            Self::ToMessages(stream) => stream.end().into(),
        }
    }
}
