//! Computes when a wait is over, so that the lateness of consecutive waits does not add up.

use std::time::Duration;

use tokio::time::Instant;

/// A wait that starts within this time after the end of the last wait counts from that end. Otherwise the
/// lateness of each of a drip's thousand waits would add up.
const CONSECUTIVE: Duration = Duration::from_millis(10);

/// The time when the last wait should have ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DelayClock(Option<Instant>);

impl DelayClock {
    /// Returns when a wait that begins now is over.
    pub(super) fn due(self, time: Duration) -> Instant {
        let now = Instant::now();
        let from = self.0.filter(|clock| now.saturating_duration_since(*clock) <= CONSECUTIVE).unwrap_or(now);
        // A time that the clock cannot represent becomes a year, longer than any run.
        from.checked_add(time).unwrap_or_else(|| now + Duration::from_secs(86_400 * 365))
    }

    /// Notes that a wait that was due at `due` is over. Returns how late it is, in milliseconds.
    pub(super) fn woke(&mut self, due: Instant) -> f64 {
        self.0 = Some(due);
        Instant::now().saturating_duration_since(due).as_secs_f64() * 1e3
    }
}
