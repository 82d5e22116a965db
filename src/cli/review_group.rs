//! The text about a group of pending cases that changed in the same way.

use crate::{
    report::plural,
    scenario::Level,
    snapshot::{FindingLine, PendingCase, ReviewEffect},
};

/// How many cases of a group are named.
const NAMED: usize = 10;

/// What a person needs to decide: whether the change is better or worse, the versions, the cases with their titles, and the
/// difference of the first case. `place` is the position of the group.
pub(super) fn group_text(place: &str, group: &[PendingCase]) -> String {
    let Some(first) = group.first() else { return String::new() };
    let mut text = format!("{place}: {}\n", heading(first, group.len()));
    match &first.accepted_from {
        Some(origin) => {
            text.push_str(&format!("  accepted: {}\n", origin.describe()));
            text.push_str(&format!("  now:      {}\n", first.recorded_from.describe()));
        }
        None => text.push_str(&format!("  new:      {}\n", first.recorded_from.describe())),
    }
    let mut title = "";
    for case in group.iter().take(NAMED) {
        if case.title != title {
            title = &case.title;
            text.push_str(&format!("  {title}\n"));
        }
        text.push_str(&format!("    {}: {}\n", case.file.name, case.id));
    }
    if group.len() > NAMED {
        text.push_str(&format!("    ... and {} more\n", group.len() - NAMED));
    }
    text.push('\n');
    text.push_str(&first.diff);
    text
}

/// `worse, 12 cases: headers.retry-after is newly broken`.
fn heading(case: &PendingCase, cases: usize) -> String {
    let effect = case.effect();
    let what = match (&case.accepted_from, effect) {
        (None, ReviewEffect::Worse) => "new, with broken rules".to_owned(),
        (None, _) => "new".to_owned(),
        (Some(_), effect) => effect.to_string(),
    };
    let mut details = Vec::new();
    for (lines, what) in [(&case.new, "newly broken"), (&case.gone, "no longer broken")] {
        let names: Vec<String> = lines.iter().map(rule_text).collect();
        if !names.is_empty() {
            details.push(format!("{what}: {}", names.join(", ")));
        }
    }
    if details.is_empty() {
        details.push("no rule is newly broken or fixed".to_owned());
    }
    format!("{what}, {}; {}", plural(cases, "case"), details.join("; "))
}

fn rule_text(line: &FindingLine) -> String {
    match line.level {
        Level::Required => line.rule.clone(),
        level => format!("{} ({level})", line.rule),
    }
}
