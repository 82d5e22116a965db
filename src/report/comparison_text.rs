//! A comparison as text for people: one screen for a whole upgrade.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use anstyle::{AnsiColor, Style};

use super::{
    paint::{Painter, cut, safe},
    terminal_groups::plural,
};
use crate::{
    compare::{CauseGroup, ChangeCause, Comparison, ComparisonStep, SdkChange},
    judge::{Rule, rule},
};

/// How many causes a screen shows without `-v`.
const CAUSES: usize = 12;

/// How many causes of each group a screen shows at least, if there are so many.
const RESERVED: usize = 1;

/// How many characters of a list are shown without `-v`.
const LIST: usize = 134;

/// How a comparison is printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ComparisonView {
    /// Whether to use colour.
    pub color: bool,
    /// The width in columns; 0 means no limit.
    pub width: usize,
    /// Whether to list the cases and all changes of each cause.
    pub verbose: bool,
}

/// Prints a comparison.
pub(crate) fn write_comparison(
    out: &mut dyn Write,
    comparison: &Comparison,
    view: ComparisonView,
) -> io::Result<()> {
    // Without a terminal, the text must be readable in a log too.
    let width = if view.width == 0 { 80 } else { view.width };
    let mut painter = Painter::new(out, view.color, width);
    for (n, step) in comparison.steps.iter().enumerate() {
        if n > 0 {
            painter.gap()?;
        }
        of_step(&mut painter, step, view.verbose)?;
    }
    Ok(())
}

fn of_step(painter: &mut Painter<'_>, step: &ComparisonStep, verbose: bool) -> io::Result<()> {
    let counts = &step.counts;
    let title = painter.styled(Style::new().bold(), &safe(&format!("{} -> {}", step.from, step.to)));
    painter.raw(&format!("{title}: {} compared", plural(counts.compared(), "case")))?;
    let mixed: usize = of_group(step, CauseGroup::Mixed).iter().map(|cause| cause.cases.len()).sum();
    let also_better = if mixed > 0 { format!("{mixed} worse and better, ") } else { String::new() };
    let line = format!(
        "{} worse, {also_better}{} better, {} different, {} only in wording, {} the same",
        counts.worse - mixed,
        counts.better,
        counts.different - counts.wording,
        counts.wording,
        counts.same
    );
    painter.text(2, Style::new(), &line)?;
    for left_out in &step.not_compared {
        let line = format!("not compared: {}, {}", plural(left_out.cases.len(), "case"), left_out.reason);
        painter.field(2, "", &safe(&line))?;
        if verbose {
            painter.text(4, Style::new().dimmed(), &safe(&left_out.cases.join(", ")))?;
        }
    }
    let limits = if verbose { [usize::MAX; 5] } else { limits(step) };
    let mut n = 0;
    let mut broken: BTreeSet<&str> = BTreeSet::new();
    for (group, limit) in CauseGroup::ALL.into_iter().zip(limits) {
        let causes = of_group(step, group);
        if causes.is_empty() {
            continue;
        }
        painter.gap()?;
        painter.raw(&painter.styled(style(group), heading(group)))?;
        for cause in causes.iter().take(limit) {
            n += 1;
            broken.extend(cause.breaks.keys().map(String::as_str));
            of_cause(painter, n, cause, verbose)?;
        }
        let rest = causes.get(limit..).unwrap_or_default();
        if !rest.is_empty() {
            let cases: usize = rest.iter().map(|cause| cause.cases.len()).sum();
            let line = format!(
                "and {} with {} (-v lists them)",
                plural(rest.len(), "more cause"),
                plural(cases, "case")
            );
            painter.text(4, Style::new().dimmed(), &line)?;
        }
    }
    meaning(painter, &broken)
}

/// Prints what the newly broken rules require.
fn meaning(painter: &mut Painter<'_>, broken: &BTreeSet<&str>) -> io::Result<()> {
    let rules: Vec<&Rule> = broken.iter().filter_map(|id| rule(id)).collect();
    if rules.is_empty() {
        return Ok(());
    }
    painter.gap()?;
    painter.raw(
        &painter.styled(Style::new().bold(), "NEWLY BROKEN RULES (`upfault explain RULE` gives the reason)"),
    )?;
    for rule in rules {
        painter.field(2, rule.id, &format!("  {}", rule.title))?;
    }
    Ok(())
}

