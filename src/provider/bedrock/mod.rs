//! AWS Bedrock's operations.

mod converse;
mod exception;
mod frame;
mod invoke;
mod operations;
mod content_block;

pub(super) use operations::{error_event, headers, intervened, reply};

#[cfg(test)]
mod tests;
