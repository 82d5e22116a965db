//! What the file means, checked as a whole.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::{
    file::{PolicyChoice, SettingsFile},
    found::NAME,
    read::Source,
};
use crate::{
    cli::{context::Context, failure::Failure},
    judge::{Policy, PolicyEdits},
    proxy::ProxyError,
    scenario::{Diagnostic, LoadError, LoadErrors},
};

/// What a project has chosen, with every path as it is found from anywhere. Nothing, where there is no
/// file.
#[derive(Debug, Default)]
pub struct Settings {
    /// Its folder, from which its paths are meant.
    pub base: PathBuf,
    /// How disputed questions are judged.
    pub policy: Option<Policy>,
    /// The proxy, as it stands there.
    pub proxy: Option<String>,
    /// Where the mock upstreams listen.
    pub listen: Option<SocketAddr>,
    /// The seed of everything random.
    pub seed: Option<u64>,
    /// Cases in flight at the most.
    pub jobs: Option<u16>,
    /// A run fails if more cases than these are inconclusive.
    pub allow_inconclusive: Option<usize>,
    /// The folder of the snapshots.
    pub snapshots: Option<PathBuf>,
    /// The scenarios; none where the usual ones are meant.
    pub scenarios: Vec<PathBuf>,
    /// Where the JSON report goes.
    pub json: Option<PathBuf>,
    source: Option<Source>,
}

impl Settings {
    /// Those of the project, or none.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, and where.
    pub fn read(context: &Context) -> Result<Self, Failure> {
        match &context.config {
            Some(file) => Self::of(context, file),
            None => Ok(Self::default()),
        }
    }

    /// Those in a file.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, and where.
    pub fn of(context: &Context, file: &Path) -> Result<Self, Failure> {
        let shown = file.strip_prefix(&context.cwd).unwrap_or(file).display().to_string();
        let source = Source::read(file, shown).map_err(|diagnostic| one(*diagnostic))?;
        let base = file.parent().unwrap_or(&context.cwd).to_owned();
        let given: SettingsFile = source.parse().map_err(|diagnostic| one(*diagnostic))?;
        let name = file.file_name().map_or(NAME.into(), |name| name.to_string_lossy());
        let policy = given.policy.map(|choice| policy(&source, &base, &name, choice)).transpose();
        let mut errors = Vec::new();
        if given.scenarios.as_ref().is_some_and(Vec::is_empty) {
            let message = "an empty list of scenarios would run nothing";
            let help = "leave the key out for the bundled ones and those in the folder `scenarios`";
            errors.push(source.wrong(&["scenarios"], None, message).help(help));
        }
        let policy = policy.unwrap_or_else(|more| {
            errors.extend(more);
            None
        });
        if !errors.is_empty() {
            return Err(Failure::Settings(LoadErrors(errors)));
        }
        let place = |path: PathBuf| base.join(path);
        let scenarios = given.scenarios.unwrap_or_default();
        Ok(Self {
            policy,
            proxy: given.proxy,
            listen: given.listen,
            seed: given.seed,
            jobs: given.jobs.map(u16::from),
            allow_inconclusive: given.allow_inconclusive,
            snapshots: given.snapshots.map(place),
            scenarios: scenarios.iter().map(|path| context.at_root(&base, Path::new(path))).collect(),
            json: given.report.and_then(|report| report.json).map(place),
            source: Some(source),
            base,
        })
    }

    /// How the file is shown, where there is one.
    pub fn shown(&self) -> Option<&str> {
        self.source.as_ref().map(|source| source.shown.as_str())
    }

    /// A failure to find the proxy that the file names, told in its place.
    pub fn about_proxy(&self, failure: Failure) -> Failure {
        let Some(source) = &self.source else { return failure };
        let (message, help) = match failure {
            Failure::Usage(text) => match text.split_once("\nhelp: ") {
                Some((message, help)) => (message.to_owned(), help.to_owned()),
                None => (
                    text,
                    format!("write a proxy as `--proxy` takes it, or leave it out of {}", source.shown),
                ),
            },
            Failure::Proxy(ProxyError::Unknown { spec, detail, help }) => {
                (format!("there is no proxy `{spec}`{detail}"), help)
            }
            other => return other,
        };
        Failure::Settings(LoadErrors(vec![source.wrong(&["proxy"], None, message).help(help)]))
    }

    /// A failure to find the scenarios that the file names, told in its place.
    pub fn about_scenarios(&self, error: LoadError) -> Failure {
        match (&self.source, error) {
            (Some(source), LoadError::NotFound { path, near }) => {
                let item = self.scenarios.iter().position(|chosen| *chosen == Path::new(&path));
                let help = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!(
                        "a path is meant from {}; a name is one that `upfault list` shows",
                        self.base.display()
                    ),
                };
                let message = format!("no scenario at `{path}`");
                Failure::Settings(LoadErrors(vec![source.wrong(&["scenarios"], item, message).help(help)]))
            }
            (_, other) => Failure::Load(other),
        }
    }
}

fn one(diagnostic: Diagnostic) -> Failure {
    Failure::Settings(LoadErrors(vec![diagnostic]))
}

fn policy(source: &Source, base: &Path, file: &str, choice: PolicyChoice) -> Result<Policy, Vec<Diagnostic>> {
    match choice {
        PolicyChoice::Named(name) => named(source, base, &name).map_err(|diagnostic| vec![diagnostic]),
        PolicyChoice::Edited(edits) => edited(source, file, *edits),
    }
}

/// A bundled policy, or a file.
fn named(source: &Source, base: &Path, name: &str) -> Result<Policy, Diagnostic> {
    if let Some(policy) = Policy::named(name) {
        return Ok(policy);
    }
    let path = base.join(name);
    if path.is_file() {
        let text = std::fs::read_to_string(&path).map_err(|error| {
            source.wrong(&["policy"], None, format!("the policy {} cannot be read: {error}", path.display()))
        })?;
        return Policy::from_text(&path.display().to_string(), &text).map_err(|diagnostic| *diagnostic);
    }
    Policy::known(name).map_err(|unknown| {
        let message = format!("there is no policy `{name}`, and no file {}", path.display());
        source.wrong(&["policy"], None, message).help(unknown.help)
    })
}

/// What the table makes of the policy that it extends.
fn edited(source: &Source, file: &str, edits: PolicyEdits<String>) -> Result<Policy, Vec<Diagnostic>> {
    let unreasoned = |path: &Vec<&str>| {
        let keys: Vec<&str> = std::iter::once("policy").chain(path.iter().copied()).collect();
        source
            .wrong(&keys, None, format!("`{}` is answered without a reason", path.join(".")))
            .help("write {answer = …, reason = \"…\"}, so that others know in a year what it was for")
    };
    let errors: Vec<Diagnostic> = edits.without_reason().iter().map(unreasoned).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    edits.policy(file).map_err(|unknown| {
        let message = format!("there is no policy `{}` to extend", unknown.name);
        vec![source.wrong(&["policy", "extends"], None, message).help(unknown.help)]
    })
}
