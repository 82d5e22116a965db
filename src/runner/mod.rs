//! Runs cases: plans, groups, schedules, executes and cancels them.
//!
//! Only this module connects upstream, proxy and client. It reports progress and results as a stream of events.

mod proxy_state;
mod case;
mod control;
mod error;
mod execute;
mod gateway;
mod instance_run;
mod siblings;
mod log_leaks;
mod outcome;
mod pace;
mod plan;
mod worklist;
mod settings;
mod instance_site;
mod static_config;
mod decide;

pub use error::{ProxyGone, RunError};
pub use execute::{RunEnd, run};
pub use plan::{PlannedCase, RunPlan, identity, plan};
pub use settings::{ProxyChoice, Remote, RunSettings};
pub use static_config::static_routes;
