//! The scenario file: its vocabulary, its model, and the expansion of its text into cases.

mod account;
mod arm;
mod arm_text;
mod canonical;
mod check;
mod chunk;
mod chunk_check;
mod conduct;
mod describe;
mod diagnostic;
pub(crate) mod duration;
mod example_line;
mod expand;
mod expect;
mod expect_body;
mod expect_header;
mod expect_request;
mod expectations;
mod fault;
mod file;
mod fitting;
mod flow;
mod known;
mod leave;
mod load;
mod located;
mod mistake;
mod model;
mod node;
mod node_deserializer;
mod node_error;
mod open_words;
mod own_model;
mod parse;
mod proxy_settings;
mod refit;
mod retarget;
#[cfg(test)]
mod schema;
mod session;
mod sibling;
mod silence;
mod speedup;
mod step;
mod synonyms;
mod syntax;
mod together;
mod transport;
mod turn;
mod validate;
mod version_range;
mod words;

#[cfg(test)]
pub(crate) use account::Keys;
pub(crate) use account::{Account, KeyState};
#[cfg(test)]
pub(crate) use arm::ArmFile;
#[cfg(test)]
pub(crate) use arm::MAX_TTL;
pub(crate) use arm::{ArmRequest, load_arm, load_arm_file};
pub(crate) use arm_text::{arm_text, turn_file};
pub(crate) use canonical::canonical;
pub(crate) use chunk::ReplyChunk;
pub use diagnostic::{Diagnostic, LoadErrors};
pub(crate) use diagnostic::{Label, meant, nearest};
#[cfg(test)]
pub(crate) use expand::case_id;
pub use expand::expand;
pub(crate) use expand::own_model_of;
#[cfg(test)]
pub(crate) use expect::ErrorExpect;
pub(crate) use expect::{Attempts, EndingExpect, Expect, FinishExpect, StatusPattern, StatusSet};
pub(crate) use expect_body::BodyExpect;
#[cfg(test)]
pub(crate) use expect_body::TextList;
#[cfg(test)]
pub(crate) use expect_header::HeaderExpect;
pub(crate) use expect_request::RequestExpect;
pub(crate) use fault::{
    CloseFrame, ConnectionFault, ContentEncodingFault, ContentTypeFault, EventStreamFault, FaultNeed,
    FaultStage, Http1Fault, Http2Code, Http2Fault, Http2Strike, Latency, LatencyPlace, LatencyShape,
    MalformedBody, ReplyPart, TlsAlert, TlsFault,
};
pub use fault::{Fault, Point};
pub(crate) use flow::{block_text, fault_text, flow, must_be_escaped};
pub(crate) use known::{KnownEntry, KnownFile, KnownProblem, id_pattern};
pub(crate) use leave::{Leave, LeaveBy, LeavePoint};
pub use load::{Library, LoadError, load_dir, load_text};
pub(crate) use load::{has_scenarios, is_scenario, load_from};
pub(crate) use located::Located;
pub(crate) use mistake::RequestMistake;
pub(crate) use model::ReplyEnd;
pub(crate) use model::Step;
pub use model::{Case, Combination, Scenario, SuccessReply, Turn, TurnReply};
pub(crate) use node::Node;
pub(crate) use open_words::OwnWord;
pub(crate) use own_model::{OwnDeployment, OwnModel, OwnSettings};
pub(crate) use parse::{deserialized, parse, parse_tree};
pub use proxy_settings::ProxySettings;
pub(crate) use proxy_settings::{Cooldown, ProxySettingRow, Setting};
pub(crate) use retarget::Retargeting;
#[cfg(test)]
pub(crate) use schema::{schema, schema_of, schema_settings};
pub(crate) use sibling::{Sibling, SiblingKind, kin_by_id, siblings};
pub(crate) use speedup::{SHORTEST_TIMEOUT, SHORTEST_WAIT};
pub(crate) use synonyms::{is_same_form, meaning};
pub(crate) use version_range::{ProxyVersion, VersionRange};
pub(crate) use words::EventForm;
pub(crate) use words::words;
pub use words::{Api, ErrorName, Level, Provider, Transport};

#[cfg(test)]
mod tests;
