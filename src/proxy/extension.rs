//! Definitions that change another one: `extends: litellm`.

use std::path::Path;

use indexmap::IndexMap;
#[cfg(test)]
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use super::{
    check,
    definition::Definition,
    error::{ProxyError, at, did_you_mean, yaml_error},
    mode::ProxyMode,
    overlay::{SettingsOverlay, read_mapping},
    source::{BundledFolder, DefinitionSource, FILE},
    template,
    text::Text,
    variant::{ServiceDocument, VariantDocument},
};

/// A definition that is another one with a name of its own and changes.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ExtensionDocument {
    /// The bundled definition `NAME[@VERSION]`, or the path of a folder, relative to the folder of this file.
    #[cfg_attr(test, schemars(with = "String"))]
    extends: Spanned<String>,
    /// The name in reports, and of the folder with snapshots.
    #[cfg_attr(test, schemars(with = "String"))]
    name: Spanned<String>,
    /// A one-line description.
    #[serde(default)]
    summary: String,
    /// The path of a configuration that a user wrote for the proxy, relative to the folder of this file.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    config_overlay: Option<Spanned<String>>,
    /// Additional environment variables of the proxy.
    #[serde(default)]
    env: IndexMap<String, Text>,
    /// Additional arguments of the launch command.
    #[serde(default)]
    arguments: Vec<Text>,
    /// Settings that are merged over the configuration file. Their texts are templates.
    #[serde(default)]
    settings: Map<String, Value>,
    /// Additional programs that it needs, each with how to install it.
    #[serde(default)]
    needs: IndexMap<String, String>,
    /// Commands after those that install the proxy.
    #[serde(default)]
    install: Vec<Vec<Text>>,
    /// Programs that each instance of the proxy uses.
    #[serde(default)]
    services: IndexMap<String, ServiceDocument>,
}

/// Reads and checks a definition, which may change another one. `version` replaces the version that it states.
///
/// # Errors
/// [`ProxyError::Invalid`] for the first mistake, with file, line, column and the source line.
pub(super) fn load(source: DefinitionSource, version: Option<&str>) -> Result<Definition, ProxyError> {
    let yaml = match source.read(FILE) {
        Ok(yaml) if extends(&yaml) => yaml,
        _ => return check::load(source, version),
    };
    let DefinitionSource::Disk(folder) = &source else { return check::load(source, version) };
    let file = source.display(FILE);
    let document: ExtensionDocument =
        serde_saphyr::from_str(&yaml).map_err(|error| yaml_error(&file, &yaml, &error))?;
    let mistake = |place: &Spanned<String>, message: &str| {
        let place = Text::from(place.clone());
        ProxyError::Invalid(at(&file, &yaml, place.line, place.column, message))
    };
    if !check::is_name(&document.name.value) {
        return Err(mistake(&document.name, check::NAME_RULE));
    }
    let base = base(&document.extends.value, folder, version).map_err(|error| match error {
        ProxyError::Unknown { detail, .. } => mistake(&document.extends, &detail),
        other => other,
    })?;
    let ExtensionDocument { env, arguments, settings, needs, install, services, .. } = document;
    let changes =
        VariantDocument { summary: String::new(), env, arguments, settings, needs, install, services };
    changes.check(&file, &yaml, template::VARIABLES)?;
    let mut mode = ProxyMode::default();
    if let Some(name) = &document.config_overlay {
        let path = folder.join(&name.value);
        let members = read_mapping(&name.value, &path).map_err(|what| mistake(name, &what))?;
        let (overlay, notes) = SettingsOverlay::own_configuration(members, &path, &base.document.keeps);
        mode.overlays.push(overlay);
        mode.notes.extend(notes);
    }
    mode.add(changes);
    let summary = match document.summary.as_str() {
        "" => format!("{}, changed by {file}", base.summary),
        summary => summary.to_owned(),
    };
    Ok(Definition { name: document.name.value, summary, extension: Some(file), ..base.with_mode(mode)? })
}

/// Whether a file changes another definition.
fn extends(yaml: &str) -> bool {
    let document: Option<Value> = serde_saphyr::from_str(yaml).ok();
    document.is_some_and(|document| document.get("extends").is_some())
}

