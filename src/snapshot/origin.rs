//! Which versions recorded the cases of a snapshot file, as its header says. Pure.

use std::collections::BTreeSet;

/// The versions that recorded the cases of a snapshot file. Empty in files of older versions of upfault.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotOrigin {
    /// The proxies with their versions: `litellm 1.102.4`. Several if cases were accepted from runs of different versions;
    /// empty if the version of the proxy was not known.
    pub proxies: BTreeSet<String>,
    /// The versions of upfault.
    pub upfault: BTreeSet<String>,
}

impl SnapshotOrigin {
    /// The origin of what this version of upfault records. `version` is that of the proxy.
    pub fn of_this_run(proxy: &str, version: Option<&str>) -> Self {
        let proxy = version.map(|version| one_line(&format!("{proxy} {version}")));
        Self {
            proxies: proxy.into_iter().collect(),
            upfault: BTreeSet::from([env!("CARGO_PKG_VERSION").to_owned()]),
        }
    }

    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        self.proxies.is_empty() && self.upfault.is_empty()
    }

    /// The origin of a file with cases of both. If one of them is not known, the other must not claim all cases.
    pub fn combined(&self, other: &Self) -> Self {
        if self.is_unknown() || other.is_unknown() {
            return Self::default();
        }
        let union = |one: &BTreeSet<String>, two: &BTreeSet<String>| one.union(two).cloned().collect();
        Self { proxies: union(&self.proxies, &other.proxies), upfault: union(&self.upfault, &other.upfault) }
    }

    /// `litellm 1.102.4, recorded by upfault 0.1.0`, or `an unknown version` if the file does not say it.
    pub fn describe(&self) -> String {
        let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" and ");
        match (self.proxies.is_empty(), self.upfault.is_empty()) {
            (true, true) => "an unknown version".to_owned(),
            (true, false) => format!("recorded by upfault {}", list(&self.upfault)),
            (false, true) => list(&self.proxies),
            (false, false) => format!("{}, recorded by upfault {}", list(&self.proxies), list(&self.upfault)),
        }
    }

    /// The lines of the header; empty if nothing is known.
    pub(super) fn header_lines(&self) -> String {
        let line = |key: &str, names: &BTreeSet<String>| match names.is_empty() {
            true => String::new(),
            false => format!("{key}: {}\n", names.iter().cloned().collect::<Vec<_>>().join(", ")),
        };
        line("proxy", &self.proxies) + &line("upfault", &self.upfault)
    }

    /// Reads the value of a line of the header, if the key is one of those above.
    pub(super) fn read_header(&mut self, key: &str, value: &str) {
        let names = || value.split(", ").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        match key {
            "proxy" => self.proxies = names().collect(),
            "upfault" => self.upfault = names().collect(),
            _ => {}
        }
    }
}

/// A name that fits into a list in one line of the header.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || c == ',' { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_of_a_file_with_cases_of_two_versions_names_both() {
        let old = SnapshotOrigin::of_this_run("litellm", Some("1.90.7"));
        let new = SnapshotOrigin::of_this_run("litellm", Some("1.102.4"));
        let upfault = env!("CARGO_PKG_VERSION");
        let both = old.combined(&new);
        assert_eq!(
            both.describe(),
            format!("litellm 1.102.4 and litellm 1.90.7, recorded by upfault {upfault}")
        );
        assert_eq!(
            both.header_lines(),
            format!("proxy: litellm 1.102.4, litellm 1.90.7\nupfault: {upfault}\n")
        );
        // Cases of an unknown origin stay unknown.
        assert!(SnapshotOrigin::default().combined(&new).is_unknown());
        assert_eq!(SnapshotOrigin::default().describe(), "an unknown version");
        assert_eq!(
            SnapshotOrigin::of_this_run("builtin", None).describe(),
            format!("recorded by upfault {upfault}")
        );
    }

    #[test]
    fn a_version_cannot_add_lines_or_names_to_the_header() {
        let origin = SnapshotOrigin::of_this_run("p", Some("1\n---\n, 2"));
        let mut read = SnapshotOrigin::default();
        for line in origin.header_lines().lines() {
            let (key, value) = line.split_once(':').unwrap();
            read.read_header(key, value);
        }
        assert_eq!((read.proxies.len(), read), (1, origin));
    }
}
