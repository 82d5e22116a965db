//! Many cases in few lines: by rule, by reason, by kind.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use anstyle::Style;

use super::{
    gateway_properties::GatewayProperty,
    paint::{Painter, cut, safe, verdict_style},
};
use crate::{
    event::CaseReport,
    judge::{Finding, PolicyAnswer, PolicyEffect, Verdict},
    scenario::Level,
    snapshot::KnownClaim,
};

/// How many case ids a group names.
const NAMED: usize = 3;

/// How many characters of an example are shown.
const EXAMPLE: usize = 160;

/// Which findings of a case a list contains.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Findings {
    /// Findings of required rules: they can fail a case.
    Required,
    /// Findings of recommended and informative rules.
    Advice,
    /// Findings of required rules that no accepted snapshot contains.
    New,
}

impl Findings {
    fn holds(self, case: &CaseReport, finding: &Finding) -> bool {
        let required = finding.level == Level::Required;
        match self {
            Self::Required => required,
            Self::Advice => !required,
            Self::New => {
                let change = case.change.as_ref();
                required && change.is_none_or(|change| change.is_new(&finding.rule))
            }
        }
    }
}

impl Findings {
    /// The findings of this kind in a case, without those that say something about the gateway as a whole. New findings are
    /// never left out: they fail the case.
    fn of<'c>(self, case: &'c CaseReport, except: &[GatewayProperty]) -> impl Iterator<Item = &'c Finding> {
        let is_listed = move |finding: &&Finding| {
            self == Self::New || !except.iter().any(|property| property.rule == finding.rule)
        };
        let findings = case.findings.iter().filter(|finding| case.repeated(finding).is_none());
        findings.filter(move |finding| self.holds(case, finding)).filter(is_listed)
    }
}

/// How a group of cases is introduced.
pub(super) struct GroupHeading {
    /// `KNOWN`
    pub(super) heading: &'static str,
    /// The heading's.
    pub(super) style: Style,
    /// What the group means.
    pub(super) note: &'static str,
    /// Whether its lines are printed, or only its heading with the counts.
    pub(super) listed: bool,
}

impl GroupHeading {
    /// Prints the heading: `KNOWN 293 cases, 27 rules: NOTE`. Returns whether the lines are to follow.
    fn open(&self, painter: &mut Painter<'_>, counts: &str) -> io::Result<bool> {
        let Self { heading, style, note, listed } = self;
        painter.gap()?;
        let heading = painter.styled(*style, heading);
        let more = if *listed { ":" } else { " (-v lists them)" };
        painter.text(0, Style::new(), &format!("{heading} {counts}: {note}{more}"))?;
        Ok(*listed)
    }
}

/// How many cases have findings of this kind.
pub(super) fn count(cases: &[&CaseReport], kind: Findings, except: &[GatewayProperty]) -> usize {
    let counts = |case: &&&CaseReport| kind.of(case, except).next().is_some();
    cases.iter().filter(counts).count()
}

/// Rules that nearly every case breaks: a line for each, with what was observed in the first case.
pub(super) fn properties(painter: &mut Painter<'_>, properties: &[GatewayProperty]) -> io::Result<()> {
    if properties.is_empty() {
        return Ok(());
    }
    painter.gap()?;
    painter.field(0, "GATEWAY ", "nearly every case shows this, so it is listed once:")?;
    for GatewayProperty { rule, level, broken, judged, observed } in properties {
        let cases = format!("  {broken} of {} ({level})", plural(*judged, "case"));
        painter.field(2, &safe(rule), &cases)?;
        painter.text(4, Style::new(), &safe(&format!("e.g. {}", cut(observed, EXAMPLE))))?;
    }
    Ok(())
}

