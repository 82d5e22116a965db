//! Google's endpoints: Gemini and Vertex AI.

mod carried;
mod endpoints;
mod error;
mod generate;

pub(super) use endpoints::{error_event, reply};
pub(super) use error::{blocked, framed, page};

#[cfg(test)]
mod tests;
