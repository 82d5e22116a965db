//! The record of connections that did not become an attempt: limited, the newest last.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use tokio::time::Instant;

use super::{attempt_record::millis, case::MockCase, locked::locked};
use crate::observation::{Stray, StrayKind};

/// The maximum number of entries. The oldest ones are dropped.
pub(crate) const MAX_STRAYS: usize = 1000;

/// The deployment that the connection was for, if known.
pub(super) type StrayOwner<'a> = Option<(&'a Arc<MockCase>, usize)>;

pub(super) struct StrayLog {
    began: Instant,
    kept: Mutex<VecDeque<Stray>>,
}

impl StrayLog {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), kept: Mutex::default() }
    }

    pub(super) fn note(&self, what: StrayKind, bytes: u64, status: Option<u16>, whose: StrayOwner<'_>) {
        let deployment = whose.map(|(case, deployment)| {
            (case.identity.token.clone(), case.deployments[deployment].name.clone())
        });
        let at_ms = millis(self.began, Instant::now());
        let mut kept = locked(&self.kept);
        if kept.len() == MAX_STRAYS {
            kept.pop_front();
        }
        kept.push_back(Stray { at_ms, what, bytes, status, deployment });
    }

    /// Returns the entries of one case, or all.
    pub(super) fn of(&self, token: Option<&str>) -> Vec<Stray> {
        let is_meant = |stray: &&Stray| {
            token.is_none_or(|token| stray.deployment.as_ref().is_some_and(|(case, _)| case == token))
        };
        locked(&self.kept).iter().filter(is_meant).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_newest_thousand_are_kept() {
        let strays = StrayLog::new();
        for bytes in 0..1003 {
            strays.note(StrayKind::Garbage, bytes, Some(400), None);
        }
        let kept = strays.of(None);
        assert_eq!((kept.len(), kept[0].bytes, kept[999].bytes), (1000, 3, 1002));
        assert!(strays.of(Some("tok")).is_empty());
    }
}
