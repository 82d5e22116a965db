//! Runs cases: plans, groups, schedules, executes and cancels them.
//!
//! Only this module connects upstream, proxy and client. It reports progress and results as a stream of events.

mod arming;
mod baseline;
mod proxy_state;
mod quick;
mod case;
mod case_routes;
mod change_kinds;
mod control;
mod control_cases;
mod identity;
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
mod rendering;
mod decide;

pub(crate) use case_routes::routes;
pub(crate) use error::ProxyGone;
pub use error::RunError;
pub(crate) use execute::RunEnd;
pub use execute::run;
pub(crate) use identity::identity;
pub(crate) use plan::{fitted, plan};
pub(crate) use quick::slice;
pub(crate) use rendering::{
    InstancePlan, KEY_FILE, MANIFEST, NOT_CONFIGURED, RenderedInstance, RenderedRoutes, Rendering,
    authority_pem, instances, key_in,
};
pub(crate) use settings::Attached;
pub use settings::{ProxyChoice, RunSettings};
