//! Known findings of a case: whether the finding that an upstream issue explains still occurs. Pure.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::{KnownEntry, VersionRange};

/// A known finding that names a case and the tested proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct KnownClaim {
    /// The rule's id.
    pub rule: String,
    /// The URL of the issue.
    pub issue: String,
    /// The versions of the proxy that have the finding; `*` means all of them.
    pub versions: VersionRange,
    /// Whether the version of the tested proxy is one of them.
    pub scope: KnownScope,
    /// Whether the finding occurs as the entry says.
    pub state: KnownState,
    /// The file and the line of the entry: `upfault.toml:12`.
    pub place: String,
}

/// Whether the version of the tested proxy is in the range of a known finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KnownScope {
    /// It is in the range.
    Inside,
    /// It is outside of the range.
    Outside,
    /// The version is not known, or cannot be compared. Then the entry has no effect.
    Unknown,
}

/// Whether a known finding occurs as its entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KnownState {
    /// It occurs: it does not fail the case.
    Occurs,
    /// It does not occur although the version is in the range. This fails the case, so that the entry is removed.
    Gone,
    /// It occurs although the version is outside of the range. This fails the case.
    OutsideRange,
    /// The entry has no effect: the case was not judged, its version is outside of the range and the finding does not
    /// occur, or the run cannot decide.
    NoEffect,
}

impl KnownClaim {
    /// The claim of an entry about a case that has not been judged.
    pub(crate) fn new(entry: &KnownEntry, version: Option<&str>) -> Self {
        Self {
            rule: entry.rule.clone(),
            issue: entry.issue.clone(),
            versions: entry.versions.clone(),
            scope: match entry.applies_to(version) {
                Some(true) => KnownScope::Inside,
                Some(false) => KnownScope::Outside,
                None => KnownScope::Unknown,
            },
            state: KnownState::NoEffect,
            place: entry.place.clone(),
        }
    }

    /// Whether it fails the case.
    pub fn is_wrong(&self) -> bool {
        matches!(self.state, KnownState::Gone | KnownState::OutsideRange)
    }

    /// Whether it explains a finding of the case.
    pub fn explains(&self) -> bool {
        self.state == KnownState::Occurs
    }

    /// Whether the entry has no effect because the version of the proxy cannot be compared with its range.
    pub fn is_undecided(&self) -> bool {
        self.scope == KnownScope::Unknown
    }

    /// The issue in short: `litellm#1234` for an issue or a pull request on GitHub or GitLab, otherwise the URL.
    pub fn issue_name(&self) -> String {
        short_name(&self.issue).unwrap_or_else(|| self.issue.clone())
    }

    /// One line about the claim, for people; `None` if it has no effect.
    pub fn describe(&self) -> Option<String> {
        let Self { rule, versions, place, .. } = self;
        let issue = self.issue_name();
        match self.state {
            KnownState::Occurs => Some(format!("{rule} is known: {issue}")),
            KnownState::Gone => Some(format!(
                "{rule} no longer occurs ({issue}): remove the known finding from {place}, or limit its versions or cases"
            )),
            KnownState::OutsideRange => Some(format!(
                "{rule} still occurs, but {issue} is known only for versions {versions} ({place})"
            )),
            KnownState::NoEffect => None,
        }
    }
}

/// What a case and its rule say about a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occurrence {
    /// The rule is broken.
    Broken,
    /// The rule is not broken.
    Kept,
    /// The rule gives no result in this run: the policy ignores it, or it was not applied.
    Undecided,
}

/// The claims with their states. `occurrence` says whether a rule is broken.
pub(super) fn states(claims: &[KnownClaim], occurrence: impl Fn(&str) -> Occurrence) -> Vec<KnownClaim> {
    let state = |claim: &KnownClaim| match (claim.scope, occurrence(&claim.rule)) {
        (KnownScope::Inside, Occurrence::Broken) => KnownState::Occurs,
        (KnownScope::Inside, Occurrence::Kept) => KnownState::Gone,
        (KnownScope::Outside, Occurrence::Broken) if !is_known(claims, &claim.rule) => {
            KnownState::OutsideRange
        }
        _ => KnownState::NoEffect,
    };
    claims.iter().map(|claim| KnownClaim { state: state(claim), ..claim.clone() }).collect()
}

