//! `upfault matrix`

use std::{
    collections::{BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use jiff::{Timestamp, tz::TimeZone};

use super::{
    compare::{ComparedSpec, kind_of},
    compare_run::{SideOptions, SideRepetition, SideRunner, repetition_path},
    context::CliContext,
    failure::Failure,
    matrix_args::MatrixArgs,
    policy, print,
    run::{self, RunningProxy},
    run_args::{SelectArgs, is_url},
    run_folder::RunFolder,
    settings::Settings,
};
use crate::{
    event::CaseReport,
    judge::Policy,
    matrix::{CaseResult, GatewayHead, GatewayResults, Matrix, MatrixCase, MatrixGateway},
    report::{
        ComparisonView, EXIT_INTERRUPTED, EXIT_OK, EXIT_PROXY, MatrixReport, MatrixRun, Report, ReportTarget,
        option, plural, write_matrix, write_report,
    },
    runner::ProxyChoice,
    shell,
};

/// The control: a proxy that is known to be correct.
const CONTROL: &str = "builtin";

/// Runs several gateways, and writes which rules each of them breaks.
pub(super) fn matrix(context: &CliContext, args: &MatrixArgs) -> Result<u8, Failure> {
    let chosen = Settings::read(context)?;
    let policy = policy::of(context, &chosen, args.policy.as_deref())?;
    let gateways = gateways(context, &args.gateways)?;
    let folder = RunFolder::create(&context.cache)?;
    let options = SideOptions {
        select: SelectArgs { filter: args.filter.clone(), ..SelectArgs::default() },
        policy: args.policy.clone(),
        jobs: args.jobs,
        seed: args.seed,
    };
    let runner = SideRunner::new(context, &chosen, options, folder.path())?;
    let making = Making { context, args, policy, runner, folder: folder.path() };
    let code = making.make(gateways, args.seed.or(chosen.seed).unwrap_or_default())?;
    folder.finish(code);
    Ok(code)
}

/// A gateway that was named.
struct NamedGateway {
    head: GatewayHead,
    side: ComparedSpec,
}

/// The gateways, the control first. A name that is wrong is an error at once, before anything runs.
fn gateways(context: &CliContext, names: &[String]) -> Result<Vec<NamedGateway>, Failure> {
    let control = CONTROL.to_owned();
    let mut seen = HashSet::new();
    let names = std::iter::once(&control).chain(names).filter(|name| seen.insert(*name));
    let mut found: Vec<NamedGateway> = names.map(|name| named(context, name)).collect::<Result<_, _>>()?;
    let titles: Vec<String> = found.iter().map(|gateway| gateway.head.title()).collect();
    for (gateway, title) in found.iter_mut().zip(&titles) {
        // Two folders can contain definitions with the same name.
        if titles.iter().filter(|other| *other == title).count() > 1 {
            gateway.head.name = format!("{} ({})", gateway.head.name, gateway.head.spec);
        }
    }
    Ok(found)
}

fn named(context: &CliContext, name: &str) -> Result<NamedGateway, Failure> {
    let side = kind_of(context, name);
    let day = Timestamp::now().to_zoned(TimeZone::UTC).date().to_string();
    let head = match &side {
        ComparedSpec::Stored(path) => {
            let report = Report::read(path).map_err(|error| Failure::Usage(error.to_string()))?;
            let proxy = report.proxy;
            let language = run::proxy(context, &context.cwd, &proxy.name, RunningProxy::default())
                .map_or_else(|_| String::new(), |found| language(&found));
            let name = with_mode(&proxy.name, proxy.mode.as_deref());
            let version = proxy.version.unwrap_or_default();
            GatewayHead { spec: path.display().to_string(), name, version, language, day: String::new() }
        }
        ComparedSpec::Proxy(spec) if is_url(spec) => {
            return Err(Failure::Usage(format!(
                "a proxy that is already running cannot be part of a matrix: {spec}\nhelp: write a report with `upfault \
                 run --proxy URL --report json-full=PATH`, and name that file here"
            )));
        }
        ComparedSpec::Proxy(spec) => {
            let found = run::proxy(context, &context.cwd, spec, RunningProxy::default())?;
            let version = match &found {
                ProxyChoice::Definition(definition) => found.version().or_else(|| definition.own_version()),
                _ => Some(env!("CARGO_PKG_VERSION").to_owned()),
            };
            GatewayHead {
                spec: spec.clone(),
                name: with_mode(&found.name(), found.mode().as_deref()),
                version: version.unwrap_or_default(),
                language: language(&found),
                day,
            }
        }
    };
    Ok(NamedGateway { head, side })
}

fn with_mode(name: &str, mode: Option<&str>) -> String {
    mode.map_or_else(|| name.to_owned(), |mode| format!("{name} with {mode}"))
}

fn language(proxy: &ProxyChoice) -> String {
    match proxy {
        ProxyChoice::Definition(definition) => definition.language.clone(),
        _ => "Rust".to_owned(),
    }
}

/// What all steps of the command need.
struct Making<'a> {
    context: &'a CliContext,
    args: &'a MatrixArgs,
    policy: Policy,
    runner: SideRunner<'a>,
    folder: &'a Path,
}

/// How the runs of a gateway ended.
enum GatewayEnd {
    /// The first run, and the results of all runs.
    Ran(Box<MatrixRun>, Vec<Vec<MatrixCase>>),
    /// The gateway could not be installed, started or kept running.
    NotRun(String),
    Interrupted,
}

impl Making<'_> {
    fn make(&self, named: Vec<NamedGateway>, seed: u64) -> Result<u8, Failure> {
        let (mut gateways, mut runs) = (Vec::new(), Vec::new());
        for (n, NamedGateway { head, side }) in named.into_iter().enumerate() {
            // A case in which the control breaks a rule proves nothing about the others, so that the control is not repeated.
            let times = if n == 0 { 1 } else { usize::from(self.args.runs) };
            let (results, run) = match self.run(n, &side, times)? {
                GatewayEnd::Ran(run, results) => (GatewayResults::Runs(results), Some(*run)),
                GatewayEnd::NotRun(reason) => (GatewayResults::NotRun(reason), None),
                GatewayEnd::Interrupted => {
                    print::note(&format!(
                        "interrupted; the reports of the gateways that ran are in {}",
                        self.folder.display()
                    ));
                    return Ok(EXIT_INTERRUPTED);
                }
            };
            gateways.push(MatrixGateway { head, results });
            runs.push(run);
        }
        let matrix = Matrix::new(&gateways, &self.policy, Some(seed));
        self.print(&matrix, &runs)?;
        Ok(if runs.iter().all(Option::is_some) { EXIT_OK } else { EXIT_PROXY })
    }

    /// Runs gateway number `n`, and repeats its cases that break required rules.
    fn run(&self, n: usize, side: &ComparedSpec, times: usize) -> Result<GatewayEnd, Failure> {
        let (path, spec) = match side {
            ComparedSpec::Stored(path) => (path.clone(), None),
            ComparedSpec::Proxy(spec) => match self.first_run(n, spec) {
                Ok(Some(path)) => (path, Some(spec)),
                Ok(None) => return Ok(GatewayEnd::Interrupted),
                Err(failure) if failure.code() == EXIT_PROXY => {
                    let text = failure.render(false);
                    print::note(&format!("{spec} was not run\n{text}"));
                    return Ok(GatewayEnd::NotRun(text.trim_start_matches("error: ").to_owned()));
                }
                Err(failure) => return Err(failure),
            },
        };
        let report = read(&path)?;
        note_missing_exchanges(&path, &report);
        let first = self.judged(&report)?;
        let mut results = vec![first.cases.clone()];
        let again = with_siblings(&report, &broken(&first.cases));
        for number in 2..=times {
            let stored = repetition_path(&path, number);
            match spec {
                _ if again.is_empty() => break,
                Some(spec) => {
                    let repetition = SideRepetition { number, cases: &again };
                    match self.runner.run(n, spec, Some(repetition)) {
                        Ok(Some(_)) => {}
                        Ok(None) => return Ok(GatewayEnd::Interrupted),
                        Err(failure) if failure.code() == EXIT_PROXY => {
                            return Ok(GatewayEnd::NotRun(failure.render(false)));
                        }
                        Err(failure) => return Err(failure),
                    }
                }
                None if stored.is_file() => {}
                None => break,
            }
            results.push(self.judged(&read(&stored)?)?.cases);
        }
        Ok(GatewayEnd::Ran(Box::new(first), results))
    }

    fn first_run(&self, n: usize, spec: &String) -> Result<Option<PathBuf>, Failure> {
        if self.runner.is_interrupted() || !self.runner.prepare(&[spec])? {
            return Ok(None);
        }
        self.runner.run(n, spec, None)
    }

    fn judged(&self, report: &Report) -> Result<MatrixRun, Failure> {
        MatrixRun::new(report, &self.policy, self.folder)
            .map_err(Failure::io("cannot keep the cases of a gateway"))
    }

    fn print(&self, matrix: &Matrix, runs: &[Option<MatrixRun>]) -> Result<(), Failure> {
        let on_stdout = self.args.report.iter().any(|report| report.target == ReportTarget::Stdout);
        let report = MatrixReport { matrix, runs, again: self.again() };
        for to in &self.args.report {
            let unwritable = || Failure::io("cannot write the matrix");
            let text = to.format.render(&report).map_err(unwritable())?;
            let target = match &to.target {
                ReportTarget::File(path) => ReportTarget::File(self.context.place(path)),
                ReportTarget::Stdout => ReportTarget::Stdout,
            };
            write_report(&target, &text).map_err(unwritable())?;
        }
        let view = ComparisonView {
            color: if on_stdout { self.context.color_err } else { self.context.color_out },
            width: self.context.width,
            verbose: self.args.verbose,
        };
        let mut text: Vec<u8> = Vec::new();
        write_matrix(&mut text, matrix, view).map_err(Failure::io("cannot print the matrix"))?;
        let text = String::from_utf8_lossy(&text);
        if on_stdout {
            print::note(text.trim_end());
            Ok(())
        } else {
            print::out(&text)
        }
    }

    /// The command that repeats this one, without reports.
    fn again(&self) -> String {
        let mut words = vec!["upfault".to_owned(), "matrix".to_owned()];
        words.extend(self.args.gateways.iter().cloned());
        let runs = Some(self.args.runs).filter(|runs| *runs != 2).map(|runs| runs.to_string());
        for (name, value) in [
            ("--filter", self.args.filter.clone()),
            ("--policy", self.args.policy.clone()),
            ("--runs", runs),
            ("--seed", self.args.seed.map(|seed| seed.to_string())),
        ] {
            words.extend(value.iter().flat_map(|value| option(name, value)));
        }
        words.extend(self.context.settings_words.iter().cloned());
        shell::command(&words)
    }
}

