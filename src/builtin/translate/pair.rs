//! Which translation a pair of APIs needs.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::{answer, chat_request, chat_stream, messages_request, messages_stream};
use crate::{scenario::Api, wire::frames::Frame};

/// A caller's request as the upstream's API takes it.
pub fn request(caller: Api, upstream: Api, body: &Map<String, Value>) -> Map<String, Value> {
    match (caller, upstream) {
        (Api::OpenaiChat, Api::AnthropicMessages) => chat_request::for_messages(body),
        (Api::AnthropicMessages, Api::OpenaiChat) => messages_request::for_chat(body),
        _ => body.clone(),
    }
}

/// An upstream's answer, known to be one, as the caller's API gives it.
pub fn reply(caller: Api, upstream: Api, body: Bytes) -> Bytes {
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

/// A stream on its way from one API to another, frame by frame.
#[derive(Debug)]
pub enum Translator {
    /// Events of messages become chunks of a chat.
    ToChat(chat_stream::ToChat),
    /// Chunks of a chat become events of messages.
    ToMessages(messages_stream::ToMessages),
}

impl Translator {
    /// For one stream; `None` where its frames pass as they are.
    pub fn new(caller: Api, upstream: Api, include_usage: bool) -> Option<Self> {
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

    /// What a part of the answer becomes; nothing where the caller's API has no such part.
    pub fn frame(&mut self, frame: &Frame) -> Bytes {
        let data = serde_json::from_str::<Value>(&frame.data).unwrap_or_default();
        match self {
            Self::ToChat(stream) => stream.event(&data).into(),
            Self::ToMessages(stream) => stream.chunk(&data).into(),
        }
    }

    /// What ends an answer that is whole.
    pub fn end(&mut self) -> Bytes {
        match self {
            Self::ToChat(stream) => stream.end().into(),
            Self::ToMessages(stream) => stream.end().into(),
        }
    }
}
