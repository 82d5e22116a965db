//! The only orchestrator: it plans, groups, schedules, executes and cancels.
//!
//! It alone joins upstream, proxy and client, and it tells what happens as a stream of events.

mod beat;
mod case;
mod control;
mod error;
mod execute;
mod gateway;
mod group;
mod kinship;
mod log_leaks;
mod outcome;
mod pace;
mod plan;
mod round;
mod settings;
mod site;
mod static_config;
mod weigh;

pub use error::{Died, RunError};
pub use execute::{Ended, run};
pub use plan::{Plan, Planned, identity, plan};
pub use settings::{ProxyChoice, Remote, RunSettings};
pub use static_config::static_routes;
