//! The chosen answers to the questions on which the field disagrees.

use serde::{Deserialize, Serialize};

use crate::scenario::{StatusPattern, StatusSet};

/// The answers by which a run is judged. See the table of open questions in docs/contract.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The name that reports show.
    pub name: String,
    /// The upstream rejects the proxy's own key (401, 403).
    pub credentials: StatusSet,
    /// The upstream answers 429.
    pub rate_limit: StatusSet,
    /// The upstream does not answer in time.
    pub timeout: StatusSet,
    /// The upstream cannot be reached.
    pub unreachable: StatusSet,
    /// The upstream says that it is overloaded (503, 529).
    pub overloaded: StatusSet,
}

impl Policy {
    /// The policy of this name, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|policy| policy.name == name)
    }

    /// The built-in policies, the default first.
    pub fn all() -> Vec<Self> {
        let default = Self {
            name: "default".to_owned(),
            credentials: set(&[401, 403], &[500, 501, 502, 503]),
            rate_limit: set(&[429], &[]),
            timeout: set(&[504, 408], &[]),
            unreachable: set(&[502, 503], &[]),
            overloaded: set(&[503, 529], &[]),
        };
        // RFC 9110: 15.5.2 ties 401 to the requester's own credentials, 15.6.5 gives a gateway
        // without a timely answer its 504, 15.6.3 an invalid answer its 502.
        let rfc9110 = Self {
            name: "rfc9110".to_owned(),
            credentials: set(&[502, 503, 500], &[403]),
            timeout: set(&[504], &[]),
            unreachable: set(&[502, 503, 504], &[]),
            ..default.clone()
        };
        // https://docs.litellm.ai/docs/exception_mapping
        let litellm_docs = Self {
            name: "litellm-docs".to_owned(),
            credentials: set(&[401, 403], &[]),
            timeout: set(&[408], &[]),
            unreachable: set(&[500], &[]),
            overloaded: set(&[503, 500], &[]),
            ..default.clone()
        };
        vec![default, rfc9110, litellm_docs]
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::all().swap_remove(0)
    }
}

fn set(first: &[u16], more: &[u16]) -> StatusSet {
    StatusSet(first.iter().chain(more).map(|status| StatusPattern::Exactly(*status)).collect())
}
