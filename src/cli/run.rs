//! `upfault run`

use std::{
    io::Write,
    path::{Path, PathBuf},
    str::FromStr,
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    args::RunArgs,
    attach,
    context::CliContext,
    failure::Failure,
    interrupt::terminated,
    policy, print,
    project::{SNAPSHOTS, is_project},
    report_to::ReportTo,
    rerun::rerun,
    run_args::is_url,
    run_folder::RunFolder,
    select::{self, Selection},
    settings::Settings,
};
use crate::{
    builtin::EmbeddedProxy,
    event::Event,
    proxy::Definition,
    report::{
        ALLOWED_INCONCLUSIVE, EXIT_OK, EXIT_PROXY, Fanout, FileReporter, PROGRESS_INTERVAL, ProgressReporter,
        ProxyReport, ReportTarget, Reporter, Rerun, SourceRoot, Summary, TerminalReporter, TerminalSettings,
        Tolerance, Verbosity, exit_code, worst,
    },
    runner::{self, ProxyChoice, ProxyGone, RunEnd, RunSettings},
    scenario::nearest,
    shard::CaseCosts,
    snapshot::{KnownClaim, SnapshotStore, WriteMode},
};

/// Runs scenarios against a proxy.
pub(super) fn run(context: &CliContext, args: RunArgs) -> Result<u8, Failure> {
    if let (Some(report), Some([])) = (&args.rerun_failed, args.select.only.as_deref()) {
        print::note(&format!("no case of {} failed: there is nothing to run again", report.display()));
        return Ok(EXIT_OK);
    }
    let folder = RunFolder::create(&context.cache)?;
    let code = run_in(folder.path(), context, args)?;
    folder.finish(code);
    Ok(code)
}

/// Runs scenarios and returns the exit code. Configurations and logs of proxies go to `folder`.
fn run_in(folder: &Path, context: &CliContext, mut args: RunArgs) -> Result<u8, Failure> {
    let chosen = Settings::read(context)?;
    if let Some(proxy) = args.mode.proxy(context, &chosen, args.proxy.as_deref())? {
        args.proxy = Some(proxy);
    }
    let args = &args;
    let completed = attach::complete(context, &chosen, args)?;
    let settings = settings(context, &chosen, &completed, folder)?;
    match &settings.proxy {
        ProxyChoice::Definition(definition) => note_mode(definition),
        ProxyChoice::Attached(attached) => {
            attach::notes(&settings, attached).iter().for_each(|note| print::note(note));
        }
        ProxyChoice::Builtin(proxy) => note_defect(*proxy),
    }
    if let (Some(before), Some(report)) = (&args.tested_before, &args.rerun_failed) {
        let now = tested(&settings.proxy);
        if now != *before {
            print::note(&format!("note: {} is from {before}, but this run tests {now}", report.display()));
        }
    }
    let again = rerun(context, &chosen, args);
    report(context, &chosen, args, settings, folder, again)
}

