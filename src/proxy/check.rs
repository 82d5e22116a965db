//! Loads proxy.yaml and checks that every name in it and in its templates exists.

use std::sync::Arc;

use super::{
    definition::{Definition, FileTemplate, LOCAL_VERSION},
    document::{CallerAuth, Document, ReleasesDocument, Text},
    error::{ProxyError, at, yaml_error},
    mode::ProxyMode,
    render::{self, RenderContext},
    route::InstanceSettings,
    source::{DefinitionSource, FILE},
    template::{self, REQUEST_VARIABLES, VARIABLES},
    variant,
};
use crate::scenario::ProxySettings;

/// Reads and checks a definition.
///
/// # Errors
/// [`ProxyError::Invalid`] for the first mistake, with file, line, column and the source line.
pub(super) fn load(source: DefinitionSource, version: Option<&str>) -> Result<Definition, ProxyError> {
    let file = source.display(FILE);
    let yaml =
        source.read(FILE).map_err(|error| ProxyError::Invalid(format!("cannot read {file}: {error}")))?;
    let document: Document =
        serde_saphyr::from_str(&yaml).map_err(|error| yaml_error(&file, &yaml, &error))?;
    let mistake =
        |line, column, message: &str| Err(ProxyError::Invalid(at(&file, &yaml, line, column, message)));

    let name = Text::from(document.name.clone());
    if !is_name(&name.source) {
        return mistake(name.line, name.column, NAME_RULE);
    }
    let command = &document.launch.command;
    if command.value.is_empty() {
        let place = command.referenced;
        return mistake(
            usize::try_from(place.line()).unwrap_or(0),
            usize::try_from(place.column()).unwrap_or(0),
            "the launch command is empty",
        );
    }

    let mut templates: Vec<FileTemplate> = Vec::new();
    for (variable, template) in &document.files {
        let Text { source: template, line, column } = Text::from(template.clone());
        if VARIABLES.contains(&variable.as_str()) || REQUEST_VARIABLES.contains(&variable.as_str()) {
            return mistake(
                line,
                column,
                &format!("`{variable}` is a built-in template variable; choose another name"),
            );
        }
        let text = match source.read(&template) {
            Ok(text) => text,
            Err(error) => {
                return mistake(line, column, &format!("cannot read the template `{template}`: {error}"));
            }
        };
        let target = template.rsplit(['/', '\\']).next().unwrap_or(&template);
        let target = target.strip_suffix(".j2").unwrap_or(target).to_owned();
        if templates.iter().any(|other| other.target == target) {
            return mistake(line, column, &format!("two templates would write the same file `{target}`"));
        }
        templates.push(FileTemplate {
            variable: variable.clone(),
            shown: source.display(&template),
            target,
            text,
        });
    }

    let environment = template::environment(&source);
    let mut known: Vec<&str> = VARIABLES.to_vec();
    known.extend(document.files.keys().map(String::as_str));
    for file in &templates {
        template::check(&environment, &file.text, &known).map_err(|(line, message)| {
            ProxyError::Invalid(at(&file.shown, &file.text, line.unwrap_or(0), 1, &message))
        })?;
    }
    let mut wide = known.clone();
    wide.retain(|name| *name != "routes");
    wide.extend(REQUEST_VARIABLES);
    for (text, within_request) in texts(&document) {
        if let Err((_, message)) =
            template::check(&environment, &text.source, if within_request { &wide } else { &known })
        {
            return mistake(text.line, text.column, &message);
        }
    }

    let default = document.version.clone().unwrap_or_else(|| LOCAL_VERSION.to_owned());
    let version = version.map_or(default, str::to_owned);
    let mut settings = document.settings.clone();
    if let Some(without) = document.without.get(&version) {
        settings.retain(|setting, _| !without.contains_key(setting));
    }
    let definition = Definition {
        name: name.source,
        summary: document.summary.clone(),
        homepage: document.homepage.clone(),
        apis: document.apis.clone(),
        settings,
        needs: document.needs.clone(),
        pins: document.versions.get(&version).cloned().unwrap_or_default(),
        version,
        templates,
        document: Arc::new(document),
        source,
        mode: ProxyMode::default(),
        extension: None,
        published_by: None,
        fallback: false,
    };
    // A misspelt field (`route.basurl`) is found only when a template uses it. So render everything, with all
    // settings unset and with all settings set.
    let everything = InstanceSettings::of(&ProxySettings::sample(), |_| true);
    for settings in [InstanceSettings::default(), everything] {
        render::rehearse(&definition, &RenderContext { settings, ..RenderContext::sample() })?;
    }
    for (name, variant) in &definition.document.variants {
        let files = definition.document.files.keys().map(String::as_str);
        let known: Vec<&str> = VARIABLES.iter().copied().chain(files).collect();
        variant::check(variant, &format!("{file}: variant {name}"), &known)?;
        let mut mode = ProxyMode::default();
        mode.add(variant.clone());
        let definition = definition.clone().with_mode(mode)?;
        render::rehearse(&definition, &RenderContext::sample_of(&definition))?;
    }
    Ok(definition)
}

