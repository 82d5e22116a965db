//! Divides the cases of a run into parts (shards) that take about the same time.

mod balance;
mod durations;
mod part;
mod split;

pub(crate) use durations::{CaseCosts, CaseTime, Durations};
pub use part::{RunSelection, ShardReport};
pub(crate) use part::{Shard, Split};
pub(crate) use split::{TooManyShards, split};
