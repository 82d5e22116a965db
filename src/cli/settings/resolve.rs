//! The settings after all checks, with resolved paths.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    file::{PolicyChoice, SettingsFile},
    found::NAME,
    known::{known, named_cases_exist},
    read::TomlSource,
};
use crate::{
    cli::{
        context::CliContext,
        failure::Failure,
        filter::Filter,
        own_folder::{own_policy, policy_names, project_of},
        report_to::ReportTo,
    },
    judge::{Policy, PolicyEdits},
    proxy::ProxyError,
    report::{FailureOutput, ReportFormat, ReportTarget, Verbosity},
    scenario::{Case, Diagnostic, KnownEntry, LoadError, LoadErrors},
};

/// The settings of a project, with resolved paths. The default is used if there is no file.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// The folder of the file. Its paths are relative to it.
    pub base: PathBuf,
    /// How to decide disputed questions.
    pub policy: Option<Policy>,
    /// The proxy as written in the file.
    pub proxy: Option<String>,
    /// The address of the mock providers.
    pub listen: Option<SocketAddr>,
    /// The folder with the configuration of a running proxy.
    pub rendered: Option<PathBuf>,
    /// The seed of all random choices.
    pub seed: Option<u64>,
    /// Maximum concurrent cases.
    pub jobs: Option<u16>,
    /// The run fails if more cases than these are inconclusive.
    pub allow_inconclusive: Option<usize>,
    /// The snapshot folder.
    pub snapshots: Option<PathBuf>,
    /// The scenarios; empty means the default ones.
    pub scenarios: Vec<PathBuf>,
    /// The filter expression.
    pub filter: Option<String>,
    /// The reports that every run writes.
    pub reports: Vec<ReportTo>,
    /// The durations file by which shards are split.
    pub durations: Option<PathBuf>,
    /// Whether known findings fail the run too.
    pub strict: Option<bool>,
    /// The run stops after this many failing cases.
    pub fail_fast: Option<usize>,
    /// Which failing cases are printed in full.
    pub failure_output: Option<FailureOutput>,
    /// How much is printed.
    pub verbosity: Option<Verbosity>,
    /// The age from which `check` warns of a recording.
    pub recording_max_age: Option<Duration>,
    /// Findings that an upstream issue explains.
    pub known: Vec<KnownEntry>,
    source: Option<TomlSource>,
}

impl Settings {
    /// The settings of the project, or the default if there is no file.
    ///
    /// # Errors
    ///
    /// If the file is invalid, with the positions of the errors.
    pub(crate) fn read(context: &CliContext) -> Result<Self, Failure> {
        match &context.config {
            Some(file) => Self::of(context, file),
            None => Ok(Self::default()),
        }
    }

    /// The settings in `file`.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, and where.
    pub(crate) fn of(context: &CliContext, file: &Path) -> Result<Self, Failure> {
        let shown = file.strip_prefix(&context.cwd).unwrap_or(file).display().to_string();
        let source = TomlSource::read(file, shown).map_err(|diagnostic| one(*diagnostic))?;
        let base = project_of(file).unwrap_or(&context.cwd).to_owned();
        let given: SettingsFile = source.parse().map_err(|diagnostic| one(*diagnostic))?;
        let name = file.file_name().map_or(NAME.into(), |name| name.to_string_lossy());
        let policy = given.policy.map(|choice| policy(&source, &base, &name, choice)).transpose();
        let mut errors = Vec::new();
        if given.scenarios.as_ref().is_some_and(Vec::is_empty) {
            let message = "an empty list selects no scenarios";
            let help = "omit the key to use the bundled scenarios and those in the folder `scenarios`";
            errors.push(source.wrong(&["scenarios"], None, message).help(help));
        }
        if let Some(error) = given.filter.as_deref().and_then(|text| Filter::parse(text).err()) {
            errors.push(source.wrong(&["filter"], None, error.message()));
        }
        let known = known(&source, given.known.unwrap_or_default()).unwrap_or_else(|more| {
            errors.extend(more);
            Vec::new()
        });
        let policy = policy.unwrap_or_else(|more| {
            errors.extend(more);
            None
        });
        if !errors.is_empty() {
            return Err(Failure::Settings(LoadErrors(errors)));
        }
        let place = |path: PathBuf| base.join(path);
        let report = |(format, path): (ReportFormat, PathBuf)| {
            let target = match path.as_os_str() == "-" {
                true => ReportTarget::Stdout,
                false => ReportTarget::File(place(path)),
            };
            ReportTo { format, target }
        };
        let scenarios = given.scenarios.unwrap_or_default();
        Ok(Self {
            policy,
            proxy: given.proxy,
            listen: given.listen,
            rendered: given.rendered.map(place),
            seed: given.seed,
            jobs: given.jobs.map(u16::from),
            allow_inconclusive: given.allow_inconclusive,
            snapshots: given.snapshots.map(place),
            scenarios: scenarios.iter().map(|path| context.at_root(&base, Path::new(path))).collect(),
            filter: given.filter,
            reports: given.report.unwrap_or_default().0.into_iter().map(report).collect(),
            durations: given.durations.map(place),
            strict: given.strict,
            fail_fast: given.fail_fast,
            failure_output: given.failure_output,
            verbosity: given.verbosity,
            recording_max_age: given.recording_max_age,
            known,
            source: Some(source),
            base,
        })
    }

