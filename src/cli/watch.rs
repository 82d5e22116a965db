//! Watches the files that a command has read, and reports when they change.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{CreateKind, ModifyKind, RemoveKind},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{Instant, timeout},
};

use super::{
    context::CliContext,
    failure::Failure,
    settings::{self, Settings, named_provider_files},
};
use crate::scenario::is_scenario;

/// How long nothing must change before a change counts as complete: editors save in several steps.
const QUIET: Duration = Duration::from_millis(40);

/// The longest wait for that, for files that change all the time.
const LONGEST_WAIT: Duration = Duration::from_millis(400);

/// The folders of a project whose files are read, whatever they are called.
const FOLDERS: [&str; 3] = ["scenarios", ".upfault", "proxies"];

/// The extensions of the files that are read.
const EXTENSIONS: [&str; 6] = ["yaml", "yml", "json", "toml", "j2", "sh"];

/// Reports changes of a project's files.
pub(super) struct ProjectWatch {
    /// Never read. It watches as long as it exists.
    _watcher: RecommendedWatcher,
    changes: UnboundedReceiver<FilesChanged>,
}

/// Which files have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FilesChanged {
    /// Only files of scenarios.
    Scenarios,
    /// Other files, or it is unknown which ones.
    Others,
}

/// What is watched, by the paths that the system reports: those without symbolic links.
#[derive(Debug, Default, Clone)]
struct WatchedPaths {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    /// Files and folders that contain scenarios and nothing else.
    scenarios: Vec<PathBuf>,
}

impl ProjectWatch {
    /// Watches the project's folders, its settings, these files and folders of scenarios, and these other files and folders.
    /// One that does not exist may be created, or created again.
    ///
    /// # Errors
    ///
    /// If the system cannot watch them.
    pub(super) fn start(
        context: &CliContext,
        settings: &Settings,
        scenarios: impl IntoIterator<Item = PathBuf>,
        more: impl IntoIterator<Item = PathBuf>,
    ) -> Result<Self, Failure> {
        let mut paths = WatchedPaths::default();
        let [scenario_folder, own_folders @ ..] = FOLDERS.map(|folder| context.root.join(folder));
        paths.add_scenarios(&scenario_folder, true);
        for path in settings.scenarios.iter().map(|path| context.root.join(path)).chain(scenarios) {
            paths.add_scenarios(&path, path.is_dir());
        }
        for folder in own_folders {
            paths.add(&folder, true);
        }
        // A settings file can be created later.
        let settings_files = context.config.clone().into_iter().chain([context.root.join(settings::NAME)]);
        for path in settings_files.chain(more).chain(named_provider_files(context).unwrap_or_default()) {
            paths.add(&path, path.is_dir());
        }
        Self::of(paths, &without_links(&context.root)).map_err(|error| {
            Failure::Usage(format!(
                "cannot watch the files of {}: {error}\nhelp: run the command again after each change, without `--watch`",
                context.root.display()
            ))
        })
    }

    fn of(paths: WatchedPaths, root: &Path) -> notify::Result<Self> {
        let (changed, changes) = unbounded_channel();
        let watched = paths.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error means that events were lost, so anything may have changed.
            let concerns = event.map_or(Some(FilesChanged::Others), |event| watched.concerned_by(&event));
            if let Some(files) = concerns {
                let _ = changed.send(files);
            }
        })?;
        for folder in paths.folders.iter().filter(|folder| folder.is_dir()) {
            watcher.watch(folder, RecursiveMode::Recursive)?;
        }
        // A file is watched through its folder: an editor replaces it by another file. The root also shows new folders.
        let mut parents: Vec<&Path> = paths.files.iter().filter_map(|file| file.parent()).collect();
        parents.push(root);
        parents.sort();
        parents.dedup();
        for parent in parents.into_iter().filter(|parent| parent.is_dir()) {
            watcher.watch(parent, RecursiveMode::NonRecursive)?;
        }
        Ok(Self { _watcher: watcher, changes })
    }

    /// Waits for a change, and until nothing more changes for a moment. Cancel-safe before the first change.
    pub(super) async fn changed(&mut self) -> FilesChanged {
        let mut files = self.changes.recv().await.unwrap_or(FilesChanged::Others);
        let end = Instant::now() + LONGEST_WAIT;
        while Instant::now() < end
            && let Ok(more) = timeout(QUIET, self.changes.recv()).await
        {
            files = files.max(more.unwrap_or(FilesChanged::Others));
        }
        files
    }

    /// Continues with `next`, which was started later. Returns what this watch has reported since [`changed`](Self::changed):
    /// `next` does not know it.
    pub(super) fn replace(&mut self, next: Self) -> Option<FilesChanged> {
        let mut before = std::mem::replace(self, next);
        std::iter::from_fn(|| before.changes.try_recv().ok()).max()
    }
}

