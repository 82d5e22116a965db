//! What is known about the cases of an instance when they are over.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::{error::ProxyGone, log_leaks::SearchedLog};
use crate::{event::ProxyStop, judge::Verdict, spool::SpoolPlace};
/// The results of an instance.
#[derive(Default)]
pub(super) struct InstanceResults {
    /// The places of the snapshots of cases, with the ids of their scenarios.
    pub snapshots: Vec<(String, SpoolPlace)>,
    /// For each judged case, its verdict and the required rules that fail it.
    pub verdicts: HashMap<String, (Verdict, Vec<String>)>,
    /// Why a snapshot could not be kept.
    pub not_kept: Option<std::io::Error>,
    /// Each time that the proxy stopped serving.
    pub stops: Vec<ProxyStop>,
    /// Set if the proxy was not restarted, so that cases have no verdict.
    pub died: Option<ProxyGone>,
    /// The logs of ended processes, which are searched for secrets.
    pub logs: Vec<SearchedLog>,
    /// The number of further looks at cases.
    pub repeated: usize,
    /// How long further looks took, added up.
    pub repeated_time: Duration,
    /// The number of cases that could not be judged even alone, because the machine was too busy.
    pub(super) busy: usize,
    /// The scenarios that stopped the proxy since the last case that did not.
    pub(super) in_a_row: HashSet<String>,
}
