//! `upfault run --watch`: runs again when a file changes.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    args::RunArgs,
    context::CliContext,
    failure::Failure,
    filter::Filter,
    interrupt, own_files, print, run, select,
    settings::Settings,
    watch::{FilesChanged, ProjectWatch},
};
use crate::report::{EXIT_INTERRUPTED, plural};

/// Runs cases, then, after each change of a file, those that the change concerns: the cases of changed scenarios, or all
/// cases if something else has changed. Ctrl-C ends it.
pub(super) fn watch(context: &CliContext, args: &RunArgs) -> Result<u8, Failure> {
    let once = RunArgs { watch: false, ..args.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("cannot start the runtime"))?;
    // A file that changes during a run is reported after it, because the watch begins before.
    let mut watch = start(context, args)?;
    let mut before = texts(context, &once);
    let mut code = run::run(context, once.clone());
    let mut context = context.clone();
    loop {
        if matches!(code, Ok(EXIT_INTERRUPTED)) {
            return code;
        }
        if let Err(failure) = &code {
            print::note(&failure.render(context.color_err));
        }
        print::note("\nwatching for changes; Ctrl-C ends it");
        let changed = runtime.block_on(async {
            tokio::select! {
                biased;
                () = interrupt::terminated() => None,
                files = watch.changed() => Some(files),
            }
        });
        let Some(mut files) = changed else { return Ok(EXIT_INTERRUPTED) };
        // The settings file may be new.
        match context.found_again() {
            Ok(found) => context = found,
            Err(failure) => {
                (before, code) = (None, Err(failure));
                continue;
            }
        }
        // Folders that did not exist before are watched from now on. Settings that do not load leave the old watch.
        if let Ok(next) = start(&context, args) {
            files = files.max(watch.replace(next).unwrap_or(files));
        }
        if files == FilesChanged::Others {
            before = None;
        }
        match own_files::load(&context) {
            // A word that other files use has another meaning.
            Ok(true) => before = None,
            Ok(false) => {}
            Err(failure) => {
                code = Err(failure);
                continue;
            }
        }
        let after = texts(&context, &once);
        let again = concerned(&once, before.as_ref(), after.as_ref());
        let headline = after.as_ref().map_or("\nfiles changed\n".to_owned(), |_| headline(again.as_ref()));
        print::note(&headline);
        code = run::run(&context, again.unwrap_or_else(|| once.clone()));
        before = after.or(before);
    }
}

fn start(context: &CliContext, args: &RunArgs) -> Result<ProjectWatch, Failure> {
    let settings = Settings::read(context)?;
    let paths = args.select.paths.paths.iter().map(|path| context.place(path));
    let spec = args.proxy.as_ref().or(settings.proxy.as_ref());
    let definition = spec.map(|spec| context.place(spec)).filter(|folder| folder.is_dir());
    let policy = args.policy.as_ref().map(|name| context.place(name)).filter(|file| file.is_file());
    ProjectWatch::start(context, &settings, paths, definition.into_iter().chain(policy))
}

/// The cases that a run selects, by their ids, with the texts of their scenarios; `None` if they do not load.
fn texts(context: &CliContext, args: &RunArgs) -> Option<BTreeMap<String, Arc<str>>> {
    let settings = Settings::read(context).ok()?;
    let (library, cases) = select::named(context, &settings, &args.select.paths).ok()?;
    let filter = args.select.filter.as_ref().or(settings.filter.as_ref());
    let filter = filter.map(|text| Filter::parse(text)).transpose().ok()?;
    let selected = cases.iter().filter(|case| filter.as_ref().is_none_or(|filter| filter.matches(case)));
    Some(selected.map(|case| (case.id.clone(), library.text(&case.scenario.id))).collect())
}

/// The arguments that run only the cases whose scenarios have changed; `None` if nothing of that kind has, or if it is
/// unknown.
fn concerned(
    args: &RunArgs,
    before: Option<&BTreeMap<String, Arc<str>>>,
    after: Option<&BTreeMap<String, Arc<str>>>,
) -> Option<RunArgs> {
    let (before, after) = (before?, after?);
    let changed: Vec<String> =
        after.iter().filter(|(id, text)| before.get(*id) != Some(text)).map(|(id, _)| id.clone()).collect();
    (!changed.is_empty()).then(|| {
        let mut again = args.clone();
        again.select.only = Some(changed);
        again
    })
}

fn headline(again: Option<&RunArgs>) -> String {
    let only = again.and_then(|args| args.select.only.as_ref());
    let what = only.map_or("every case".to_owned(), |ids| plural(ids.len(), "case"));
    format!("\nfiles changed: running {what} again\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, Arc<str>> {
        pairs.iter().map(|(id, text)| ((*id).to_owned(), Arc::from(*text))).collect()
    }

    #[test]
    fn only_the_cases_of_changed_scenarios_run_again() {
        let before = texts(&[("a", "1"), ("a[stream]", "1"), ("b", "1")]);
        let of = |after: &[(&str, &str)]| {
            concerned(&RunArgs::default(), Some(&before), Some(&texts(after)))
                .and_then(|args| args.select.only)
        };
        let ids = |ids: &[&str]| Some(ids.iter().map(|id| (*id).to_owned()).collect());
        assert_eq!(of(&[("a", "2"), ("a[stream]", "2"), ("b", "1")]), ids(&["a", "a[stream]"]));
        assert_eq!(of(&[("a", "1"), ("a[stream]", "1"), ("b", "1"), ("c", "1")]), ids(&["c"]));
        assert_eq!(of(&[("a", "1"), ("a[stream]", "1"), ("b", "1")]), None, "what has changed is unknown");
        assert!(concerned(&RunArgs::default(), None, Some(&before)).is_none());
    }
}
