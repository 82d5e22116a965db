//! The effect of a case on the whole proxy.

use std::fmt;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The effect of a case on the whole proxy, beyond the case's own requests. It is recorded only if no other
/// case ran at that time, so that it is certain which case caused it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProxyHarm {
    /// The proxy's process ended.
    Exited {
        /// How it ended, such as `exited with code 1` or `was killed by signal 9`.
        how: String,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// The proxy stopped answering requests, including those that have nothing to do with the case.
    Froze {
        /// How long upfault waited before it gave up, in milliseconds.
        silent_ms: f64,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// The proxy answered another caller only after a request of this case had ended. This happened twice.
    HeldUpOthers {
        /// When the other caller's request was sent, in milliseconds since the case began.
        sent_ms: f64,
        /// When it was answered, in milliseconds since the case began.
        answered_ms: f64,
    },
}

impl ProxyHarm {
    /// Whether the proxy had to be restarted. If so, no other observation of the case says anything about the
    /// proxy.
    pub fn stopped_the_proxy(&self) -> bool {
        matches!(self, Self::Exited { .. } | Self::Froze { .. })
    }
}

impl fmt::Display for ProxyHarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { how, .. } => write!(f, "the proxy {how}"),
            Self::Froze { .. } => f.write_str("the proxy stopped answering requests"),
            Self::HeldUpOthers { .. } => f.write_str("the proxy kept another caller waiting"),
        }
    }
}
