//! Translates between OpenAI's chat completions and Anthropic's messages, in both directions: requests,
//! complete responses and streams, as far as the rules on dialects need them. Pure.

mod answer;
mod chat_request;
mod chat_stream;
mod messages_request;
mod messages_stream;
mod pair;
mod values;

pub(super) use pair::{Translator, reply, request};

#[cfg(test)]
mod tests;
