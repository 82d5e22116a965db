//! Ollama's native endpoints, for every provider that serves them.

pub(super) mod native;
