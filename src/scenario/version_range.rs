//! Versions of proxies, and ranges of them: `>=1.67.6, <1.110`. Pure.
//!
//! A version is read as PEP 440 and Semantic Versioning write it, and as LiteLLM's tags do: `1.102.4`, `1.108.7rc1`,
//! `v1.2.3-stable`, `1.63.2-nightly`, `v1.81.0-stable.patch.2`. All versions have one order: a preview precedes its release, and
//! a patch follows it. So `1.110rc1` is in `<1.110`, and each version is in exactly one of `<V` and `>=V`.

use std::{cmp::Ordering, fmt, str::FromStr};

#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A parsed version. Build metadata after `+` is ignored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ProxyVersion {
    epoch: u64,
    /// The numbers between the dots, without trailing zeros: `1.110` and `1.110.0` are the same release.
    release: Vec<u64>,
    /// The preview with its number. A release comes after all of its previews.
    preview: (Preview, u64),
    /// How many patches of the release precede this one; 0 for the release itself.
    patch: u64,
    /// `dev` builds precede the version that they lead to.
    dev: (DevBuild, u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Preview {
    /// A development build of a version that is neither a preview nor a patch: it precedes all previews.
    Dev,
    Alpha,
    Beta,
    Candidate,
    Final,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum DevBuild {
    Yes,
    No,
}

impl ProxyVersion {
    /// Parses a version; `None` if it is not one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let text = text.split('+').next().unwrap_or_default();
        let text = text.strip_prefix('v').unwrap_or(text);
        let (epoch, text) = match text.split_once('!') {
            Some((epoch, rest)) => (number(epoch)?, rest),
            None => (0, text),
        };
        let (release, mut rest) = release(text)?;
        let mut version =
            Self { epoch, release, preview: (Preview::Final, 0), patch: 0, dev: (DevBuild::No, 0) };
        while !rest.is_empty() {
            let bare = rest.trim_start_matches(['.', '-', '_']);
            let word_end = bare.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(bare.len());
            let (word, after) = bare.split_at(word_end);
            let digits = match word {
                "" => after,
                _ => after.strip_prefix(['.', '-', '_']).unwrap_or(after),
            };
            let digits_end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            let (n, next) = match digits_end {
                0 => (0, after),
                end => (number(&digits[..end])?, &digits[end..]),
            };
            match word {
                "a" | "alpha" => version.preview = (Preview::Alpha, n),
                "b" | "beta" => version.preview = (Preview::Beta, n),
                "c" | "rc" | "pre" | "preview" => version.preview = (Preview::Candidate, n),
                "dev" | "nightly" => version.dev = (DevBuild::Yes, n),
                // The first patch has the number 0 or 1, and follows the release in both cases.
                "post" | "rev" | "r" | "patch" => version.patch = n.saturating_add(1),
                "stable" | "final" | "ga" if digits_end == 0 => {}
                // `1.0-1` is PEP 440's short form of `1.0.post1`.
                "" if rest.starts_with('-') && digits_end > 0 => version.patch = n.saturating_add(1),
                _ => return None,
            }
            rest = next;
        }
        if version.dev.0 == DevBuild::Yes && version.preview.0 == Preview::Final && version.patch == 0 {
            version.preview.0 = Preview::Dev;
        }
        Some(version)
    }

    /// Whether it is a preview or a development build.
    pub(crate) fn is_preview(&self) -> bool {
        self.preview.0 != Preview::Final || self.dev.0 == DevBuild::Yes
    }

    /// The first two numbers: releases with the same ones are a series.
    pub(crate) fn series(&self) -> (u64, u64) {
        let number = |i: usize| self.release.get(i).copied().unwrap_or_default();
        (number(0), number(1))
    }

    /// Whether the release begins with these numbers, as in `1.102.*`.
    pub(crate) fn is_below(&self, release: &[u64]) -> bool {
        let own = |i: usize| self.release.get(i).copied().unwrap_or_default();
        self.epoch == 0 && release.iter().enumerate().all(|(i, n)| own(i) == *n)
    }
}

/// The numbers at the start of a version, without trailing zeros, and the text after them.
fn release(text: &str) -> Option<(Vec<u64>, &str)> {
    let mut numbers = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        numbers.push(number(&rest[..end])?);
        rest = &rest[end..];
        match rest.strip_prefix('.') {
            Some(after) if after.starts_with(|c: char| c.is_ascii_digit()) => rest = after,
            _ => break,
        }
    }
    while numbers.len() > 1 && numbers.last() == Some(&0) {
        numbers.pop();
    }
    Some((numbers, rest))
}

fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() { None } else { digits.parse().ok() }
}

/// A set of versions: all that satisfy every condition, separated by commas. `*` contains every version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VersionRange {
    text: String,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Condition {
    Compared(Comparison, ProxyVersion),
    /// `1.102.*`, or with `!=` every other release.
    Release {
        numbers: Vec<u64>,
        equal: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    Unequal,
    AtLeast,
    Greater,
}

/// The operators of a condition. An operator comes after those that it begins with.
const OPERATORS: [(&str, Comparison); 7] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("!=", Comparison::Unequal),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("=", Comparison::Equal),
];

impl VersionRange {
    /// Whether a version is in the range.
    pub(crate) fn contains(&self, version: &ProxyVersion) -> bool {
        self.conditions.iter().all(|condition| match condition {
            Condition::Compared(comparison, limit) => {
                let order = version.cmp(limit);
                match comparison {
                    Comparison::Less => order == Ordering::Less,
                    Comparison::AtMost => order != Ordering::Greater,
                    Comparison::Equal => order == Ordering::Equal,
                    Comparison::Unequal => order != Ordering::Equal,
                    Comparison::AtLeast => order != Ordering::Less,
                    Comparison::Greater => order == Ordering::Greater,
                }
            }
            Condition::Release { numbers, equal } => version.is_below(numbers) == *equal,
        })
    }

    /// Whether every version is in the range.
    pub(crate) fn is_any(&self) -> bool {
        self.conditions.is_empty()
    }
}

impl Default for VersionRange {
    /// Every version.
    fn default() -> Self {
        Self { text: "*".to_owned(), conditions: Vec::new() }
    }
}

impl FromStr for VersionRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::default());
        }
        let conditions: Result<Vec<_>, String> = text.split(',').map(condition).collect();
        Ok(Self { text: text.to_owned(), conditions: conditions? })
    }
}

fn condition(text: &str) -> Result<Condition, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("a version is missing".to_owned());
    }
    let found = OPERATORS.iter().find_map(|(sign, kind)| Some((*kind, text.strip_prefix(sign)?)));
    let (kind, version) = found.unwrap_or((Comparison::Equal, text));
    let version = version.trim();
    let invalid = || format!("`{version}` is not a version");
    if let Some(prefix) = version.strip_suffix(".*") {
        let (numbers, equal) = match kind {
            Comparison::Equal => (whole_release(prefix), true),
            Comparison::Unequal => (whole_release(prefix), false),
            _ => return Err(format!("`{version}` can be combined only with `==` and `!=`")),
        };
        return Ok(Condition::Release { numbers: numbers.ok_or_else(invalid)?, equal });
    }
    Ok(Condition::Compared(kind, ProxyVersion::parse(version).ok_or_else(invalid)?))
}

