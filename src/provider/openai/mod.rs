//! OpenAI's endpoints, whoever serves them.

pub(super) mod chat;
