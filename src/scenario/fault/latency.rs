//! Latencies that are drawn from a distribution with the run's seed.

use std::{fmt, time::Duration};

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::duration;

/// Waits whose lengths are drawn before the first byte is sent. The same seed gives the same waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The points of the response at which the mock waits. Default: `first_byte`.
    #[serde(default)]
    pub before: LatencyPlace,
    /// The length of each wait.
    pub time: LatencyShape,
}

/// The points of a response at which the mock waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LatencyPlace {
    /// Before the status line, once.
    #[default]
    FirstByte,
    /// Before each event of a stream except the first; each wait is drawn independently.
    EachEvent,
    /// Before the last frame, once.
    End,
}

/// The distribution from which the length of a wait is drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LatencyShape {
    /// Always this duration (`100ms`).
    Fixed(
        #[serde(with = "duration")]
        #[cfg_attr(test, schemars(with = "String"))]
        Duration,
    ),
    /// A uniform distribution between two durations.
    Uniform {
        /// The shortest wait, as a duration (`100ms`).
        #[serde(with = "duration")]
        #[cfg_attr(test, schemars(with = "String"))]
        from: Duration,
        /// The longest wait, as a duration (`2s`).
        #[serde(with = "duration")]
        #[cfg_attr(test, schemars(with = "String"))]
        to: Duration,
    },
    /// A normal distribution, limited to values from zero to four standard deviations above the mean.
    Normal {
        /// The mean, as a duration (`500ms`).
        #[serde(with = "duration")]
        #[cfg_attr(test, schemars(with = "String"))]
        mean: Duration,
        /// The standard deviation, as a duration (`100ms`).
        #[serde(with = "duration")]
        #[cfg_attr(test, schemars(with = "String"))]
        deviation: Duration,
    },
    /// These durations in order, starting again with the first after the last.
    List(
        #[serde(with = "duration::list")]
        #[cfg_attr(test, schemars(with = "Vec<String>"))]
        Vec<Duration>,
    ),
}

impl Latency {
    /// The longest time by which it can delay a response of `events` events.
    pub fn longest(&self, events: u32) -> Duration {
        let times = if self.before == LatencyPlace::EachEvent { events } else { 1 };
        self.time.longest().saturating_mul(times)
    }
}

impl LatencyShape {
    /// The longest possible wait.
    pub fn longest(&self) -> Duration {
        match self {
            Self::Fixed(time) => *time,
            Self::Uniform { from, to } => (*from).max(*to),
            Self::Normal { mean, deviation } => mean.saturating_add(deviation.saturating_mul(4)),
            Self::List(list) => list.iter().max().copied().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |time: &Duration| humantime::format_duration(*time);
        match &self.time {
            LatencyShape::Fixed(time) => write!(f, "of {}", show(time))?,
            LatencyShape::Uniform { from, to } => write!(f, "of {} to {}", show(from), show(to))?,
            LatencyShape::Normal { mean, deviation } => {
                write!(f, "of about {} (deviation {})", show(mean), show(deviation))?;
            }
            LatencyShape::List(list) => {
                let list: Vec<_> = list.iter().map(|time| show(time).to_string()).collect();
                write!(f, "of {} in turn", list.join(", "))?;
            }
        }
        f.write_str(match self.before {
            LatencyPlace::FirstByte => " before the first byte",
            LatencyPlace::EachEvent => " before each event",
            LatencyPlace::End => " before the end",
        })
    }
}