/// Whether a claim explains the findings of a rule in this version of the proxy.
pub(super) fn is_known(claims: &[KnownClaim], rule: &str) -> bool {
    claims.iter().any(|claim| claim.rule == rule && claim.scope == KnownScope::Inside)
}

fn short_name(url: &str) -> Option<String> {
    let mut parts = url.split(['?', '#']).next()?.trim_end_matches('/').rsplit('/');
    let (number, kind) = (parts.next()?, parts.next()?);
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || !matches!(kind, "issues" | "pull" | "merge_requests") {
        return None;
    }
    let project = parts.find(|part| *part != "-")?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!project.is_empty() && project.chars().all(is_name)).then(|| format!("{project}#{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(rule: &str, scope: KnownScope) -> KnownClaim {
        KnownClaim {
            rule: rule.to_owned(),
            issue: "https://github.com/BerriAI/litellm/issues/1234".to_owned(),
            versions: "<1.110".parse().unwrap(),
            scope,
            state: KnownState::NoEffect,
            place: "upfault.toml:3".to_owned(),
        }
    }

    #[test]
    fn issues_have_short_names() {
        for (url, expected) in [
            ("https://github.com/BerriAI/litellm/issues/1234", "litellm#1234"),
            ("https://github.com/BerriAI/litellm/pull/9#issuecomment-1", "litellm#9"),
            ("https://gitlab.com/ours/gateway/-/issues/7/", "gateway#7"),
            ("https://ours.example/browse/GW-7", "https://ours.example/browse/GW-7"),
            ("https://ours.example/issues/new", "https://ours.example/issues/new"),
        ] {
            let claim = KnownClaim { issue: url.to_owned(), ..claim("a.b", KnownScope::Inside) };
            assert_eq!(claim.issue_name(), expected);
        }
    }

    #[test]
    fn the_state_follows_from_the_range_and_the_finding() {
        use KnownScope::{Inside, Outside, Unknown};
        use KnownState::{Gone, NoEffect, Occurs, OutsideRange};
        for (scope, broken, kept, undecided) in [
            (Inside, Occurs, Gone, NoEffect),
            (Outside, OutsideRange, NoEffect, NoEffect),
            (Unknown, NoEffect, NoEffect, NoEffect),
        ] {
            for (occurrence, expected) in
                [(Occurrence::Broken, broken), (Occurrence::Kept, kept), (Occurrence::Undecided, undecided)]
            {
                let claims = states(&[claim("a.b", scope)], |_| occurrence);
                assert_eq!(claims[0].state, expected, "{scope:?} {occurrence:?}");
            }
        }
    }

    #[test]
    fn of_several_entries_for_a_rule_one_in_range_is_enough() {
        let both = [claim("a.b", KnownScope::Outside), claim("a.b", KnownScope::Inside)];
        let state = |occurrence| -> Vec<KnownState> {
            states(&both, |_| occurrence).iter().map(|claim| claim.state).collect()
        };
        assert_eq!(state(Occurrence::Broken), [KnownState::NoEffect, KnownState::Occurs]);
        assert_eq!(state(Occurrence::Kept), [KnownState::NoEffect, KnownState::Gone]);
    }

    #[test]
    fn a_line_says_what_to_do() {
        let line = |state| KnownClaim { state, ..claim("a.b", KnownScope::Inside) }.describe();
        insta::assert_snapshot!(line(KnownState::Occurs).unwrap(), @"a.b is known: litellm#1234");
        insta::assert_snapshot!(line(KnownState::Gone).unwrap(), @"a.b no longer occurs (litellm#1234): remove the known finding from upfault.toml:3, or limit its versions or cases");
        insta::assert_snapshot!(line(KnownState::OutsideRange).unwrap(), @"a.b still occurs, but litellm#1234 is known only for versions <1.110 (upfault.toml:3)");
        assert_eq!(line(KnownState::NoEffect), None);
    }
}
