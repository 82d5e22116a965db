//! `upfault adopt`

use std::mem;

use super::{
    adopt_args::AdoptArgs,
    adopt_plan,
    context::CliContext,
    failure::Failure,
    filter::Filter,
    mode_args::ModeArgs,
    print, rerun, run,
    run_args::{PathArgs, RunArgs},
    run_folder::RunFolder,
    select,
    settings::Settings,
};
use crate::{
    builtin::EmbeddedProxy,
    proxy::{AdoptOptions, Adoption, Definition},
    report::{EXIT_OK, ReportTarget},
    runner::ProxyChoice,
    scenario::{Case, Library},
    shard::RunSelection,
    snapshot::{SnapshotStore, WriteMode},
};

/// The width of the plan if the output is not a terminal.
const WIDTH: usize = 80;

/// Tests the models of a configuration that a user wrote for the proxy, with mocks in place of its providers.
pub(super) fn adopt(context: &CliContext, args: &AdoptArgs) -> Result<u8, Failure> {
    let mut chosen = Settings::read(context)?;
    // The filter of the project is for other cases.
    chosen.filter = None;
    let run_args = run_args(context, &chosen, args)?;
    let folder = RunFolder::create(&context.cache)?;
    let mut settings = run::settings(context, &chosen, &run_args, folder.path())?;
    let found = mem::replace(&mut settings.proxy, ProxyChoice::Builtin(EmbeddedProxy::Reference));
    let ProxyChoice::Definition(found) = found else {
        return Err(Failure::Usage(format!(
            "{} has no configuration\nhelp: `--proxy litellm` adopts a configuration of LiteLLM",
            args.proxy
        )));
    };
    let options = AdoptOptions { patience: args.patience, all: args.all };
    let shown = args.file.display().to_string();
    let (definition, adoption) = found.adopt(&context.place(&args.file), &shown, &options)?;
    let (library, _) = select::named(context, &chosen, &PathArgs::default())?;
    settings.cases = selected(&adoption, &library, args)?;
    show_plan(context, args, &definition, &adoption, &settings.cases)?;
    if args.dry_run {
        folder.finish(EXIT_OK);
        return Ok(EXIT_OK);
    }
    settings.proxy = ProxyChoice::Definition(Box::new(definition));
    // What a user's own settings show is not a baseline of the proxy.
    let snapshots = context.root.join(settings.proxy.baseline());
    settings.store = SnapshotStore::new(snapshots, WriteMode::Never).without_bundled();
    settings.selection = RunSelection { filter: args.filter.clone(), ..RunSelection::default() };
    let again = rerun::of_adoption(context, args);
    let code = run::report(context, &chosen, &run_args, settings, folder.path(), again)?;
    folder.finish(code);
    Ok(code)
}

/// The options of a run of all cases.
fn run_args(context: &CliContext, chosen: &Settings, args: &AdoptArgs) -> Result<RunArgs, Failure> {
    let mode = ModeArgs { set: args.set.clone(), ..ModeArgs::default() };
    let proxy = mode.proxy(context, chosen, Some(&args.proxy))?;
    Ok(args.of_run(proxy.unwrap_or_else(|| args.proxy.clone())))
}

/// The cases of the tested models that the filter selects; at least one.
fn selected(adoption: &Adoption, library: &Library, args: &AdoptArgs) -> Result<Vec<Case>, Failure> {
    let filter = args.filter.as_ref().map(|text| Filter::parse(text)).transpose();
    let filter = filter.map_err(|error| Failure::Usage(error.to_string()))?;
    let all = adoption.cases(library);
    let of = all.len();
    let cases: Vec<Case> =
        all.into_iter().filter(|case| filter.as_ref().is_none_or(|filter| filter.matches(case))).collect();
    if cases.is_empty() {
        let filter = args.filter.as_deref().unwrap_or("*");
        return Err(Failure::Usage(format!(
            "no case matches `{filter}` (of {of})\nhelp: `--filter 'limits/*'` selects by the scenario, `--filter '*@MODEL'` by the \
             name of a model in {}",
            adoption.file
        )));
    }
    Ok(cases)
}

/// Prints what is tested and what is not. A report on standard output leaves standard error for it.
fn show_plan(
    context: &CliContext,
    args: &AdoptArgs,
    definition: &Definition,
    adoption: &Adoption,
    cases: &[Case],
) -> Result<(), Failure> {
    let plan = adopt_plan::describe(definition, adoption, cases, args.dry_run);
    if args.report.iter().any(|report| report.target == ReportTarget::Stdout) {
        print::note(plan.trim_end());
        return Ok(());
    }
    print::fitted(&plan, if context.width == 0 { WIDTH } else { context.width })
}
