//! Where an error came from, and what became of each thing that the provider said about it.

mod detail;
mod leaked;
mod maker;
mod model;
mod origin;
mod place;

pub use leaked::{hop_by_hop, poison};
pub use model::{DetailFate, ErrorOrigin, ErrorSource, Evidence, TracedDetail};
pub use origin::origins;
pub use place::is_named_after;
