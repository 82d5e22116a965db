//! How many cases are in flight: load is not a finding.
//!
//! A proxy that is out of CPU answers late. Small control requests tell how it is doing; when they
//! slow down, fewer cases run at once (additive increase, multiplicative decrease, as TCP does).

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

/// A control request slower than this says that what is timed now is the load, not the proxy:
/// rules on time allow a second of grace, and this is well below it.
pub const SLOW: Duration = Duration::from_millis(400);

/// How many control requests are remembered.
const KEPT: usize = 4096;

/// Lets as many cases run as the proxy can take.
pub struct Pacer {
    semaphore: Semaphore,
    state: Mutex<State>,
}

struct State {
    /// Cases that may be in flight.
    limit: usize,
    /// Permits that are to vanish when they come back.
    debt: usize,
    most: usize,
    /// What a control request takes when nothing else goes on.
    baseline: Duration,
    /// When control requests began and how long they took.
    samples: VecDeque<(Instant, Duration)>,
}

impl Pacer {
    /// Starts with `first` cases and goes up to `most`; `baseline` is what a control request takes
    /// while nothing else goes on.
    pub fn new(first: usize, most: usize, baseline: Duration) -> Self {
        let first = first.clamp(1, most.max(1));
        let state = State { limit: first, debt: 0, most: most.max(1), baseline, samples: VecDeque::new() };
        Self { semaphore: Semaphore::new(first), state: Mutex::new(state) }
    }

    /// Waits for a place.
    pub async fn enter(&self) -> Place<'_> {
        // The semaphore is never closed, so the only outcome is a permit.
        let permit = self.semaphore.acquire().await.ok();
        Place { pacer: self, permit }
    }

    /// Takes in how long a control request took.
    pub fn sample(&self, began: Instant, took: Duration) {
        let mut state = self.state();
        state.samples.push_back((began, took));
        if state.samples.len() > KEPT {
            state.samples.pop_front();
        }
        let calm = state.baseline * 2 + Duration::from_millis(25);
        let busy = state.baseline * 4 + Duration::from_millis(100);
        if took > busy.min(SLOW) {
            let fewer = (state.limit * 7 / 10).max(1);
            state.debt += state.limit - fewer;
            state.limit = fewer;
            while state.debt > 0 && self.semaphore.forget_permits(1) == 1 {
                state.debt -= 1;
            }
        } else if took < calm && state.limit < state.most {
            state.limit += 1;
            if state.debt > 0 {
                state.debt -= 1;
            } else {
                self.semaphore.add_permits(1);
            }
        }
    }

    /// The slowest control request that overlaps a span of time, if there was one.
    pub fn slowest_between(&self, from: Instant, to: Instant) -> Option<Duration> {
        self.samples_between(from, to).into_iter().map(|(_, took)| took).max()
    }

    /// The control requests that overlap a span of time: when each began and how long it took.
    pub fn samples_between(&self, from: Instant, to: Instant) -> Vec<(Instant, Duration)> {
        let overlaps = |(began, took): &&(Instant, Duration)| *began <= to && *began + *took >= from;
        self.state().samples.iter().filter(overlaps).copied().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the cases in flight.
pub struct Place<'a> {
    pacer: &'a Pacer,
    permit: Option<SemaphorePermit<'a>>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else { return };
        let mut state = self.pacer.state();
        if state.debt > 0 {
            state.debt -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_control_request_makes_fewer_places_and_quick_ones_more() {
        let pacer = Pacer::new(10, 12, ms(10));
        let places = futures_util::future::join_all((0..10).map(|_| pacer.enter())).await;
        pacer.sample(Instant::now(), ms(1000));
        drop(places);
        assert_eq!(pacer.semaphore.available_permits(), 7);
        for _ in 0..20 {
            pacer.sample(Instant::now(), ms(10));
        }
        assert_eq!(pacer.semaphore.available_permits(), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_always_one_place() {
        let pacer = Pacer::new(4, 4, ms(1));
        for _ in 0..50 {
            pacer.sample(Instant::now(), ms(5000));
        }
        assert_eq!(pacer.semaphore.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_overlaps_a_span_counts_for_it() {
        let pacer = Pacer::new(1, 1, ms(1));
        let start = Instant::now();
        pacer.sample(start, ms(700));
        tokio::time::advance(ms(2000)).await;
        assert_eq!(pacer.slowest_between(start + ms(800), start + ms(900)), None);
        assert_eq!(pacer.slowest_between(start + ms(600), start + ms(900)), Some(ms(700)));
    }
}
