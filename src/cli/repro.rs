//! `upfault repro`

use std::path::Path;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    args::{PathArgs, ReproArgs},
    context::CliContext,
    failure::Failure,
    interrupt::interrupted,
    policy, print, repro_keep,
    repro_script::{self, ReproPlaces},
    run::{RunningProxy, on_interrupt, proxy, tested},
    run_args::is_url,
    run_folder::RunFolder,
    select,
    settings::Settings,
};
use crate::{
    event::{CaseReport, Event},
    judge::{self, Policy, Verdict},
    platform::system_description,
    proxy::{Definition, Installed},
    report::{
        ALLOWED_INCONCLUSIVE, BugReport, EXIT_BROKE, EXIT_FINDINGS, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE,
        ProxyReport, Report, ReproStep, option,
    },
    runner::{self, ProxyChoice, RunSettings},
    scenario::{Case, Level, expand, nearest, siblings},
    shard::RunSelection,
    shell,
    snapshot::{SnapshotStore, WriteMode, write_atomically},
};

/// The result of the case, from a run or from a stored report.
struct Reproduced {
    /// The case.
    case: CaseReport,
    /// The cases with which it is compared, if they ran too.
    siblings: Vec<CaseReport>,
    /// The proxy.
    proxy: ProxyReport,
    /// The version of upfault that ran the case.
    upfault: String,
    /// The versions of other software.
    versions: Vec<(String, String)>,
    /// How the proxy is configured and started, if known.
    definition: Option<Definition>,
}

/// Writes a bug report about a case.
pub(super) fn repro(context: &CliContext, args: &ReproArgs) -> Result<u8, Failure> {
    let chosen = Settings::read(context)?;
    let case = case(context, &chosen, &args.case)?;
    match &args.report {
        Some(file) => {
            let found = stored(context, file, &args.case)?;
            finish(context, args, &case, &found)
        }
        None => {
            let folder = RunFolder::create(&context.cache)?;
            let code = run(context, &chosen, args, &case, folder.path())?;
            folder.finish(code);
            Ok(code)
        }
    }
}

/// The case with this id.
fn case(context: &CliContext, chosen: &Settings, id: &str) -> Result<Case, Failure> {
    let library = select::library(context, chosen, &PathArgs::default())?;
    let mut cases: Vec<Case> = library.scenarios.iter().flat_map(expand).collect();
    if let Some(found) = cases.iter().position(|case| case.id == id) {
        return Ok(cases.swap_remove(found));
    }
    let of_scenario: Vec<&str> =
        cases.iter().filter(|case| case.scenario.id == id).map(|case| case.id.as_str()).collect();
    let near =
        of_scenario.first().copied().or_else(|| nearest(id, cases.iter().map(|case| case.id.as_str())));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`upfault list` prints the ids of all cases".to_owned(),
    };
    Err(Failure::Usage(match of_scenario.len() {
        0 => format!("no case is called `{id}`\nhelp: {help}"),
        n => format!("`{id}` is a scenario with {n} cases, and `repro` needs one of them\nhelp: {help}"),
    }))
}

/// The case in a stored report.
fn stored(context: &CliContext, file: &Path, id: &str) -> Result<Reproduced, Failure> {
    let report = Report::read(&context.place(file)).map_err(|error| Failure::Usage(error.to_string()))?;
    let Some(case) = report.cases.iter().find(|case| case.id == id) else {
        return Err(Failure::Usage(format!(
            "{} contains no case `{id}`\nhelp: without `--report`, `upfault repro` runs the case",
            file.display()
        )));
    };
    Ok(Reproduced {
        siblings: compared(case, &report.cases),
        proxy: report.proxy.clone(),
        upfault: report.upfault.clone(),
        versions: Vec::new(),
        // A definition that does not exist here, has none.
        definition: proxy(context, &context.cwd, &report.proxy.spec(), RunningProxy::default())
            .ok()
            .and_then(|choice| definition(choice, Path::new("upfault")))
            .map(|definition| definition.with_stamp(&context.cache)),
        case: case.clone(),
    })
}

/// The cases with which `case` is compared.
fn compared(case: &CaseReport, all: &[CaseReport]) -> Vec<CaseReport> {
    let with = case.observation.iter().flat_map(|seen| &seen.arrangement.compared_with);
    with.filter_map(|id| all.iter().find(|other| other.id == *id).cloned()).collect()
}