/// Finds what a definition in `folder` extends. It cannot extend a definition that extends another one.
fn base(spec: &str, folder: &Path, version: Option<&str>) -> Result<Definition, ProxyError> {
    let (place, own_version) = match spec.split_once('@') {
        Some((place, version)) => (place, Some(version)),
        None => (spec, None),
    };
    let version = version.or(own_version);
    if place.contains('/') {
        return check::load(DefinitionSource::Disk(folder.join(place)), version);
    }
    if let Some(found) = BundledFolder::all().find(|one| one.folder == place) {
        return check::load(DefinitionSource::Bundled(found), version);
    }
    let names: Vec<&str> = BundledFolder::all().map(|one| one.folder).collect();
    Err(ProxyError::Unknown {
        spec: spec.to_owned(),
        detail: format!(
            "there is no bundled proxy `{place}`{}; a path contains a slash: `./{place}`",
            did_you_mean(place, names)
        ),
        help: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::render::RenderContext, *};

    fn project(yaml: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("proxies/ours");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(FILE), yaml).unwrap();
        fs::write(folder.join("my.yaml"), "model_list: []\nlitellm_settings: {drop_params: true}\n").unwrap();
        root
    }

    fn said(yaml: &str) -> String {
        let root = project(yaml);
        let error = Definition::find("ours", root.path()).unwrap_err().to_string();
        error.replace(&format!("{}/proxies/ours/", root.path().display()), "")
    }

    #[test]
    fn a_definition_can_be_another_one_with_a_name_and_changes() {
        let root = project(
            "extends: litellm@1.90.7\nname: ours\nconfig_overlay: my.yaml\nenv: {A: '{{ port }}'}\n\
             settings: {router_settings: {x: '{{ version }}'}}\n",
        );
        let ours = Definition::find("ours", root.path()).unwrap();
        assert_eq!(ours.title(), "ours 1.90.7");
        assert_eq!((ours.mode(), ours.is_bundled()), (None, false));
        assert!(
            ours.file().ends_with("ours/proxy.yaml") && ours.notes()[0].contains("`model_list` is not used")
        );
        let text = &ours.render(&[], &RenderContext::sample()).unwrap()[0].1;
        let config: Value = serde_json::from_str(text).unwrap();
        assert_eq!(config["litellm_settings"]["drop_params"], true);
        assert_eq!(config["router_settings"]["x"], "1.90.7");
        let litellm = Definition::find("litellm@1.90.7", root.path()).unwrap();
        let cache = root.path();
        assert_eq!(ours.install_dir(cache).unwrap(), litellm.install_dir(cache).unwrap(), "they share it");
        // Its version and its mode can be chosen like those of the other one.
        assert_eq!(Definition::find("ours@1.95.0", root.path()).unwrap().version, "1.95.0");
        let rust = ours.in_mode(&["rust".to_owned()], root.path()).unwrap();
        assert_eq!(rust.mode().unwrap(), "rust");
        assert_eq!(rust.mode.env.len(), 2);
    }

    #[test]
    fn a_definition_with_the_name_of_a_bundled_one_can_extend_it() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proxies/litellm")).unwrap();
        fs::write(root.path().join("proxies/litellm").join(FILE), "extends: litellm\nname: litellm\n")
            .unwrap();
        assert_eq!(Definition::find("litellm", root.path()).unwrap().name, "litellm");
    }

    #[test]
    fn mistakes_are_shown_with_their_position() {
        insta::assert_snapshot!(said("extends: litelm\nname: ours\n"), @"
        proxy.yaml:1:10: there is no bundled proxy `litelm`; did you mean `litellm`?; a path contains a slash: `./litelm`
          |
        1 | extends: litelm
          |          ^
        ");
        let unknown = said("extends: litellm\nname: ours\nready: {get: /}\n");
        assert!(unknown.starts_with("proxy.yaml:3:1: unknown field `ready`"), "{unknown}");
        insta::assert_snapshot!(said("extends: litellm\nname: ours\nconfig_overlay: no.yaml\n"), @"
        proxy.yaml:3:17: cannot read the settings `no.yaml`: No such file or directory (os error 2)
          |
        3 | config_overlay: no.yaml
          |                 ^
        ");
        assert!(said("extends: litellm\nname: ../up\n").contains("a name may contain only"));
        assert!(said("extends: ./there\nname: ours\n").contains("cannot read"));
    }
}
