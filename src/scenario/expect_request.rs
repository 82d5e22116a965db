//! What a request must be when it reaches an upstream.

use std::time::Duration;

use indexmap::IndexMap;
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{duration, expect_body::BodyExpect, expect_header::HeaderExpect, words::Api};

/// What a request must be when it reaches an upstream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RequestExpect {
    /// The deployment that it reaches. Default: any deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// The endpoint of the provider that it calls. Default: any endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<Api>,
    /// The model that it names. Default: any model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its headers: a value, `null` for an absent header, `{present: true}` or `{contains: text}`. Default: any headers.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, HeaderExpect>,
    /// Its body. Default: any body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyExpect>,
    /// The shortest time since the attempt before it, or since the caller's request if there is none, as a duration
    /// (`2s`). Default: any time.
    #[serde(with = "duration::option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub after: Option<Duration>,
}
