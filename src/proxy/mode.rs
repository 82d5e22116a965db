//! The mode of a proxy: variants, environment variables and settings that differ from its definition.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde_json::Value;

use super::{
    document::Document,
    error::{ProxyError, did_you_mean, yaml_error},
    overlay::{SettingsOverlay, merge, read_mapping},
    template,
    text::Text,
    variant::{ServiceDocument, VariantDocument},
};

/// The only key of a file in the form of a variant.
const VARIANT: &str = "variant";

/// What comes before the path of a configuration that a user wrote for the proxy.
const OWN_CONFIGURATION: &str = "config:";

/// The mode of a proxy, written after its name: `litellm@1.108.7:rust,LITELLM_LOG=DEBUG,overlay.yaml`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ProxyMode {
    /// As the user wrote it: `rust, LITELLM_LOG=DEBUG, overlay.yaml`.
    words: Vec<String>,
    /// Environment variables for the proxy's process, as the user wrote them.
    pub(super) variables: Vec<(String, String)>,
    /// Environment variables whose values are templates.
    pub(super) env: IndexMap<String, Text>,
    /// Additional arguments of the launch command.
    pub(super) arguments: Vec<Text>,
    /// Settings that are merged over the proxy's configuration file, in this order.
    pub(super) overlays: Vec<SettingsOverlay>,
    /// Programs that it needs in addition, each with how to install it.
    pub(super) needs: IndexMap<String, String>,
    /// Commands after those that install the proxy.
    pub(super) install: Vec<Vec<Text>>,
    /// Programs that each instance uses.
    pub(super) services: IndexMap<String, ServiceDocument>,
    /// What of it has no effect, with the reasons.
    pub(super) notes: Vec<String>,
    /// Whether its settings let the proxy answer a request like an earlier one from a cache.
    pub(super) caches: bool,
}

