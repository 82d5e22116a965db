//! Many cases in few lines: by rule, by reason.

use std::{collections::BTreeMap, io, sync::Arc};

use anstyle::Style;

use super::paint::{Painter, cut, safe, verdict_style};
use crate::{
    event::CaseResult,
    judge::{Finding, Verdict},
    scenario::Level,
    snapshot::Redactor,
};

/// Case ids that are named in a group.
const NAMED: usize = 3;

/// Characters of an example.
const EXAMPLE: usize = 160;

/// Which findings of a case a list is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Findings {
    /// Those that can fail a case.
    Required,
    /// The others.
    Advice,
}

impl Findings {
    fn holds(self, level: Level) -> bool {
        (level == Level::Required) == (self == Self::Required)
    }
}

/// How many cases have findings of this kind.
pub(super) fn count(cases: &[Arc<CaseResult>], kind: Findings) -> usize {
    cases.iter().filter(|case| case.findings.iter().any(|finding| kind.holds(finding.level))).count()
}

/// A heading, then a line for each rule: how many cases break it, with one example.
pub(super) fn by_rule(
    painter: &mut Painter<'_>,
    heading: (&str, Style),
    note: &str,
    cases: &[Arc<CaseResult>],
    kind: Findings,
) -> io::Result<()> {
    // Rule -> cases that break it, and the first of them with what was seen.
    let mut rules: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for case in cases {
        let mut counted: Vec<&str> = Vec::new();
        for finding in case.findings.iter().filter(|finding| kind.holds(finding.level)) {
            if counted.contains(&finding.rule.as_str()) {
                continue;
            }
            counted.push(&finding.rule);
            let entry = rules.entry(finding.rule.clone()).or_insert_with(|| (0, example(case, finding)));
            entry.0 += 1;
        }
    }
    if rules.is_empty() {
        return Ok(());
    }
    painter.gap()?;
    painter.raw(&format!("{} {note}", painter.styled(heading.1, heading.0)))?;
    let width = rules.keys().map(|rule| rule.chars().count()).max().unwrap_or(0);
    for (rule, (count, example)) in rules {
        painter.field(2, &format!("{:width$}  ", safe(&rule)), &plural(count, "case"))?;
        painter.text(4, Style::new(), &safe(&format!("e.g. {example}")))?;
    }
    Ok(())
}

/// One line about one finding, its secrets hidden.
fn example(case: &CaseResult, finding: &Finding) -> String {
    let text = format!("expected {}, observed {}", finding.expected, finding.observed);
    format!("{}: {}", case.id, cut(&without_secrets(case, &text), EXAMPLE))
}

fn without_secrets(case: &CaseResult, text: &str) -> String {
    match &case.observation {
        Some(observation) => Redactor::secrets(&observation.arrangement).text(text),
        None => text.to_owned(),
    }
}

/// A heading, then a line for each reason: how many cases, and some of their ids.
pub(super) fn by_reason(
    painter: &mut Painter<'_>,
    verdict: Verdict,
    note: &str,
    cases: &[Arc<CaseResult>],
    all_ids: bool,
) -> io::Result<()> {
    let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for case in cases.iter().filter(|case| case.verdict == verdict) {
        let reason = without_secrets(case, case.reason.as_deref().unwrap_or("no reason given"));
        reasons.entry(reason).or_default().push(&case.id);
    }
    if reasons.is_empty() {
        return Ok(());
    }
    painter.gap()?;
    let heading = painter.styled(verdict_style(verdict), &verdict.as_str().to_uppercase());
    painter.raw(&format!("{heading} {note}"))?;
    for (reason, ids) in reasons {
        painter.field(2, "", &safe(&format!("{reason}: {}", plural(ids.len(), "case"))))?;
        let named = if all_ids { ids.len() } else { NAMED };
        let mut line = ids.iter().take(named).copied().collect::<Vec<_>>().join(", ");
        if ids.len() > named {
            line.push_str(&format!(" and {} more", ids.len() - named));
        }
        painter.text(4, Style::new().dimmed(), &safe(&line))?;
    }
    Ok(())
}

/// What is to be said of a case in half a line: what is new against the accepted snapshot, or what
/// it breaks where there is none.
pub(super) fn in_short(case: &CaseResult) -> String {
    let Some(change) = case.change.as_ref().filter(|change| !change.is_empty()) else {
        let mut rules: Vec<&str> = case.findings.iter().map(|finding| finding.rule.as_str()).collect();
        rules.dedup();
        return rules.join(", ");
    };
    let mut parts: Vec<String> = change.new_findings.iter().map(|rule| format!("+{rule}")).collect();
    parts.extend(change.vanished_findings.iter().map(|rule| format!("-{rule}")));
    if parts.is_empty() {
        parts.push("another answer, the same findings".to_owned());
    }
    parts.join(" ")
}

/// `1 case`, `2 cases`.
pub(super) fn plural(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}
