//! The honest variants of the embedded proxy: extensions with which it behaves differently and still keeps the contract.

mod success_cache;
mod tolerant;
mod variant;

pub use variant::HonestVariant;
