//! From an incident to a scenario: reads evidence of a failure (the output of `curl -i`, a HAR file, a traceback, a log),
//! finds out what the provider did, and writes the scenario that repeats it.
//!
//! All functions here are pure. [`IncidentEvidence`] is what a text says about one call; `recognize` finds the provider and the
//! error of the catalogue; `draft` makes the scenario, with what had to be assumed.

mod clue;
mod curl;
mod draft;
mod error;
mod evidence;
mod exception;
mod exception_words;
mod from_evidence;
mod gateway;
mod har;
mod kind;
mod literal;
mod litellm_log;
mod place;
mod plain_text;
mod python_literal;
mod recognize;
mod redact;
mod repeated;
mod scenario_draft;
mod seen_error;
mod seen_stream;
mod titles;
mod upstream_action;
mod wishes;

pub(crate) use curl::curl;
pub(crate) use draft::draft;
pub(crate) use error::IncidentError;
pub(crate) use evidence::IncidentEvidence;
pub(crate) use exception::exception;
pub(crate) use har::har;
pub(crate) use kind::{looks_like_evidence, option_for};
pub(crate) use litellm_log::litellm_log;
pub(crate) use place::{POINTS, point_option, points_help, read_point};
pub(crate) use plain_text::plain_text;
pub(crate) use upstream_action::{NamedError, UpstreamAction, is_fault};
pub(crate) use wishes::DraftWishes;

#[cfg(test)]
mod tests;
