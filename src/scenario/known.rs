//! Known findings: a finding in certain cases of a proxy that an upstream issue explains, for a range of versions.
//!
//! A scenario contains them as `known`, a project as `[[known]]` in `upfault.toml`. Both have this format.

use globset::{GlobBuilder, GlobMatcher};
#[cfg(test)]
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    check::FileChecker,
    located::Located,
    version_range::{ProxyVersion, VersionRange},
};

/// A known finding as it is written in a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, schemars(rename = "Known"))]
pub(crate) struct KnownFile {
    /// The proxy, as the first line of a run names it: `litellm`.
    pub proxy: String,
    /// The rule that the proxy breaks: `headers.retry-after`.
    pub rule: String,
    /// The versions of the proxy that have this finding, such as `>=1.67.6, <1.110`. Default: every version.
    pub versions: Option<String>,
    /// The cases with this finding: ids as `upfault list` prints them, in which `*` matches any text. The finding must
    /// occur in each of them.
    pub cases: Option<Vec<String>>,
    /// The URL of the issue in the tracker of the proxy's project.
    pub issue: String,
}

/// A known finding whose parts are valid.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownEntry {
    /// The name of the proxy.
    pub proxy: String,
    /// The id of the rule.
    pub rule: String,
    /// The versions of the proxy that have this finding.
    pub versions: VersionRange,
    /// Patterns for the ids of cases; `None` means all cases of the scenario that contains the entry.
    pub cases: Option<Vec<String>>,
    /// The URL of the issue.
    pub issue: String,
    /// The file and the line of the entry, for messages: `upfault.toml:12`.
    pub place: String,
}

/// What is wrong with one value of a known finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownProblem {
    /// The key of the value.
    pub key: &'static str,
    /// The value, or the part of it that is wrong.
    pub value: String,
    /// What is wrong with it.
    pub message: String,
    /// How to fix it.
    pub help: &'static str,
}