/// One word of a mode.
enum ModeWord<'a> {
    Variable { name: &'a str, value: &'a str },
    Setting { path: &'a str, value: &'a str },
    Variant(&'a VariantDocument),
    OwnConfiguration { file: &'a str },
    File { file: &'a str },
}

impl ProxyMode {
    /// Splits `NAME@VERSION:VARIANT,WORD,WORD` into the proxy and the words of its mode. A comma after a backslash is part
    /// of a word.
    pub(crate) fn split(spec: &str) -> (String, Vec<String>) {
        let mut words = vec![String::new()];
        let mut characters = spec.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\\' if characters.peek() == Some(&',') => {
                    characters.next();
                    words.last_mut().into_iter().for_each(|word| word.push(','));
                }
                ',' => words.push(String::new()),
                other => words.last_mut().into_iter().for_each(|word| word.push(other)),
            }
        }
        let proxy = words.remove(0);
        match split_variant(&proxy) {
            Some((proxy, variant)) => {
                words.insert(0, variant);
                (proxy, words)
            }
            None => (proxy, words),
        }
    }

    /// Writes words after the name of a proxy, so that [`split`](Self::split) finds them.
    pub(crate) fn joined(proxy: &str, words: impl IntoIterator<Item = String>) -> String {
        let words = words.into_iter().map(|word| format!(",{}", word.replace(',', r"\,")));
        std::iter::once(proxy.to_owned()).chain(words).collect()
    }

    /// The word for a configuration that a user wrote for the proxy.
    pub(crate) fn own_configuration(file: &Path) -> String {
        format!("{OWN_CONFIGURATION}{}", file.display())
    }

    /// The mode of a proxy with a configuration that a user wrote.
    pub(super) fn adopting(file: &str, settings: SettingsOverlay, caches: bool) -> Self {
        Self { words: vec![format!("adopted:{file}")], overlays: vec![settings], caches, ..Self::default() }
    }

    /// Whether the word sets an environment variable or a setting.
    pub(crate) fn is_assignment(word: &str) -> bool {
        matches!(assignment(word), Some(ModeWord::Variable { .. } | ModeWord::Setting { .. }))
    }

    /// Reads the words of a mode: `NAME=VALUE` is an environment variable, `a.b=VALUE` a setting, `config:FILE` a
    /// configuration that a user wrote for the proxy, and any other word the name of a variant or the path of a YAML file.
    /// Paths are relative to `base`.
    ///
    /// # Errors
    ///
    /// [`ProxyError::Invalid`] if a word is empty, or a file cannot be read or is not a YAML mapping.
    pub(super) fn read(words: &[String], base: &Path, document: &Document) -> Result<Self, ProxyError> {
        let mut mode = Self { words: words.to_vec(), ..Self::default() };
        for word in words {
            let path = |file: &str| -> PathBuf { base.join(file) };
            let mapping =
                |file: &str| read_mapping(file, &path(file)).map_err(|what| invalid(what, word, document));
            match parse(word, document) {
                ModeWord::Variable { name, value } => {
                    mode.variables.push((name.to_owned(), value.to_owned()));
                }
                ModeWord::Setting { path, value } => mode.overlays.push(SettingsOverlay::one(path, value)),
                ModeWord::Variant(variant) => mode.add(variant.clone()),
                ModeWord::OwnConfiguration { file } => {
                    let members = mapping(file)?;
                    let (overlay, notes) =
                        SettingsOverlay::own_configuration(members, &path(file), &document.keeps);
                    mode.overlays.push(overlay);
                    mode.notes.extend(notes);
                }
                ModeWord::File { file } => {
                    let members = mapping(file)?;
                    match members.get(VARIANT).filter(|_| members.len() == 1) {
                        Some(_) => mode.add(variant_file(&path(file))?),
                        None => mode.overlays.push(SettingsOverlay::literal(members)),
                    }
                }
            }
        }
        Ok(mode)
    }

    /// Adds what a variant changes.
    pub(super) fn add(&mut self, variant: VariantDocument) {
        let VariantDocument { summary: _, env, arguments, settings, needs, install, services } = variant;
        self.env.extend(env);
        self.arguments.extend(arguments);
        if !settings.is_empty() {
            self.overlays.push(SettingsOverlay::template(settings));
        }
        self.needs.extend(needs);
        self.install.extend(install);
        self.services.extend(services);
    }

    /// Adds what another mode changes, and its words.
    pub(super) fn extend(&mut self, other: Self) {
        let Self { words, variables, env, arguments, overlays, needs, install, services, notes, caches } =
            other;
        self.caches |= caches;
        self.words.extend(words);
        self.variables.extend(variables);
        self.env.extend(env);
        self.arguments.extend(arguments);
        self.overlays.extend(overlays);
        self.needs.extend(needs);
        self.install.extend(install);
        self.services.extend(services);
        self.notes.extend(notes);
    }

    /// The mode as text, for reports: `rust, LITELLM_LOG=DEBUG`; `None` for the definition's own mode.
    pub(crate) fn describe(&self) -> Option<String> {
        (!self.words.is_empty()).then(|| self.words.join(", "))
    }

    /// Whether it changes nothing.
    pub(super) fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Merges the overlays over the text of a configuration file. JSON is YAML too, so the result is JSON. `render` renders
    /// the templates in a value.
    pub(super) fn merged(
        &self,
        shown: &str,
        text: String,
        render: impl Fn(&Value) -> Result<Value, ProxyError>,
    ) -> Result<String, ProxyError> {
        if self.overlays.is_empty() {
            return Ok(text);
        }
        let mut config: Value = serde_saphyr::from_str(&text).map_err(|error| {
            ProxyError::Invalid(format!("cannot merge settings over {shown}, which is not YAML: {error}"))
        })?;
        for overlay in &self.overlays {
            match overlay.is_template {
                true => merge(&mut config, &render(&overlay.value)?),
                false => merge(&mut config, &overlay.value),
            }
        }
        Ok(format!("{config:#}\n"))
    }
}

/// Splits `NAME@VERSION:VARIANT` or `NAME:VARIANT@VERSION`. A path has no variant after a colon.
fn split_variant(proxy: &str) -> Option<(String, String)> {
    let (name, rest) = proxy.rsplit_once(':')?;
    let (variant, version) = match rest.split_once('@') {
        Some((variant, version)) => (variant, format!("@{version}")),
        None => (rest, String::new()),
    };
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let is_variant = !name.is_empty() && !variant.is_empty() && variant.chars().all(is_word);
    is_variant.then(|| (format!("{name}{version}"), variant.to_owned()))
}