/// The group's heading, then a line for each rule: how many cases break it, and one example.
pub(super) fn by_rule(
    painter: &mut Painter<'_>,
    group: &GroupHeading,
    cases: &[&CaseReport],
    kind: Findings,
    except: &[GatewayProperty],
) -> io::Result<()> {
    // For each rule: how many cases break it, and what was seen in the first of them.
    let mut rules: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut broken = 0;
    for case in cases {
        let mut counted: Vec<&str> = Vec::new();
        for finding in kind.of(case, except) {
            if counted.contains(&finding.rule.as_str()) {
                continue;
            }
            counted.push(&finding.rule);
            let entry = rules.entry(finding.rule.clone()).or_insert_with(|| (0, example(case, finding)));
            entry.0 += 1;
        }
        broken += usize::from(!counted.is_empty());
    }
    if rules.is_empty() {
        return Ok(());
    }
    if !group.open(painter, &format!("{}, {}", plural(broken, "case"), plural(rules.len(), "rule")))? {
        return Ok(());
    }
    let width = rules.keys().map(|rule| rule.chars().count()).max().unwrap_or(0);
    for (rule, (count, example)) in rules {
        painter.field(2, &format!("{:width$}  ", safe(&rule)), &plural(count, "case"))?;
        painter.text(4, Style::new(), &safe(&format!("e.g. {example}")))?;
    }
    Ok(())
}

/// A line for each rule that is still broken but that the policy no longer requires: how many cases, and which
/// answers of the policy decide.
pub(super) fn eased(painter: &mut Painter<'_>, cases: &[&CaseReport]) -> io::Result<()> {
    let mut counts: BTreeMap<(&str, String), usize> = BTreeMap::new();
    let effects = cases.iter().filter_map(|case| case.change.as_ref()).flat_map(|change| &change.eased);
    for PolicyEffect { rule, answers } in effects {
        *counts.entry((rule, PolicyAnswer::list(answers))).or_default() += 1;
    }
    if counts.is_empty() {
        return Ok(());
    }
    painter.gap()?;
    painter.field(
        0,
        "POLICY ",
        "accepted findings that are still present but that this policy does not require:",
    )?;
    let width = counts.keys().map(|(rule, _)| rule.chars().count()).max().unwrap_or(0);
    for ((rule, answers), count) in counts {
        let line = format!("{}, by {answers}", plural(count, "case"));
        painter.field(2, &format!("{:width$}  ", safe(rule)), &safe(&line))?;
    }
    Ok(())
}

/// A finding in one line.
fn example(case: &CaseReport, finding: &Finding) -> String {
    let text = format!("expected {}, observed {}", finding.expected, finding.observed);
    format!("{}: {}", case.id, cut(&text, EXAMPLE))
}

/// The group's heading, then a line for each reason: how many cases, and some of their ids.
pub(super) fn by_reason(
    painter: &mut Painter<'_>,
    group: &GroupHeading,
    verdict: Verdict,
    cases: &[&CaseReport],
    all_ids: bool,
) -> io::Result<()> {
    let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for case in cases.iter().filter(|case| case.verdict == verdict) {
        let reason = case.reason.clone().unwrap_or_else(|| "no reason given".to_owned());
        reasons.entry(reason).or_default().push(&case.id);
    }
    if reasons.is_empty() {
        return Ok(());
    }
    let count = reasons.values().map(Vec::len).sum();
    if !group.open(painter, &plural(count, "case"))? {
        return Ok(());
    }
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

/// Splits cases into those that are shown in full and the rest. The first of each kind is shown, at most `most`
/// cases in total; broken rules come before mere differences from the snapshot.
pub(super) fn select(mut cases: Vec<&CaseReport>, most: usize) -> (Vec<&CaseReport>, Vec<&CaseReport>) {
    let mut seen = BTreeSet::new();
    cases.sort_by_key(|case| weight(case));
    let (mut shown, mut rest) = (Vec::new(), Vec::new());
    for case in cases {
        if seen.insert(kind(case)) && shown.len() < most { shown.push(case) } else { rest.push(case) }
    }
    (shown, rest)
}

/// A paragraph for each kind of case: what its cases have in common, and some of their ids.
pub(super) fn in_kinds(painter: &mut Painter<'_>, cases: &[&CaseReport]) -> io::Result<()> {
    let mut kinds: Vec<(String, Vec<&CaseReport>)> = Vec::new();
    for case in cases {
        let kind = kind(case);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, alike)) => alike.push(case),
            None => kinds.push((kind, vec![case])),
        }
    }
    for (kind, alike) in kinds {
        let word = alike.first().map_or(Verdict::Fail, |case| case.verdict);
        let heading = painter.styled(verdict_style(word), &word.as_str().to_uppercase());
        painter.raw(&format!("{heading} {}", plural(alike.len(), "case")))?;
        for line in kind.lines().skip(1) {
            painter.text(4, Style::new(), &safe(&cut(line, EXAMPLE)))?;
        }
        let mut ids = alike.iter().take(NAMED).map(|case| case.id.as_str()).collect::<Vec<_>>().join(", ");
        if alike.len() > NAMED {
            ids.push_str(&format!(" and {} more", alike.len() - NAMED));
        }
        painter.text(4, Style::new().dimmed(), &safe(&ids))?;
    }
    Ok(())
}

