//! From arguments to cases.

use std::path::PathBuf;

use super::{
    args::{PathArgs, SelectArgs},
    context::Context,
    failure::Failure,
    filter::Filter,
    settings::Settings,
};
use crate::{
    judge,
    scenario::{Case, Diagnostic, Library, LoadErrors, expand, load_from, nearest},
};

/// Loads scenarios and checks what only the house as a whole can check.
pub fn library(context: &Context, settings: &Settings, paths: &PathArgs) -> Result<Library, Failure> {
    let paths: Vec<PathBuf> = paths.paths.iter().map(|path| context.at_root(&context.cwd, path)).collect();
    let named_here = !paths.is_empty();
    let library =
        load_from(&context.root, &settings.scenarios, &paths).map_err(|error| match named_here {
            true => Failure::Load(error),
            false => settings.about_scenarios(error),
        })?;
    let mut errors = Vec::new();
    for scenario in &library.scenarios {
        for rule in scenario.except.keys().filter(|id| judge::rule(id).is_none()) {
            let text = library.text(&scenario.id);
            let at = text.find(rule.as_str()).unwrap_or(0);
            let near = nearest(rule, judge::rules().map(|rule| rule.id));
            errors.push(
                Diagnostic::new(
                    &scenario.file,
                    &text,
                    at..at + rule.len(),
                    format!("there is no rule `{rule}`"),
                )
                .help(near.map_or_else(
                    || "`upfault explain rules` lists them".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                )),
            );
        }
    }
    if errors.is_empty() { Ok(library) } else { Err(Failure::Load(LoadErrors(errors).into())) }
}

/// The cases that the arguments select, never none.
pub fn cases(context: &Context, settings: &Settings, select: &SelectArgs) -> Result<Vec<Case>, Failure> {
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
            None => "there is no case to run".to_owned(),
        };
        return Err(Failure::Usage(format!("{what} (of {total})\nhelp: `upfault list` shows them all")));
    }
    let Some(shard) = select.shard else { return Ok(cases) };
    if shard.n > cases.len() {
        return Err(Failure::Usage(format!(
            "{} cases cannot be dealt to {} shards\nhelp: choose N of `--shard K/N` no larger than that",
            cases.len(),
            shard.n
        )));
    }
    // Every N-th case, so that slow neighbours of one folder are spread over the shards.
    Ok(cases.into_iter().skip(shard.k - 1).step_by(shard.n).collect())
}
