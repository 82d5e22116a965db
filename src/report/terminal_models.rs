//! What happened with each model of a user's own configuration.

use std::{collections::BTreeMap, io};

use indexmap::IndexMap;

use super::{
    paint::{Painter, safe},
    terminal_groups::plural,
};
use crate::{
    event::CaseReport,
    judge::{self, Verdict},
    scenario::{Level, own_model_of},
};

/// How many rules are listed for a model.
const LISTED: usize = 5;

/// For each model: how many cases have each verdict, and the rules that most of them break. Prints nothing if no case is of
/// such a model.
pub(super) fn by_model(painter: &mut Painter<'_>, cases: &[&CaseReport]) -> io::Result<()> {
    let mut models: IndexMap<&str, Vec<&CaseReport>> = IndexMap::new();
    for case in cases {
        if let Some(model) = own_model_of(&case.id) {
            models.entry(model).or_default().push(case);
        }
    }
    if models.is_empty() {
        return Ok(());
    }
    painter.gap()?;
    painter.field(0, "YOUR MODELS ", "what their callers get when the provider fails:")?;
    for (model, cases) in models {
        let mut verdicts: BTreeMap<Verdict, usize> = BTreeMap::new();
        let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
        for case in &cases {
            *verdicts.entry(case.verdict).or_default() += 1;
            let required = case.findings.iter().filter(|finding| finding.level == Level::Required);
            let mut broken: Vec<&str> = required.map(|finding| finding.rule.as_str()).collect();
            broken.sort_unstable();
            broken.dedup();
            broken.into_iter().for_each(|rule| *rules.entry(rule).or_default() += 1);
        }
        let provider = cases.first().map(|case| case.matrix.provider.to_string()).unwrap_or_default();
        let counts: Vec<String> = verdicts.iter().map(|(verdict, n)| format!("{n} {verdict}")).collect();
        painter.field(2, &safe(&format!("{model} ({provider})  ")), &counts.join(", "))?;
        let mut rules: Vec<(&str, usize)> = rules.into_iter().collect();
        rules.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let left = rules.len().saturating_sub(LISTED);
        for (rule, n) in rules.into_iter().take(LISTED) {
            let title = judge::rule(rule).map_or("", |rule| rule.title);
            painter.field(4, &format!("{n:3} × "), &safe(&format!("broken: {title} ({rule})")))?;
        }
        if left > 0 {
            painter.field(4, "    + ", &plural(left, "more rule"))?;
        }
    }
    Ok(())
}
