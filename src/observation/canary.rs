//! Who a case is, and the tokens by which its details are traced.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What every provider key begins with.
const KEY: &str = "sk-canary-";

/// What makes one case's traffic tell-able from every other's.
///
/// It is carried by things that every proxy must pass on or map: the model alias, the path of the
/// base URL, the key. Never by an extra header, which a proxy may drop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Twelve letters and digits, unique to the case and the same for the same seed.
    pub token: String,
}

impl Identity {
    /// The model name by which callers address a deployment.
    pub fn model(&self, deployment: &str) -> String {
        format!("upfault-{}-{deployment}", self.token)
    }

    /// The first segments of a deployment's base URL path, without slashes at the ends.
    pub fn path(&self, deployment: &str) -> String {
        format!("{}/{deployment}", self.token)
    }

    /// The provider key that the proxy holds for a deployment. A secret of the proxy's own.
    pub fn key(&self, deployment: &str) -> String {
        format!("{KEY}{}-{deployment}", self.token)
    }

    /// Whether anybody's provider key stands in `text`.
    pub fn stands_in(text: &str) -> bool {
        text.contains(KEY)
    }

    /// The token and the deployment that such a key is of.
    pub fn of_key(key: &str) -> Option<(&str, &str)> {
        key.strip_prefix(KEY)?.rsplit_once('-')
    }

    /// The tokens that attempt `n` (from 1) of a deployment plants in its reply.
    pub fn canaries(&self, deployment: &str, n: u32) -> Canaries {
        Canaries::with_stem(&self.stem(deployment, n))
    }

    /// What these tokens end in.
    pub fn stem(&self, deployment: &str, n: u32) -> String {
        format!("{}-{deployment}-{n}", self.token)
    }
}

/// Tokens planted in one reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Canaries {
    /// Stands inside the error message.
    pub message: String,
    /// For `error.code`, where a scenario asks for it.
    pub code: String,
    /// For `error.type`, where a scenario asks for it.
    #[serde(rename = "type")]
    pub kind: String,
    /// For `error.param`, where a scenario asks for it.
    pub param: String,
    /// A header's value.
    pub header: String,
    /// The request id.
    pub request_id: String,
    /// Stands inside a successful reply's text.
    pub content: String,
}

impl Canaries {
    /// The tokens that end in `stem`.
    pub fn with_stem(stem: &str) -> Self {
        let token = |kind: &str| [kind, stem].concat();
        Self {
            message: token("canary-msg-"),
            code: token("canary_code_"),
            kind: token("canary_type_"),
            param: token("canary_param_"),
            header: token("canary-hdr-"),
            request_id: token("req_"),
            content: token("canary-txt-"),
        }
    }

    /// What all of them end in.
    pub fn stem(&self) -> &str {
        self.request_id.strip_prefix("req_").unwrap_or(&self.request_id)
    }
}