impl WatchedPaths {
    fn add(&mut self, path: &Path, is_folder: bool) {
        let paths = if is_folder { &mut self.folders } else { &mut self.files };
        paths.extend(reported_as(path));
    }

    fn add_scenarios(&mut self, path: &Path, is_folder: bool) {
        self.add(path, is_folder);
        self.scenarios.extend(reported_as(path));
    }

    /// Which of the watched files an event concerns; `None` if it concerns none.
    fn concerned_by(&self, event: &Event) -> Option<FilesChanged> {
        if matches!(event.kind, EventKind::Access(_)) {
            return None;
        }
        if event.need_rescan() {
            return Some(FilesChanged::Others);
        }
        // A folder can appear or disappear with its files, and then only its own path is reported. The name that a folder had
        // before is recognised by its missing extension.
        let is_folder = |path: &Path| match event.kind {
            EventKind::Create(CreateKind::Folder) | EventKind::Remove(RemoveKind::Folder) => true,
            EventKind::Modify(ModifyKind::Name(_)) => path.is_dir() || path.extension().is_none(),
            _ => false,
        };
        event.paths.iter().filter_map(|path| self.concerned_by_path(path, is_folder(path))).max()
    }

    fn concerned_by_path(&self, path: &Path, is_folder: bool) -> Option<FilesChanged> {
        let is_read = || {
            is_folder || path.extension().and_then(OsStr::to_str).is_some_and(|end| EXTENSIONS.contains(&end))
        };
        let is_named = |named: &&PathBuf| path.starts_with(named);
        let concerns = self.files.iter().any(|file| file == path)
            || self.folders.iter().any(|folder| path == folder || (path.starts_with(folder) && is_read()));
        // Of a file in several folders, the innermost one says what it is.
        let innermost =
            |paths: &[PathBuf]| paths.iter().filter(is_named).map(|path| path.as_os_str().len()).max();
        let is_of_scenario = (is_folder || is_scenario(path))
            && innermost(&self.scenarios) >= innermost(&self.folders).max(innermost(&self.files));
        concerns.then_some(if is_of_scenario { FilesChanged::Scenarios } else { FilesChanged::Others })
    }
}

/// The paths by which the system can report changes of `path`: without symbolic links in its folder, and, if it is a link
/// itself, also that of its target.
fn reported_as(path: &Path) -> Vec<PathBuf> {
    let placed = match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => without_links(parent).join(name),
        _ => path.to_owned(),
    };
    let target = path.canonicalize().ok().filter(|target| *target != placed);
    std::iter::once(placed).chain(target).collect()
}

