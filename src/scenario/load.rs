//! Finds scenario files on disk and in the binary, and reads them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    diagnostic::{Diagnostic, LoadErrors, nearest},
    expand::expand,
    model::{Case, Scenario},
    parse::parse,
    validate::validate,
};
use crate::bundled::SCENARIOS;

/// The folder that is searched for scenarios, and that their ids are relative to.
const FOLDER: &str = "scenarios";

/// The extensions of scenario files.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// Scenarios, sorted by id.
#[derive(Debug, Clone, Default)]
pub struct Library {
    /// The loaded scenarios, sorted by id.
    pub scenarios: Vec<Arc<Scenario>>,
    replacing: BTreeSet<String>,
    texts: BTreeMap<String, Arc<str>>,
}

impl Library {
    /// The bundled scenarios.
    ///
    /// # Examples
    ///
    /// ```
    /// let library = upfault::Library::bundled();
    /// assert!(library.scenarios.iter().any(|scenario| scenario.id == "limits/rate-limit"));
    /// ```
    pub fn bundled() -> Self {
        let mut found = BTreeMap::new();
        collect_bundled(&mut found);
        // A test loads them.
        read_all(found).unwrap_or_else(|why| unreachable!("a bundled scenario does not load: {why}"))
    }

    /// Loads scenarios: those at `paths`, or all of them if `paths` is empty.
    ///
    /// A path is a file or folder below `root`, or the name of a scenario or folder of scenarios (`limits`,
    /// `limits/rate-limit`), bundled or in `root/scenarios`. Without paths, the result contains the bundled scenarios
    /// and those in `root/scenarios`; a file there replaces the bundled scenario with the same id.
    ///
    /// # Errors
    ///
    /// If a path does not exist or a file is invalid. All invalid files are reported.
    ///
    /// # Examples
    ///
    /// ```
    /// let folder = tempfile::tempdir()?;
    /// let text = "title: Overloaded\nwhy: Capacity\nupstream: [{error: overloaded}]\n";
    /// std::fs::write(folder.path().join("overloaded.yaml"), text)?;
    /// let library = upfault::Library::load(folder.path(), &["overloaded.yaml".into()])?;
    /// assert_eq!(library.scenarios[0].id, "overloaded");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn load(root: &Path, paths: &[PathBuf]) -> Result<Self, LoadError> {
        load_dir(root, paths)
    }

    /// The cases of all scenarios.
    ///
    /// # Examples
    ///
    /// ```
    /// let cases = upfault::Library::bundled().cases().len();
    /// assert!(cases > 1000);
    /// ```
    pub fn cases(&self) -> Vec<Case> {
        self.scenarios.iter().flat_map(expand).collect()
    }

    /// Adds the scenarios of another library; they replace those with the same id.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.scenarios.retain(|known| !other.texts.contains_key(&known.id));
        self.scenarios.extend(other.scenarios);
        self.scenarios.sort_by(|a, b| a.id.cmp(&b.id));
        self.replacing.extend(other.replacing);
        self.texts.extend(other.texts);
        self
    }

    /// The scenarios on disk that replace a bundled one with a different text.
    pub fn replacing(&self) -> impl Iterator<Item = &Scenario> {
        self.scenarios.iter().map(Arc::as_ref).filter(|scenario| self.replacing.contains(&scenario.id))
    }

    /// Whether a scenario is a bundled one, with the same text.
    pub(crate) fn is_bundled(&self, id: &str) -> bool {
        bundled_text(id).is_some_and(|bundled| *bundled == *self.text(id))
    }

    /// The text of a scenario's file, for diagnostics that other modules make.
    pub fn text(&self, id: &str) -> Arc<str> {
        self.texts.get(id).cloned().unwrap_or_else(|| "".into())
    }
}

/// The reason why loading failed.
///
/// # Examples
///
/// ```
/// let error = upfault::Library::load(".".as_ref(), &["limits/rate-limt".into()]).unwrap_err();
/// assert!(error.to_string().contains("did you mean `limits/rate-limit`?"));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// All files that are not valid scenarios.
    #[error(transparent)]
    Files(#[from] LoadErrors),
    /// A path that is neither on disk nor the id of scenarios.
    #[error("no scenario at `{path}`{}", .near.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    NotFound {
        /// The path as the user specified it.
        path: String,
        /// A scenario or folder with a similar id.
        near: Option<String>,
    },
    /// Two files with the same id: only one of them would run.
    #[error("{first} and {second} are both the scenario `{id}`\nhelp: rename one of them, or name only one")]
    SameId {
        /// The id.
        id: String,
        /// The first file.
        first: String,
        /// The second file.
        second: String,
    },
    /// A file or folder that cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The path for messages.
        path: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
}

