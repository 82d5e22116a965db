//! Selects cases by the arguments.

use std::{collections::HashSet, path::PathBuf};

use super::{
    args::{PathArgs, SelectArgs, Shard},
    context::CliContext,
    failure::Failure,
    filter::Filter,
    print,
    settings::{Settings, unknown_rule},
};
use crate::{
    report::plural,
    scenario::{Case, Diagnostic, KnownEntry, Library, LoadErrors, Provider, Scenario, expand, load_from},
};

/// Loads scenarios and checks that the rules they name exist.
pub(super) fn library(
    context: &CliContext,
    settings: &Settings,
    paths: &PathArgs,
) -> Result<Library, Failure> {
    let paths: Vec<PathBuf> = paths.paths.iter().map(|path| context.at_root(&context.cwd, path)).collect();
    let named_here = !paths.is_empty();
    let library =
        load_from(&context.root, &settings.scenarios, &paths).map_err(|error| match named_here {
            true => Failure::Load(error),
            false => settings.about_scenarios(error),
        })?;
    let mut errors = Vec::new();
    for scenario in &library.scenarios {
        let named = scenario.except.keys().chain(scenario.known.iter().map(|known| &known.rule));
        for (rule, help) in named.filter_map(|rule| Some((rule, unknown_rule(rule)?))) {
            let text = library.text(&scenario.id);
            let at = text.find(rule.as_str()).unwrap_or(0);
            let message = format!("unknown rule `{rule}`");
            errors.push(Diagnostic::new(&scenario.file, &text, at..at + rule.len(), message).help(help));
        }
    }
    for scenario in library.scenarios.iter().filter(|scenario| !scenario.known.is_empty()) {
        let cases = expand(scenario);
        for (entry, pattern) in scenario
            .known
            .iter()
            .flat_map(|entry| entry.cases.iter().flatten().map(move |pattern| (entry, pattern)))
        {
            let alone = KnownEntry { cases: Some(vec![pattern.clone()]), ..entry.clone() };
            if alone.select(&cases).is_empty() {
                let text = library.text(&scenario.id);
                let at = text.find(pattern.as_str()).unwrap_or(0);
                let message = format!("no case of this scenario matches `{pattern}`");
                let wrong = Diagnostic::new(&scenario.file, &text, at..at + pattern.len(), message);
                let ids: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
                errors.push(wrong.help(format!("its cases are: {}", ids.join(", "))));
            }
        }
    }
    if errors.is_empty() { Ok(library) } else { Err(Failure::Load(LoadErrors(errors).into())) }
}

/// The cases that the arguments select; at least one. Prints a note on standard error if files of the project
/// replace bundled scenarios.
pub(super) fn cases(
    context: &CliContext,
    settings: &Settings,
    select: &SelectArgs,
) -> Result<Vec<Case>, Failure> {
    let filter = select
        .filter
        .as_deref()
        .map(Filter::parse)
        .transpose()
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let library = library(context, settings, &select.paths)?;
    let all: Vec<Case> = library.scenarios.iter().flat_map(expand).collect();
    let total = all.len();
    let cases: Vec<Case> =
        all.into_iter().filter(|case| filter.as_ref().is_none_or(|filter| filter.matches(case))).collect();
    if cases.is_empty() {
        let what = match &select.filter {
            Some(filter) => format!("no case matches `{filter}`"),
            None => "no case to run".to_owned(),
        };
        return Err(Failure::Usage(format!("{what} (of {total})\nhelp: `upfault list` lists all cases")));
    }
    let cases = match select.shard {
        Some(shard) => split(cases, shard)?,
        None => cases,
    };
    let replacing: Vec<&Scenario> = library
        .replacing()
        .filter(|scenario| cases.iter().any(|case| case.scenario.id == scenario.id))
        .collect();
    if let Some(note) = about_replacing(&replacing) {
        print::note(&note);
    }
    Ok(cases)
}

/// A note about files of the project that replace bundled scenarios.
fn about_replacing(replacing: &[&Scenario]) -> Option<String> {
    match replacing {
        [] => None,
        [one] => Some(format!("note: {} replaces the bundled scenario with this id", one.file)),
        [first, ..] => {
            let n = replacing.len();
            Some(format!("note: {n} files replace bundled scenarios, for example {}", first.file))
        }
    }
}

/// The cases of one shard. Shards get about the same number of cases; cases that are compared with each other stay
/// together.
fn split(cases: Vec<Case>, shard: Shard) -> Result<Vec<Case>, Failure> {
    let mut families: Vec<(&str, Provider, usize)> = Vec::new();
    for case in &cases {
        let (scenario, provider) = (case.scenario.id.as_str(), case.combination.provider);
        match families.iter_mut().rfind(|family| (family.0, family.1) == (scenario, provider)) {
            Some(family) => family.2 += 1,
            None => families.push((scenario, provider, 1)),
        }
    }
    if shard.n > families.len() {
        let parts = families.len();
        return Err(Failure::Usage(format!(
            "{} cannot be split into {} shards, because cases that are compared with each other stay together\nhelp: \
             choose an N of at most {parts} in `--shard K/N`",
            plural(cases.len(), "case"),
            shard.n
        )));
    }
    // Large families first: small ones then even out the shards.
    families.sort_by_key(|family| std::cmp::Reverse(family.2));
    let mut shards = vec![0; shard.n];
    let mut mine = HashSet::new();
    for (scenario, provider, size) in families {
        let Some(least) = (0..shards.len()).min_by_key(|n| shards[*n]) else { continue };
        shards[least] += size;
        if least + 1 == shard.k {
            mine.insert((scenario.to_owned(), provider));
        }
    }
    let is_mine = |case: &Case| mine.contains(&(case.scenario.id.clone(), case.combination.provider));
    Ok(cases.into_iter().filter(is_mine).collect())
}
