//! The source of an error, and the fate of each detail of the provider's error.

mod detail;
mod leaked;
mod model;
mod origin;
mod place;
mod source;

pub use leaked::{hop_by_hop, poison};
pub use model::{DetailFate, ErrorOrigin, ErrorSource, Evidence, TracedDetail};
pub use origin::origins;
pub use place::is_named_after;
