//! What belongs to a project.

use std::path::Path;

use super::context::{Context, DEFINITION};
use crate::{proxy::Definition, scenario::has_scenarios, snapshot::has_snapshots};

/// Whether this is the folder of an upfault project: settings speak for it, or it has scenarios in
/// `scenarios/`, proxy definitions in `proxies/` or snapshots in `snapshots/`. Elsewhere a run leaves nothing
/// behind that it was not asked for.
pub fn is_project(context: &Context) -> bool {
    let root = &context.root;
    context.config.is_some()
        || has_scenarios(root)
        || !definitions(root).is_empty()
        || has_snapshots(&root.join(SNAPSHOTS))
}

/// The folder of a project's snapshots where it has not chosen another one.
pub const SNAPSHOTS: &str = "snapshots";

/// The folders below `proxies/` that hold a definition, sorted: `proxies/NAME`.
pub fn definitions(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(root.join("proxies")).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().join(DEFINITION).is_file());
    let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
    let mut found: Vec<String> = names.map(|name| format!("proxies/{name}")).collect();
    found.sort();
    found
}

/// Those of them that have no bundled definition's name.
pub fn own_definitions(root: &Path) -> Vec<String> {
    let bundled = Definition::bundled();
    let is_bundled = |folder: &String| bundled.iter().any(|one| folder.ends_with(&format!("/{}", one.name)));
    definitions(root).into_iter().filter(|folder| !is_bundled(folder)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_a_project_by_what_it_holds() {
        for (file, expected) in [
            ("upfault.txt", false),
            ("scenarios/README.md", false),
            ("scenarios/a/b.yaml", true),
            ("proxies/notes.txt", false),
            ("proxies/ours/proxy.yaml", true),
            // Other tools keep snapshots in a folder of this name as well, without a folder for each proxy.
            ("snapshots/lib__tests__a.snap", false),
            ("snapshots/builtin/a.snap", true),
            ("snapshots/builtin/a/b.snap.new", true),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            assert_eq!(is_project(&Context::for_tests(dir.path(), None)), expected, "{file}");
            let config = dir.path().join("upfault.toml");
            assert!(is_project(&Context::for_tests(dir.path(), Some(&config))), "{file}");
        }
    }
}
