//! `upfault compare`

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
};

use super::{
    args::SelectArgs,
    compare_args::{CompareArgs, FailOn},
    compare_run::{SideOptions, SideRepetition, SideRunner, again_path},
    context::CliContext,
    failure::Failure,
    policy, print,
    run_folder::RunFolder,
    select,
    settings::Settings,
};
use crate::{
    compare::{CaseState, ComparedAs, ComparedRun, ComparedSide, Comparison},
    judge::Policy,
    report::{
        ALLOWED_INCONCLUSIVE, ComparisonView, EXIT_FINDINGS, EXIT_INTERRUPTED, EXIT_OK, Report, ReportTarget,
        compared_cases, not_judged_again, option, plural, write_case_comparison, write_comparison,
        write_report,
    },
    shell,
};

/// If at most this many cases match the filter, each is shown in full.
const IN_FULL: usize = 3;

/// A cause with at most this many cases can be chance: its cases run again on both sides before they are reported.
const CHANCE: usize = 20;

/// A side of a comparison, or a gateway of a matrix, as the user named it.
pub(super) enum ComparedSpec {
    /// A stored report.
    Stored(PathBuf),
    /// A proxy to run, as the user wrote it.
    Proxy(String),
}

/// Compares two or more sides.
pub(super) fn compare(context: &CliContext, args: &CompareArgs) -> Result<u8, Failure> {
    let chosen = Settings::read(context)?;
    let policy = policy::of(context, &chosen, args.policy.as_deref())?;
    let sides: Vec<ComparedSpec> = args.sides.iter().map(|side| kind_of(context, side)).collect();
    if sides.iter().all(|side| matches!(side, ComparedSpec::Stored(_))) {
        return Comparing { context, args, chosen: &chosen, policy }.finish(&sides, None);
    }
    let folder = RunFolder::create(&context.cache)?;
    let options = SideOptions {
        select: SelectArgs { filter: args.filter.clone(), ..SelectArgs::default() },
        policy: args.policy.clone(),
        jobs: args.jobs,
        seed: args.seed,
    };
    let runner = SideRunner::new(context, &chosen, options, folder.path())?;
    let code = Comparing { context, args, chosen: &chosen, policy }.finish(&sides, Some(&runner))?;
    folder.finish(code);
    Ok(code)
}

/// A side that is a file, or named like one, is a stored report.
pub(super) fn kind_of(context: &CliContext, side: &str) -> ComparedSpec {
    let path = context.place(side);
    let is_report = path.is_file() || path.extension().is_some_and(|extension| extension == "json");
    if is_report { ComparedSpec::Stored(path) } else { ComparedSpec::Proxy(side.to_owned()) }
}

/// What all steps of the command need.
struct Comparing<'a> {
    context: &'a CliContext,
    args: &'a CompareArgs,
    chosen: &'a Settings,
    policy: Policy,
}

