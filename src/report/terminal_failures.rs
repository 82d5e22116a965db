//! The failing cases in the last lines of the report: their names, the rules that they break, and the next step.

use std::{cmp::Reverse, io};

use anstyle::Style;

use super::{
    paint::{Painter, cut, safe},
    rerun::Rerun,
    terminal_groups::{plural, rules_of},
};
use crate::{event::CaseReport, judge::Finding};

/// How many failing cases are named.
const NAMED: usize = 10;

/// How many broken rules are counted.
const COUNTED: usize = 3;

/// How many characters of an example are shown.
const EXAMPLE: usize = 230;

/// Prints the names of failing cases, and how many break each rule.
pub(super) fn names(painter: &mut Painter<'_>, failed: &[&CaseReport]) -> io::Result<()> {
    for case in failed.iter().take(NAMED) {
        let word = case.verdict.as_str().to_uppercase();
        let rules = rules_of(case).join(", ");
        let rules = if rules.is_empty() { String::new() } else { format!("  {rules}") };
        painter.field(0, &format!("{word} "), &safe(&format!("{}{rules}", case.id)))?;
    }
    if let more @ 1.. = failed.len().saturating_sub(NAMED) {
        painter.text(0, Style::new(), &format!("and {} that failed", plural(more, "more case")))?;
    }
    let rules = by_frequency(failed);
    if failed.len() < 2 || rules.is_empty() {
        return Ok(());
    }
    let mut parts: Vec<String> = rules
        .iter()
        .take(COUNTED)
        .map(|(rule, cases)| format!("{rule} in {}", plural(*cases, "case")))
        .collect();
    if let more @ 1.. = rules.len().saturating_sub(COUNTED) {
        parts.push(plural(more, "more rule"));
    }
    painter.field(0, "broken: ", &safe(&parts.join(", ")))
}

/// Prints what to do about the rule that most cases break: an example, the reason for the rule, and the command that runs
/// the example.
pub(super) fn next_step(
    painter: &mut Painter<'_>,
    failed: &[&CaseReport],
    rerun: Option<&Rerun>,
) -> io::Result<()> {
    let most = by_frequency(failed).first().map(|(rule, _)| *rule);
    let breaks = |case: &&&CaseReport| most.is_none_or(|rule| rules_of(case).contains(&rule));
    let (Some(first), Some(rerun)) = (failed.iter().find(breaks), rerun) else { return Ok(()) };
    if let Some(rule) = most {
        if let Some(finding) = first.findings.iter().find(|finding| finding.rule == rule) {
            let Finding { expected, observed, .. } = finding;
            let example = format!("{}: expected {expected}; observed {observed}", first.id);
            let label = if failed.len() > 1 { "e.g. " } else { "" };
            painter.field(0, label, &safe(&cut(&example, EXAMPLE)))?;
        }
        let line = format!("next: `upfault explain {rule}` says why the rule exists");
        painter.text(0, Style::new(), &safe(&line))?;
    }
    painter.text(0, Style::new(), "next: this command runs this case alone:")?;
    painter.command(2, "", &rerun.command(first))
}

/// The rules that fail these cases, with the number of cases, the most frequent first.
fn by_frequency<'c>(failed: &[&'c CaseReport]) -> Vec<(&'c str, usize)> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for rule in failed.iter().flat_map(|case| rules_of(case)) {
        match counts.iter_mut().find(|(known, _)| *known == rule) {
            Some((_, count)) => *count += 1,
            None => counts.push((rule, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| Reverse(*count));
    counts
}
