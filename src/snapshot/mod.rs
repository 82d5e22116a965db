//! Snapshots: normalises, redacts, compares and stores observations. Only the store and the review do I/O.

mod acceptance;
mod atomic;
mod attempts;
mod bundled_set;
mod compare;
mod format;
mod known;
mod normalise;
mod normaliser;
mod origin;
mod pending_case;
mod redact;
mod review;
mod store;
mod stored;
mod stream;
mod tool_calls;
mod verdict;
mod volatile;

pub use acceptance::Acceptance;
pub(crate) use bundled_set::{bundled_files, bundled_folder, bundled_versions};
pub(crate) use compare::{Difference, DifferenceKind, diff};
pub(crate) use format::{CaseSnapshot, FindingLine, SnapshotFile};
pub(crate) use known::KnownClaim;
#[cfg(test)]
pub(crate) use known::{KnownScope, KnownState};
pub(crate) use normalise::left_before_an_answer;
pub(crate) use normaliser::{Normaliser, shorten};
pub(crate) use origin::SnapshotOrigin;
pub(crate) use pending_case::{PendingCase, PendingSnapshot, ReviewEffect, by_cause};
pub(crate) use redact::Redactor;
pub(crate) use review::{has_snapshots, pending};
pub(crate) use store::{Recorded, SnapshotPlace};
pub use store::{SnapshotStore, StoreError, WriteMode};
pub(crate) use stored::without_secrets;
pub(crate) use verdict::{Accepted, CaseVerdict, judge_case};

pub(crate) use atomic::{create_atomically, replace_atomically, write_atomically, write_atomically_with};

#[cfg(test)]
pub(crate) use normalise::tests::{make_stream as sample_stream, sample as sample_observation};
