//! The honest variants. Each of them does what a real gateway does and the embedded proxy does not, so that no rule takes
//! the embedded proxy's way for the only one.

use std::sync::Arc;

use super::{success_cache::SuccessCache, tolerant::TolerantReader};
use crate::{
    builtin::{
        dialect,
        extension::{Extension, Unextended},
    },
    scenario::{Case, ProxySettings, Transport},
};

/// Another way of the embedded proxy to keep the contract. `--proxy builtin:NAME` selects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HonestVariant {
    /// Reads mislabelled bodies as their provider meant them.
    Tolerant,
    /// Answers a request that is the same as an earlier one from a cache of successes.
    Caching,
    /// Passes every request through that needs no translation.
    PassingThrough,
}

impl HonestVariant {
    /// All variants.
    pub const ALL: &'static [Self] = &[Self::Tolerant, Self::Caching, Self::PassingThrough];

    /// The name: `tolerant`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tolerant => "tolerant",
            Self::Caching => "caching",
            Self::PassingThrough => "passing-through",
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
            Self::PassingThrough => {
                "Passes requests through unchanged, whatever the scenario is about, unless they need a translation, a \
                 retry or a fallback"
            }
        }
    }

    /// The case as this variant runs it.
    pub(in crate::builtin) fn fitted(self, case: &Case) -> Case {
        let settings = &case.scenario.proxy;
        let passing = ProxySettings { pass_through: true, ..settings.clone() };
        let is_passed = self == Self::PassingThrough
            && dialect::lacks(&case.combination, &passing).is_none()
            && settings.chosen().all(|(_, row)| row.passes_through)
            // Its HTTP client takes a stream that is reset without an error for a complete one.
            && case.scenario.transport != Transport::Http2
            && case.scenario.steps.iter().all(|step| step.mistake.is_none());
        if is_passed { case.with_proxy(passing) } else { case.clone() }
    }

    /// What makes the proxy this variant.
    pub(in crate::builtin) fn extension(self) -> Arc<dyn Extension> {
        match self {
            Self::Tolerant => Arc::new(TolerantReader),
            Self::Caching => Arc::new(SuccessCache::default()),
            Self::PassingThrough => Arc::new(Unextended),
        }
    }
}
