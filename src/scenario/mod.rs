//! The scenario file: its words, its model, and the way from text to cases.

pub mod duration;
mod expect;
mod fault;
mod model;
mod words;

pub use expect::{Attempts, EndingExpect, ErrorExpect, Expect, StatusPattern, StatusSet};
pub use fault::{Fault, Malform, Point};
pub use model::{Answer, Case, Combination, Cooldown, ProxySettings, Reply, Scenario, Step, Turn};
pub use words::{Api, ErrorName, Level, Provider};
