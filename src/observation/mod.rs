//! Everything that upfault observed in one case, on both sides of the proxy, as plain data.
//!
//! This module does not judge and does no I/O: an observation can be stored, read back and judged again.

mod arrangement;
mod attempt;
mod canary;
mod coded;
mod exchange;
mod harm;
mod meaningful;
mod random;
mod record;
mod secret;
mod shorten;
mod stray;
mod volatile;
pub(crate) mod word;

pub(crate) use arrangement::{Arrangement, DeploymentArranged, OwnRetries};
pub(crate) use attempt::{Attempt, AttemptEnd, MAX_KEPT_BODY, SentPause, SentReply};
pub use canary::Identity;
pub(crate) use canary::{Canaries, PlantedToken, planted};
pub(crate) use coded::CodedBody;
pub(crate) use exchange::{
    CallerLeft, Exchange, ExchangeOutcome, ReceivedClose, ReceivedFrame, Response, ResponseBody, ResponseEnd,
    StepName,
};
pub(crate) use harm::ProxyHarm;
pub(crate) use meaningful::is_meaningful;
pub(crate) use random::{looks_random, without_random};
pub use record::Observation;
pub(crate) use secret::{looks_secret, without_secrets};
pub(crate) use shorten::{beginning, excerpt, shorten};
pub(crate) use stray::{Stray, StrayKind};
pub(crate) use volatile::Volatile;

pub(crate) use meaningful::{REQUEST_IDS, is_request_id, passed_on};
