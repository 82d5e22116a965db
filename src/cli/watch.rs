//! Watches the files that a command has read, and reports when they change.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{Instant, timeout},
};

use super::{
    context::CliContext,
    failure::Failure,
    settings::{Settings, named_provider_files},
};

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
    changes: UnboundedReceiver<()>,
}

/// What is watched.
#[derive(Debug, Default, Clone)]
struct WatchedPaths {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl ProjectWatch {
    /// Watches the project's folders, its settings, and these files and folders.
    ///
    /// # Errors
    ///
    /// If the system cannot watch them.
    pub(super) fn start(
        context: &CliContext,
        settings: &Settings,
        more: impl IntoIterator<Item = PathBuf>,
    ) -> Result<Self, Failure> {
        let mut paths = WatchedPaths::default();
        paths.files.extend(context.config.clone());
        // A settings file can be created later.
        paths.files.push(context.root.join("upfault.toml"));
        paths.folders.extend(FOLDERS.map(|folder| context.root.join(folder)));
        let named = settings
            .scenarios
            .iter()
            .map(|path| context.root.join(path))
            .chain(more)
            .chain(named_provider_files(context).unwrap_or_default());
        for path in named {
            if path.is_dir() { paths.folders.push(path) } else { paths.files.push(path) }
        }
        Self::of(paths, &context.root).map_err(|error| {
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
            let concerns = event.map_or(true, |event| watched.concerned_by(&event));
            if concerns {
                let _ = changed.send(());
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
    pub(super) async fn changed(&mut self) {
        let _ = self.changes.recv().await;
        let end = Instant::now() + LONGEST_WAIT;
        while Instant::now() < end && timeout(QUIET, self.changes.recv()).await.is_ok() {}
    }
}

impl WatchedPaths {
    fn concerned_by(&self, event: &Event) -> bool {
        let changes = match event.kind {
            EventKind::Access(_) => false,
            EventKind::Any
            | EventKind::Create(_)
            | EventKind::Modify(_)
            | EventKind::Remove(_)
            | EventKind::Other => true,
        };
        changes && (event.need_rescan() || event.paths.iter().any(|path| self.contains(path)))
    }

    fn contains(&self, path: &Path) -> bool {
        let is_read =
            || path.extension().and_then(OsStr::to_str).is_some_and(|end| EXTENSIONS.contains(&end));
        self.files.iter().any(|file| file == path)
            || self.folders.iter().any(|folder| path == folder || (path.starts_with(folder) && is_read()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(folder: &Path) -> CliContext {
        CliContext::for_tests(folder, None)
    }

    async fn changed(watch: &mut ProjectWatch) {
        timeout(Duration::from_secs(20), watch.changed()).await.expect("a change is reported");
    }

    #[tokio::test]
    async fn every_way_of_saving_is_reported_once() {
        let folder = tempfile::tempdir().unwrap();
        let scenario = folder.path().join("scenarios/a/b.yaml");
        std::fs::create_dir_all(scenario.parent().unwrap()).unwrap();
        let mut watch = ProjectWatch::start(&context(folder.path()), &Settings::default(), []).unwrap();
        std::fs::write(&scenario, "one").unwrap();
        changed(&mut watch).await;
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
            ProjectWatch::start(&context(folder.path()), &Settings::default(), [own.clone()]).unwrap();
        for (path, matters) in [
            ("report.json", false),
            ("snapshots/builtin/a.snap.new", false),
            ("more/other.txt", false),
            ("scenarios/a.yaml~", false),
            ("upfault.toml", true),
            ("scenarios/a.yaml", true),
            ("scenarios/deep/er/a.json", true),
            (".upfault/providers/acme.yaml", true),
            ("scenarios", true),
        ] {
            let paths = WatchedPaths {
                files: vec![own.clone(), folder.path().join("upfault.toml")],
                folders: FOLDERS.map(|name| folder.path().join(name)).to_vec(),
            };
            assert_eq!(paths.contains(&folder.path().join(path)), matters, "{path}");
        }
        std::fs::write(folder.path().join("report.json"), "{}").unwrap();
        std::fs::write(folder.path().join("upfault.toml"), "").unwrap();
        changed(&mut watch).await;
        std::fs::write(&own, "x").unwrap();
        changed(&mut watch).await;
    }
}
