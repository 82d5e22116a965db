//! Selects cases by the arguments.

use std::{borrow::Cow, collections::HashSet, path::PathBuf};

use super::{
    args::{PathArgs, SelectArgs},
    context::CliContext,
    failure::Failure,
    filter::Filter,
    print,
    settings::{Settings, unknown_rule},
};
use crate::{
    report::plural,
    scenario::{
        Case, Diagnostic, KnownEntry, Library, LoadError, LoadErrors, Scenario, expand, load_from, nearest,
    },
    shard::{Durations, RunSelection, Shard, Split, TooManyShards, split},
    shell,
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

/// The cases of a command; at least one.
pub(super) struct Selection {
    /// The cases.
    pub cases: Vec<Case>,
    /// What the report says about the selection.
    pub of: RunSelection,
}

/// The cases that the arguments select. Prints a note on standard error if files of the project
/// replace bundled scenarios.
pub(super) fn cases(
    context: &CliContext,
    settings: &Settings,
    select: &SelectArgs,
) -> Result<Selection, Failure> {
    // An option replaces the setting, and the run of a stored report had its own.
    let default = settings.filter.as_ref().filter(|_| select.only.is_none());
    let given = select.filter.as_ref().or(default);
    let filter = given.map(|text| Filter::parse(text)).transpose();
    let filter = filter.map_err(|error| Failure::Usage(error.to_string()))?;
    let (library, all) = named(context, settings, &select.paths)?;
    let all = match &select.only {
        Some(only) => these(all, only),
        None => all,
    };
    let total = all.len();
    let cases: Vec<Case> =
        all.into_iter().filter(|case| filter.as_ref().is_none_or(|filter| filter.matches(case))).collect();
    if cases.is_empty() {
        let place = match (&select.filter, settings.shown()) {
            (None, Some(file)) => format!(", the filter in {file}"),
            _ => String::new(),
        };
        let (what, help) = match (given, place.is_empty()) {
            (Some(filter), true) => (format!("no case matches `{filter}`"), "`upfault list` lists all cases"),
            (Some(filter), false) => (
                format!("no case matches `{filter}`{place}"),
                "`--filter EXPR` replaces it; `--filter '*'` selects all cases",
            ),
            (None, _) => ("no case to run".to_owned(), "`upfault list` lists all cases"),
        };
        return Err(Failure::Usage(format!("{what} (of {total})\nhelp: {help}")));
    }
    let filter = given.cloned();
    let (cases, shard) = match select.shard {
        Some(shard) => {
            let Split { cases, report } = part(context, settings, select, cases, shard)?;
            (cases, Some(report))
        }
        None => (cases, None),
    };
    let replacing: Vec<&Scenario> = library
        .replacing()
        .filter(|scenario| cases.iter().any(|case| case.scenario.id == scenario.id))
        .collect();
    if let Some(note) = about_replacing(&replacing) {
        print::note(&note);
    }
    Ok(Selection { cases, of: RunSelection { filter, quick: false, shard } })
}

/// The cases with these ids. A note says if some no longer exist.
fn these(all: Vec<Case>, ids: &[String]) -> Vec<Case> {
    let known: HashSet<&str> = all.iter().map(|case| case.id.as_str()).collect();
    let missing: Vec<&String> = ids.iter().filter(|id| !known.contains(id.as_str())).collect();
    if let Some(first) = missing.first() {
        let cases = plural(missing.len(), "case");
        print::note(&format!("note: {cases} of the report are not among the scenarios, for example {first}"));
    }
    let ids: HashSet<&String> = ids.iter().collect();
    all.into_iter().filter(|case| ids.contains(&case.id)).collect()
}

/// The scenarios and the cases that the paths name. A path is a file, a folder, the name of a scenario or of a folder of
/// scenarios, or a case id, which selects only this case.
pub(super) fn named(
    context: &CliContext,
    settings: &Settings,
    given: &PathArgs,
) -> Result<(Library, Vec<Case>), Failure> {
    let (mut ids, mut paths) = (Vec::new(), Vec::new());
    for path in &given.paths {
        let at = |path: &str| library(context, settings, &PathArgs { paths: vec![path.into()] });
        match path.to_str().and_then(case_of).filter(|_| !context.place(path).exists()) {
            None => paths.push(path.clone()),
            Some((scenario, id)) => match at(scenario) {
                // The name of a scenario can end with a bracket too.
                Err(Failure::Load(LoadError::NotFound { .. })) if at(id).is_ok() => paths.push(path.clone()),
                found => ids.push((scenario, id, found?)),
            },
        }
    }
    let mut all = match (ids.is_empty(), paths.is_empty()) {
        (false, true) => Library::default(),
        _ => library(context, settings, &PathArgs { paths })?,
    };
    let mut cases: Vec<Case> = all.scenarios.iter().flat_map(expand).collect();
    for (scenario, id, of) in ids {
        let candidates: Vec<Case> = of.scenarios.iter().flat_map(expand).collect();
        let Some(case) = candidates.iter().find(|case| case.id == id) else {
            let near = nearest(id, candidates.iter().map(|case| case.id.as_str()));
            let list = shell::command(&["upfault", "list", scenario]);
            let help = near.map_or_else(
                || format!("`{list}` lists its cases"),
                |near| format!("did you mean `{near}`?"),
            );
            return Err(Failure::Usage(format!("no case is called `{id}`\nhelp: {help}")));
        };
        if !cases.iter().any(|known| known.id == id) {
            cases.push(case.clone());
        }
        all = all.with(of);
    }
    Ok((all, cases))
}

/// The scenario and the id of a case, if `text` is the id of a case that differs from that of its scenario.
fn case_of(text: &str) -> Option<(&str, &str)> {
    text.strip_suffix(']')?.rsplit_once('[').map(|(scenario, _)| (scenario, text))
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

/// The durations of cases: from the file of the arguments or of the settings, else the bundled ones.
pub(super) fn durations(
    context: &CliContext,
    settings: &Settings,
    select: &SelectArgs,
) -> Result<Cow<'static, Durations>, Failure> {
    let own = select.durations.as_ref().map(|file| context.place(file)).or(settings.durations.clone());
    match own {
        Some(file) => {
            Durations::read(&file).map(Cow::Owned).map_err(|error| Failure::Usage(error.to_string()))
        }
        None => Ok(Cow::Borrowed(Durations::bundled())),
    }
}

/// The shard that the arguments select, split by the durations file of the arguments or of the settings.
fn part(
    context: &CliContext,
    settings: &Settings,
    select: &SelectArgs,
    cases: Vec<Case>,
    shard: Shard,
) -> Result<Split, Failure> {
    let durations = durations(context, settings, select)?;
    let count = cases.len();
    split(cases, shard, &durations).map_err(|TooManyShards { most }| {
        Failure::Usage(format!(
            "{} cannot be split into {} shards, because cases that are compared with each other stay together\nhelp: \
             choose an N of at most {most} in `--shard K/N`",
            plural(count, "case"),
            shard.n
        ))
    })
}