/// A scenario's text before it is parsed.
struct Found {
    /// The file's name in messages.
    file: String,
    text: Arc<str>,
    on_disk: bool,
    /// The error that prevents parsing, such as invalid UTF-8.
    broken: Option<Diagnostic>,
}

/// Loads one scenario from its text; `id` and `file` are used only as names.
pub fn load_text(id: &str, file: &str, text: &str) -> Result<Scenario, LoadErrors> {
    let source: Arc<str> = text.into();
    read(id, file, &source).map_err(LoadErrors)
}

/// Loads the scenarios at `paths`, or all scenarios if `paths` is empty.
///
/// A path is a file or folder below `root`, or the id of a scenario or of a folder of scenarios (`limits`,
/// `limits/rate-limit`), bundled or in `root/scenarios`. All scenarios are the bundled ones and those in
/// `root/scenarios`; a scenario on disk replaces a bundled one with the same id.
///
/// # Errors
///
/// Reports every file that does not load, not only the first.
pub fn load_dir(root: &Path, paths: &[PathBuf]) -> Result<Library, LoadError> {
    load_from(root, &[], paths)
}

/// Like [`load_dir`], for a project that has chosen its scenarios by the paths in `chosen`. If `chosen` is not
/// empty, all scenarios are those, and `paths` may contain their ids as well.
///
/// # Errors
///
/// Those of [`load_dir`].
pub(crate) fn load_from(root: &Path, chosen: &[PathBuf], paths: &[PathBuf]) -> Result<Library, LoadError> {
    let mut found = BTreeMap::new();
    if paths.is_empty() && chosen.is_empty() {
        collect_all(root, &mut found)?;
    }
    for path in if paths.is_empty() { chosen } else { paths } {
        let on_disk = root.join(path);
        if on_disk.exists() {
            collect_disk(root, &on_disk, &mut found)?;
        } else {
            collect_named(root, chosen, path, &mut found)?;
        }
    }
    read_all(found)
}

fn read_all(found: BTreeMap<String, Found>) -> Result<Library, LoadError> {
    let mut library = Library::default();
    let mut errors = Vec::new();
    for (id, Found { file, text, on_disk, broken }) in found {
        if let Some(broken) = broken {
            errors.push(broken);
            continue;
        }
        match if on_disk { read(&id, &file, &text).map(Arc::new) } else { read_bundled(&id, &file, &text) } {
            Ok(scenario) => {
                if on_disk && bundled_text(&id).is_some_and(|bundled| *bundled != *text) {
                    library.replacing.insert(id.clone());
                }
                library.scenarios.push(scenario);
                library.texts.insert(id, text);
            }
            Err(mut more) => errors.append(&mut more),
        }
    }
    if errors.is_empty() { Ok(library) } else { Err(LoadErrors(errors).into()) }
}

fn read(id: &str, file: &str, text: &Arc<str>) -> Result<Scenario, Vec<Diagnostic>> {
    parse(file, text).map_err(|errors| errors.0).and_then(|parsed| validate(id, file, text, parsed))
}

/// Reads a bundled scenario once per process: a command that watches files loads all scenarios after each change.
fn read_bundled(id: &str, file: &str, text: &Arc<str>) -> Result<Arc<Scenario>, Vec<Diagnostic>> {
    static KNOWN: Mutex<BTreeMap<String, Arc<Scenario>>> = Mutex::new(BTreeMap::new());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(scenario) = known().get(id) {
        return Ok(scenario.clone());
    }
    let scenario = Arc::new(read(id, file, text)?);
    known().insert(id.to_owned(), scenario.clone());
    Ok(scenario)
}

fn collect_all(root: &Path, found: &mut BTreeMap<String, Found>) -> Result<(), LoadError> {
    collect_bundled(found);
    let folder = root.join(FOLDER);
    if folder.is_dir() { collect_disk(root, &folder, found) } else { Ok(()) }
}

fn collect_bundled(found: &mut BTreeMap<String, Found>) {
    for (path, text) in SCENARIOS.files() {
        if is_scenario(Path::new(path)) {
            let file = format!("{FOLDER}/{path}");
            found.insert(
                id_of(Path::new(path)),
                Found { file, text: text.into(), on_disk: false, broken: None },
            );
        }
    }
}

/// The text of the bundled scenario with this id.
fn bundled_text(id: &str) -> Option<&'static str> {
    EXTENSIONS.iter().find_map(|end| SCENARIOS.get(&format!("{id}.{end}")))
}