fn parse<'a>(word: &'a str, document: &'a Document) -> ModeWord<'a> {
    if let Some(variant) = document.variants.get(word) {
        return ModeWord::Variant(variant);
    }
    if let Some(file) = word.strip_prefix(OWN_CONFIGURATION) {
        return ModeWord::OwnConfiguration { file };
    }
    assignment(word).unwrap_or(ModeWord::File { file: word })
}

/// `NAME=VALUE` or `a.b=VALUE`
fn assignment(word: &str) -> Option<ModeWord<'_>> {
    let (key, value) = word.split_once('=')?;
    match key.contains('.') {
        false if is_variable(key) => Some(ModeWord::Variable { name: key, value }),
        true if key.split('.').all(is_variable) => Some(ModeWord::Setting { path: key, value }),
        _ => None,
    }
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Reads a file in the form of a variant.
pub(super) fn variant_file(path: &Path) -> Result<VariantDocument, ProxyError> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        variant: VariantDocument,
    }
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(ProxyError::io("read", path))?;
    let file: File = serde_saphyr::from_str(&text).map_err(|error| yaml_error(&shown, &text, &error))?;
    file.variant.check(&shown, &text, template::VARIABLES)?;
    Ok(file.variant)
}

fn invalid(what: String, word: &str, document: &Document) -> ProxyError {
    let names = document.variants.keys().map(String::as_str);
    let hint = did_you_mean(word, names.clone());
    let variants = names.collect::<Vec<_>>().join(", ");
    let listed = if variants.is_empty() { String::new() } else { format!(", a variant ({variants})") };
    ProxyError::Invalid(format!(
        "{what}{hint}\nhelp: after a comma, write an environment variable (NAME=VALUE), a setting (a.b=VALUE){listed} or a \
         YAML file with settings (`litellm@1.108.7,overlay.yaml`); write `\\,` for a comma in a value"
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::{
        super::{definition::Definition, render::RenderContext},
        *,
    };

    fn litellm() -> Definition {
        Definition::find("litellm", Path::new("/nonexistent")).unwrap()
    }

    fn read(spec: &str, base: &Path) -> Result<ProxyMode, ProxyError> {
        ProxyMode::read(&ProxyMode::split(spec).1, base, &litellm().document)
    }

    fn rendered(definition: &Definition) -> Value {
        let files = definition.render(&[], &RenderContext::sample_of(definition)).unwrap();
        serde_saphyr::from_str(&files[0].1).unwrap()
    }

    #[test]
    fn a_mode_follows_the_proxy_after_commas_and_its_variant_after_a_colon() {
        let split = |spec| {
            let (proxy, words) = ProxyMode::split(spec);
            format!("{proxy} {words:?}")
        };
        assert_eq!(split("litellm@1.2"), "litellm@1.2 []");
        assert_eq!(split(r"litellm@1.2,A=1\,2,b.yaml"), r#"litellm@1.2 ["A=1,2", "b.yaml"]"#);
        assert_eq!(split("litellm,"), r#"litellm [""]"#);
        for spec in ["litellm@1.2:rust,A=1", "litellm:rust@1.2,A=1", "litellm@1.2,rust,A=1"] {
            assert_eq!(split(spec), r#"litellm@1.2 ["rust", "A=1"]"#);
        }
        assert_eq!(split(r"C:\proxies\ours"), r"C:\proxies\ours []");
        let words = ["A=1,2".to_owned(), "b".to_owned()];
        assert_eq!(
            ProxyMode::split(&ProxyMode::joined("p", words.clone())),
            ("p".to_owned(), words.to_vec())
        );
    }

    #[test]
    fn variables_and_settings_are_not_mistaken_for_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a=b.yaml"), "x: 1").unwrap();
        let mode = read("l,LITELLM_RUST=1,./a=b.yaml,router_settings.num_retries=3", folder.path()).unwrap();
        assert_eq!(mode.variables, [("LITELLM_RUST".to_owned(), "1".to_owned())]);
        let values: Vec<&Value> = mode.overlays.iter().map(|overlay| &overlay.value).collect();
        assert_eq!(values, [&json!({"x": 1}), &json!({"router_settings": {"num_retries": 3}})]);
        assert_eq!(mode.describe().unwrap(), "LITELLM_RUST=1, ./a=b.yaml, router_settings.num_retries=3");
        assert_eq!(ProxyMode::default().describe(), None);
    }

    #[test]
    fn an_invalid_word_is_an_error_with_a_next_step() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("list.yaml", "[1]");
        write("bad.yaml", "a: [");
        write("key.yaml", "variant: {envv: {}}");
        write("variable.yaml", "variant: {env: {A: '{{ prot }}'}}");
        for (spec, part) in [
            ("l,", "cannot read the settings ``"),
            ("l,no.yaml", "cannot read the settings `no.yaml`"),
            ("l,1A=2", "cannot read the settings `1A=2`"),
            ("l:rusty", "did you mean `rust`?"),
            ("l,config:no.yaml", "cannot read the settings `no.yaml`"),
            ("l,list.yaml", "does not contain a YAML mapping"),
            ("l,bad.yaml", "is not valid YAML"),
        ] {
            let error = read(spec, folder.path()).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("help: "), "{error}");
        }
        for (spec, part) in [
            ("l,key.yaml", "key.yaml:1:11: unknown field `envv`"),
            (
                "l,variable.yaml",
                "variable.yaml:1:24: unknown variable `prot` in a template; did you mean `port`?",
            ),
        ] {
            let error = read(spec, folder.path()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn an_overlay_changes_members_and_every_element_of_a_list() {
        let overlay = |value: Value| {
            let Value::Object(members) = value else { panic!("{value}") };
            SettingsOverlay::literal(members)
        };
        let mode = ProxyMode {
            overlays: vec![
                overlay(json!({"model_list": {"*": {"litellm_params": {"rust": true}}}, "a": {"b": 1}})),
                overlay(json!({"a": {"c": [2]}})),
            ],
            ..ProxyMode::default()
        };
        let text = "model_list:\n  - litellm_params: {model: x}\n  - litellm_params: {rust: false}\na: {b: 0, c: [1]}\n";
        let as_it_is = |value: &Value| Ok(value.clone());
        let merged: Value =
            serde_json::from_str(&mode.merged("f", text.to_owned(), as_it_is).unwrap()).unwrap();
        assert_eq!(
            merged,
            json!({
                "model_list": [
                    {"litellm_params": {"model": "x", "rust": true}},
                    {"litellm_params": {"rust": true}},
                ],
                "a": {"b": 1, "c": [2]},
            })
        );
        assert_eq!(ProxyMode::default().merged("f", "# kept".to_owned(), as_it_is).unwrap(), "# kept");
    }

    #[test]
    fn a_file_can_have_the_form_of_a_variant() {
        let folder = tempfile::tempdir().unwrap();
        let text = "variant:\n  env: {MY_PORT: '{{ port }}'}\n  settings: {litellm_settings: {x: '{{ version }}'}}\n";
        fs::write(folder.path().join("mine.yaml"), text).unwrap();
        let definition = litellm().in_mode(&["mine.yaml".to_owned()], folder.path()).unwrap();
        assert_eq!(definition.mode.env["MY_PORT"].source, "{{ port }}");
        assert_eq!(rendered(&definition)["litellm_settings"]["x"], definition.version);
    }

    #[test]
    fn litellm_keeps_its_deployments_when_a_users_configuration_is_merged_over_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("my.yaml"),
            "model_list: [{model_name: gpt}]\nlitellm_settings: {drop_params: true}\n\
             general_settings: {master_key: os.environ/KEY, alerting: [slack]}\n",
        )
        .unwrap();
        let words = [ProxyMode::own_configuration(Path::new("my.yaml"))];
        let definition = litellm().in_mode(&words, folder.path()).unwrap();
        let config = rendered(&definition);
        assert_eq!(config["litellm_settings"]["drop_params"], true);
        assert_eq!(config["general_settings"]["alerting"], json!(["slack"]));
        assert_eq!(config["general_settings"]["master_key"], "sk-proxy-key");
        assert_eq!(config["model_list"], json!([]));
        let notes = definition.notes().join("\n");
        assert!(
            notes.contains("`model_list` is not used") && notes.contains("`general_settings.master_key`"),
            "{notes}"
        );
    }

    #[test]
    fn every_variant_of_litellm_is_rendered_with_its_services() {
        for name in litellm().document.variants.keys() {
            let definition = litellm().in_mode(std::slice::from_ref(name), Path::new("/")).unwrap();
            rendered(&definition);
            assert_eq!(definition.mode().as_ref(), Some(name));
        }
    }
}