/// The numbers of a version that consists of nothing else, with trailing zeros.
fn whole_release(text: &str) -> Option<Vec<u64>> {
    text.strip_prefix('v').unwrap_or(text).split('.').map(|part| part.parse().ok()).collect()
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for VersionRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for VersionRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
impl JsonSchema for VersionRange {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "VersionRange".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<String>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*, sample::select};

    use super::*;

    fn version(text: &str) -> ProxyVersion {
        ProxyVersion::parse(text).unwrap_or_else(|| panic!("`{text}` is a version"))
    }

    fn range(text: &str) -> VersionRange {
        text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    #[test]
    fn versions_are_ordered_as_they_are_released() {
        let ordered = [
            "1.9",
            "1.67.6",
            "1.90.7",
            "1.102.4",
            "1.108.7.dev1",
            "1.108.7-nightly.2",
            "1.108.7a1",
            "1.108.7-beta.1",
            "v1.108.7-rc.1",
            "1.108.7rc2.dev1",
            "1.108.7.rc.2",
            "1.108.7",
            "v1.108.7-stable.patch.1",
            "1.108.7.post2",
            "1.108.10",
            "2",
            "1!0.1",
        ];
        for pair in ordered.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn spellings_of_a_version_are_equal() {
        for (one, other) in [
            ("1.110", "1.110.0"),
            ("v1.2.3-stable", "1.2.3"),
            ("1.2.3+build.5", "1.2.3"),
            ("1.0-1", "1.0.post1"),
            ("1.0RC1", "1.0-rc.1"),
            ("0", "0.0.0"),
        ] {
            assert_eq!(version(one), version(other), "{one} = {other}");
        }
    }

    #[test]
    fn what_is_not_a_version_is_refused() {
        for text in [
            "",
            "main",
            "1.x",
            "1..2",
            "latest",
            "1.2.3-ours",
            "v",
            "1.2 3",
            "99999999999999999999",
            "1.0-stable5",
        ] {
            assert_eq!(ProxyVersion::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_range_contains_the_versions_that_satisfy_every_condition() {
        for (text, inside, outside) in [
            (">=1.67.6", &["1.67.6", "1.102.4", "1.108.7rc1"][..], &["1.67.5", "1.67.6rc1"][..]),
            (">=1.67.6, <1.110", &["1.109.9", "1.110rc1"], &["1.110", "v1.110.0-stable"]),
            ("1.102.4", &["1.102.4", "v1.102.4-stable"], &["1.102.5"]),
            ("==1.102.*", &["1.102", "1.102.4", "1.102.9rc1"], &["1.10.2", "1.103"]),
            (">1.0,!=1.5.*,!=2.0", &["1.4", "1.6", "2.1"], &["1.0", "1.5.3", "2"]),
            ("<= 2", &["2.0.0", "0.1"], &["2.0.1"]),
            ("=1.0.*", &["1", "1.0.7"], &["1.1"]),
            ("*", &["0", "9!9"], &[]),
        ] {
            let range = range(text);
            assert_eq!(range.is_any(), text == "*");
            for one in inside {
                assert!(range.contains(&version(one)), "{one} is in {text}");
            }
            for one in outside {
                assert!(!range.contains(&version(one)), "{one} is not in {text}");
            }
        }
    }

    #[test]
    fn an_invalid_range_says_what_is_wrong() {
        for (text, expected) in [
            ("", "a version is missing"),
            (">=1.0,", "a version is missing"),
            (">=", "`` is not a version"),
            ("~=1.0", "`~=1.0` is not a version"),
            (">=1.0 <2", "`1.0 <2` is not a version"),
            (">=1.*", "`1.*` can be combined only with `==` and `!=`"),
            ("x.*", "`x.*` is not a version"),
        ] {
            assert_eq!(text.parse::<VersionRange>(), Err(expected.to_owned()), "{text}");
        }
    }

    /// A version and its text.
    fn any_version() -> impl Strategy<Value = String> {
        let suffix =
            select(vec!["", "a1", "-beta.2", "rc3", ".post1", "-stable", "-nightly", ".dev4", "rc1.dev2"]);
        (vec(0..30u64, 1..4), suffix).prop_map(|(numbers, suffix)| {
            let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
            format!("{}{suffix}", numbers.join("."))
        })
    }

    proptest! {
        /// The comparison is a total order, and each version is in exactly one of the ranges below, at and above another.
        #[test]
        fn each_version_is_below_at_or_above_another(one in any_version(), other in any_version(), third in any_version()) {
            let (a, b, c) = (version(&one), version(&other), version(&third));
            let is_in = |sign: &str| range(&format!("{sign}{other}")).contains(&a);
            let (below, at, above) = (is_in("<"), is_in("=="), is_in(">"));
            prop_assert_eq!([below, at, above].iter().filter(|one| **one).count(), 1);
            prop_assert_eq!(is_in("<="), below || at);
            prop_assert_eq!(is_in(">="), above || at);
            prop_assert_eq!(is_in("!="), !at);
            prop_assert!(!(a <= b && b <= c) || a <= c);
        }

        /// A range from one version to a later one contains exactly the versions between them, for any spelling.
        #[test]
        fn an_interval_contains_what_is_between(mut ends in vec(any_version(), 2..3), one in any_version()) {
            ends.sort_by_key(|text| version(text));
            let between = range(&format!(">={}, <{}", ends[0], ends[1]));
            let at = version(&one);
            prop_assert_eq!(between.contains(&at), version(&ends[0]) <= at && at < version(&ends[1]));
            let spelled = version(&format!("v{}", one.to_uppercase()));
            prop_assert_eq!(between.contains(&spelled), between.contains(&at));
        }

        /// No text makes the parser panic, and a range that is read is written the same way.
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,24}", known in option::of("[<>=!]{0,2} ?v?[0-9.*]{1,8}(rc|-stable|dev)?[0-9]{0,2}")) {
            let text = known.unwrap_or(text);
            ProxyVersion::parse(&text);
            if let Ok(read) = text.parse::<VersionRange>() {
                prop_assert_eq!(read.to_string().parse::<VersionRange>(), Ok(read));
            }
        }
    }
}
