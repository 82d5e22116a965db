//! What a case did to the proxy as a whole.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a case did to the proxy as a whole, beyond its own requests. It is recorded only where the case
/// was the only one under way, so that it is known which one did it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProxyHarm {
    /// The proxy's process ended.
    Exited {
        /// `exited with code 1`, `was killed by signal 9`.
        how: String,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// The proxy answered no request at all any more, not even one that has nothing to do with the case.
    Froze {
        /// For how long, in milliseconds, until upfault gave up waiting.
        silent_ms: f64,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// The proxy answered another caller only after a request of this case was over, twice.
    HeldUpOthers {
        /// When the other caller's request was sent, in milliseconds since the case began.
        sent_ms: f64,
        /// When it was answered, in milliseconds since the case began.
        answered_ms: f64,
    },
}

impl ProxyHarm {
    /// Whether the proxy had to be started again. Nothing else that was seen of the case then says
    /// anything about the proxy.
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