fn of_group(step: &ComparisonStep, group: CauseGroup) -> Vec<&ChangeCause> {
    step.causes.iter().filter(|cause| cause.group() == group).collect()
}

/// How many causes of each group are shown: some of each, then as many as fit, the worst first.
fn limits(step: &ComparisonStep) -> [usize; 5] {
    let counts = CauseGroup::ALL.map(|group| of_group(step, group).len());
    let mut limits = counts.map(|count| count.min(RESERVED));
    let mut left = CAUSES.saturating_sub(limits.iter().sum());
    for (limit, count) in limits.iter_mut().zip(counts) {
        let more = (count - *limit).min(left);
        *limit += more;
        left -= more;
    }
    limits
}

fn of_cause(painter: &mut Painter<'_>, n: usize, cause: &ChangeCause, verbose: bool) -> io::Result<()> {
    let label = format!("{n:>3}. ");
    let title = format!("{}, {}", cause.change, plural(cause.cases.len(), "case"));
    painter.field(0, &label, &safe(&cut(&title, 2 * LIST)))?;
    let indent = label.len();
    let limit = if verbose { usize::MAX } else { LIST };
    let more = |painter: &mut Painter<'_>, text: &str| {
        painter.text(indent, Style::new().dimmed(), &safe(&cut(text, limit)))
    };
    let rules = [rules("newly broken:", &cause.breaks, cause), rules("fixed:", &cause.keeps, cause)];
    // The rules may be the cause itself.
    for line in rules.into_iter().flatten().filter(|_| cause.fact.is_some()) {
        painter.text(indent, Style::new().dimmed(), &safe(&line))?;
    }
    more(painter, &cause.scope.describe())?;
    for change in sdks(&cause.sdks) {
        more(painter, &change)?;
    }
    for undone in &cause.undone {
        more(painter, &format!("as before in {}: {}", undone.side, plural(undone.cases, "case")))?;
    }
    if verbose {
        for (change, count) in &cause.also {
            more(painter, &format!("also {change} ({count})"))?;
        }
        for case in &cause.cases {
            painter.text(indent, Style::new(), &safe(&case.id))?;
        }
    }
    Ok(())
}

/// `newly broken: status.mirrored, headers.retry-after (2 of 3 cases)`; the number of cases follows if it is not all.
fn rules(word: &str, rules: &BTreeMap<String, usize>, cause: &ChangeCause) -> Option<String> {
    let named = |(rule, count): (&String, &usize)| {
        let all = cause.cases.len();
        if *count == all { rule.clone() } else { format!("{rule} ({count} of {all} cases)") }
    };
    let names: Vec<String> = rules.iter().map(named).collect();
    (!names.is_empty()).then(|| format!("{word} {}", names.join(", ")))
}

/// One line for all SDKs that changed alike.
fn sdks(changes: &[SdkChange]) -> Vec<String> {
    let mut lines: Vec<(String, Vec<&str>)> = Vec::new();
    for change in changes {
        let words = format!("{} -> {}", change.before, change.after);
        match lines.iter_mut().find(|(line, _)| *line == words) {
            Some((_, sdks)) => sdks.push(&change.sdk),
            None => lines.push((words, vec![&change.sdk])),
        }
    }
    lines.into_iter().map(|(words, sdks)| format!("{}: {words}", sdks.join(", "))).collect()
}

const fn heading(group: CauseGroup) -> &'static str {
    match group {
        CauseGroup::Worse => "WORSE",
        CauseGroup::Mixed => "WORSE AND BETTER (a rule is newly broken, another one is fixed)",
        CauseGroup::Better => "BETTER",
        CauseGroup::Different => "DIFFERENT",
        CauseGroup::Wording => "WORDING ONLY",
    }
}

