//! The files with which a project adds to what upfault knows: providers, errors, policies.

use std::path::{Path, PathBuf};

use super::{
    context::CliContext,
    failure::Failure,
    own_folder::{OWN, files_in, own_policies, policy_name},
    settings::provider_files,
};
use crate::{
    judge::Policy,
    provider::{ProviderFile, load_provider_files},
    scenario::LoadErrors,
    serve::other_names,
};

/// Loads the project's files about providers, and returns whether anything has changed.
///
/// # Errors
///
/// What is wrong with the files. Then what was loaded before stays.
pub(super) fn load(context: &CliContext) -> Result<bool, Failure> {
    load_provider_files(providers(context)?, &other_names()).map_err(Failure::Settings)
}

/// Loads files that were loaded before, and so are valid.
pub(super) fn restore(before: Vec<ProviderFile>) {
    let _ = load_provider_files(before, &other_names());
}

/// Checks files of the project: `chosen` ones, or all. Returns a line for each. Those about providers are already loaded.
///
/// # Errors
///
/// Everything that is wrong with the policies.
pub(super) fn checked(context: &CliContext, chosen: Option<&[PathBuf]>) -> Result<String, Failure> {
    let is_chosen = |file: &PathBuf| chosen.is_none_or(|chosen| chosen.contains(file));
    let mut text = String::new();
    let mut errors = Vec::new();
    for file in paths(context)?.into_iter().filter(is_chosen) {
        text.push_str(&format!("{}: valid\n", shown(context, &file)));
    }
    for file in own_policies(&context.root).into_iter().filter(is_chosen) {
        let shown = shown(context, &file);
        if Policy::named(policy_name(&file)).is_some() {
            return Err(Failure::Usage(format!(
                "{shown} has the name of a bundled policy, so it is never used\nhelp: give it another name, and write `extends: {}` \
                 to begin with the bundled one",
                policy_name(&file)
            )));
        }
        match Policy::from_text(&shown, &read(&file, &shown)?) {
            Ok(policy) => text.push_str(&format!("{shown}: valid, policy {}\n", policy.describe())),
            Err(found) => errors.extend(found.0),
        }
    }
    if !errors.is_empty() {
        return Err(Failure::Settings(LoadErrors(errors)));
    }
    if chosen.is_none() {
        for unread in unread(&context.root) {
            let shown = shown(context, &unread);
            text.push_str(&format!(
                "{shown}: warning: upfault does not read this; it reads {OWN}/upfault.toml and the folders providers, policies and \
                 proxies\n"
            ));
        }
    }
    Ok(text)
}

/// Whether a file is one of the project's files about a provider or a policy.
pub(super) fn is_own(context: &CliContext, file: &Path) -> bool {
    own_policies(&context.root).iter().any(|own| own == file)
        || paths(context).is_ok_and(|paths| paths.iter().any(|own| own == file))
}

/// The paths of the project's files about providers: those in `.upfault/providers`, and those that the settings name.
///
/// # Errors
///
/// If the settings name a file that does not exist.
pub(super) fn paths(context: &CliContext) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = files_in(&context.root.join(OWN).join("providers"));
    for named in provider_files(context)? {
        if !paths.contains(&named) {
            paths.push(named);
        }
    }
    Ok(paths)
}

fn providers(context: &CliContext) -> Result<Vec<ProviderFile>, Failure> {
    let file = |path: PathBuf| {
        let shown = shown(context, &path);
        let text = read(&path, &shown)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(ProviderFile { name, shown, text })
    };
    paths(context)?.into_iter().map(file).collect()
}

/// What lies in the folder of the project and is never read, sorted.
fn unread(root: &Path) -> Vec<PathBuf> {
    const READ: [&str; 4] = ["providers", "policies", "proxies", "upfault.toml"];
    let folder = root.join(OWN);
    let entries =
        |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_note = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with('.') || path.extension().is_some_and(|kind| kind == "md")
    };
    let of_folders = ["providers", "policies"].into_iter().flat_map(|kind| {
        let read = files_in(&folder.join(kind));
        entries(folder.join(kind)).filter(move |path| !read.contains(path))
    });
    let others = entries(folder.clone()).filter(|path| !READ.iter().any(|name| path.ends_with(name)));
    let mut unread: Vec<PathBuf> = others.chain(of_folders).filter(|path| !is_note(path)).collect();
    unread.sort();
    unread
}

fn read(path: &Path, shown: &str) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| Failure::Usage(format!("cannot read {shown}: {error}")))
}

/// The path of a file for messages.
fn shown(context: &CliContext, path: &Path) -> String {
    path.strip_prefix(&context.cwd).unwrap_or(path).display().to_string()
}
