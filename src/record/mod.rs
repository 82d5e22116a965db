//! `upfault record`: passes traffic to a real provider and writes exchanges as scenarios.

mod allowed;
mod choice;
mod exchange;
mod passing;
mod recorder;
mod redact;
mod redact_aws;
mod redact_json;
mod redact_text;
mod requested;
mod scenario_text;
mod secrets;
mod store;
mod upstream_error;
mod yaml;

pub(crate) use choice::RecordChoice;
pub(crate) use exchange::{PassedEnd, PassedExchange};
pub(crate) use recorder::{Recorder, RecorderError};
pub(crate) use scenario_text::NotRecorded;
pub(crate) use store::{RecordStore, SavedRecording};

#[cfg(test)]
mod tests;
