//! Runs cases: plans, groups, schedules, executes and cancels them.
//!
//! Only this module connects upstream, proxy and client. It reports progress and results as a stream of events.

mod arming;
mod baseline;
mod proxy_state;
mod quick;
mod case;
mod control;
mod cpu_time;
mod error;
mod execute;
mod fail_fast;
mod gateway;
mod instance_results;
mod instance_run;
mod instances;
mod siblings;
mod log_leaks;
mod outcome;
mod pace;
mod plan;
mod worklist;
mod settings;
mod starts;
mod instance_site;
mod look;
mod static_config;
mod decide;

pub(crate) use case::routes;
pub(crate) use error::ProxyGone;
pub use error::RunError;
pub(crate) use execute::RunEnd;
pub use execute::run;
pub(crate) use plan::identity;
pub(crate) use plan::plan;
pub(crate) use quick::slice;
pub(crate) use settings::Remote;
pub use settings::{ProxyChoice, RunSettings};
pub(crate) use static_config::static_routes;
