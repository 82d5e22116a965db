//! What a user wants differently from what an incident and the catalogue say.

use std::time::Duration;

use indexmap::IndexMap;

use crate::scenario::{Api, Point, Provider};

/// What the user wants differently from what the incident and the catalogue say.
#[derive(Debug, Clone, Default)]
pub(crate) struct DraftWishes {
    /// The provider behind the proxy.
    pub provider: Option<Provider>,
    /// The APIs that callers use.
    pub apis: Vec<Api>,
    /// Whether callers request a stream.
    pub stream: Option<bool>,
    /// Where it happens.
    pub at: Option<Point>,
    /// How long a silence or a delay is.
    pub lasting: Option<Duration>,
    /// Headers of the response; `None` removes one.
    pub headers: IndexMap<String, Option<String>>,
    /// The timeout of the proxy.
    pub timeout: Option<Duration>,
    /// How often the proxy retries.
    pub retries: Option<u32>,
    /// The title of the scenario.
    pub title: Option<String>,
    /// Why it matters.
    pub why: Option<String>,
    /// Whether to send what the evidence contains, and not the error of the catalogue.
    pub literal: bool,
}
