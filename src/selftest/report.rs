//! The report of a selftest, as data.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{family::FaultLayer, seen::ClientView};

/// The version of the report's format. It increases when a reader of the old format could be misled.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// A whole selftest. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[cfg_attr(test, schemars(title = "upfault selftest"))]
pub struct Selftest {
    /// The version of this format: 1.
    pub schema: u32,
    /// The version of upfault that wrote the report.
    pub upfault: String,
    /// The seed of all random numbers.
    pub seed: u64,
    /// The exhibits, grouped by family.
    pub exhibits: Vec<FaultProof>,
    /// The number of proven exhibits.
    pub proven: usize,
    /// The number of exhibits that are not proven.
    pub unproven: usize,
    /// How late this machine is.
    pub timing: Timing,
    /// How long the selftest took.
    pub wall_ms: f64,
}

/// One list of faults, and what the client observed on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct FaultProof {
    /// The layer that the faults affect.
    pub family: FaultLayer,
    /// The faults as written in a scenario file, separated by commas.
    pub name: String,
    /// Whether every claim is true.
    pub proven: bool,
    /// What a correct client reports.
    pub seen: ClientView,
    /// A short description of the wire.
    pub showed: String,
    /// All claims.
    pub claims: Vec<ClaimResult>,
    /// The number of bytes of the body that arrived, without its framing.
    pub body_bytes: u64,
    /// The number of reads that returned bytes.
    pub reads: usize,
    /// When the first byte arrived, measured from the start of the connection attempt; null if no byte
    /// arrived.
    pub first_byte_ms: Option<f64>,
    /// When the connection ended or the client stopped waiting.
    pub ended_ms: f64,
    /// How late the mock's waits were at most; null if there were none.
    pub timer_error_ms: Option<f64>,
    /// How often the exhibit ran. Exhibits that are not proven run again without the others, because a busy
    /// machine may be late.
    pub tries: u32,
}

/// One claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct ClaimResult {
    /// The text of the claim.
    pub claim: String,
    /// What was observed instead; null if the claim is true.
    pub instead: Option<String>,
}

/// How late this machine is (milliseconds).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Timing {
    /// The mock's injected waits: the latest one of each exhibit that has some.
    pub injected: Lateness,
    /// Plain sleeps of the runtime at the same time.
    pub bare: Lateness,
}

/// How late several waits were (milliseconds).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Lateness {
    /// The number of waits.
    pub count: usize,
    /// The median.
    pub p50_ms: f64,
    /// The 99th percentile.
    pub p99_ms: f64,
    /// The maximum.
    pub max_ms: f64,
}

impl Lateness {
    /// Computes the statistics of single values.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let rank = (share * values.len() as f64).ceil() as usize;
            values.get(rank.max(1) - 1).copied().unwrap_or_default()
        };
        Self { count: values.len(), p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1.0) }
    }
}

impl FaultProof {
    /// Returns the claims that are not true, each with what was observed instead.
    pub fn broken(&self) -> impl Iterator<Item = (&str, &str)> {
        self.claims.iter().filter_map(|claim| Some((claim.claim.as_str(), claim.instead.as_deref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_from_the_list() {
        let values = (1..=200).rev().map(f64::from).collect();
        let lateness = Lateness::of(values);
        assert_eq!((lateness.p50_ms, lateness.p99_ms, lateness.max_ms), (100.0, 198.0, 200.0));
        assert_eq!(Lateness::of(Vec::new()), Lateness::default());
        assert_eq!(Lateness::of(vec![3.0]).p50_ms, 3.0);
    }
}
