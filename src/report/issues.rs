//! What is wrong, one entry for each finding, for reports of code quality.

use sha2::{Digest, Sha256};

use super::{inert::escaped, json::Report, links::link, paint::cut};
use crate::{
    event::CaseReport,
    judge::{self, Finding, Verdict},
    scenario::Level,
};

/// How much of a text from the wire an entry contains, in characters.
const TEXT: usize = 500;

/// How serious an entry is. The order is the order in reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum IssueLevel {
    /// It fails the run, or an accepted snapshot contains it.
    Error,
    /// A recommendation.
    Warning,
    /// For information.
    Note,
}

/// One thing that is wrong.
pub(super) struct Issue<'r> {
    /// The rule, or one of [`OTHER_KINDS`].
    pub(super) kind: &'r str,
    pub(super) level: IssueLevel,
    pub(super) case: &'r CaseReport,
    /// One line of text, safe to display.
    pub(super) message: String,
    /// The same in every run with the same finding.
    pub(super) fingerprint: String,
    /// Whether the accepted snapshot contains it, so that it does not fail the run.
    pub(super) accepted: bool,
}

/// The kinds of entries that are not about a rule: name, title, explanation, level.
const OTHER_KINDS: [(&str, &str, &str, IssueLevel); 3] = [
    (
        "upfault.broken",
        "upfault itself failed",
        "This says nothing about the proxy: report it as a bug of upfault.",
        IssueLevel::Error,
    ),
    (
        "upfault.changed",
        "The result differs from the accepted snapshot",
        "The proxy behaves differently from when the snapshot was accepted. If that is right, accept it with `upfault \
         review`.",
        IssueLevel::Error,
    ),
    (
        "upfault.inconclusive",
        "upfault could not decide",
        "Run the case again, on a machine with less other load.",
        IssueLevel::Note,
    ),
];

/// What a kind of entry means.
pub(super) struct IssueKind {
    pub(super) title: &'static str,
    pub(super) reason: &'static str,
    pub(super) level: IssueLevel,
    /// Where to read more.
    pub(super) link: Option<String>,
    pub(super) references: &'static [&'static str],
}

/// The description of a kind of entry; `None` for a rule of another version of upfault.
pub(super) fn kind(name: &str) -> Option<IssueKind> {
    if let Some((_, title, reason, level)) = OTHER_KINDS.iter().find(|(other, ..)| *other == name) {
        return Some(IssueKind { title, reason, level: *level, link: None, references: &[] });
    }
    let rule = judge::rule(name)?;
    Some(IssueKind {
        title: rule.title,
        reason: rule.reason,
        level: of_level(rule.level),
        link: rule.references.iter().find_map(|reference| link(reference)),
        references: rule.references,
    })
}

/// Every entry: the most serious first, then those that are not accepted, then by case.
pub(super) fn issues(report: &Report) -> Vec<Issue<'_>> {
    let mut issues: Vec<Issue<'_>> = report.cases.iter().flat_map(of_case).collect();
    // The sort is stable: the cases are sorted by id.
    issues.sort_by_key(|issue| (issue.level, issue.accepted));
    issues
}

fn of_case(case: &CaseReport) -> Vec<Issue<'_>> {
    let accepted = case.verdict == Verdict::Known;
    let mut issues: Vec<Issue<'_>> = Vec::new();
    for finding in &case.findings {
        let n = issues.iter().filter(|issue| issue.kind == finding.rule).count();
        issues.push(Issue {
            kind: &finding.rule,
            level: of_level(finding.level),
            case,
            message: message(case, finding),
            fingerprint: fingerprint(&case.id, &finding.rule, n),
            accepted,
        });
    }
    let other = match case.verdict {
        Verdict::Broken => Some("upfault.broken"),
        Verdict::Inconclusive => Some("upfault.inconclusive"),
        Verdict::Changed if !judge::has_required(&case.findings) => Some("upfault.changed"),
        _ => None,
    };
    if let Some((name, title, _, level)) =
        OTHER_KINDS.iter().find(|(name, ..)| other.is_some_and(|other| other == *name))
    {
        let reason = case.reason.as_deref().map(|reason| format!(": {}", text(reason))).unwrap_or_default();
        issues.push(Issue {
            kind: name,
            level: *level,
            case,
            message: format!("{}: {title}{reason}", escaped(&case.id)),
            fingerprint: fingerprint(&case.id, name, 0),
            accepted: false,
        });
    }
    issues
}

fn of_level(level: Level) -> IssueLevel {
    match level {
        Level::Required => IssueLevel::Error,
        Level::Recommended => IssueLevel::Warning,
        Level::Informative => IssueLevel::Note,
    }
}

/// What was expected and observed, in one line.
fn message(case: &CaseReport, finding: &Finding) -> String {
    let title =
        judge::rule(&finding.rule).map_or_else(|| escaped(&finding.rule), |rule| rule.title.to_owned());
    format!(
        "{}: {title}. Expected: {}. Observed: {}",
        escaped(&case.id),
        text(&finding.expected),
        text(&finding.observed)
    )
}

fn text(text: &str) -> String {
    escaped(&cut(text, TEXT))
}

/// Depends only on the case, the rule, and how many findings of the rule the case has before this one.
fn fingerprint(case: &str, rule: &str, n: usize) -> String {
    let mut hash = Sha256::new();
    for part in [case, rule, &n.to_string()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
