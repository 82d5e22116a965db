//! All rules, by family.

use super::{
    coding, cooldown, detail, disconnect, expect, fallback, format, headers, held_back, keepalive, leak,
    mistake, passthrough, process, realtime, recovery, retry, sibling, status, stream, success, timeout,
};
use crate::judge::rule::Rule;

/// Every family of rules, in the order in which a report lists findings.
pub(crate) const FAMILIES: &[&[Rule]] = &[
    process::RULES,
    success::RULES,
    status::RULES,
    stream::RULES,
    held_back::RULES,
    keepalive::RULES,
    realtime::RULES,
    timeout::RULES,
    retry::RULES,
    fallback::RULES,
    cooldown::RULES,
    disconnect::RULES,
    mistake::RULES,
    detail::RULES,
    headers::RULES,
    format::RULES,
    coding::RULES,
    leak::RULES,
    passthrough::RULES,
    recovery::RULES,
    expect::RULES,
    sibling::RULES,
];
