//! The figures that can be measured.

use crate::{delay, held, requests, suite, table::Table};

/// An error that stopped a measurement.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The number of rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// All figures within about two minutes.
    Quick,
    /// Five times as many rounds.
    Long,
}

impl Length {
    /// The number of rounds if a quick benchmark has `quick`.
    pub fn rounds(self, quick: usize) -> usize {
        match self {
            Self::Quick => quick,
            Self::Long => 5 * quick,
        }
    }
}

/// One group of figures.
#[derive(Debug, Clone, Copy)]
pub enum Figure {
    /// CPU time per request, and requests per second.
    Requests,
    /// The lateness of injected delays.
    Delay,
    /// The memory of hanging streams, and the time to end them.
    Held,
    /// The CPU time of a complete run, per case.
    Suite,
}

impl Figure {
    pub const ALL: [Self; 4] = [Self::Requests, Self::Delay, Self::Held, Self::Suite];

    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Delay => "delay",
            Self::Held => "held",
            Self::Suite => "suite",
        }
    }

    pub fn measure(self, length: Length) -> Result<Vec<Table>, Failure> {
        match self {
            Self::Requests => requests::measure(length),
            Self::Delay => delay::measure(length),
            Self::Held => held::measure(),
            Self::Suite => suite::measure(),
        }
    }
}