fn read(path: &Path) -> Result<Report, Failure> {
    Report::read(path).map_err(|error| Failure::Usage(error.to_string()))
}

/// Notes how many cases have no exchanges: which rules apply to them is not known, so that they are missing in the numbers.
fn note_missing_exchanges(path: &Path, report: &Report) {
    let missing = |case: &&CaseReport| case.verdict.is_of_findings() && case.observation.is_none();
    let cases = report.cases.iter().filter(missing).count();
    if cases > 0 {
        print::note(&format!(
            "note: {} does not contain the exchanges of {}, so that no rule counts as kept in them\nhelp: `--report \
             json-full=PATH` writes a report that is complete",
            path.display(),
            plural(cases, "case")
        ));
    }
}

/// The cases that break a required rule.
fn broken(cases: &[MatrixCase]) -> BTreeSet<&str> {
    let breaks = |case: &&MatrixCase| match &case.result {
        CaseResult::Judged { broken, .. } => broken.iter().any(|broken| broken.is_required),
        CaseResult::Skipped(_) | CaseResult::Unclear(_) => false,
    };
    cases.iter().filter(breaks).map(|case| case.id.as_str()).collect()
}

/// The cases together with those that rules compare them with: without these, some rules do not apply.
fn with_siblings(report: &Report, ids: &BTreeSet<&str>) -> HashSet<String> {
    let chosen = report.cases.iter().filter(|case| ids.contains(case.id.as_str()));
    chosen.flat_map(|case| std::iter::once(&case.id).chain(&case.compared_with)).cloned().collect()
}