impl Comparing<'_> {
    /// Runs the sides that are proxies, compares, and prints. `runner` is needed if a side is a proxy.
    fn finish(&self, sides: &[ComparedSpec], runner: Option<&SideRunner<'_>>) -> Result<u8, Failure> {
        let selected = self.selected()?;
        let specs: Vec<&String> = sides
            .iter()
            .filter_map(|side| if let ComparedSpec::Proxy(spec) = side { Some(spec) } else { None })
            .collect();
        if let Some(runner) = runner
            && !runner.prepare(&specs)?
        {
            return Ok(EXIT_INTERRUPTED);
        }
        let read = |path: &Path| Report::read(path).map_err(|error| Failure::Usage(error.to_string()));
        // Stored reports come first: a mistake is found before a proxy runs.
        let mut found: Vec<Option<(PathBuf, Report)>> = Vec::new();
        for side in sides {
            found.push(match side {
                ComparedSpec::Stored(path) => Some((path.clone(), read(path)?)),
                ComparedSpec::Proxy(_) => None,
            });
        }
        for (n, side) in sides.iter().enumerate() {
            if let (ComparedSpec::Proxy(spec), Some(runner), Some(found)) = (side, runner, found.get_mut(n)) {
                let Some(path) = runner.run(n, spec, None)? else { return Ok(EXIT_INTERRUPTED) };
                let report = read(&path)?;
                *found = Some((path, report));
            }
        }
        let reports: Vec<(PathBuf, Report)> = found.into_iter().flatten().collect();
        let mut runs = self.runs(&reports, selected.as_ref())?;
        if let Some(runner) = runner {
            let doubtful = doubtful(&runs, &self.policy);
            for (n, side) in sides.iter().enumerate() {
                let Some(ids) = doubtful.get(&n).filter(|ids| !ids.is_empty()) else { continue };
                let ComparedSpec::Proxy(spec) = side else { continue };
                let cases = with_siblings(&reports, ids);
                if runner.run(n, spec, Some(SideRepetition { number: 2, cases: &cases }))?.is_none() {
                    return Ok(EXIT_INTERRUPTED);
                }
            }
            runs = self.runs(&reports, selected.as_ref())?;
        }
        self.print(&reports, &runs, runner.is_some())
    }

    /// The ids that match the filter; `None` without a filter.
    fn selected(&self) -> Result<Option<HashSet<String>>, Failure> {
        let Some(filter) = &self.args.filter else { return Ok(None) };
        let select = SelectArgs { filter: Some(filter.clone()), ..SelectArgs::default() };
        let selection = select::cases(self.context, self.chosen, &select)?;
        Ok(Some(selection.cases.into_iter().map(|case| case.id).collect()))
    }

    /// The runs, judged by the policy, with the repetitions that are stored next to them.
    fn runs(
        &self,
        reports: &[(PathBuf, Report)],
        selected: Option<&HashSet<String>>,
    ) -> Result<Vec<ComparedRun>, Failure> {
        let labels = labels(reports);
        let mut runs = Vec::new();
        for ((path, report), label) in reports.iter().zip(labels) {
            let mut cases = compared_cases(report, &self.policy);
            let again = again_path(path);
            let mut repeated = Vec::new();
            if again.is_file() {
                let report = Report::read(&again).map_err(|error| Failure::Usage(error.to_string()))?;
                repeated = compared_cases(&report, &self.policy);
            }
            if let Some(selected) = selected {
                cases.retain(|case| selected.contains(&case.id));
                repeated.retain(|case| selected.contains(&case.id));
            }
            runs.push(ComparedRun { side: side(path, report, label), cases, repeated });
        }
        Ok(runs)
    }

    fn print(&self, reports: &[(PathBuf, Report)], runs: &[ComparedRun], ran: bool) -> Result<u8, Failure> {
        reports.iter().for_each(|(path, report)| self.note_old_judgements(path, report));
        let comparison = Comparison::new(runs, self.policy.describe());
        let on_stdout = self.args.report.iter().any(|report| report.target == ReportTarget::Stdout);
        for to in &self.args.report {
            let text = to.format.render(&comparison).map_err(Failure::io("cannot write the comparison"))?;
            let target = match &to.target {
                ReportTarget::File(path) => ReportTarget::File(self.context.place(path)),
                ReportTarget::Stdout => ReportTarget::Stdout,
            };
            write_report(&target, &text).map_err(Failure::io("cannot write the comparison"))?;
        }
        let view = ComparisonView {
            color: if on_stdout { self.context.color_err } else { self.context.color_out },
            width: self.context.width,
            verbose: self.args.verbose,
        };
        let mut text: Vec<u8> = Vec::new();
        let unprintable = || Failure::io("cannot print the comparison");
        write_comparison(&mut text, &comparison, view).map_err(unprintable())?;
        let ids: HashSet<&str> =
            runs.iter().flat_map(|run| &run.cases).map(|case| case.id.as_str()).collect();
        if self.args.filter.is_some() && ids.len() <= IN_FULL {
            let mut ids: Vec<&str> = ids.into_iter().collect();
            ids.sort_unstable();
            for id in ids {
                let sides: Vec<_> =
                    runs.iter().zip(reports).map(|(run, (_, report))| (run, report)).collect();
                write_case_comparison(&mut text, id, &sides, view).map_err(unprintable())?;
            }
        }
        let text = String::from_utf8_lossy(&text).into_owned() + &self.next_step(reports, ran);
        if on_stdout {
            print::note(text.trim_end())
        } else {
            print::out(&text)?
        }
        let is_empty = comparison.steps.iter().any(|step| step.counts.compared() == 0);
        if is_empty && self.args.fail_on != FailOn::Never {
            print::note("error: no case could be compared, so this says nothing about the upgrade");
            return Ok(EXIT_FINDINGS);
        }
        if self.args.fail_on != FailOn::Never && self.is_too_inconclusive(runs) {
            return Ok(EXIT_FINDINGS);
        }
        let left = match self.args.fail_on {
            FailOn::Worse => comparison.remaining(|compared_as| compared_as == ComparedAs::Worse),
            FailOn::Different => comparison.remaining(|_| true),
            FailOn::Never => 0,
        };
        Ok(if left > 0 { EXIT_FINDINGS } else { EXIT_OK })
    }

    /// Whether more cases of a side are inconclusive than are allowed. Then an error message says so.
    fn is_too_inconclusive(&self, runs: &[ComparedRun]) -> bool {
        let allowed = self.args.allow_inconclusive.or(self.chosen.allow_inconclusive);
        let allowed = allowed.unwrap_or(ALLOWED_INCONCLUSIVE);
        let unclear =
            |run: &ComparedRun| run.cases.iter().filter(|case| case.state == CaseState::Unclear).count();
        let Some(worst) = runs.iter().max_by_key(|run| unclear(run)).filter(|run| unclear(run) > allowed)
        else {
            return false;
        };
        print::note(&format!(
            "error: {} of {} are inconclusive and were not compared\nhelp: run the comparison again on a machine with \
             less load, or allow them with `--allow-inconclusive N`",
            plural(unclear(worst), "case"),
            worst.side.label
        ));
        true
    }

    /// Notes how many cases could not be judged again.
    fn note_old_judgements(&self, path: &Path, report: &Report) {
        let left = not_judged_again(report, &self.policy);
        if left > 0 {
            print::note(&format!(
                "note: {} does not contain the exchanges of {}, which keep the judgement of its run\nhelp: \
                 `--report json-full=PATH` writes a report that can be judged again completely",
                path.display(),
                plural(left, "passing case")
            ));
        }
    }

    /// The commands that show more, without running anything again.
    fn next_step(&self, reports: &[(PathBuf, Report)], ran: bool) -> String {
        if !ran {
            return String::new();
        }
        let mut words = vec!["upfault".to_owned(), "compare".to_owned()];
        words.extend(reports.iter().map(|(path, _)| path.display().to_string()));
        words.extend(self.args.policy.iter().flat_map(|policy| option("--policy", policy)));
        let command = shell::command(&words);
        format!(
            "\nThe reports are kept. To compare them again, add -v for all cases, or --filter CASE for one:\n  {}\n",
            command.replace(" /", " \\\n    /")
        )
    }
}

