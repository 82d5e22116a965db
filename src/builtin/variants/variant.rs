//! The honest variants. Each of them does what a real gateway does and the embedded proxy does not, so that no rule takes
//! the embedded proxy's way for the only one.

use std::sync::Arc;

use super::{success_cache::SuccessCache, tolerant::TolerantReader};
use crate::builtin::extension::Extension;

/// Another way of the embedded proxy to keep the contract. `--proxy builtin:NAME` selects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HonestVariant {
    /// Reads mislabelled bodies as their provider meant them.
    Tolerant,
    /// Answers a request that is the same as an earlier one from a cache of successes.
    Caching,
}

impl HonestVariant {
    /// All variants.
    pub const ALL: &'static [Self] = &[Self::Tolerant, Self::Caching];

    /// The name: `tolerant`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tolerant => "tolerant",
            Self::Caching => "caching",
        }
    }

    /// What the proxy does, in one line.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Tolerant => {
                "Reads bodies by their bytes if their Content-Encoding or Content-Type is wrong, and delivers what the \
                 provider meant"
            }
            Self::Caching => "Answers a request that is the same as an earlier one from a cache of successes",
        }
    }

    /// What makes the proxy this variant.
    pub(in crate::builtin) fn extension(self) -> Arc<dyn Extension> {
        match self {
            Self::Tolerant => Arc::new(TolerantReader),
            Self::Caching => Arc::new(SuccessCache::default()),
        }
    }
}
