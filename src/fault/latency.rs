//! Waits drawn from a distribution.

use std::time::Duration;

use rand::{Rng, RngExt as _};
use rand_distr::{Distribution as _, Normal};

use super::{plan::WireAction, timeline::Timeline};
use crate::scenario::{Latency, LatencyPlace, LatencyShape, Point};

impl Timeline {
    /// Inserts the waits of a latency fault. `numbers` is the random generator of this fault of this attempt,
    /// `attempt` is 1-based.
    pub(super) fn latency(&mut self, latency: &Latency, attempt: u32, numbers: &mut impl Rng) {
        let once = attempt.saturating_sub(1) as usize;
        match latency.before {
            LatencyPlace::FirstByte => {
                let time = drawn(&latency.time, once, numbers);
                self.wait(self.find(Point::BeforeHeaders), time);
            }
            LatencyPlace::End => {
                let time = drawn(&latency.time, once, numbers);
                self.wait(self.find(Point::BeforeEnd), time);
            }
            LatencyPlace::EachEvent => {
                let mut between = false;
                let mut waits = 0;
                let mut body = Vec::with_capacity(2 * self.body.len());
                for action in self.body.drain(..) {
                    if let WireAction::Write { completes_frame, .. } = &action {
                        if between {
                            body.push(WireAction::Wait(drawn(&latency.time, waits, numbers)));
                            waits += 1;
                        }
                        between = *completes_frame;
                    }
                    body.push(action);
                }
                self.body = body;
            }
        }
    }
}

/// Returns the length of the wait with the 0-based number `n`.
fn drawn(shape: &LatencyShape, n: usize, numbers: &mut impl Rng) -> Duration {
    match shape {
        LatencyShape::Fixed(time) => *time,
        LatencyShape::Uniform { from, to } => {
            let (from, to) = (nanoseconds(*from), nanoseconds(*to));
            Duration::from_nanos(numbers.random_range(from.min(to)..=from.max(to)))
        }
        LatencyShape::Normal { mean, deviation } => normal(*mean, *deviation, numbers),
        LatencyShape::List(list) if list.is_empty() => Duration::ZERO,
        LatencyShape::List(list) => list[n % list.len()],
    }
}

/// Draws again if the value is negative or more than four deviations above the mean.
fn normal(mean: Duration, deviation: Duration, numbers: &mut impl Rng) -> Duration {
    let longest = LatencyShape::Normal { mean, deviation }.longest();
    let Ok(distribution) = Normal::new(mean.as_secs_f64(), deviation.as_secs_f64()) else { return mean };
    // With a mean of zero every second draw is valid, with any other mean more of them. A hundred invalid
    // draws in a row do not occur in practice.
    (0..100)
        .map(|_| distribution.sample(numbers))
        .filter_map(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .find(|time| *time <= longest)
        .unwrap_or(mean)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
