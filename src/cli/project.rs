//! The files of a project.

use std::path::Path;

use super::{
    context::{CliContext, DEFINITION},
    own_folder::OWN,
};
use crate::{
    proxy::{DEFINITION_FOLDERS, Definition},
    scenario::has_scenarios,
    snapshot::has_snapshots,
};

/// Whether this folder is an upfault project: it has a settings file, a folder `.upfault/`, scenarios in `scenarios/`, proxy
/// definitions in `proxies/` or snapshots in `snapshots/`. Outside of a project, a run writes only files that the user asked for.
pub(super) fn is_project(context: &CliContext) -> bool {
    let root = &context.root;
    context.config.is_some()
        || root.join(OWN).is_dir()
        || has_scenarios(root)
        || !definitions(root).is_empty()
        || has_snapshots(&root.join(SNAPSHOTS))
}

/// The default snapshot folder.
pub(super) const SNAPSHOTS: &str = "snapshots";

/// The folders of the project that contain a definition, sorted: `proxies/NAME`, `.upfault/proxies/NAME`.
pub(super) fn definitions(root: &Path) -> Vec<String> {
    let mut found: Vec<String> =
        DEFINITION_FOLDERS.iter().flat_map(|folder| definitions_in(root, folder)).collect();
    found.sort();
    found
}

fn definitions_in(root: &Path, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().join(DEFINITION).is_file());
    let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
    names.map(|name| format!("{folder}/{name}")).collect()
}

/// The folders from [`definitions`] that do not have the name of a bundled definition.
pub(super) fn own_definitions(root: &Path) -> Vec<String> {
    let bundled = Definition::bundled();
    let is_bundled = |folder: &String| bundled.iter().any(|one| folder.ends_with(&format!("/{}", one.name)));
    definitions(root).into_iter().filter(|folder| !is_bundled(folder)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_a_project_if_it_contains_its_files() {
        for (file, expected) in [
            ("upfault.txt", false),
            ("scenarios/README.md", false),
            ("scenarios/a/b.yaml", true),
            ("proxies/notes.txt", false),
            ("proxies/ours/proxy.yaml", true),
            (".upfault/policies/ours.yaml", true),
            // Other tools have a folder with this name too, but no folder per proxy inside.
            ("snapshots/lib__tests__a.snap", false),
            ("snapshots/builtin/a.snap", true),
            ("snapshots/builtin/a/b.snap.new", true),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            assert_eq!(is_project(&CliContext::for_tests(dir.path(), None)), expected, "{file}");
            let config = dir.path().join("upfault.toml");
            assert!(is_project(&CliContext::for_tests(dir.path(), Some(&config))), "{file}");
        }
    }
}
