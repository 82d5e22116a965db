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

#[cfg(test)]
pub(crate) use kinds::Sdk;
#[cfg(test)]
pub(crate) use outcome::SdkOutcome;
pub(crate) use view::{SdkView, StepView, sdk_view};