fn side(path: &Path, report: &Report, label: String) -> ComparedSide {
    ComparedSide {
        label,
        proxy: report.proxy.name.clone(),
        version: report.proxy.version.clone(),
        mode: report.proxy.mode.clone(),
        report: path.display().to_string(),
    }
}

/// A short name for each side. If all sides are versions of one proxy, the version is enough; if two names would be the
/// same, the file is added.
fn labels(reports: &[(PathBuf, Report)]) -> Vec<String> {
    let proxies: HashSet<&str> = reports.iter().map(|(_, report)| report.proxy.name.as_str()).collect();
    let label = |report: &Report, with_name: bool| {
        let proxy = &report.proxy;
        let mut words = Vec::new();
        if with_name || proxy.version.is_none() {
            words.push(proxy.name.clone());
        }
        words.extend(proxy.version.clone());
        words.extend(proxy.mode.as_ref().map(|mode| format!("with {mode}")));
        words.join(" ")
    };
    let plain: Vec<String> = reports
        .iter()
        .enumerate()
        .map(|(n, (_, report))| label(report, n == 0 || proxies.len() > 1))
        .collect();
    let bare: Vec<String> = reports.iter().map(|(_, report)| label(report, true)).collect();
    let is_unique = |name: &String| bare.iter().filter(|other| *other == name).count() == 1;
    let named = plain.iter().zip(&bare).zip(reports).enumerate();
    named
        .map(|(n, ((plain, bare), (path, _)))| {
            let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if is_unique(bare) { plain.clone() } else { format!("{plain} ({}, {file})", n + 1) }
        })
        .collect()
}

/// For each side, the cases whose difference may be chance.
fn doubtful(runs: &[ComparedRun], policy: &Policy) -> BTreeMap<usize, HashSet<String>> {
    let comparison = Comparison::new(runs, policy.describe());
    let mut ids: BTreeMap<usize, HashSet<String>> = BTreeMap::new();
    for (n, step) in comparison.steps.iter().enumerate() {
        for cause in step.causes.iter().filter(|cause| cause.cases.len() <= CHANCE) {
            for side in [n, n + 1] {
                ids.entry(side).or_default().extend(cause.cases.iter().map(|case| case.id.clone()));
            }
        }
    }
    ids
}

/// The cases together with those that rules compare them with: without these, some rules do not apply.
fn with_siblings(reports: &[(PathBuf, Report)], ids: &HashSet<String>) -> HashSet<String> {
    let mut all = ids.clone();
    let cases = reports.iter().flat_map(|(_, report)| &report.cases);
    all.extend(
        cases.filter(|case| ids.contains(&case.id)).flat_map(|case| case.compared_with.iter().cloned()),
    );
    all
}