    /// The path of the file for messages, if there is a file.
    pub(crate) fn shown(&self) -> Option<&str> {
        self.source.as_ref().map(|source| source.shown.as_str())
    }

    /// Adds the position in the file to an error about the proxy that it names.
    pub(crate) fn about_proxy(&self, failure: Failure) -> Failure {
        let Some(source) = &self.source else { return failure };
        let (message, help) = match failure {
            Failure::Usage(text) => match text.split_once("\nhelp: ") {
                Some((message, help)) => (message.to_owned(), help.to_owned()),
                None => (
                    text,
                    format!("write a proxy that `--proxy` accepts, or remove the key from {}", source.shown),
                ),
            },
            Failure::Proxy(ProxyError::Unknown { spec, detail, help }) => {
                (format!("unknown proxy `{spec}`{detail}"), help)
            }
            other => return other,
        };
        Failure::Settings(LoadErrors(vec![source.wrong(&["proxy"], None, message).help(help)]))
    }

    /// Checks that each known finding names at least one case. `all` contains every case of the project.
    pub(crate) fn check_known(&self, all: &[Case]) -> Result<(), Failure> {
        let Some(source) = &self.source else { return Ok(()) };
        let errors = named_cases_exist(source, &self.known, all);
        if errors.is_empty() { Ok(()) } else { Err(Failure::Settings(LoadErrors(errors))) }
    }

    /// Adds the position in the file to an error about the scenarios that it names.
    pub(crate) fn about_scenarios(&self, error: LoadError) -> Failure {
        match (&self.source, error) {
            (Some(source), LoadError::NotFound { path, near }) => {
                let item = self.scenarios.iter().position(|chosen| *chosen == Path::new(&path));
                let help = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        format!("paths are relative to {}; `upfault list` prints names", self.base.display())
                    }
                };
                let message = format!("cannot find the scenario `{path}`");
                Failure::Settings(LoadErrors(vec![source.wrong(&["scenarios"], item, message).help(help)]))
            }
            (_, other) => Failure::Load(other),
        }
    }
}

fn one(diagnostic: Diagnostic) -> Failure {
    Failure::Settings(LoadErrors(vec![diagnostic]))
}

fn policy(
    source: &TomlSource,
    base: &Path,
    file: &str,
    choice: PolicyChoice,
) -> Result<Policy, Vec<Diagnostic>> {
    match choice {
        PolicyChoice::Named(name) => named(source, base, &name),
        PolicyChoice::Edited(edits) => edited(source, file, *edits),
    }
}

/// A bundled policy, or a file.
fn named(source: &TomlSource, base: &Path, name: &str) -> Result<Policy, Vec<Diagnostic>> {
    if let Some(policy) = Policy::named(name) {
        return Ok(policy);
    }
    let path = own_policy(base, name).unwrap_or_else(|| base.join(name));
    if path.is_file() {
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let message = format!("cannot read the policy {}: {error}", path.display());
            vec![source.wrong(&["policy"], None, message)]
        })?;
        return Policy::from_text(&path.display().to_string(), &text).map_err(|errors| errors.0);
    }
    let message = format!("unknown policy `{name}`, and no file {}", path.display());
    Err(vec![source.wrong(&["policy"], None, message).help(policy_names(base, name))])
}

/// The policy that the `[policy]` table extends, with its changes.
fn edited(source: &TomlSource, file: &str, edits: PolicyEdits<String>) -> Result<Policy, Vec<Diagnostic>> {
    let unreasoned = |path: &Vec<&str>| {
        let keys: Vec<&str> = std::iter::once("policy").chain(path.iter().copied()).collect();
        source
            .wrong(&keys, None, format!("`{}` has no reason", path.join(".")))
            .help("write {answer = …, reason = \"…\"}, so that others understand the choice")
    };
    let errors: Vec<Diagnostic> = edits.without_reason().iter().map(unreasoned).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    edits.policy(file).map_err(|unknown| {
        let message = format!("unknown policy `{}`, which cannot be extended", unknown.name);
        vec![source.wrong(&["policy", "extends"], None, message).help(unknown.help)]
    })
}
