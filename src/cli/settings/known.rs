//! The known findings of a settings file, `[[known]]`, with errors that show the position.

use super::read::TomlSource;
use crate::{
    judge,
    scenario::{Case, Diagnostic, KnownEntry, KnownFile, KnownProblem, nearest},
};

/// The key of the list of tables.
const KNOWN: &str = "known";

/// Checks all entries. Each of them must name its cases and a rule of the contract.
pub(super) fn known(source: &TomlSource, given: Vec<KnownFile>) -> Result<Vec<KnownEntry>, Vec<Diagnostic>> {
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    for (n, file) in given.into_iter().enumerate() {
        let (line, _) = source.wrong_at(source.member(KNOWN, n, "proxy"), "").position();
        if file.cases.is_none() {
            let wrong =
                source.wrong_at(source.member(KNOWN, n, "cases"), "this known finding names no cases");
            errors.push(wrong.help(
                "add `cases = [\"limits/rate-limit*\"]` with ids as `upfault list` prints them; `*` matches any text",
            ));
        }
        if let Some(help) = unknown_rule(&file.rule) {
            let message = format!("unknown rule `{}`", file.rule);
            errors.push(source.wrong_at(source.member(KNOWN, n, "rule"), message).help(help));
        }
        match file.checked(format!("{}:{line}", source.shown)) {
            Ok(entry) => entries.push(entry),
            Err(problems) => errors.extend(problems.into_iter().map(|problem| {
                let KnownProblem { key, message, help, .. } = problem;
                source.wrong_at(source.member(KNOWN, n, key), message).help(help)
            })),
        }
    }
    if errors.is_empty() { Ok(entries) } else { Err(errors) }
}

/// An error for each pattern that matches none of `all`.
pub(super) fn named_cases_exist(
    source: &TomlSource,
    entries: &[KnownEntry],
    all: &[Case],
) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    for (n, entry) in entries.iter().enumerate() {
        for pattern in entry.cases.iter().flatten() {
            let alone = KnownEntry { cases: Some(vec![pattern.clone()]), ..entry.clone() };
            if alone.select(all).is_empty() {
                let wrong =
                    source.wrong_at(source.member(KNOWN, n, "cases"), format!("no case matches `{pattern}`"));
                errors.push(wrong.help(match nearest(pattern, all.iter().map(|case| case.id.as_str())) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "`upfault list` prints the ids; `*` matches any text".to_owned(),
                }));
            }
        }
    }
    errors
}

/// How to fix the name of a rule that does not exist; `None` if it exists.
pub(crate) fn unknown_rule(rule: &str) -> Option<String> {
    if judge::rule(rule).is_some() {
        return None;
    }
    Some(match nearest(rule, judge::rules().map(|rule| rule.id)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`upfault explain rules` lists them".to_owned(),
    })
}
