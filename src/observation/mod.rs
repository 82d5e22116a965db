//! Everything that upfault observed in one case, on both sides of the proxy, as plain data.
//!
//! This module does not judge and does no I/O: an observation can be stored, read back and judged again.

mod arrangement;
mod attempt;
mod canary;
mod exchange;
mod harm;
mod meaningful;
mod random;
mod record;
mod stray;
mod volatile;
pub mod word;

pub use arrangement::{Arrangement, DeploymentArranged};
pub use attempt::{Attempt, AttemptEnd, SentReply};
pub use canary::{Canaries, Identity, PlantedToken, planted};
pub use exchange::{
    CallerLeft, Exchange, ExchangeOutcome, ReceivedClose, ReceivedFrame, Response, ResponseBody, ResponseEnd,
    StepName,
};
pub use harm::ProxyHarm;
pub use meaningful::{MEANINGFUL_HEADERS, is_meaningful};
pub use random::{looks_random, without_random};
pub use record::Observation;
pub use stray::{Stray, StrayKind};
pub use volatile::Volatile;

pub(crate) use meaningful::is_request_id;
