//! The source of an error, and the fate of each detail of the provider's error.

mod detail;
mod leaked;
mod model;
mod origin;
mod place;
mod source;

pub(crate) use leaked::{hop_by_hop, poison};
pub(crate) use model::ErrorOrigin;
#[cfg(test)]
pub(crate) use model::Evidence;
pub use model::{DetailFate, ErrorSource, TracedDetail};
pub use origin::origins;
pub(crate) use place::is_named_after;
