//! Durations as text: `250ms`, `2s`, `1m 30s`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// For `#[serde(with = "duration")]`.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(D::Error::custom)
}

/// For `#[serde(with = "duration")]`.
pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

/// Parses `250ms`, `2s`, `1m 30s`; refuses a number without a unit, because the unit would be a guess.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| {
        format!("`{text}` is not a duration; write a number with its unit, as in `250ms` or `2s`")
    })
}

/// The same for `Option<Duration>`.
pub(crate) mod option {
    use super::*;

    /// For `#[serde(default, with = "duration::option")]`.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
        super::deserialize(d).map(Some)
    }

    /// For `#[serde(default, with = "duration::option")]`.
    pub(crate) fn serialize<S: Serializer>(duration: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, s),
            None => s.serialize_none(),
        }
    }
}

/// The same for `Vec<Duration>`.
pub(crate) mod list {
    use super::*;

    /// For `#[serde(with = "duration::list")]`.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Duration>, D::Error> {
        let texts = Vec::<String>::deserialize(d)?;
        texts.iter().map(|text| parse(text).map_err(D::Error::custom)).collect()
    }

    /// For `#[serde(with = "duration::list")]`.
    pub(crate) fn serialize<S: Serializer>(durations: &[Duration], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(durations.iter().map(|duration| humantime::format_duration(*duration).to_string()))
    }
}
