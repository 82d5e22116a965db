//! How the official SDKs react to a response. All rules here were measured; none is guessed.

mod body;
mod classes;
mod kinds;
mod outcome;
mod retry;
mod stream;
mod view;

#[cfg(test)]
mod tests;

pub use kinds::Sdk;
pub use outcome::{Retry, RetryReason, SdkOutcome, Wait};
pub use view::{SdkView, StepView, sdk_view};