/// What cases of one kind share: the verdict, its reason if upfault could not decide, and the rules that are newly broken or
/// no longer broken. If there are none, the changed lines of the snapshot.
fn kind(case: &CaseReport) -> String {
    let mut lines = vec![case.verdict.to_string()];
    if matches!(case.verdict, Verdict::Broken | Verdict::Inconclusive) {
        lines.extend(case.reason.clone());
    }
    lines.extend(case.known.iter().filter(|claim| claim.is_wrong()).filter_map(KnownClaim::describe));
    let Some(change) = case.change.as_ref().filter(|change| !change.is_empty()) else {
        let mut rules: Vec<&str> = required(case).map(|finding| finding.rule.as_str()).collect();
        rules.dedup();
        lines.push(rules.join(", "));
        return lines.join("\n");
    };
    lines.extend(change.new_findings.iter().map(|rule| format!("new: {rule}")));
    lines.extend(change.vanished_findings.iter().map(|rule| format!("gone: {rule}")));
    lines.extend(
        change
            .enforced
            .iter()
            .map(|PolicyEffect { rule, answers }| format!("new by {}: {rule}", PolicyAnswer::list(answers))),
    );
    if lines.len() == 1 {
        let edits = change.diff.lines().filter(|line| line.starts_with(['+', '-']));
        let edits = edits.filter(|line| !line.starts_with("+++") && !line.starts_with("---"));
        // Messages contain tokens of their case: only the fact that they changed is the same in several cases.
        lines.extend(edits.map(|line| match line.split_once("\"message\":") {
            Some((before, _)) => format!("{}\"message\": ...", before.split_whitespace().collect::<String>()),
            None => line.split_whitespace().collect::<Vec<_>>().join(" "),
        }));
    }
    lines.join("\n")
}

/// The rules to name for a failing case: the newly broken ones, or if there are none, all required ones it breaks.
pub(super) fn rules_of(case: &CaseReport) -> Vec<&str> {
    let is_new = |finding: &&Finding| Findings::New.holds(case, finding);
    // A known finding that does not occur as its entry says fails the case too.
    let wrong = case.known.iter().filter(|claim| claim.is_wrong()).map(|claim| claim.rule.as_str());
    let new = required(case).filter(is_new).map(|finding| finding.rule.as_str());
    let mut rules: Vec<&str> = wrong.chain(new).collect();
    if rules.is_empty() {
        rules = required(case).map(|finding| finding.rule.as_str()).collect();
    }
    rules.dedup();
    rules
}

/// The findings that can fail a case, without those that repeat another.
fn required(case: &CaseReport) -> impl Iterator<Item = &Finding> {
    case.findings
        .iter()
        .filter(|finding| finding.level == Level::Required && case.repeated(finding).is_none())
}

/// Sorts what a reader should see first: upfault's own failures, broken rules, a changed status or ending, other
/// changes.
fn weight(case: &CaseReport) -> u8 {
    let change = case.change.as_ref();
    let moved = |mark: &str| {
        change.is_some_and(|change| {
            change.diff.lines().any(|line| line.starts_with(['+', '-']) && line.contains(mark))
        })
    };
    match case.verdict {
        Verdict::Broken => 0,
        Verdict::Fail => 1,
        _ if change.is_some_and(|change| !change.new_findings.is_empty()) => 2,
        _ if moved("step ") || moved("ending:") || moved("[DONE]") || moved("finish_reason") => 3,
        _ if moved("primary:") || moved("backup:") || moved("retry-after") => 4,
        _ => 5,
    }
}

/// `1 case`, `2 cases`.
pub(crate) fn plural(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}
