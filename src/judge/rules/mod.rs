//! The rules of the contract, by what they look at.

mod detail;
mod expect;
mod fallback;
mod format;
mod headers;
mod leak;
mod recovery;
mod retry;
mod status;
mod stream;
mod success;
mod timeout;

pub use expect::RULES as EXPECT;

use super::rule::Rule;

/// Every family of rules, in the order in which a report lists findings.
pub const FAMILIES: &[&[Rule]] = &[
    success::RULES,
    status::RULES,
    stream::RULES,
    timeout::RULES,
    retry::RULES,
    fallback::RULES,
    detail::RULES,
    headers::RULES,
    format::RULES,
    leak::RULES,
    recovery::RULES,
    expect::RULES,
];
