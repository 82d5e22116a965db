//! The defects of the embedded proxy: extensions that make it behave wrongly.

mod after_failure;
mod attempts;
mod callers;
mod codings;
mod concurrent_requests;
mod content;
mod cooldowns;
mod declaration;
mod defect;
mod defect_name;
mod error_events;
mod every_third;
mod failures;
mod foreign_key;
mod heads;
mod pass_through;
mod process_stop;
mod route_memory;
mod sessions;
mod streams;
mod swaps;

pub use defect::Defect;
pub(super) use defect_name::UnknownDefect;