/// How a proxy that upfault can start is configured and started.
///
/// `program` is an `upfault` executable, which runs the embedded proxy as a process of its own.
fn definition(choice: ProxyChoice, program: &Path) -> Option<Definition> {
    match choice {
        ProxyChoice::Definition(definition) => Some(*definition),
        ProxyChoice::Builtin(which) => Definition::embedded(program, which.name().unwrap_or("none")).ok(),
        ProxyChoice::Attached(attached) => Some(attached.definition),
    }
}

/// Runs the case, writes the report, and keeps the proxy running if wanted. Returns the exit code.
fn run(
    context: &CliContext,
    chosen: &Settings,
    args: &ReproArgs,
    case: &Case,
    folder: &Path,
) -> Result<u8, Failure> {
    let named = args.proxy.as_ref().or(chosen.proxy.as_ref());
    if let Some(url) = named.filter(|spec| is_url(spec)) {
        return Err(Failure::Usage(format!(
            "`repro` starts the proxy itself, but {url} is already running\nhelp: run the case with `upfault run --proxy \
             {url} --report json=report.json`, then `upfault repro {} --report report.json`",
            shell::word(&case.id)
        )));
    }
    let select = || match (&args.proxy, &chosen.proxy) {
        (Some(spec), _) => proxy(context, &context.cwd, spec, RunningProxy::default()),
        (None, Some(spec)) => proxy(context, &chosen.base, spec, RunningProxy::default())
            .map_err(|failure| chosen.about_proxy(failure)),
        (None, None) => Ok(ProxyChoice::Builtin(Default::default())),
    };
    let choice = select()?;
    let policy = policy::of(context, chosen, args.policy.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("cannot start the runtime"))?;
    let code = runtime.block_on(async {
        let interrupted = interrupted();
        let Some(cases) = results(context, chosen, choice, policy, case, folder).await? else {
            return Ok(EXIT_INTERRUPTED);
        };
        let Some(own) = cases.iter().find(|result| result.id == case.id) else {
            return Ok(EXIT_INTERRUPTED);
        };
        let choice = select()?;
        let tested = tested(&choice);
        let definition =
            definition(choice, Path::new("upfault")).map(|definition| definition.with_stamp(&context.cache));
        let found = Reproduced {
            siblings: compared(own, &cases),
            proxy: tested,
            upfault: env!("CARGO_PKG_VERSION").to_owned(),
            versions: versions(context, definition.as_ref()).await,
            definition,
            case: own.clone(),
        };
        if interrupted.is_cancelled() {
            return Ok(EXIT_INTERRUPTED);
        }
        let code = finish(context, args, case, &found)?;
        if args.keep && found.case.verdict.is_of_findings() {
            let program = std::env::current_exe().map_err(Failure::io("cannot find upfault itself"))?;
            if let Some(definition) = self::definition(select()?, &program) {
                repro_keep::keep(context, case, &found.case, &found.siblings, &definition, folder).await?;
            }
        }
        Ok(code)
    });
    // Tasks that are still waiting must not delay the exit.
    runtime.shutdown_background();
    code
}

/// Runs a case and those with which it is compared. `None` if the user interrupted it.
async fn results(
    context: &CliContext,
    chosen: &Settings,
    proxy: ProxyChoice,
    policy: Policy,
    case: &Case,
    folder: &Path,
) -> Result<Option<Vec<CaseReport>>, Failure> {
    let kin = siblings(case);
    let all = expand(&case.scenario);
    let mut cases: Vec<Case> =
        all.into_iter().filter(|other| kin.iter().any(|sibling| sibling.id == other.id)).collect();
    cases.push(case.clone());
    // Whether a snapshot accepts the behaviour does not matter: it is reported anyway.
    let store = SnapshotStore::new(folder.join("snapshots"), WriteMode::Never).without_bundled();
    let settings = RunSettings {
        cases,
        proxy,
        policy,
        seed: chosen.seed.unwrap_or_default(),
        jobs: chosen.jobs.map(usize::from),
        strict: false,
        allow_inconclusive: ALLOWED_INCONCLUSIVE,
        fail_fast: 0,
        selection: RunSelection::default(),
        known: Vec::new(),
        compared_as: None,
        store,
        cache: context.cache.clone(),
        work_dir: folder.to_owned(),
        listen: None,
        root: context.cwd.clone(),
        began: context.began,
    };
    let (events, mut listener) = mpsc::unbounded_channel();
    let (cancel, at_once) = (CancellationToken::new(), CancellationToken::new());
    let interrupt = tokio::spawn(on_interrupt(cancel.clone(), at_once.clone()));
    let listening = async move {
        let mut results = Vec::new();
        while let Some(event) = listener.recv().await {
            match event {
                Event::ProxyProgress(line) => print::note(&line),
                Event::CaseFinished(case) => results.push((*case).clone()),
                _ => {}
            }
        }
        results
    };
    let running = async {
        let ended = runner::run(settings, &events, &cancel).await;
        drop(events);
        ended
    };
    let both = async { tokio::join!(running, listening) };
    let (ended, results) = tokio::select! {
        both = both => both,
        // Dropping the run kills the processes that it started.
        () = at_once.cancelled() => return Ok(None),
    };
    interrupt.abort();
    Ok((!ended?.interrupted).then_some(results))
}

