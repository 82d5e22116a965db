//! How late a reply is, drawn from a distribution by the seed of the run.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::duration;

/// Waits whose lengths are drawn before the first byte is sent: the same seed, the same waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Where they are put; before the first byte where left out.
    #[serde(default)]
    pub before: LatencyPlace,
    /// How long each is.
    pub time: LatencyShape,
}

/// Where waits are put.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LatencyPlace {
    /// Before the status line, once.
    #[default]
    FirstByte,
    /// Before each event of a stream but the first; each wait is drawn by itself.
    EachEvent,
    /// Before the last frame, once.
    End,
}

/// From what a wait's length is drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LatencyShape {
    /// Always the same.
    Fixed(
        #[serde(with = "duration")]
        #[schemars(with = "String")]
        Duration,
    ),
    /// Any length between two, each as likely as any other.
    Uniform {
        /// The shortest.
        #[serde(with = "duration")]
        #[schemars(with = "String")]
        from: Duration,
        /// The longest.
        #[serde(with = "duration")]
        #[schemars(with = "String")]
        to: Duration,
    },
    /// A normal distribution, cut off below zero and above four deviations.
    Normal {
        /// Its middle.
        #[serde(with = "duration")]
        #[schemars(with = "String")]
        mean: Duration,
        /// Its standard deviation.
        #[serde(with = "duration")]
        #[schemars(with = "String")]
        deviation: Duration,
    },
    /// One length after the other, from the first again behind the last.
    List(
        #[serde(with = "duration::list")]
        #[schemars(with = "Vec<String>")]
        Vec<Duration>,
    ),
}

impl Latency {
    /// The most that it can make a reply of so many events late.
    pub fn longest(&self, events: u32) -> Duration {
        let times = if self.before == LatencyPlace::EachEvent { events } else { 1 };
        self.time.longest().saturating_mul(times)
    }
}

impl LatencyShape {
    /// No wait is longer.
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
