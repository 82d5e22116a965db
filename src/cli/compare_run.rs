//! Runs several proxies one after the other, for a comparison or a matrix.

use std::{
    collections::HashSet,
    io::{self, Write},
    path::{Path, PathBuf},
};

use tokio_util::sync::CancellationToken;

use super::{
    args::{RunArgs, SelectArgs},
    context::CliContext,
    failure::Failure,
    interrupt::interrupted,
    mode_args::ModeArgs,
    print,
    rerun::rerun,
    run::{self, RunningProxy},
    run_args::{OutputArgs, is_url},
    settings::Settings,
};
use crate::{
    event::Event,
    report::{Fanout, FileReporter, RecordedRun, ReportFormat, ReportTarget, Reporter},
    runner::{ProxyChoice, RunSettings},
    snapshot::{SnapshotStore, WriteMode},
};

/// How many notes report the progress of a side.
const NOTES: usize = 10;

/// The options that are the same for all sides, as the user wrote them.
#[derive(Debug, Clone, Default)]
pub(super) struct SideOptions {
    /// The cases.
    pub select: SelectArgs,
    /// How to decide disputed questions.
    pub policy: Option<String>,
    /// Maximum concurrent cases.
    pub jobs: Option<u16>,
    /// The seed of all random choices.
    pub seed: Option<u64>,
}

/// Cases of a side that run again.
#[derive(Debug, Clone, Copy)]
pub(super) struct SideRepetition<'a> {
    /// The number of the run; the first repetition is number 2.
    pub number: usize,
    /// The cases.
    pub cases: &'a HashSet<String>,
}

/// Runs sides one after the other, with the same cases, seed and policy.
pub(super) struct SideRunner<'a> {
    context: &'a CliContext,
    chosen: &'a Settings,
    options: SideOptions,
    folder: &'a Path,
    runtime: tokio::runtime::Runtime,
    /// Cancelled by the first Ctrl-C. A run handles the signal too; this also covers the time between two runs.
    interrupted: CancellationToken,
}

/// Where the second run of some cases of a side is stored: `side-1.again.json` next to `side-1.json`.
pub(super) fn again_path(report: &Path) -> PathBuf {
    report.with_extension("again.json")
}

/// Where a run of some cases of a side is stored: the third one in `side-1.again-3.json`.
pub(super) fn repetition_path(report: &Path, number: usize) -> PathBuf {
    if number == 2 { again_path(report) } else { report.with_extension(format!("again-{number}.json")) }
}