/// What is wrong with a name.
pub(super) const NAME_RULE: &str = "a name may contain only letters, digits, `-`, `_` and `.`";

/// Whether a text can be the name of a proxy, and so part of the names of folders.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Returns every template of proxy.yaml, and whether it can use the variables of a request.
fn texts(document: &Document) -> Vec<(&Text, bool)> {
    let mut texts: Vec<(&Text, bool)> = document.install.iter().flatten().map(|text| (text, false)).collect();
    texts.extend(document.releases.iter().flat_map(ReleasesDocument::texts).map(|text| (text, false)));
    texts.extend(document.install_help.iter().map(|text| (text, false)));
    texts.extend(document.launch.command.value.iter().map(|text| (text, false)));
    texts.extend(document.launch.env.values().map(|text| (text, false)));
    texts.push((&document.ready.get, false));
    let repro = &document.repro;
    let words = repro.command.iter().chain(repro.versions.values().flatten());
    texts.extend(words.map(|text| (text, false)));
    match &document.auth {
        Some(CallerAuth::Bearer(text)) => texts.push((text, false)),
        Some(CallerAuth::Headers(headers)) => texts.extend(headers.values().map(|text| (text, false))),
        None => {}
    }
    texts.extend(document.paths.values().map(|text| (text, true)));
    texts.extend(document.request.headers.values().map(|text| (text, true)));
    texts.extend(document.request.path.iter().map(|text| (text, true)));
    texts.extend(document.pass_through.iter().map(|passing| (&passing.path, true)));
    texts
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Loads a definition whose proxy.yaml ends with `rest`, with one template file. Returns the error
    /// message, or `loaded`.
    fn said(rest: &str, template: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("proxy.yaml"), format!("name: fake\n{rest}")).unwrap();
        fs::write(folder.path().join("config.j2"), template).unwrap();
        match load(DefinitionSource::Disk(folder.path().to_owned()), None) {
            Ok(_) => "loaded".to_owned(),
            Err(error) => error.to_string().replace(&format!("{}/", folder.path().display()), ""),
        }
    }

    const REST: &str =
        "launch: {command: [x, '{{ config }}']}\nready: {get: /}\nfiles: {config: config.j2}\n";

    fn with(line: &str) -> String {
        said(&format!("apis: {{openai/chat: [openai]}}\n{line}\n{REST}"), "port: {{ port }}")
    }

    #[test]
    fn a_minimal_definition_loads() {
        assert_eq!(with("summary: fine"), "loaded");
    }

    #[test]
    fn an_unknown_key_is_shown_with_its_place() {
        insta::assert_snapshot!(with("instal: []"), @"
        proxy.yaml:3:1: unknown field `instal`, expected one of name, summary, homepage, version, versions, apis, lacks, settings, retries, without, needs, install, install_help, releases, files, launch, ready, auth, paths, request, pass_through, caches, volatile, variants, keeps, repro; did you mean `install`?
          |
        3 | instal: []
          | ^
        ");
    }

    #[test]
    fn a_duplicate_key_is_shown_with_its_place() {
        insta::assert_snapshot!(with("summary: a\nsummary: b"), @"
        proxy.yaml:4:1: duplicate mapping key: summary
          |
        4 | summary: b
          | ^
        ");
    }

    #[test]
    fn a_duration_without_a_unit_is_refused() {
        let rest = "apis: {}\nlaunch: {command: [x]}\nready: {get: /, within: 90}\n";
        insta::assert_snapshot!(said(rest, ""), @"
        proxy.yaml:4:25: `90` is not a duration; write a number with its unit, as in `250ms` or `2s`
          |
        4 | ready: {get: /, within: 90}
          |                         ^
        ");
    }

    #[test]
    fn text_that_is_not_yaml_is_shown_with_its_place() {
        insta::assert_snapshot!(said("apis: [}", ""), @"
        proxy.yaml:2:7: expected mapping start
          |
        2 | apis: [}
          |       ^
        ");
    }

    #[test]
    fn an_unknown_setting_is_shown_with_those_that_exist() {
        insta::assert_snapshot!(with("settings: {timeouts: route}"), @"
        proxy.yaml:3:12: unknown variant `timeouts`, expected one of timeout, retries, fallback, group, cooldown, tls, http2, keep_alive; did you mean `timeout`?
          |
        3 | settings: {timeouts: route}
          |            ^
        ");
    }

    #[test]
    fn an_unknown_api_is_shown_with_its_place() {
        insta::assert_snapshot!(said(&format!("apis: {{openai/chats: [openai]}}\n{REST}"), ""), @"
        proxy.yaml:2:8: unknown variant `openai/chats`, expected one of openai/chat, openai/responses, openai/completions, openai/embeddings, openai/images, openai/speech, openai/transcriptions, openai/moderations, openai/models, openai/files, openai/batches, openai/realtime, anthropic/messages, anthropic/count_tokens, gemini/generate, bedrock/converse, bedrock/invoke, cohere/chat, cohere/embed, cohere/rerank, ollama/chat, ollama/generate; did you mean `openai/chat`?
          |
        2 | apis: {openai/chats: [openai]}
          |        ^
        ");
    }

    #[test]
    fn an_unknown_provider_is_shown_with_its_place() {
        insta::assert_snapshot!(said(&format!("apis: {{openai/chat: [opnai]}}\n{REST}"), ""), @"
        proxy.yaml:2:22: unknown variant `opnai`, expected one of openai, azure, anthropic, gemini, vertex, bedrock, mistral, cohere, groq, deepseek, together, fireworks, xai, perplexity, openrouter, ollama, vllm, tgi, nvidia; did you mean `openai`?
          |
        2 | apis: {openai/chat: [opnai]}
          |                      ^
        ");
    }

    #[test]
    fn an_unknown_variable_is_shown_with_the_nearest_one() {
        insta::assert_snapshot!(with("install: [[sh, -c, 'ls {{ dirr }}']]"), @"
        proxy.yaml:3:20: unknown variable `dirr` in a template; did you mean `dir`?
          |
        3 | install: [[sh, -c, 'ls {{ dirr }}']]
          |                    ^
        ");
    }

    #[test]
    fn a_variable_that_has_no_value_yet_is_refused_before_anything_runs() {
        insta::assert_snapshot!(with("install: [[sh, -c, 'ls {{ port }}']]"), @"
        proxy.yaml:3:20: undefined value: `port` is undefined
          |
        3 | install: [[sh, -c, 'ls {{ port }}']]
          |                    ^
        ");
    }

    #[test]
    fn a_template_that_does_not_compile_is_shown_with_its_line() {
        insta::assert_snapshot!(
            said(&format!("apis: {{}}\n{REST}"), "a: 1\n{% for r in routes %}\nb: 2\n{% endif %}"), @"
        config.j2:4:1: syntax error: unknown statement endif
          |
        4 | {% endif %}
          | ^
        ");
    }

    #[test]
    fn a_misspelt_field_of_a_route_is_found_at_load() {
        insta::assert_snapshot!(
            said(&format!("apis: {{}}\n{REST}"), "a: 1\n{% for r in routes %}\nb: {{ r.basurl }}\n{% endfor %}"), @"
        config.j2:3:1: undefined value: `r.basurl` is undefined
          |
        3 | b: {{ r.basurl }}
          | ^
        ");
    }

    #[test]
    fn a_mistake_in_a_branch_for_a_setting_is_found_at_load() {
        let template = "{% if settings.cooldown is not none %}{{ settings.cooldown.afer }}{% endif %}";
        let text = said(&format!("apis: {{}}\n{REST}"), template);
        assert!(text.contains("`settings.cooldown.afer` is undefined"), "{text}");
    }

    #[test]
    fn a_missing_template_file_is_named() {
        insta::assert_snapshot!(
            said("apis: {}\nlaunch: {command: [x]}\nready: {get: /}\nfiles: {config: confg.j2}\n", ""), @"
        proxy.yaml:5:17: cannot read the template `confg.j2`: No such file or directory (os error 2)
          |
        5 | files: {config: confg.j2}
          |                 ^
        ");
    }

    #[test]
    fn a_template_outside_the_folder_is_refused() {
        let text = said(
            "apis: {}\nlaunch: {command: [x]}\nready: {get: /}\nfiles: {config: ../../etc/passwd}\n",
            "",
        );
        assert!(text.contains("is outside"), "{text}");
    }

    #[test]
    fn a_name_with_other_characters_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("proxy.yaml"),
            "name: ../up\napis: {}\nlaunch: {command: [x]}\nready: {get: /}\n",
        )
        .unwrap();
        let error = load(DefinitionSource::Disk(folder.path().to_owned()), None).unwrap_err();
        assert!(error.to_string().contains("a name may contain only"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_loader_panic(text in "[a-z:{}\\[\\]'\"%| \n-]{0,200}") {
            let _ = said(&text, &text);
        }
    }
}