impl KnownFile {
    /// Checks the values, except whether the rule exists. `place` is the file and the line, for messages.
    pub(crate) fn checked(self, place: String) -> Result<KnownEntry, Vec<KnownProblem>> {
        let mut problems = Vec::new();
        let mut wrong = |key, value: &str, message: String, help| {
            problems.push(KnownProblem { key, value: value.to_owned(), message, help });
        };
        if self.proxy.trim().is_empty() {
            let help = "write its name as the first line of a run shows it, for example `litellm`";
            wrong("proxy", &self.proxy, "the name of the proxy is missing".to_owned(), help);
        }
        let is_url = |url: url::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        if !url::Url::parse(&self.issue).is_ok_and(is_url) {
            let message = format!("`{}` is not the URL of an issue", self.issue);
            let help = "write one like `https://github.com/BerriAI/litellm/issues/1234`";
            wrong("issue", &self.issue, message, help);
        }
        let range = self.versions.as_deref().map(str::parse).transpose();
        let versions: Option<VersionRange> = range.unwrap_or_else(|why| {
            let text = self.versions.as_deref().unwrap_or_default();
            let message = format!("`{text}` is not a range of versions: {why}");
            wrong("versions", text, message, "write conditions like `>=1.67.6, <1.110`, or `==1.102.*`");
            None
        });
        if self.cases.as_ref().is_some_and(Vec::is_empty) {
            let help = "name the cases as `upfault list` prints them; `*` matches any text";
            wrong("cases", "", "an empty list names no cases".to_owned(), help);
        }
        for pattern in self.cases.iter().flatten() {
            if let Err(error) = id_pattern(pattern) {
                let message = format!("`{pattern}` is not a valid pattern: {}", error.kind());
                wrong(
                    "cases",
                    pattern,
                    message,
                    "write an id as `upfault list` prints it; `*` matches any text",
                );
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let Self { proxy, rule, cases, issue, .. } = self;
        Ok(KnownEntry { proxy, rule, versions: versions.unwrap_or_default(), cases, issue, place })
    }
}

impl KnownEntry {
    /// Whether the entry applies to this version of its proxy; `None` if that cannot be decided, because the version
    /// is not known or cannot be compared.
    pub(crate) fn applies_to(&self, version: Option<&str>) -> Option<bool> {
        if self.versions.is_any() {
            return Some(true);
        }
        Some(self.versions.contains(&ProxyVersion::parse(version?)?))
    }
}

/// The known findings of a scenario file.
pub(super) fn known(check: &mut FileChecker<'_>, given: Vec<Located<KnownFile>>) -> Vec<KnownEntry> {
    let mut entries = Vec::new();
    for Located { value, range } in given {
        match value.checked(check.place(&range)) {
            Ok(entry) => entries.push(entry),
            Err(problems) => {
                for KnownProblem { value, message, help, .. } in problems {
                    let at = if value.is_empty() { range.clone() } else { check.word(&range, &value) };
                    check.error(&at, message).help = Some(help.to_owned());
                }
            }
        }
    }
    entries
}

/// A pattern for case ids, in which `*` matches any text and brackets are literal.
pub(crate) fn id_pattern(pattern: &str) -> Result<GlobMatcher, globset::Error> {
    let escaped = pattern.replace('[', "[[]");
    GlobBuilder::new(&escaped).literal_separator(false).build().map(|glob| glob.compile_matcher())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scenario::{expand, load_text};

    fn file() -> KnownFile {
        KnownFile {
            proxy: "litellm".to_owned(),
            rule: "headers.retry-after".to_owned(),
            versions: Some(">=1.67.6, <1.110".to_owned()),
            cases: Some(vec!["limits/*[stream]".to_owned()]),
            issue: "https://github.com/BerriAI/litellm/issues/1234".to_owned(),
        }
    }

    #[test]
    fn an_entry_applies_to_the_versions_of_its_range() {
        let entry = file().checked("upfault.toml:3".to_owned()).unwrap();
        assert_eq!(entry.applies_to(Some("1.102.4")), Some(true));
        assert_eq!(entry.applies_to(Some("1.110.0")), Some(false));
        assert_eq!(entry.applies_to(Some("main")), None, "it cannot be compared");
        assert_eq!(entry.applies_to(None), None);
        let always = KnownFile { versions: None, ..file() }.checked(String::new()).unwrap();
        assert_eq!(always.applies_to(None), Some(true));
    }

    #[test]
    fn an_entry_names_cases_by_id() {
        let text = "title: t\nwhy: w\nmatrix: {stream: [false, true]}\nupstream: [{reply: ok}]\n";
        let case = |id: &str| expand(&Arc::new(load_text(id, "f", text).unwrap()));
        let cases = [case("limits/a"), case("b")].concat();
        let named = |patterns: Option<&[&str]>| -> Vec<&str> {
            let patterns = patterns.map(|all| all.iter().map(|one| (*one).to_owned()).collect());
            let entry = KnownFile { cases: patterns, ..file() }.checked(String::new()).unwrap();
            entry.select(&cases).into_iter().map(|case| case.id.as_str()).collect()
        };
        assert_eq!(named(Some(&["limits/*[stream]"])), ["limits/a[stream]"]);
        assert_eq!(named(Some(&["limits/a"])), ["limits/a"], "an id without `*` is one case");
        assert_eq!(named(Some(&["b*", "limits/a"])), ["limits/a", "b", "b[stream]"]);
        assert_eq!(named(Some(&["c"])), [""; 0]);
        assert_eq!(named(None).len(), 4);
    }

    #[test]
    fn each_wrong_value_is_reported() {
        let wrong = KnownFile {
            proxy: " ".to_owned(),
            rule: "x".to_owned(),
            versions: Some("~1".to_owned()),
            cases: Some(vec![]),
            issue: "litellm#1234".to_owned(),
        };
        let keys = |file: KnownFile| -> Vec<&str> {
            file.checked(String::new()).unwrap_err().iter().map(|problem| problem.key).collect()
        };
        assert_eq!(keys(wrong), ["proxy", "issue", "versions", "cases"]);
        assert_eq!(keys(KnownFile { cases: Some(vec!["{a".to_owned()]), ..file() }), ["cases"]);
        assert_eq!(keys(KnownFile { issue: "file:///etc/passwd".to_owned(), ..file() }), ["issue"]);
    }
}
