//! Google's endpoints: Gemini and Vertex AI.

mod carried;
pub(super) mod error;
pub(super) mod generate;

pub(super) use error::{blocked, framed, page};

#[cfg(test)]
mod tests;
