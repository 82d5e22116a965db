//! Snapshots: normalises, redacts, compares and stores observations. Only the store and the review do I/O.

mod atomic;
mod attempts;
mod compare;
mod format;
mod normalise;
mod redact;
mod review;
mod event_text;
mod store;
mod stored;
mod stream;
mod verdict;
mod volatile;

pub use compare::{Difference, diff};
pub use format::{CaseSnapshot, Damage, FindingLine, SnapshotFile};
pub use normalise::{Normaliser, normalise};
pub use redact::Redactor;
pub use review::{PendingSnapshot, has_snapshots, pending};
pub use store::{Recorded, SnapshotStore, StoreError, WriteMode};
pub use stored::without_secrets;
pub use verdict::{Accepted, CaseVerdict, SnapshotFindings, judge_case};
pub use volatile::without_volatile;

pub(crate) use atomic::write_atomically;

#[cfg(test)]
pub(crate) use normalise::tests::{make_stream as sample_stream, sample as sample_observation};