/// The path without symbolic links, as far as it exists.
fn without_links(path: &Path) -> PathBuf {
    let existing = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    existing
        .and_then(|(above, real)| Some(real.join(path.strip_prefix(above).ok()?)))
        .unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(folder: &Path) -> CliContext {
        CliContext::for_tests(folder, None)
    }

    async fn changed(watch: &mut ProjectWatch) -> FilesChanged {
        timeout(Duration::from_secs(20), watch.changed()).await.expect("a change is reported")
    }

    #[tokio::test]
    async fn every_way_of_saving_is_reported_once() {
        let folder = tempfile::tempdir().unwrap();
        let scenario = folder.path().join("scenarios/a/b.yaml");
        std::fs::create_dir_all(scenario.parent().unwrap()).unwrap();
        let mut watch = ProjectWatch::start(&context(folder.path()), &Settings::default(), [], []).unwrap();
        std::fs::write(&scenario, "one").unwrap();
        assert_eq!(changed(&mut watch).await, FilesChanged::Scenarios);
        let other = folder.path().join("scenarios/a/.b.swp");
        std::fs::write(&other, "two").unwrap();
        std::fs::rename(&other, &scenario).unwrap();
        changed(&mut watch).await;
        std::fs::remove_file(&scenario).unwrap();
        changed(&mut watch).await;
        assert!(watch.changes.try_recv().is_err(), "what belongs to one change is reported together");
    }

    #[tokio::test]
    async fn settings_can_be_created_and_other_files_do_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("more/own.txt");
        std::fs::create_dir_all(own.parent().unwrap()).unwrap();
        std::fs::write(&own, "").unwrap();
        let mut watch =
            ProjectWatch::start(&context(folder.path()), &Settings::default(), [], [own.clone()]).unwrap();
        std::fs::write(folder.path().join("report.json"), "{}").unwrap();
        std::fs::write(folder.path().join("upfault.toml"), "").unwrap();
        assert_eq!(changed(&mut watch).await, FilesChanged::Others);
        std::fs::write(&own, "x").unwrap();
        assert_eq!(changed(&mut watch).await, FilesChanged::Others);
    }

    #[tokio::test]
    async fn a_folder_that_is_moved_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let (outside, inside) = (folder.path().join("prepared"), folder.path().join("scenarios/prepared"));
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::create_dir_all(folder.path().join("scenarios")).unwrap();
        std::fs::write(outside.join("a.yaml"), "").unwrap();
        let mut watch = ProjectWatch::start(&context(folder.path()), &Settings::default(), [], []).unwrap();
        std::fs::rename(&outside, &inside).unwrap();
        assert_eq!(changed(&mut watch).await, FilesChanged::Scenarios);
        std::fs::rename(&inside, &outside).unwrap();
        assert_eq!(changed(&mut watch).await, FilesChanged::Scenarios);
    }

    #[tokio::test]
    async fn what_changes_together_with_scenarios_is_reported_with_them() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("scenarios")).unwrap();
        let start = || ProjectWatch::start(&context(folder.path()), &Settings::default(), [], []).unwrap();
        let mut watch = start();
        std::fs::write(folder.path().join("upfault.toml"), "").unwrap();
        std::fs::write(folder.path().join("scenarios/a.yaml"), "").unwrap();
        assert_eq!(changed(&mut watch).await, FilesChanged::Others);
        // What the old watch has seen is not lost.
        std::fs::write(folder.path().join("scenarios/a.yaml"), "x").unwrap();
        let reported = watch.changes.recv().await.unwrap();
        assert_eq!(reported, FilesChanged::Scenarios);
        let (sender, changes) = unbounded_channel();
        watch.changes = changes;
        sender.send(FilesChanged::Scenarios).unwrap();
        sender.send(FilesChanged::Others).unwrap();
        assert_eq!(watch.replace(start()), Some(FilesChanged::Others));
    }

    /// The paths of a project in `/upfault-p`, which does not exist.
    fn watched() -> WatchedPaths {
        let mut paths = WatchedPaths::default();
        let root = Path::new("/upfault-p");
        paths.add_scenarios(&root.join("scenarios"), true);
        paths.add_scenarios(&root.join("named.yaml"), false);
        paths.add(&root.join(".upfault"), true);
        paths.add(&root.join("upfault.toml"), false);
        paths.add(&root.join("own.txt"), false);
        paths.add(&root.join("scenarios/policy.yaml"), false);
        paths
    }

    #[test]
    fn only_files_of_scenarios_are_scenarios() {
        let (scenarios, others) = (Some(FilesChanged::Scenarios), Some(FilesChanged::Others));
        for (path, expected) in [
            ("report.json", None),
            ("snapshots/builtin/a.snap.new", None),
            ("other.txt", None),
            ("scenarios/a.yaml~", None),
            ("upfault.toml", others),
            ("own.txt", others),
            (".upfault/providers/acme.yaml", others),
            ("scenarios", others),
            ("scenarios/a.toml", others),
            ("scenarios/a.yaml", scenarios),
            ("scenarios/deep/er/a.json", scenarios),
            ("named.yaml", scenarios),
        ] {
            let path = Path::new("/upfault-p").join(path);
            assert_eq!(watched().concerned_by_path(&path, false), expected, "{}", path.display());
        }
    }

    /// FSEvents of macOS reports such paths, whatever path is watched.
    #[cfg(unix)]
    #[test]
    fn a_project_below_a_symbolic_link_is_known_by_its_real_path() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap().join("real");
        std::fs::create_dir_all(real.join("scenarios")).unwrap();
        std::fs::write(real.join("shared.toml"), "").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        std::os::unix::fs::symlink(real.join("shared.toml"), real.join("upfault.toml")).unwrap();
        let mut paths = WatchedPaths::default();
        paths.add_scenarios(&link.join("scenarios"), true);
        paths.add(&link.join("later/folder"), true);
        paths.add(&link.join("upfault.toml"), false);
        for path in ["scenarios/a.yaml", "later/folder/a.yaml", "upfault.toml", "shared.toml"] {
            assert!(paths.concerned_by_path(&real.join(path), false).is_some(), "{path}");
        }
    }
}