/// Runs cases, reports them, and returns the exit code. `again` are the options for the commands that run a case again.
pub(super) fn report(
    context: &CliContext,
    chosen: &Settings,
    args: &RunArgs,
    settings: RunSettings,
    folder: &Path,
    again: Rerun,
) -> Result<u8, Failure> {
    let tolerance = Tolerance { strict: settings.strict, inconclusive: settings.allow_inconclusive };
    let costs = select::durations(context, chosen, &args.select)?.costs(&settings.cases);
    let reporter = reporters(context, chosen, args, costs, folder, again)
        .map_err(Failure::io("cannot keep the results of the run"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("cannot start the runtime"))?;
    let result = runtime.block_on(drive(settings, reporter));
    // Tasks that are still waiting must not delay the exit.
    runtime.shutdown_background();
    let (ended, summary, not_accepted) = result?;
    if let Some(died) = ended.died.as_ref().filter(|_| !ended.interrupted) {
        print::note(&gone(died));
        return Ok(EXIT_PROXY);
    }
    // What was accepted does not fail the run. Cases that were not accepted, too many inconclusive cases and unexplained stops
    // do.
    let summary = match args.accept {
        true => Summary { fail: not_accepted, changed: 0, known: 0, ..summary },
        false => summary,
    };
    Ok(exit_code(&summary, tolerance, ended.interrupted))
}

/// Prints that the embedded proxy breaks the contract on purpose.
fn note_defect(proxy: EmbeddedProxy) {
    if let EmbeddedProxy::Defective(defect) = proxy {
        let summary = defect.summary();
        let summary = summary.get(..1).map(str::to_lowercase).unwrap_or_default()
            + summary.get(1..).unwrap_or_default();
        print::note(&format!(
            "note: {proxy} is upfault's own proxy with one defect, on purpose: it {summary}"
        ));
    }
}

/// Prints what of a proxy's mode has no effect.
pub(super) fn note_mode(definition: &Definition) {
    definition.notes().iter().for_each(|note| print::note(&format!("note: {note}")));
}

/// The proxy as reports name it.
pub(super) fn tested(proxy: &ProxyChoice) -> ProxyReport {
    ProxyReport { name: proxy.name(), version: proxy.version(), mode: proxy.mode() }
}

/// The message for a proxy that stopped serving and was not restarted.
pub(super) fn gone(died: &ProxyGone) -> String {
    let ProxyGone { how, why, tail, log } = died;
    let log = log.as_ref().map(|log| format!("the complete log: {log}\n")).unwrap_or_default();
    format!(
        "error: {how} before every case had a verdict, and was not restarted: {why}\n{tail}{log}\
         help: the failing cases above show the responses that stop it; if there are none, run the inconclusive \
         cases one by one"
    )
}

/// The settings of the run: from the arguments, else from the settings file, else the defaults.
pub(super) fn settings(
    context: &CliContext,
    chosen: &Settings,
    args: &RunArgs,
    folder: &Path,
) -> Result<RunSettings, Failure> {
    let listen = args.listen.or(chosen.listen);
    let compared_as = args.mode.compared_as()?;
    let running = RunningProxy {
        folder: attach::folder(context, chosen, args.rendered.as_deref()),
        key: args.proxy_key.clone(),
        runs: compared_as.clone(),
    };
    let proxy = match (&args.proxy, &chosen.proxy) {
        (Some(spec), _) => proxy(context, &context.cwd, spec, running)?,
        (None, Some(spec)) => {
            proxy(context, &chosen.base, spec, running).map_err(|failure| chosen.about_proxy(failure))?
        }
        (None, None) => ProxyChoice::Builtin(EmbeddedProxy::Reference),
    };
    let policy = policy::of(context, chosen, args.policy.as_deref())?;
    let Selection { mut cases, mut of } = select::cases(context, chosen, &args.select)?;
    if args.quick {
        let costs = select::durations(context, chosen, &args.select)?.costs(&cases);
        cases = runner::slice(cases, &proxy, |id| costs.of(id));
        of.quick = true;
    }
    let own = args.snapshots.as_ref().map(|folder| context.place(folder)).or(chosen.snapshots.clone());
    // The behaviour of a defect or a variant is not a baseline.
    let defective = proxy.name().starts_with("builtin:");
    let mode = match (args.accept, context.ci || defective) {
        (true, true) => {
            let why = if defective {
                "only the embedded proxy itself has a baseline, not its defects and variants"
            } else {
                "`CI` is set"
            };
            return Err(Failure::Usage(format!("--accept cannot write snapshots: {why}")));
        }
        (true, false) if args.force => WriteMode::AcceptAll,
        (true, false) => WriteMode::Accept,
        (false, true) => WriteMode::Never,
        (false, false) if own.is_none() && !is_project(context) => WriteMode::Outside,
        (false, false) => WriteMode::Pending,
    };
    let (baseline, version) = match &compared_as {
        Some((name, version)) => (name.clone(), version.clone()),
        None => (proxy.baseline(), proxy.version()),
    };
    let root = own.clone().unwrap_or_else(|| context.root.join(SNAPSHOTS));
    let store = SnapshotStore::of_version(&root, &baseline, version.as_deref(), mode);
    Ok(RunSettings {
        cases,
        proxy,
        policy,
        seed: args.seed.or(chosen.seed).unwrap_or_default(),
        jobs: args.jobs.or(chosen.jobs).map(usize::from),
        strict: args.strict.or(chosen.strict).unwrap_or_default(),
        allow_inconclusive: args
            .allow_inconclusive
            .or(chosen.allow_inconclusive)
            .unwrap_or(ALLOWED_INCONCLUSIVE),
        // A baseline needs every case.
        fail_fast: if args.accept { 0 } else { args.fail_fast.or(chosen.fail_fast).unwrap_or_default() },
        selection: of,
        known: chosen.known.clone(),
        compared_as,
        store: if own.is_some() { store.without_bundled() } else { store },
        cache: context.cache.clone(),
        work_dir: folder.to_owned(),
        listen,
        root: context.cwd.clone(),
        began: context.began,
    })
}

/// What is known about a proxy that is already running.
#[derive(Debug, Default)]
pub(super) struct RunningProxy {
    /// The folder with its configuration.
    pub folder: Option<PathBuf>,
    /// The key of callers, unless the folder contains it.
    pub key: Option<String>,
    /// The name and the version of what is running.
    pub runs: Option<(String, Option<String>)>,
}

/// Finds the proxy that `spec` names. A path in it is relative to `base`.
pub(super) fn proxy(
    context: &CliContext,
    base: &Path,
    spec: &str,
    running: RunningProxy,
) -> Result<ProxyChoice, Failure> {
    if let Some(name) = spec.strip_prefix("builtin:") {
        return match EmbeddedProxy::from_str(name) {
            Ok(which) if which.stops_the_process() => {
                let program = std::env::current_exe().map_err(Failure::io("cannot find upfault itself"))?;
                Ok(ProxyChoice::Definition(Box::new(Definition::embedded(&program, name)?)))
            }
            Ok(which) => Ok(ProxyChoice::Builtin(which)),
            Err(error) => {
                Err(Failure::Usage(format!("{error}\nhelp: `upfault proxy list` lists all defects")))
            }
        };
    }
    if spec == "builtin" {
        return Ok(ProxyChoice::Builtin(EmbeddedProxy::Reference));
    }
    if is_url(spec) {
        let RunningProxy { folder, key, runs } = running;
        let attached = attach::attached(context, spec, folder.as_deref(), key, runs)?;
        return Ok(ProxyChoice::Attached(Box::new(attached)));
    }
    if nearest(spec, ["builtin"]).is_some() && !base.join(spec).exists() {
        return Err(Failure::Usage(format!("unknown proxy `{spec}`\nhelp: did you mean `builtin`?")));
    }
    Ok(ProxyChoice::Definition(Box::new(context.definition(base, spec)?)))
}

fn reporters(
    context: &CliContext,
    chosen: &Settings,
    args: &RunArgs,
    costs: CaseCosts,
    folder: &Path,
    again: Rerun,
) -> std::io::Result<Fanout> {
    let strict = args.strict.or(chosen.strict).unwrap_or_default();
    let settings = TerminalSettings { strict, ..args.output.settings(context, chosen) };
    // A report on standard output leaves standard error for the text.
    let wanted = if args.report.is_empty() { &chosen.reports } else { &args.report };
    let on_stdout = wanted.iter().any(|report| report.target == ReportTarget::Stdout);
    let out: Box<dyn Write + Send> =
        if on_stdout { Box::new(std::io::stderr()) } else { Box::new(std::io::stdout()) };
    let mut reporters: Vec<Box<dyn Reporter + Send>> = Vec::new();
    match context.progress {
        _ if settings.verbosity == Verbosity::Quiet => {}
        true => reporters.push(Box::new(ProgressReporter::bar(costs))),
        false => reporters.push(Box::new(ProgressReporter::lines(costs, Box::new(std::io::stderr())))),
    }
    reporters.push(Box::new(TerminalReporter::new(out, settings)));
    for ReportTo { format, target } in wanted {
        reporters.push(Box::new(FileReporter::new(*format, target.clone())));
    }
    Ok(Fanout::new(folder, Some(again), reporters)?.in_repository(SourceRoot::of(&context.root)))
}

/// Connects the runner, the reporters and Ctrl-C. Returns how the run ended, its counts, and how many cases fail although the
/// run accepted what it may accept.
pub(super) async fn drive(
    settings: RunSettings,
    mut reporter: Fanout,
) -> Result<(RunEnd, Summary, usize), Failure> {
    let (events, mut listener) = mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    let at_once = CancellationToken::new();
    let interrupt = tokio::spawn(on_interrupt(cancel.clone(), at_once.clone()));
    let listening = async move {
        let mut not_accepted = 0;
        let mut result = Ok(());
        let mut ticks = tokio::time::interval(PROGRESS_INTERVAL);
        // The first one is over immediately.
        ticks.tick().await;
        loop {
            let next = tokio::select! {
                event = listener.recv() => {
                    let Some(event) = event else { break };
                    not_accepted += match &event {
                        // No snapshot changes what an entry `known` says.
                        Event::CaseFinished(case) => usize::from(case.known.iter().any(KnownClaim::is_wrong)),
                        Event::RunFinished(end) => end.refused.len(),
                        _ => 0,
                    };
                    reporter.event(&event)
                }
                _ = ticks.tick() => reporter.tick(),
            };
            result = worst(result, next);
        }
        (reporter.summary().clone(), not_accepted, result)
    };
    let running = async {
        let ended = runner::run(settings, &events, &cancel).await;
        drop(events);
        ended
    };
    let both = async { tokio::join!(running, listening) };
    let (ended, (summary, not_accepted, reported)) = tokio::select! {
        both = both => both,
        // Dropping the run kills the processes that it started.
        () = at_once.cancelled() => {
            return Ok((RunEnd { interrupted: true, died: None }, Summary::default(), 0));
        }
    };
    interrupt.abort();
    let ended = ended?;
    match reported {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Io { what: "cannot write the report".to_owned(), source: error })
        }
        _ => Ok((ended, summary, not_accepted)),
    }
}

/// The first Ctrl-C stops the run after cleaning up; the second one stops it immediately.
pub(super) async fn on_interrupt(cancel: CancellationToken, at_once: CancellationToken) {
    terminated().await;
    cancel.cancel();
    let _ = writeln!(std::io::stderr(), "\nstopping; press Ctrl-C again to stop immediately");
    terminated().await;
    at_once.cancel();
}
