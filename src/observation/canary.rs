//! Who a case is, and the tokens by which its details are traced.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
        format!("sk-canary-{}-{deployment}", self.token)
    }

    /// The tokens that attempt `n` (from 1) of a deployment plants in its reply.
    pub fn canaries(&self, deployment: &str, n: u32) -> Canaries {
        let stem = format!("{}-{deployment}-{n}", self.token);
        Canaries {
            message: format!("canary-msg-{stem}"),
            code: format!("canary_code_{stem}"),
            kind: format!("canary_type_{stem}"),
            param: format!("canary_param_{stem}"),
            header: format!("canary-hdr-{stem}"),
            request_id: format!("req_{stem}"),
            content: format!("canary-txt-{stem}"),
        }
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
