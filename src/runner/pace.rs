//! Limits the number of concurrent cases, so that load does not cause findings.
//!
//! A proxy that is out of CPU answers late. If control requests become slow, fewer cases run concurrently (additive
//! increase, multiplicative decrease, like TCP congestion control).

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

/// If a control request takes longer than this, timing reflects the load and not the proxy. Rules that depend on
/// timing allow a second of grace, which is much longer.
pub(super) const SLOW: Duration = Duration::from_millis(400);

/// How many control requests are recorded.
const KEPT: usize = 4096;

/// Limits the number of concurrent cases to what the proxy can handle.
pub(super) struct Pacer {
    semaphore: Semaphore,
    state: Mutex<State>,
}

struct State {
    /// The current limit.
    limit: usize,
    /// How many permits to remove when they are returned.
    debt: usize,
    most: usize,
    /// The duration of a control request without load.
    baseline: Duration,
    /// The start and the duration of control requests.
    samples: VecDeque<(Instant, Duration)>,
    /// When the next control request was to start; `None` if none is due.
    due: Option<Instant>,
    /// When upfault itself was late, and by how much.
    stalls: VecDeque<(Instant, Duration)>,
}

/// Whether a control request or a delay, given by its start and its duration, overlaps a span of time.
fn overlaps(&(began, took): &(Instant, Duration), from: Instant, to: Instant) -> bool {
    began <= to && began + took >= from
}

impl Pacer {
    /// Starts with a limit of `first`, which can increase to `most`. `baseline` is the duration of a control request
    /// without load.
    pub(super) fn new(first: usize, most: usize, baseline: Duration) -> Self {
        let first = first.clamp(1, most.max(1));
        let state = State {
            limit: first,
            debt: 0,
            most: most.max(1),
            baseline,
            samples: VecDeque::new(),
            due: None,
            stalls: VecDeque::new(),
        };
        Self { semaphore: Semaphore::new(first), state: Mutex::new(state) }
    }

    /// Waits until another case may run. Cancel-safe.
    pub(super) async fn enter(&self) -> CasePermit<'_> {
        // The semaphore is never closed, so the only outcome is a permit.
        let permit = self.semaphore.acquire().await.ok();
        CasePermit { pacer: self, permit }
    }

    /// Announces the next control request.
    pub(super) fn expect(&self, due: Instant) {
        self.state().due = Some(due);
    }

    /// Records that upfault was late: at `due` it wanted to send a control request, and could not for this long.
    pub(super) fn stalled(&self, due: Instant, late: Duration) {
        let mut state = self.state();
        state.due = None;
        state.stalls.push_back((due, late));
        if state.stalls.len() > KEPT {
            state.stalls.pop_front();
        }
    }

    /// Records a control request and adjusts the limit.
    pub(super) fn sample(&self, began: Instant, took: Duration) {
        let mut state = self.state();
        state.due = None;
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

    /// The longest delay in a span of time, if there is one: of a control request, also of one that is overdue or not yet
    /// answered, or of upfault itself. A case may end before the control request that shows how busy the machine was.
    pub(super) fn slowest_between(&self, from: Instant, to: Instant) -> Option<Duration> {
        let state = self.state();
        let overdue = state.due.map(|due| (due, due.elapsed()));
        let all = state.samples.iter().chain(&state.stalls).copied().chain(overdue);
        all.filter(|sample| overlaps(sample, from, to)).map(|(_, took)| took).max()
    }

    /// The start and the duration of control requests that overlap a span of time.
    pub(super) fn samples_between(&self, from: Instant, to: Instant) -> Vec<(Instant, Duration)> {
        self.state().samples.iter().filter(|sample| overlaps(sample, from, to)).copied().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A permit to run a case.
pub(super) struct CasePermit<'a> {
    pacer: &'a Pacer,
    permit: Option<SemaphorePermit<'a>>,
}

impl Drop for CasePermit<'_> {
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
    async fn slow_control_requests_decrease_the_limit_and_quick_ones_increase_it() {
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
    async fn the_limit_is_at_least_one() {
        let pacer = Pacer::new(4, 4, ms(1));
        for _ in 0..50 {
            pacer.sample(Instant::now(), ms(5000));
        }
        assert_eq!(pacer.semaphore.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn only_overlapping_control_requests_count() {
        let pacer = Pacer::new(1, 1, ms(1));
        let start = Instant::now();
        pacer.sample(start, ms(700));
        tokio::time::advance(ms(2000)).await;
        assert_eq!(pacer.slowest_between(start + ms(800), start + ms(900)), None);
        assert_eq!(pacer.slowest_between(start + ms(600), start + ms(900)), Some(ms(700)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_counts_before_the_control_request_that_shows_it_is_answered() {
        let pacer = Pacer::new(1, 1, ms(1));
        let start = Instant::now();
        pacer.expect(start + ms(1000));
        assert_eq!(pacer.slowest_between(start, Instant::now()), None, "it is not due yet");
        tokio::time::advance(ms(2200)).await;
        assert_eq!(pacer.slowest_between(start, Instant::now()), Some(ms(1200)));
        assert_eq!(pacer.slowest_between(start, start + ms(900)), None, "the span ended before it");
        // upfault was late and sends no request: the delay is still known afterwards, but it is not a request.
        pacer.stalled(start + ms(1000), ms(1200));
        tokio::time::advance(ms(5000)).await;
        assert_eq!(pacer.slowest_between(start, start + ms(1500)), Some(ms(1200)));
        assert_eq!(pacer.samples_between(start, start + ms(1500)), []);
    }
}
