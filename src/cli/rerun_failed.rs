//! `upfault run --rerun-failed REPORT`: the cases that failed in a stored report, with the options of its run.

use clap::Parser;

use super::{
    args::{Args, CliCommand, RunArgs},
    failure::Failure,
};
use crate::{
    event::CaseReport,
    judge::Verdict,
    report::{Report, Rerun, compares},
};

/// For `run --rerun-failed`: the arguments together with the options of the stored run. Options of this command line and of
/// the environment take precedence. Returns other arguments unchanged.
///
/// # Errors
///
/// If the report cannot be read, or its options are not valid.
pub(super) fn with_stored_options(mut args: Args) -> Result<Args, Failure> {
    let CliCommand::Run(run) = &mut args.command else { return Ok(args) };
    let Some(file) = &run.rerun_failed else { return Ok(args) };
    let report = Report::read_head(file).map_err(|error| Failure::Usage(error.to_string()))?;
    let rerun = report.rerun.clone().unwrap_or_default();
    if let Some(config) = &rerun.adopts {
        return Err(Failure::Usage(format!(
            "{} is a report of `upfault adopt {config}`\nhelp: run `upfault adopt {config}` again, with `--filter` for single cases",
            file.display()
        )));
    }
    if rerun.proxy_key && run.proxy_key.is_none() {
        return Err(Failure::Usage(format!(
            "the run of {} used an API key, and reports contain no keys\nhelp: set UPFAULT_PROXY_KEY or pass --proxy-key KEY",
            file.display()
        )));
    }
    run.tested_before = Some(report.proxy.clone());
    let stored = Args::try_parse_from(words(&rerun)).map_err(|error| {
        Failure::Usage(format!("the options in {} are not valid: {error}", file.display()))
    })?;
    if let CliCommand::Run(before) = stored.command {
        complete(run, before);
    }
    if args.config.is_none() && !args.no_config {
        (args.config, args.no_config) = (stored.config, stored.no_config);
    }
    Ok(args)
}

/// For `run --rerun-failed`: chooses the cases that failed. The words in them can be those of the project, so its files must
/// have been loaded.
///
/// # Errors
///
/// If the report cannot be read, or nothing in it can run again.
pub(super) fn select_failed(args: &mut Args) -> Result<(), Failure> {
    let CliCommand::Run(run) = &mut args.command else { return Ok(()) };
    let Some(file) = &run.rerun_failed else { return Ok(()) };
    let report = Report::read(file).map_err(|error| Failure::Usage(error.to_string()))?;
    let only = failed(&report);
    let summary = &report.summary;
    let is_incomplete = summary.interrupted || summary.gave_up || summary.unexplained_stops > 0;
    if only.is_empty() && is_incomplete {
        return Err(Failure::Usage(format!(
            "no case of {} failed, but its run is incomplete\nhelp: run all cases again, without --rerun-failed",
            file.display()
        )));
    }
    run.select.only = Some(only);
    Ok(())
}

/// The command line of the stored run.
fn words(rerun: &Rerun) -> Vec<String> {
    let mut words = vec!["upfault".to_owned(), "run".to_owned()];
    words.extend(rerun.options.iter().chain(&rerun.project).cloned());
    words.extend(rerun.policy.iter().map(|policy| format!("--policy={policy}")));
    words.push("--".to_owned());
    words.extend(rerun.paths.iter().cloned());
    words
}

/// Adds the options of the stored run that affect verdicts, unless this command line or the environment sets them.
fn complete(run: &mut RunArgs, before: RunArgs) {
    run.select.paths = before.select.paths;
    run.proxy = run.proxy.take().or(before.proxy);
    run.rendered = run.rendered.take().or(before.rendered);
    run.listen = run.listen.or(before.listen);
    run.seed = run.seed.or(before.seed);
    run.strict = run.strict.or(before.strict);
    run.allow_inconclusive = run.allow_inconclusive.or(before.allow_inconclusive);
    run.policy = run.policy.take().or(before.policy);
    run.snapshots = run.snapshots.take().or(before.snapshots);
}

/// The cases to run again: those without a good result, and the siblings with which their findings compare them.
fn failed(report: &Report) -> Vec<String> {
    let again = |case: &&CaseReport| case.verdict.is_failure() || case.verdict == Verdict::Inconclusive;
    let mut ids = Vec::new();
    for case in report.cases.iter().filter(again) {
        ids.push(case.id.clone());
        if compares(case) {
            ids.extend(case.compared_with.iter().cloned());
        }
    }
    ids.sort();
    ids.dedup();
    ids
}
