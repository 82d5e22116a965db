//! `upfault check`

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    args::{CheckArgs, PathArgs},
    context::{CliContext, DEFINITION},
    failure::Failure,
    fix::fix,
    lint::{LintContext, warnings},
    own_files, print,
    project::own_definitions,
    recordings,
    run::{self, RunningProxy},
    run_args::is_url,
    select,
    settings::Settings,
};
use crate::{
    proxy::Definition,
    report::{EXIT_OK, plural},
    scenario::{Library, LoadError, Scenario, expand},
};

/// How often files are corrected and read again.
const MOST_ROUNDS: usize = 10;

/// Validates scenario files, folders with proxy definitions, settings, and the project's providers and policies: those in
/// `paths`, or all if it is empty.
pub(super) fn check(context: &CliContext, args: &CheckArgs) -> Result<u8, Failure> {
    let paths = &args.paths;
    let (files, others): (Vec<PathBuf>, Vec<PathBuf>) =
        paths.paths.iter().cloned().partition(|path| path.extension().is_some_and(|kind| kind == "toml"));
    let (definitions, others): (Vec<PathBuf>, Vec<PathBuf>) =
        others.into_iter().partition(|path| context.place(path).join(DEFINITION).is_file());
    let (own, scenarios): (Vec<PathBuf>, Vec<PathBuf>) =
        others.into_iter().partition(|path| own_files::is_own(context, &context.place(path)));
    let own: Vec<PathBuf> = own.iter().map(|path| context.place(path)).collect();
    let settings = Settings::read(context)?;
    let mut text = String::new();
    let all = paths.paths.is_empty();
    for file in files.iter().chain(context.config.iter().filter(|_| all)) {
        text.push_str(&check_settings(context, &context.place(file))?);
    }
    if all || !scenarios.is_empty() {
        let library = loaded(context, &settings, scenarios, args.fix, &mut text)?;
        if library.scenarios.is_empty() {
            let places: Vec<String> = paths.paths.iter().map(|path| path.display().to_string()).collect();
            return Err(Failure::Usage(format!("no scenarios found in {}", places.join(", "))));
        }
        let cases: usize = library.scenarios.iter().map(|scenario| expand(scenario).len()).sum();
        text.push_str(&warned(&library));
        let unplayed = if all { recordings::unplayed(context, &settings)? } else { Vec::new() };
        for line in recordings::old(&settings, &library).into_iter().chain(unplayed) {
            text.push_str(&format!("{line}\n"));
        }
        for scenario in library.replacing() {
            let Scenario { file, id, .. } = scenario;
            text.push_str(&format!("{file}: replaces the bundled scenario {id}\n"));
        }
        text.push_str(&format!(
            "{}, {}: valid\n",
            plural(library.scenarios.len(), "scenario"),
            plural(cases, "case")
        ));
    }
    if all || !own.is_empty() {
        text.push_str(&own_files::checked(context, (!all).then_some(own.as_slice()))?);
    }
    let mut specs: Vec<String> = definitions.iter().map(|path| path.display().to_string()).collect();
    if paths.paths.is_empty() {
        specs.extend(Definition::bundled().into_iter().map(|bundled| bundled.name));
        specs.extend(own_definitions(&context.root));
    }
    for spec in specs {
        let definition = context.definition(&context.cwd, &spec)?;
        let file = definition.file();
        let shown = Path::new(&file).strip_prefix(&context.cwd).unwrap_or(Path::new(&file));
        text.push_str(&format!("{}: valid\n", shown.display()));
    }
    print::fitted(&text, context.width)?;
    Ok(EXIT_OK)
}

/// Loads scenarios. With `fixes`, corrects files until nothing is left that can be corrected, and says so in `text`.
fn loaded(
    context: &CliContext,
    settings: &Settings,
    paths: Vec<PathBuf>,
    fixes: bool,
    text: &mut String,
) -> Result<Library, Failure> {
    let paths = PathArgs { paths };
    // A correction can reveal another mistake; each makes the file more right.
    for _ in 0..if fixes { MOST_ROUNDS } else { 0 } {
        let Err(Failure::Load(LoadError::Files(errors))) = select::library(context, settings, &paths) else {
            break;
        };
        let lines = fix(context, &errors)?;
        if lines.is_empty() {
            break;
        }
        text.extend(lines.iter().map(|line| format!("{line}\n")));
    }
    let library = select::library(context, settings, &paths);
    if library.is_err() && !text.is_empty() {
        // What was corrected is said even if the rest is wrong.
        print::fitted(text, context.width)?;
    }
    library
}

/// The warnings about scenarios that are not bundled ones, one line for each.
fn warned(library: &Library) -> String {
    let own: Vec<&Arc<Scenario>> =
        library.scenarios.iter().filter(|scenario| !library.is_bundled(&scenario.id)).collect();
    if own.is_empty() {
        return String::new();
    }
    let context = LintContext::bundled();
    let mut text = String::new();
    for scenario in own {
        for (kind, warning) in warnings(scenario, &context) {
            text.push_str(&format!("{}: warning: {warning} [{kind}]\n", scenario.file));
        }
    }
    if !text.is_empty() {
        text.push_str("help: `upfault explain CODE` explains a warning by the code in brackets\n");
    }
    text
}

/// Validates settings, and the proxy and the scenarios that they name.
fn check_settings(context: &CliContext, file: &Path) -> Result<String, Failure> {
    let settings = Settings::of(context, file)?;
    if let Some(spec) = &settings.proxy {
        // The check is offline, so it does not ask which release `@latest` is.
        let found = match spec.contains('@') && !is_url(spec) {
            true => context.definition_as_written(&settings.base, spec).map(drop).map_err(Failure::from),
            false => run::proxy(
                context,
                &settings.base,
                spec,
                RunningProxy { folder: settings.rendered.clone(), ..RunningProxy::default() },
            )
            .map(drop),
        };
        found.map_err(|failure| settings.about_proxy(failure))?;
    }
    if !settings.scenarios.is_empty() || !settings.known.is_empty() {
        let library = select::library(context, &settings, &PathArgs::default())?;
        settings.check_known(&library.cases())?;
    }
    let name = settings.shown().unwrap_or_default();
    Ok(match &settings.policy {
        Some(policy) => format!("{name}: valid, policy {}\n", policy.describe()),
        None => format!("{name}: valid\n"),
    })
}
