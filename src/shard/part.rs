//! The name of a shard, and what a report says about it.

use std::{fmt, str::FromStr};

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::Case;

/// Part K of N of the cases that a run selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// 1-based number of the part.
    pub k: usize,
    /// Number of parts.
    pub n: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('/')
            .and_then(|(k, n)| Some(Self { k: k.parse().ok()?, n: n.parse().ok()? }))
            .filter(|shard| (1..=shard.n).contains(&shard.k))
            .ok_or_else(|| "write K/N with K from 1 to N, for example `1/4`".to_owned())
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.k, self.n)
    }
}

/// The cases of one shard.
#[derive(Debug, Clone)]
pub(crate) struct Split {
    /// The cases, in their order before the split.
    pub cases: Vec<Case>,
    /// What the report says about the shard.
    pub report: ShardReport,
}

/// Which cases a run selected.
///
/// # Examples
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let report = upfault::Suite::new([]).run().await?;
/// assert_eq!(report.selection.shard, None, "only `upfault run --shard` runs a part");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct RunSelection {
    /// The filter expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Whether the run was limited to a slice of the cases (`--quick`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quick: bool,
    /// The shard, if the run was one of several parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<ShardReport>,
}

impl RunSelection {
    /// Whether neither a filter nor a shard was chosen.
    pub(crate) fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// The shard that a report contains. Reports of shards can be joined only if they come from the same split.
///
/// # Examples
///
/// ```
/// let shard: upfault::ShardReport = serde_json::from_str(r#"{"k": 2, "n": 4, "cases": 1661, "split": "5f1c"}"#)?;
/// assert_eq!(shard.to_string(), "2/4");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct ShardReport {
    /// The 1-based number of the shard.
    pub k: usize,
    /// The number of shards.
    pub n: usize,
    /// The number of cases in all shards.
    pub cases: usize,
    /// A hash of the split: which case is in which shard. All shards of one split have the same hash.
    pub split: String,
}

impl fmt::Display for ShardReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.k, self.n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_written_as_its_number_and_the_number_of_shards() {
        assert_eq!("2/3".parse(), Ok(Shard { k: 2, n: 3 }));
        assert_eq!(Shard { k: 2, n: 3 }.to_string(), "2/3");
        for wrong in ["0/2", "3/2", "1", "1/", "/2", "a/b", "1/2/3", "-1/2", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