/// The versions of the software that the proxy runs on. Its installation exists, because the case has run.
async fn versions(context: &CliContext, definition: Option<&Definition>) -> Vec<(String, String)> {
    let mut versions = Vec::new();
    if let Some(definition) = definition {
        versions.extend(definition.pinned());
        let installed = definition.install(&context.cache, &|_| {}).await;
        versions.extend(installed.as_ref().map(Installed::versions).unwrap_or_default());
    }
    versions.push(("Operating system".to_owned(), system_description()));
    versions
}

/// Writes the bug report, or says why there is none. Returns the exit code.
fn finish(context: &CliContext, args: &ReproArgs, case: &Case, found: &Reproduced) -> Result<u8, Failure> {
    let report = &found.case;
    let proxy = &found.proxy.to_string();
    let reason = || report.reason.clone().unwrap_or_default();
    match report.verdict {
        Verdict::Skipped => {
            print::note(&format!("error: {proxy} cannot run {}: {}", report.id, reason()));
            return Ok(EXIT_USAGE);
        }
        Verdict::Inconclusive => {
            print::note(&format!("error: upfault could not decide about {}: {}", report.id, reason()));
            return Ok(EXIT_FINDINGS);
        }
        Verdict::Broken => {
            print::note(&format!("error: upfault itself failed in {}: {}", report.id, reason()));
            return Ok(EXIT_BROKE);
        }
        _ if !judge::has_required(&report.findings) => {
            print::out(&nothing(report, proxy))?;
            return Ok(EXIT_OK);
        }
        _ => {}
    }
    let steps = repro_script::steps(found.definition.as_ref(), case, report, &found.siblings);
    let steps: Result<&[ReproStep], &str> = match &steps {
        Ok(steps) => Ok(steps),
        Err(reason) => Err(reason),
    };
    let text = BugReport {
        case: &repro_script::renamed(report, &ReproPlaces::default()),
        proxy,
        upfault: &found.upfault,
        versions: &found.versions,
        steps,
        again: &again(args, found),
    }
    .markdown();
    match &args.out {
        None => print::out(&text)?,
        Some(file) => {
            write_atomically(&context.place(file), &text)
                .map_err(Failure::io(format!("cannot write {}", file.display())))?;
            print::note(&format!("the bug report is in {}", file.display()));
        }
    }
    Ok(EXIT_FINDINGS)
}

/// The message for a case in which the proxy keeps the contract.
fn nothing(report: &CaseReport, proxy: &str) -> String {
    let mut text = format!("{proxy} keeps the contract in {}; nothing to report\n", report.id);
    let advice = report.findings.iter().filter(|finding| finding.level == Level::Recommended);
    for finding in advice {
        text.push_str(&format!("  it does not keep the recommendation {}\n", finding.rule));
    }
    text
}

/// The command that runs the case again.
fn again(args: &ReproArgs, found: &Reproduced) -> String {
    let mut words = vec!["upfault".to_owned(), "repro".to_owned(), args.case.clone()];
    let spec = match (&args.proxy, &found.definition) {
        (Some(spec), _) => Some(spec.clone()),
        (None, Some(_)) => Some(found.proxy.spec()),
        (None, None) => None,
    };
    words.extend(spec.iter().flat_map(|spec| option("--proxy", spec)));
    words.extend(args.policy.iter().flat_map(|policy| option("--policy", policy)));
    words.push("--keep".to_owned());
    shell::command(&words)
}
