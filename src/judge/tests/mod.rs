//! The contract, tried on observations that are made up: no socket, no clock.

mod answers;
pub(crate) mod any;
mod below;
mod chains;
mod conduct;
mod demands;
mod dialects;
mod every_rule;
mod handed;
mod hashes;
mod leaving;
mod mistakes;
mod mocks;
mod origins;
mod own;
mod policies;
mod process;
pub(crate) mod seen;
mod sessions;
mod siblings;
mod together;
mod words;
