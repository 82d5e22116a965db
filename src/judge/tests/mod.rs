//! The contract, tried on observations that are made up: no socket, no clock.

mod answers;
mod any;
mod below;
mod conduct;
mod demands;
mod dialects;
mod every_rule;
mod handed;
mod leaving;
mod mocks;
mod origins;
pub(in crate::judge) mod seen;
mod words;
