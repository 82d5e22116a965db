//! What can be measured.

use crate::{delay, held, requests, suite, table::Table};

/// What stopped a measurement.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How many rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// All figures within about two minutes.
    Quick,
    /// Five times as many rounds.
    Long,
}

impl Length {
    /// So many rounds, where the quick way has `quick`.
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
    /// CPU for each request, and requests a second.
    Requests,
    /// How late an injected delay is.
    Delay,
    /// Memory of streams that hang, and the time to end them.
    Held,
    /// CPU of a whole run for each case.
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
