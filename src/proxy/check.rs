//! Loads proxy.yaml and checks that every name in it and in its templates exists.

use std::sync::Arc;

use indexmap::IndexMap;

use super::{
    definition::{Definition, FileTemplate, HelmTemplate, LOCAL_VERSION, RouteFileTemplate},
    document::{CallerAuth, Document, ReleasesDocument, SettingChoice, Width},
    error::{ProxyError, at, position, yaml_error},
    fixed::FixedSettings,
    mode::ProxyMode,
    render::{self, RenderContext},
    route::InstanceSettings,
    source::{DefinitionSource, FILE},
    template::{self, REQUEST_VARIABLES, ROUTE_VARIABLES, VARIABLES},
    text::{LaunchWord, Text},
};
use crate::scenario::{ProxySettings, Setting};

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
        let (line, column) = position(command.referenced);
        return mistake(line, column, "the launch command is empty");
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

    let mut route_templates = Vec::new();
    for (target, template) in &document.launch.each_route.files {
        let Text { source: template, line, column } = Text::from(template.clone());
        let text = match source.read(&template) {
            Ok(text) => text,
            Err(error) => {
                return mistake(line, column, &format!("cannot read the template `{template}`: {error}"));
            }
        };
        let target = Text { source: target.clone(), line, column };
        route_templates.push(RouteFileTemplate { target, shown: source.display(&template), text });
    }

    let helm = match document.container.as_ref().and_then(|container| container.helm.clone()).map(Text::from)
    {
        Some(Text { source: template, line, column }) => match source.read(&template) {
            Ok(text) => Some(HelmTemplate { shown: source.display(&template), text }),
            Err(error) => {
                return mistake(line, column, &format!("cannot read the template `{template}`: {error}"));
            }
        },
        None => None,
    };

    let ready = &document.ready;
    if ready.get.is_none() && !ready.tcp && ready.log.is_none() {
        return mistake(0, 0, "`ready` needs `get`, `tcp` or `log`: otherwise a start never ends");
    }
    if ready.get.is_none() && (ready.body.is_some() || !ready.headers.is_empty()) {
        return mistake(0, 0, "`ready.headers` and `ready.body` need the response to `ready.get`");
    }

    let environment = template::environment(&source);
    let mut known: Vec<&str> = VARIABLES.to_vec();
    known.extend(document.files.keys().map(String::as_str));
    for file in &templates {
        check_file(&environment, &file.shown, &file.text, &known)?;
    }
    let with = |more: &[&'static str]| -> Vec<&str> { known.iter().chain(more).copied().collect() };
    let (of_route, of_request) = (with(ROUTE_VARIABLES), with(REQUEST_VARIABLES));
    if let Some(file) = &helm {
        check_file(&environment, &file.shown, &file.text, &with(&[render::RENDERED]))?;
    }
    for file in &route_templates {
        check_file(&environment, &file.shown, &file.text, &of_route)?;
    }
    for (text, scope) in texts(&document) {
        let known = match scope {
            TextScope::Definition => &known,
            TextScope::Route => &of_route,
            TextScope::Request => &of_request,
        };
        if let Err((place, message)) = template::check(&environment, &text.source, known) {
            return Err(template::invalid_text(&source, text, place, &message));
        }
    }
    for variant in document.variants.values() {
        variant.check(&file, &yaml, &known)?;
    }

    let default = document.version.clone().unwrap_or_else(|| LOCAL_VERSION.to_owned());
    let version = version.map_or(default, str::to_owned);
    let (mut settings, mut fixed) = (IndexMap::new(), FixedSettings::default());
    for (setting, choice) in &document.settings {
        if *setting == Setting::PassThrough {
            let (line, column) = position(choice.referenced);
            return mistake(line, column, "pass-through routes are declared in the section `pass_through`");
        }
        let width = match &choice.value {
            SettingChoice::Route => Width::Route,
            SettingChoice::Instance => Width::Instance,
            SettingChoice::Fixed(value) => {
                if let Err(message) = fixed.add(*setting, value) {
                    let (line, column) = position(choice.referenced);
                    return mistake(line, column, &message);
                }
                continue;
            }
        };
        settings.insert(*setting, width);
    }
    settings.retain(|setting, _| document.why_without(*setting, &version).is_none());
    let definition = Definition {
        name: name.source,
        summary: document.summary.clone(),
        homepage: document.homepage.clone(),
        language: document.language.clone(),
        apis: document.apis.clone(),
        settings,
        fixed,
        needs: document.needs.clone(),
        pins: document.versions.get(&version).cloned().unwrap_or_default(),
        version,
        templates,
        route_templates,
        helm,
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
        let context = RenderContext { settings, ..RenderContext::sample_of(&definition) };
        render::rehearse(&definition, &context)?;
    }
    for variant in definition.document.variants.values() {
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

/// The variables that a template can use, in addition to those of every template.
#[derive(Debug, Clone, Copy)]
enum TextScope {
    Definition,
    Route,
    Request,
}

/// Checks a template file.
fn check_file(
    environment: &minijinja::Environment<'_>,
    shown: &str,
    text: &str,
    known: &[&str],
) -> Result<(), ProxyError> {
    template::check(environment, text, known)
        .map_err(|((line, column), message)| ProxyError::Invalid(at(shown, text, line, column, &message)))
}

/// Returns every template of proxy.yaml outside of variants, and which variables it can use.
fn texts<'d>(document: &'d Document) -> Vec<(&'d Text, TextScope)> {
    use TextScope::{Definition, Request, Route};
    let Document { launch, repro, request, .. } = document;
    let mut texts: Vec<(&'d Text, TextScope)> = Vec::new();
    let mut add = |scope, more: &mut dyn Iterator<Item = &'d Text>| {
        texts.extend(more.map(|text| (text, scope)));
    };
    add(Definition, &mut document.install.iter().flatten());
    add(Definition, &mut document.releases.iter().flat_map(ReleasesDocument::texts));
    add(Definition, &mut document.install_help.iter());
    for (words, of_route) in launch.command.value.iter().map(LaunchWord::texts) {
        add(if of_route { Route } else { Definition }, &mut words.iter());
    }
    add(Definition, &mut launch.env.values());
    add(Route, &mut launch.each_route.env.values());
    add(Definition, &mut document.ready.get.iter());
    let container = document.container.iter();
    add(
        Definition,
        &mut container.flat_map(|container| std::iter::once(&container.image).chain(&container.command)),
    );
    add(Definition, &mut repro.command.iter().chain(repro.versions.values().flatten()));
    match &document.auth {
        Some(CallerAuth::Bearer(text)) => add(Definition, &mut std::iter::once(text)),
        Some(CallerAuth::Headers(headers)) => add(Definition, &mut headers.values()),
        None => {}
    }
    add(Request, &mut document.paths.values());
    add(Request, &mut request.headers.values().chain(&request.path));
    add(Request, &mut document.pass_through.iter().map(|passing| &passing.path));
    texts
}

#[cfg(test)]
mod tests {
    use std::fs;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{super::extension::ExtensionDocument, *};
    use crate::scenario::schema_of;

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
        proxy.yaml:3:1: unknown field `instal`, expected one of name, summary, homepage, language, version, versions, apis, upstream, lacks, settings, without, needs, install, install_help, releases, files, launch, ready, auth, paths, request, pass_through, caches, volatile, variants, keeps, container, adopt, repro; did you mean `install`?
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
    fn pass_through_is_not_a_setting_of_its_own() {
        insta::assert_snapshot!(with("settings: {pass_through: route}"), @"
        proxy.yaml:3:26: pass-through routes are declared in the section `pass_through`
          |
        3 | settings: {pass_through: route}
          |                          ^
        ");
    }

    #[test]
    fn an_unknown_setting_is_shown_with_those_that_exist() {
        insta::assert_snapshot!(with("settings: {timeouts: route}"), @"
        proxy.yaml:3:12: unknown variant `timeouts`, expected one of timeout, retries, fallback, group, cooldown, pass_through, tls, http2, keep_alive; did you mean `timeout`?
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
        proxy.yaml:3:27: unknown variable `dirr` in a template; did you mean `dir`?
          |
        3 | install: [[sh, -c, 'ls {{ dirr }}']]
          |                           ^
        ");
    }

    #[test]
    fn a_variable_that_has_no_value_yet_is_refused_before_anything_runs() {
        insta::assert_snapshot!(with("install: [[sh, -c, 'ls {{ port }}']]"), @"
        proxy.yaml:3:27: undefined value: `port` is undefined
          |
        3 | install: [[sh, -c, 'ls {{ port }}']]
          |                           ^
        ");
    }

    #[test]
    fn a_template_that_does_not_compile_is_shown_with_its_line() {
        insta::assert_snapshot!(
            said(&format!("apis: {{}}\n{REST}"), "a: 1\n{% for r in routes %}\nb: 2\n{% endif %}"), @"
        config.j2:4:4: syntax error: unknown statement endif
          |
        4 | {% endif %}
          |    ^
        ");
    }

    #[test]
    fn a_misspelt_field_of_a_route_is_found_at_load() {
        insta::assert_snapshot!(
            said(&format!("apis: {{}}\n{REST}"), "a: 1\n{% for r in routes %}\nb: {{ r.basurl }}\n{% endfor %}"), @"
        config.j2:3:7: undefined value: `r.basurl` is undefined
          |
        3 | b: {{ r.basurl }}
          |       ^
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

    /// Either form of proxy.yaml.
    struct AnyDefinition;

    impl JsonSchema for AnyDefinition {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "Definition".into()
        }

        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let forms =
                [generator.subschema_for::<Document>(), generator.subschema_for::<ExtensionDocument>()];
            json_schema!({"description": "A proxy definition, `proxy.yaml`.", "anyOf": forms})
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "`just schema` sets a variable to update the file")]
    fn the_schema_in_the_repository_is_up_to_date_and_accepts_the_bundled_definitions() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let (path, schema) = (root.join("schema/proxy.schema.json"), schema_of::<AnyDefinition>());
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            fs::write(&path, &schema).unwrap();
        }
        let stored = fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == schema, "schema/proxy.schema.json is stale: run `just schema`");
        let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for folder in fs::read_dir(root.join("proxies")).unwrap() {
            let path = folder.unwrap().path().join(FILE);
            let value: serde_json::Value =
                serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            if let Err(error) = validator.validate(&value) {
                panic!("{}: {error}", path.display());
            };
        }
    }

    #[test]
    fn the_definitions_in_the_documentation_load() {
        let docs = include_str!("../../docs/proxies.md");
        let blocks: Vec<&str> =
            docs.split("```yaml proxy\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(blocks.len() >= 3);
        for block in blocks {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(FILE), block).unwrap();
            for template in ["config.json.j2", "forwarder.conf.j2", "route.toml.j2"] {
                fs::write(folder.path().join(template), "{{ routes | length }}").unwrap();
            }
            if let Err(error) = load(DefinitionSource::Disk(folder.path().to_owned()), None) {
                panic!("{error}\n{block}");
            }
        }
    }

    #[test]
    fn the_documentation_names_every_key_and_every_variable() {
        let docs =
            fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/proxies.md"))
                .unwrap();
        let schema: serde_json::Value = serde_json::from_str(&schema_of::<AnyDefinition>()).unwrap();
        let own = schema["$defs"].as_object().unwrap().iter().filter(|(name, _)| name.ends_with("Document"));
        let keys = own
            .map(|(_, schema)| schema)
            .flat_map(|object| object["properties"].as_object().unwrap().keys().map(String::as_str));
        let variables = VARIABLES.iter().chain(REQUEST_VARIABLES).copied();
        for name in keys.chain(variables) {
            assert!(docs.contains(&format!("`{name}`")), "docs/proxies.md does not name `{name}`");
        }
    }

    /// The words, the variables and the files of a start with two routes.
    fn launched(
        rest: &str,
        template: &str,
    ) -> Result<(Vec<String>, Vec<(String, String)>, Vec<(String, String)>), String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), format!("name: fake\napis: {{}}\nready: {{tcp: true}}\n{rest}"))
            .unwrap();
        fs::write(folder.path().join("route.j2"), template).unwrap();
        let source = DefinitionSource::Disk(folder.path().to_owned());
        let definition = load(source, None)
            .map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))?;
        let routes = ["m1", "m2"].map(|model| crate::proxy::ProxyRoute {
            model: model.to_owned(),
            api: crate::scenario::Api::AnthropicMessages,
            provider: crate::scenario::Provider::Anthropic,
            upstream_model: "u".to_owned(),
            base_url: format!("http://127.0.0.1:9/{model}"),
            api_key: format!("sk-{model}"),
            fallbacks: Vec::new(),
            settings: ProxySettings::default(),
            group: "case".to_owned(),
            own: serde_json::Value::Null,
        });
        let context = RenderContext::sample_of(&definition);
        let values = definition.context(&routes, &context);
        let files = definition.render(&routes, &context).map_err(|error| error.to_string())?;
        Ok((definition.launch_words(&values).unwrap(), definition.launch_env(&values).unwrap(), files))
    }

    #[test]
    fn a_start_can_have_one_argument_variable_and_file_for_each_route() {
        let rest = "launch:\n  command: [x, {each_route: [--url, '{{ route.base_url }}']}, '{{ routes | length }}']\n  \
                    env: {A: b}\n  each_route:\n    env: {'KEY_{{ index }}': '{{ route.key_header.value }}'}\n    \
                    files: {'routes/{{ route.model }}.json': route.j2}\n";
        let (words, env, files) = launched(rest, "{{ route.key_header.name }} {{ route.address }}").unwrap();
        assert_eq!(words, ["x", "--url", "http://127.0.0.1:9/m1", "--url", "http://127.0.0.1:9/m2", "2"]);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(env, [pair("A", "b"), pair("KEY_0", "sk-m1"), pair("KEY_1", "sk-m2")]);
        let text = "x-api-key 127.0.0.1:9\n";
        assert_eq!(files, [pair("routes/m1.json", text), pair("routes/m2.json", text)]);
    }

    #[test]
    fn a_start_can_have_further_ports_and_the_upstream_that_all_routes_share() {
        let rest = "upstream: shared\nlaunch:\n  ports: [metrics, admin]\n  \
                    command: [x, '{{ ports.metrics }}', '{{ ports.admin }}', '{{ upstream_url }}']\n";
        let (words, ..) = launched(rest, "").unwrap();
        assert_eq!(words, ["x", "4101", "4102", "http://127.0.0.1:9/any"]);
        let unknown = launched("launch: {ports: [metrics], command: [x, '{{ ports.metric }}']}\n", "");
        assert!(unknown.unwrap_err().contains("`ports.metric` is undefined"));
    }

    #[test]
    fn a_file_of_a_route_must_be_its_own_and_inside_of_the_folder() {
        let files = |path: &str| {
            let rest = format!("launch:\n  command: [x]\n  each_route:\n    files: {{'{path}': route.j2}}\n");
            launched(&rest, "x").unwrap_err()
        };
        assert!(files("same").contains("several routes would write the same file `same`"));
        assert!(files("../{{ index }}").contains("is not a path below the folder of the instance"));
    }

    #[test]
    fn a_mistake_inside_a_command_is_shown_at_its_column() {
        let place = |rest: &str| {
            let text = launched(rest, "").unwrap_err();
            text.split_once(": ").map(|(place, _)| place.to_owned()).unwrap()
        };
        assert_eq!(
            place("launch: {command: [x, {each_route: ['a {{ route.modell }}']}]}\n"),
            "proxy.yaml:4:43"
        );
        let body = "launch: {command: [x]}\npaths: {}\nrequest:\n  body: {config: 'a {{ route.modell }}'}\n";
        assert_eq!(place(body), "proxy.yaml:7:24");
        assert_eq!(
            place("launch:\n  command:\n    - x\n    - |\n      a\n      b {{ rout }}\n"),
            "proxy.yaml:9:12"
        );
        // YAML has folded these lines, so the place of the value is the nearest one.
        assert_eq!(place("launch:\n  command:\n    - >-\n      a\n      b {{ rout }}\n"), "proxy.yaml:7:7");
    }

    #[test]
    fn a_mistake_in_a_variant_is_shown_with_its_place() {
        let text = with("variants: {v: {env: {A: 'x {{ prot }}'}}}");
        assert!(text.starts_with("proxy.yaml:3:31: unknown variable `prot`"), "{text}");
        let text = with("variants: {v: {settings: {a: ['{{ prot }}']}}}");
        assert!(text.starts_with("proxy.yaml:3:35: unknown variable `prot`"), "{text}");
    }

    #[test]
    fn a_start_that_would_never_end_is_refused() {
        let text = said("apis: {}\nlaunch: {command: [x]}\nready: {within: 1s}\n", "");
        assert!(text.contains("`ready` needs `get`, `tcp` or `log`"), "{text}");
        let text = said("apis: {}\nlaunch: {command: [x]}\nready: {tcp: true, body: x}\n", "");
        assert!(text.contains("need the response to `ready.get`"), "{text}");
        let text = said("apis: {}\nlaunch: {command: [x]}\nready: {log: '('}\n", "");
        assert!(text.contains("is not a pattern"), "{text}");
    }

    #[test]
    fn a_fixed_value_is_checked_at_its_place() {
        insta::assert_snapshot!(with("settings: {timeout: {fixed: 30}}"), @"
        proxy.yaml:3:21: `timeout` cannot be fixed at this value: invalid type: integer `30`, expected a string
          |
        3 | settings: {timeout: {fixed: 30}}
          |                     ^
        ");
        insta::assert_snapshot!(with("settings: {fallback: {fixed: [a]}}"), @"
        proxy.yaml:3:22: `fallback` cannot be fixed; only `timeout`, `retries` and `keep_alive` can
          |
        3 | settings: {fallback: {fixed: [a]}}
          |                      ^
        ");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_loader_panic(text in "[a-z:{}\\[\\]'\"%| \n-]{0,200}") {
            let _ = said(&text, &text);
        }
    }
}