/// The files below a path, without hidden ones. What git ignores can be a scenario too: a recording that must not be
/// committed.
fn walk(path: &Path) -> ignore::WalkBuilder {
    let mut walk = ignore::WalkBuilder::new(path);
    walk.standard_filters(false).hidden(true).follow_links(true);
    walk
}

/// Whether `root/scenarios` contains scenarios.
pub(crate) fn has_scenarios(root: &Path) -> bool {
    walk(&root.join(FOLDER))
        .build()
        .flatten()
        .any(|entry| entry.file_type().is_some_and(|kind| kind.is_file()) && is_scenario(entry.path()))
}

/// Collects the scenarios that `list` shows under this id, so that users can copy ids from its output.
fn collect_named(
    root: &Path,
    chosen: &[PathBuf],
    path: &Path,
    found: &mut BTreeMap<String, Found>,
) -> Result<(), LoadError> {
    let mut all = BTreeMap::new();
    collect_all(root, &mut all)?;
    for on_disk in chosen.iter().map(|path| root.join(path)).filter(|path| path.exists()) {
        collect_disk(root, &on_disk, &mut all)?;
    }
    let wanted = id_of(path.strip_prefix(FOLDER).unwrap_or(path));
    let folder = format!("{wanted}/");
    let names: Vec<String> = all.keys().cloned().collect();
    let before = found.len();
    found.extend(all.into_iter().filter(|(id, _)| *id == wanted || id.starts_with(&folder)));
    if found.len() > before {
        return Ok(());
    }
    let folders = names.iter().filter_map(|id| id.split_once('/').map(|(folder, _)| folder));
    let without_folder = names.iter().map(String::as_str).find(|id| id.ends_with(&format!("/{wanted}")));
    let near = without_folder.or_else(|| nearest(&wanted, names.iter().map(String::as_str).chain(folders)));
    let near = near.map(str::to_owned);
    Err(LoadError::NotFound { path: path.display().to_string(), near })
}

fn collect_disk(root: &Path, path: &Path, found: &mut BTreeMap<String, Found>) -> Result<(), LoadError> {
    // Ids are relative to the innermost folder named `scenarios`, so that a scenario has the same id whichever
    // path the user specifies; without such a folder they are relative to the specified path.
    let base = path
        .ancestors()
        .find(|ancestor| ancestor.file_name().is_some_and(|name| name == FOLDER))
        .or(if path.is_dir() { Some(path) } else { path.parent() })
        .unwrap_or(root);
    for entry in walk(path).sort_by_file_path(Path::cmp).build() {
        let entry = entry.map_err(|error| LoadError::Read {
            path: path.display().to_string(),
            source: std::io::Error::other(error),
        })?;
        let named_by_hand = entry.path() == path && path.is_file();
        if !entry.file_type().is_some_and(|kind| kind.is_file())
            || !(named_by_hand || is_scenario(entry.path()))
        {
            continue;
        }
        let shown = entry.path().strip_prefix(root).unwrap_or(entry.path()).display().to_string();
        let bytes =
            std::fs::read(entry.path()).map_err(|source| LoadError::Read { path: shown.clone(), source })?;
        let (text, broken): (Arc<str>, _) = match String::from_utf8(bytes) {
            Ok(text) => (text.into(), None),
            Err(error) => ("".into(), Some(not_utf8(&shown, &error))),
        };
        let id = id_of(entry.path().strip_prefix(base).unwrap_or(entry.path()));
        if let Some(other) = found.get(&id)
            && other.on_disk
            && other.file != shown
        {
            return Err(LoadError::SameId { id, first: other.file.clone(), second: shown });
        }
        found.insert(id, Found { file: shown, text, on_disk: true, broken });
    }
    Ok(())
}

fn not_utf8(file: &str, error: &std::string::FromUtf8Error) -> Diagnostic {
    let at = error.utf8_error().valid_up_to();
    let source: Arc<str> = String::from_utf8_lossy(error.as_bytes()).into();
    Diagnostic::new(file, &source, at..at + 1, "this file is not UTF-8 from here on").help("save it as UTF-8")
}

/// Whether a file with this name is a scenario file.
pub(crate) fn is_scenario(path: &Path) -> bool {
    path.extension().and_then(|end| end.to_str()).is_some_and(|end| EXTENSIONS.contains(&end))
}

fn id_of(path: &Path) -> String {
    let path = if is_scenario(path) { path.with_extension("") } else { path.to_owned() };
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
