//! Finds the definition that the argument of `--proxy` specifies.

use std::path::{Path, PathBuf};

use super::{
    check,
    definition::Definition,
    error::{ProxyError, did_you_mean},
    extension,
    source::{self, DefinitionSource, FILE},
};

/// A bundled definition, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundled {
    /// Its name.
    pub name: String,
    /// Its default version.
    pub version: String,
    /// A one-line description.
    pub summary: String,
}

impl Definition {
    /// Finds `NAME`, `NAME@VERSION`, `DIR` or `DIR@VERSION`. A folder `proxies/NAME` or
    /// `.upfault/proxies/NAME` below `root` takes precedence over the bundled definition of that name.
    ///
    /// # Errors
    /// [`ProxyError::Unknown`], or [`ProxyError::Invalid`] with the place of the mistake.
    pub fn find(spec: &str, root: &Path) -> Result<Self, ProxyError> {
        // The name of a folder may contain an `@`.
        if let Some(folder) = folder(spec, root) {
            return extension::load(DefinitionSource::Disk(folder), None);
        }
        let (place, version) = match spec.rsplit_once('@') {
            Some((place, version)) if !version.contains(['/', '\\']) => (place, Some(version)),
            _ => (spec, None),
        };
        if version.is_some_and(|version| !is_version(version)) {
            return Err(ProxyError::Unknown {
                spec: spec.to_owned(),
                detail: ": the text after `@` is not a valid version".to_owned(),
                help: format!("write `{place}@1.2.3`, or `{place}` for the default version"),
            });
        }
        if let Some(folder) = folder(place, root) {
            return extension::load(DefinitionSource::Disk(folder), version);
        }
        if let Some(found) =
            source::BundledFolder::all().find(|one| Path::new(one.folder) == Path::new(place))
        {
            return check::load(DefinitionSource::Bundled(found), version);
        }
        let names: Vec<String> = Self::bundled().into_iter().map(|bundled| bundled.name).collect();
        let path = root.join(place);
        let detail = if path.is_dir() {
            format!(": the folder {} has no {FILE}", path.display())
        } else {
            did_you_mean(place, names.iter().map(String::as_str))
        };
        Err(ProxyError::Unknown {
            spec: spec.to_owned(),
            detail,
            help: format!(
                "bundled proxies: {}; to use another proxy, give a folder that contains a {FILE}",
                names.join(", ")
            ),
        })
    }

    /// Returns the definitions inside the binary, sorted by name.
    pub fn bundled() -> Vec<Bundled> {
        let mut all: Vec<Bundled> = source::BundledFolder::all()
            .filter_map(|found| check::load(DefinitionSource::Bundled(found), None).ok())
            .map(|definition| Bundled {
                name: definition.name,
                version: definition.version,
                summary: definition.summary,
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}

/// The folders of a project that contain its definitions, each in a folder of its name.
pub(crate) const DEFINITION_FOLDERS: [&str; 2] = ["proxies", ".upfault/proxies"];

/// Returns the first of `proxies/NAME`, `.upfault/proxies/NAME` and the path itself that contains a definition, if any.
fn folder(place: &str, root: &Path) -> Option<PathBuf> {
    if place.is_empty() {
        return None;
    }
    let bare = !place.contains(['/', '\\']) && !place.starts_with('.');
    let named = DEFINITION_FOLDERS.map(|folder| root.join(folder).join(place));
    named.into_iter().filter(|_| bare).chain([root.join(place)]).find(|folder| folder.join(FILE).is_file())
}

/// Whether a version is valid. A version becomes part of a folder name and of commands, so it must not look
/// like an option or a path.
pub(super) fn is_version(version: &str) -> bool {
    version.starts_with(|c: char| c.is_ascii_alphanumeric())
        && version.chars().all(|c| c.is_ascii_alphanumeric() || "._-+!".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(spec: &str) -> String {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("empty")).unwrap();
        let error = Definition::find(spec, root.path()).unwrap_err();
        let bundled: Vec<&str> = source::BundledFolder::all().map(|found| found.folder).collect();
        let text = error.to_string().replace(&root.path().display().to_string(), "ROOT");
        text.replace(&bundled.join(", "), "NAMES")
    }

    #[test]
    fn every_bundled_definition_loads() {
        let loaded: Vec<String> = Definition::bundled().into_iter().map(|bundled| bundled.name).collect();
        let folders: Vec<&str> = source::BundledFolder::all().map(|found| found.folder).collect();
        assert_eq!(loaded, folders);
    }

    #[test]
    fn a_misspelt_name_gets_the_nearest_one() {
        insta::assert_snapshot!(said("litelm@1.2"), @"
        there is no proxy `litelm@1.2`; did you mean `litellm`?
        help: bundled proxies: NAMES; to use another proxy, give a folder that contains a proxy.yaml
        ");
    }

    #[test]
    fn a_folder_without_a_definition_is_named() {
        insta::assert_snapshot!(said("./empty"), @"
        there is no proxy `./empty`: the folder ROOT/./empty has no proxy.yaml
        help: bundled proxies: NAMES; to use another proxy, give a folder that contains a proxy.yaml
        ");
    }

    #[test]
    fn a_version_that_could_be_an_option_or_a_path_is_refused() {
        for spec in ["litellm@", "litellm@--index-url=x", "litellm@1 2", "litellm@.."] {
            assert!(said(spec).contains("is not a valid version"), "{spec}");
        }
    }

    #[test]
    fn empty_names_and_parent_folders_are_not_bundled_names() {
        for spec in ["", "..", ".", "@1"] {
            assert!(Definition::find(spec, Path::new("/nonexistent")).is_err(), "{spec}");
        }
    }
}
