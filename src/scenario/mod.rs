//! The scenario file: its vocabulary, its model, and the expansion of its text into cases.

mod account;
mod arm;
mod conduct;
mod diagnostic;
pub mod duration;
mod expand;
mod expect;
mod fault;
mod file;
mod fitting;
mod leave;
mod load;
mod mistake;
mod model;
mod parse;
mod path;
#[cfg(test)]
mod schema;
mod session;
mod sibling;
mod step;
mod together;
mod transport;
mod turn;
mod validate;
mod words;

pub use account::{Account, KeyState, Keys};
pub use arm::{ArmFile, ArmRequest, MAX_TTL, load_arm};
pub use diagnostic::{Diagnostic, Label, LoadErrors, meant, nearest};
pub use expand::{case_id, expand};
pub use expect::{Attempts, EndingExpect, ErrorExpect, Expect, StatusPattern, StatusSet};
pub use fault::{
    CloseFrame, ConnectionFault, ContentEncodingFault, ContentTypeFault, EventStreamFault, Fault, FaultStage,
    Http1Fault, Http2Code, Http2Fault, Http2Strike, Latency, LatencyPlace, LatencyShape, MalformedBody,
    Point, TlsAlert, TlsFault,
};
pub use leave::{Leave, LeaveBy, LeavePoint};
pub use load::{Library, LoadError, has_scenarios, is_scenario, load_dir, load_from, load_text};
pub use mistake::RequestMistake;
pub use model::{Case, Combination, Cooldown, ProxySettings, Scenario, Step, SuccessReply, Turn, TurnReply};
pub use parse::parse;
pub use path::fill_model;
#[cfg(test)]
pub use schema::schema;
pub use sibling::{Sibling, SiblingKind, kin_by_id, siblings};
pub use words::{Api, ErrorName, EventForm, Level, Provider, Transport};

#[cfg(test)]
mod tests;
