//! Limits how many runs of these tests execute at the same time: as many as keep every core busy without delaying each other.

use std::{sync::LazyLock, thread::available_parallelism};

use tokio::sync::{Semaphore, SemaphorePermit};

/// A core has room for this many small runs. Each of them spends most of its time waiting.
const PER_CORE: u32 = 3;

/// A run with at least this many cases keeps a core busy.
const LARGE: usize = 1000;

/// The number of small runs for which there is room.
static SIZE: LazyLock<u32> =
    LazyLock::new(|| PER_CORE * available_parallelism().map_or(1, |cores| cores.get() as u32));

/// Runs enter in the order in which they ask, so that small runs do not overtake a large one.
static ROOM: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(*SIZE as usize));

/// Whether a run shares the machine with other runs of these tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// As many other runs as there is room for execute at the same time.
    WithOthers,
    /// No other run executes at the same time. This is for the last attempt of a case for which the machine was too busy.
    Alone,
}

/// Waits until there is room for a run of so many cases, and keeps the room until the permit is dropped.
pub async fn enter(cases: usize, sharing: Sharing) -> SemaphorePermit<'static> {
    let needs = match sharing {
        Sharing::Alone => *SIZE,
        Sharing::WithOthers if cases >= LARGE => PER_CORE,
        Sharing::WithOthers => 1,
    };
    ROOM.acquire_many(needs).await.expect("the semaphore is never closed")
}

/// The maximum number of concurrent runs.
pub fn size() -> usize {
    *SIZE as usize
}