impl<'a> SideRunner<'a> {
    /// `folder` receives the reports, configurations and logs.
    pub(super) fn new(
        context: &'a CliContext,
        chosen: &'a Settings,
        options: SideOptions,
        folder: &'a Path,
    ) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(Failure::io("cannot start the runtime"))?;
        let interrupted = runtime.block_on(async { interrupted() });
        Ok(Self { context, chosen, options, folder, runtime, interrupted })
    }

    /// Finds and installs all proxies before the first one runs, so that a mistake is found immediately. Returns false if
    /// it was interrupted.
    pub(super) fn prepare(&self, specs: &[&String]) -> Result<bool, Failure> {
        let mut found = Vec::new();
        for spec in specs {
            if is_url(spec) {
                return Err(Failure::Usage(format!(
                    "a proxy that is already running cannot be a side: {spec}\nhelp: write a report with `upfault run \
                     --proxy URL --report json-full=PATH`, and compare that"
                )));
            }
            found.push(run::proxy(self.context, &self.context.cwd, spec, RunningProxy::default())?);
        }
        for choice in &found {
            let ProxyChoice::Definition(definition) = choice else { continue };
            run::note_mode(definition);
            let installed = self.runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = self.interrupted.cancelled() => Ok(None),
                    installed = definition.install(&self.context.cache, &|line| print::note(&line)) => installed.map(Some),
                }
            })?;
            if installed.is_none() {
                print::note("interrupted; the next installation removes the incomplete one");
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether Ctrl-C was pressed.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.is_cancelled()
    }

    /// Runs side number `n` and returns the path of its report; `None` if it was interrupted. A repetition is stored next to
    /// the report of the side.
    pub(super) fn run(
        &self,
        n: usize,
        spec: &str,
        again: Option<SideRepetition<'_>>,
    ) -> Result<Option<PathBuf>, Failure> {
        if self.interrupted.is_cancelled() {
            return Ok(None);
        }
        let report = self.folder.join(format!("side-{}.json", n + 1));
        let (report, work_dir) = match again {
            None => (report, self.folder.join(format!("side-{}", n + 1))),
            Some(SideRepetition { number, .. }) => {
                (repetition_path(&report, number), self.folder.join(format!("side-{}-again-{number}", n + 1)))
            }
        };
        std::fs::create_dir_all(&work_dir).map_err(Failure::io("cannot create the folder of a side"))?;
        let args = self.run_args(spec);
        let mut settings = run::settings(self.context, self.chosen, &args, &work_dir)?;
        // The bundled snapshots only decide which cases are repeated: nothing is written, and the project's do not matter.
        let (nowhere, name) = (work_dir.join("snapshots"), settings.proxy.name());
        let version = settings.proxy.version();
        settings.store = SnapshotStore::of_version(&nowhere, &name, version.as_deref(), WriteMode::Never);
        settings.known.clear();
        settings.strict = false;
        if let Some(again) = again {
            settings.cases.retain(|case| again.cases.contains(&case.id));
        }
        let ended = self.drive(settings, &args, &report, spec, again.is_some())?;
        Ok(ended.then_some(report))
    }

    /// Returns whether the run ended by itself.
    fn drive(
        &self,
        settings: RunSettings,
        args: &RunArgs,
        report: &Path,
        spec: &str,
        again: bool,
    ) -> Result<bool, Failure> {
        let format =
            ReportFormat::named("json-full").ok_or_else(|| Failure::Usage("no format".to_owned()))?;
        let title = if again { format!("{spec}, again") } else { spec.to_owned() };
        let reporters: Vec<Box<dyn Reporter + Send>> = vec![
            Box::new(SideProgress { title, cases: settings.cases.len(), finished: 0 }),
            Box::new(FileReporter::new(format, ReportTarget::File(report.to_owned()))),
        ];
        let folder = settings.work_dir.clone();
        let fanout = Fanout::new(&folder, Some(rerun(self.context, self.chosen, args)), reporters)
            .map_err(Failure::io("cannot keep the results of the run"))?;
        let (ended, ..) = self.runtime.block_on(run::drive(settings, fanout))?;
        if ended.interrupted {
            return Ok(false);
        }
        match &ended.died {
            Some(died) => Err(Failure::SideGone(run::gone(died))),
            None => Ok(true),
        }
    }

    fn run_args(&self, spec: &str) -> RunArgs {
        RunArgs {
            select: self.options.select.clone(),
            proxy: Some(spec.to_owned()),
            mode: ModeArgs::default(),
            accept: false,
            force: false,
            strict: None,
            allow_inconclusive: None,
            jobs: self.options.jobs,
            seed: self.options.seed,
            report: Vec::new(),
            policy: self.options.policy.clone(),
            snapshots: None,
            rerun_failed: None,
            watch: false,
            quick: false,
            fail_fast: Some(0),
            output: OutputArgs::default(),
            tested_before: None,
            proxy_key: None,
            rendered: None,
            listen: None,
        }
    }
}

/// A few lines on standard error: the steps of the preparation, then every tenth of the cases.
struct SideProgress {
    title: String,
    cases: usize,
    finished: usize,
}

impl Reporter for SideProgress {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let line = match event {
            Event::RunStarted(started) => format!("{} cases", started.cases),
            Event::ProxyReady { instances, .. } => format!("{instances} instances are ready"),
            Event::CaseFinished(_) => {
                self.finished += 1;
                let tenth = (self.cases / NOTES).max(1);
                if !self.finished.is_multiple_of(tenth) && self.finished != self.cases {
                    return Ok(());
                }
                format!("{} of {} cases", self.finished, self.cases)
            }
            Event::ProxyProgress(_) | Event::CaseStarted { .. } | Event::RunFinished(_) => return Ok(()),
        };
        // A closed standard error must not end the run.
        let _ = writeln!(io::stderr().lock(), "{}: {line}", self.title);
        Ok(())
    }

    fn finish(&mut self, _: &RecordedRun) -> io::Result<()> {
        Ok(())
    }
}
