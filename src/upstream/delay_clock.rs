//! When a wait is over: in step with the waits before it.

use std::time::Duration;

use tokio::time::Instant;

/// A wait that starts within this time of the last one's end counts from that end, so that the
/// lateness of each of a drip's thousand waits does not add up.
const SAME_BEAT: Duration = Duration::from_millis(10);

/// When the last wait should have ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DelayClock(Option<Instant>);

impl DelayClock {
    /// When a wait that begins now is over.
    pub(super) fn due(self, time: Duration) -> Instant {
        let now = Instant::now();
        let from = self.0.filter(|beat| now.saturating_duration_since(*beat) <= SAME_BEAT).unwrap_or(now);
        // A time that the clock can't hold is as good as for ever.
        from.checked_add(time).unwrap_or_else(|| now + Duration::from_secs(86_400 * 365))
    }

    /// Notes that a wait was over which should have ended then; returns how late it is, in milliseconds.
    pub(super) fn woke(&mut self, due: Instant) -> f64 {
        self.0 = Some(due);
        Instant::now().saturating_duration_since(due).as_secs_f64() * 1e3
    }
}
