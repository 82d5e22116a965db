//! The folder with which a project adds to what upfault knows, and the policies in it.

use std::path::{Path, PathBuf};

use crate::{
    judge::Policy,
    scenario::{is_scenario, nearest},
};

/// The folder of files that add to what upfault knows, below the project folder.
pub(super) const OWN: &str = ".upfault";

/// The project folder of a settings file: its folder, or the one that contains `.upfault/`.
pub(super) fn project_of(settings: &Path) -> Option<&Path> {
    let folder = settings.parent()?;
    match folder.file_name() {
        Some(name) if name == OWN => folder.parent(),
        _ => Some(folder),
    }
}

/// The YAML and JSON files in a folder, sorted.
pub(super) fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_file() && is_scenario(path)).collect();
    files.sort();
    files
}

/// The files of the project's policies, sorted.
pub(super) fn own_policies(root: &Path) -> Vec<PathBuf> {
    files_in(&root.join(OWN).join("policies"))
}

/// The name of a policy's file, which is that of the policy.
pub(super) fn policy_name(file: &Path) -> &str {
    file.file_stem().and_then(|name| name.to_str()).unwrap_or_default()
}

/// The file of the project's policy with this name.
pub(super) fn own_policy(root: &Path, name: &str) -> Option<PathBuf> {
    own_policies(root).into_iter().find(|file| policy_name(file) == name)
}

/// The help for a policy that does not exist: the nearest name, and all names.
pub(super) fn policy_names(root: &Path, name: &str) -> String {
    let files = own_policies(root);
    let own: Vec<&str> = files.iter().map(|file| policy_name(file)).collect();
    let bundled = Policy::all();
    let all = || own.iter().copied().chain(bundled.iter().map(|policy| policy.name.as_str()));
    let near = nearest(name, all()).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    let names = all().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    format!("{near}the policies are: {names}")
}
