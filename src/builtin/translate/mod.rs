//! `openai/chat` in front of Anthropic and `anthropic/messages` in front of OpenAI: requests, whole
//! replies and streams, as far as the rules on dialects need them. Pure.

mod answer;
mod chat_request;
mod chat_stream;
mod messages_request;
mod messages_stream;
mod pair;
mod words;

pub(super) use pair::{Translator, reply, request};

#[cfg(test)]
mod tests;
