//! What a selftest comes to, as data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{family::FaultLayer, seen::ClientView};

/// The version of the report's form. It rises when a reader of the old form could be misled.
pub const SCHEMA_VERSION: u32 = 1;

/// A whole selftest. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "upfault selftest")]
pub struct Selftest {
    /// The version of this form: 1.
    pub schema: u32,
    /// The version of upfault that wrote it.
    pub upfault: String,
    /// The seed of everything random.
    pub seed: u64,
    /// Family by family.
    pub exhibits: Vec<FaultProof>,
    /// How many of them are proven.
    pub proven: usize,
    /// How many are not.
    pub unproven: usize,
    /// How late this machine is.
    pub timing: Timing,
    /// How long all of it took.
    pub wall_ms: f64,
}

/// One list of faults, and what the wire showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FaultProof {
    /// Where it belongs.
    pub family: FaultLayer,
    /// The faults as a scenario file has them, one behind the other.
    pub name: String,
    /// Whether every claim held.
    pub proven: bool,
    /// What a client can make of it.
    pub seen: ClientView,
    /// What the wire showed, in a few words.
    pub showed: String,
    /// Every claim.
    pub claims: Vec<ClaimResult>,
    /// Bytes of the body that came, without its framing.
    pub body_bytes: u64,
    /// Reads that brought something.
    pub reads: usize,
    /// When the first byte came, from the moment at which the connection was asked for; null where
    /// none came.
    pub first_byte_ms: Option<f64>,
    /// When it was over, or nothing more was waited for.
    pub ended_ms: f64,
    /// How far the mock's waits missed their time, at the worst; null where it had none.
    pub timer_error_ms: Option<f64>,
    /// How often it was shown: what is not proven among all others is shown again without them,
    /// because a machine that is busy is late.
    pub tries: u32,
}

/// One claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimResult {
    /// What is claimed.
    pub claim: String,
    /// What was seen instead; null where it held.
    pub instead: Option<String>,
}

/// How late this machine is (milliseconds).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timing {
    /// The mock's injected waits: the worst of each exhibit that has some.
    pub injected: Lateness,
    /// Bare sleeps of the runtime, taken at the same time.
    pub bare: Lateness,
}

/// How late a number of waits were (milliseconds).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lateness {
    /// How many.
    pub count: usize,
    /// The median.
    pub p50_ms: f64,
    /// All but one in a hundred were less late.
    pub p99_ms: f64,
    /// The worst.
    pub max_ms: f64,
}

impl Lateness {
    /// Of single values.
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
    /// The claims that did not hold.
    pub fn broken(&self) -> impl Iterator<Item = (&str, &str)> {
        self.claims.iter().filter_map(|claim| Some((claim.claim.as_str(), claim.instead.as_deref()?)))
    }
}

/// The JSON Schema of [`Selftest`], as it is checked in under `schema/selftest.schema.json`.
pub fn json_schema() -> Value {
    schemars::schema_for!(Selftest).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_values() {
        let values = (1..=200).rev().map(f64::from).collect();
        let lateness = Lateness::of(values);
        assert_eq!((lateness.p50_ms, lateness.p99_ms, lateness.max_ms), (100.0, 198.0, 200.0));
        assert_eq!(Lateness::of(Vec::new()), Lateness::default());
        assert_eq!(Lateness::of(vec![3.0]).p50_ms, 3.0);
    }
}