fn style(group: CauseGroup) -> Style {
    let color = match group {
        CauseGroup::Worse | CauseGroup::Mixed => AnsiColor::Red,
        CauseGroup::Better => AnsiColor::Green,
        CauseGroup::Different => AnsiColor::Yellow,
        CauseGroup::Wording => AnsiColor::BrightBlack,
    };
    Style::new().bold().fg_color(Some(color.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        compare::{
            CaseFact, CaseFacts, CaseState, ComparedCase, ComparedRun, ComparedSide, ExchangeFacts, FactKind,
        },
        observation::StepName,
        scenario::{Api, Combination, Provider},
    };

    fn run(label: &str, cases: &[(&str, &[&str], FactKind, &str)]) -> ComparedRun {
        let cases = cases.iter().map(|(id, broken, kind, value)| {
            let fact = CaseFact { kind: *kind, subject: String::new(), value: (*value).to_owned() };
            let exchange = ExchangeFacts { step: StepName::Step(1), took_ms: 1.0, seen: vec![fact] };
            ComparedCase {
                id: (*id).to_owned(),
                scenario: (*id).to_owned(),
                combination: Combination { api: Api::OpenaiChat, provider: Provider::Openai, stream: false },
                state: CaseState::Judged {
                    broken: broken.iter().map(|rule| (*rule).to_owned()).collect(),
                    facts: CaseFacts { stopped: None, exchanges: vec![exchange] },
                },
            }
        });
        let side = ComparedSide { label: label.to_owned(), ..ComparedSide::default() };
        ComparedRun { side, cases: cases.collect(), repeated: Vec::new() }
    }

    fn shown(runs: &[ComparedRun], verbose: bool) -> String {
        let mut out = Vec::new();
        let view = ComparisonView { color: false, width: 80, verbose };
        write_comparison(&mut out, &Comparison::new(runs, String::new()), view).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn causes_are_listed_worst_first_with_what_their_cases_share() {
        let before = run(
            "litellm 1",
            &[
                ("a/x", &[], FactKind::Response, "429"),
                ("a/y", &["status.mirrored"], FactKind::Response, "500"),
                ("b/z", &[], FactKind::Message, "one"),
                ("b/same", &[], FactKind::Response, "200"),
            ],
        );
        let after = run(
            "2",
            &[
                ("a/x", &["status.mirrored"], FactKind::Response, "500"),
                ("a/y", &[], FactKind::Response, "503"),
                ("b/z", &[], FactKind::Message, "one\u{1b}[31m more"),
                ("b/same", &[], FactKind::Response, "200"),
            ],
        );
        insta::assert_snapshot!(shown(&[before, after], false), @r#"
        litellm 1 -> 2: 4 cases compared
          1 worse, 1 better, 0 different, 1 only in wording, 1 the same

        WORSE
          1. 429 -> 500, 1 case
             newly broken: status.mirrored
             openai, openai/chat, without streaming; a/x

        BETTER
          2. 500 -> 503, 1 case
             fixed: status.mirrored
             openai, openai/chat, without streaming; a/y

        WORDING ONLY
          3. message: suffix added: "\u{1b}[31m more", 1 case
             openai, openai/chat, without streaming; b/z

        NEWLY BROKEN RULES (`upfault explain RULE` gives the reason)
          status.mirrored  400, 404 and 422 keep their status
        "#);
    }

    #[test]
    fn a_screen_has_at_most_twelve_causes_and_some_of_each_group() {
        let ids: Vec<String> = (0..40).map(|n| format!("f/{n:02}")).collect();
        let values: Vec<String> = (0..40).map(|n| format!("{}", 400 + n)).collect();
        let of = |n: usize, label: &str, value: &str| {
            let broken: &[&str] = if (n < 20) == (label == "2") { &["r"] } else { &[] };
            run(label, &[(&ids[n], broken, FactKind::Response, value)]).cases.remove(0)
        };
        let side = |label: &str| {
            let cases = (0..40).map(|n| of(n, label, if label == "2" { &values[n] } else { "200" }));
            ComparedRun { cases: cases.collect(), ..run(label, &[]) }
        };
        let text = shown(&[side("1"), side("2")], false);
        let is_cause = |line: &&str| line.starts_with(' ') && line.contains(" -> ");
        let listed = |text: &str| text.lines().filter(is_cause).count();
        assert_eq!(listed(&text), CAUSES, "{text}");
        assert!(
            text.contains("and 9 more causes with 9 cases") && text.contains("and 19 more causes"),
            "{text}"
        );
        assert_eq!(listed(&shown(&[side("1"), side("2")], true)), 40);
    }
}
