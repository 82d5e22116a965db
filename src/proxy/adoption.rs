//! A configuration that a user wrote for the proxy, with mocks in place of its providers.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::{Map, Value, json};

use super::{
    adopt_document::AdoptDocument,
    adopted_file::AdoptedFile,
    adopted_model::{ModelReader, ReadModel},
    adopted_settings::{member, prepare, unset_reason},
    definition::Definition,
    error::ProxyError,
    mode::ProxyMode,
    overlay::SettingsOverlay,
};
use crate::scenario::{Case, Library, OwnDeployment, OwnModel, Retargeting};

/// What a run uses of a configuration that a user wrote for the proxy, and what not.
#[derive(Debug)]
pub(crate) struct Adoption {
    /// The path of the file, as messages show it.
    pub(crate) file: String,
    /// The models that are tested.
    pub(crate) models: Vec<AdoptedModel>,
    /// Models that cannot be tested, each with its 1-based line and the reason.
    pub(crate) refused: Vec<RefusedModel>,
    /// Parts of the configuration that the run does not use or changes, each with the reason.
    pub(crate) changed: Vec<(String, String)>,
}

/// A model of a user's own configuration that is tested.
#[derive(Debug)]
pub(crate) struct AdoptedModel {
    /// The model.
    pub(crate) own: Arc<OwnModel>,
    /// The models that differ from it in nothing that matters when the provider fails.
    pub(crate) alike: Vec<String>,
}

/// A model that cannot be tested.
#[derive(Debug)]
pub(crate) struct RefusedModel {
    /// The name that callers use, if it has one.
    pub(crate) name: String,
    /// The 1-based line of its entry.
    pub(crate) line: usize,
    /// Why not.
    pub(crate) reason: String,
}

/// How a configuration is adopted.
pub(crate) struct AdoptOptions {
    /// The longest time that a case may wait for the proxy to give up a silent provider.
    pub(crate) patience: Duration,
    /// Whether models that are alike are all tested.
    pub(crate) all: bool,
}

impl Adoption {
    /// The cases of `library` that fit a tested model.
    pub(crate) fn cases(&self, library: &Library) -> Vec<Case> {
        let all = library.cases();
        let mut retargeting = Retargeting::new(library);
        let mut cases = Vec::new();
        for AdoptedModel { own, .. } in &self.models {
            let of_provider = all.iter().filter(|case| case.combination.provider == own.main.provider);
            let mut fitting: Vec<Case> = of_provider.cloned().collect();
            if !own.fallbacks.is_empty() {
                let providers: Vec<_> = own.fallbacks.iter().map(|one| one.provider).collect();
                fitting.retain(|case| retargeting.fits(&case.scenario, &providers));
                fitting.extend(retargeting.chains(own.main.provider, &providers));
            }
            let has_api = |case: &&Case| own.apis.contains(&case.combination.api);
            cases.extend(fitting.iter().filter(has_api).map(|case| case.of_own(own)));
        }
        cases
    }
}

impl Definition {
    /// Adopts a configuration that a user wrote for the proxy: returns the proxy with its settings, and the models in it.
    /// `shown` is the path of the file as messages show it.
    ///
    /// # Errors
    /// [`ProxyError::Invalid`] if the proxy has no configuration that could be adopted, the file is not valid, or no model
    /// can be tested.
    pub(crate) fn adopt(
        self,
        path: &Path,
        shown: &str,
        options: &AdoptOptions,
    ) -> Result<(Self, Adoption), ProxyError> {
        let document = Arc::clone(&self.document);
        let Some(document) = &document.adopt else {
            return Err(ProxyError::Invalid(format!(
                "the definition of {} does not say how to adopt a configuration (`adopt` in {})\nhelp: `--proxy litellm` \
                 adopts one of LiteLLM; `upfault run --proxy {}` tests the proxy with models of upfault",
                self.name,
                self.file(),
                self.name
            )));
        };
        let file = AdoptedFile::read(path, shown)?;
        let entries = file.list(&document.models.list)?;
        let config = Value::Object(file.config.clone());
        let variables: Vec<String> = self.mode.variables.iter().map(|(name, _)| name.clone()).collect();
        let reader = ModelReader {
            document,
            apis: &self.apis,
            config: &config,
            variables: &variables,
            patience: options.patience,
        };
        let (mut read, mut refused) = (Vec::new(), Vec::new());
        for (line, entry) in entries {
            match reader.read(entry) {
                Ok(model) => read.push(model),
                Err(reason) => {
                    let name = reader.name(entry).unwrap_or("(no name)").to_owned();
                    refused.push(RefusedModel { name, line, reason });
                }
            }
        }
        if read.is_empty() {
            return Err(nothing(&file, document, &refused));
        }
        let mut notes = Vec::new();
        add_fallbacks(&mut read, &reader, &mut notes);
        let parameters = &document.models.parameters;
        for model in &read {
            if model.any_provider {
                let provider = model.own.main.provider;
                notes.push((
                    model.own.name.clone(),
                    format!("it serves any provider, and {provider} is tested"),
                ));
            }
            notes.extend(model.unset.iter().map(|(path, variable)| {
                (format!("{}: {parameters}.{path}", model.own.name), unset_reason(variable))
            }));
        }
        let models = grouped(read, options.all);
        let cached = document.settings.caches.as_ref().and_then(|path| member(&config, path));
        let caches = cached == Some(&Value::Bool(true));
        let mut members = file.config.clone();
        members.shift_remove(&document.models.list);
        let mut config = Value::Object(members);
        let mut changed = prepare(&mut config, document, &variables);
        changed.append(&mut notes);
        let members = match config {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        let mut mode = ProxyMode::adopting(shown, SettingsOverlay::of_own_file(members, path), caches);
        // What the user sets has precedence.
        let env = document.env.iter().filter(|(name, _)| !variables.contains(name));
        mode.variables.extend(env.map(|(name, value)| (name.clone(), value.clone())));
        let adoption = Adoption { file: shown.to_owned(), models, refused, changed };
        Ok((self.with_mode(mode)?, adoption))
    }
}

/// The error if no model can be tested.
fn nothing(file: &AdoptedFile, document: &AdoptDocument, refused: &[RefusedModel]) -> ProxyError {
    let Some(RefusedModel { name, line, reason }) = refused.first() else {
        return file.mistake(1, "no model can be tested");
    };
    let others = if refused.len() > 1 { ", nor can any other model" } else { "" };
    let known: Vec<&str> = document.providers.keys().map(String::as_str).collect();
    file.mistake(
        *line,
        &format!(
            "`{name}` cannot be tested{others}: {reason}\nhelp: upfault simulates the providers {}",
            known.join(", ")
        ),
    )
}

/// Adds the fallbacks of each model. Those that cannot be tested are named in `notes`.
fn add_fallbacks(read: &mut [ReadModel], reader: &ModelReader<'_>, notes: &mut Vec<(String, String)>) {
    let known: Vec<(String, OwnDeployment)> =
        read.iter().map(|model| (model.own.name.clone(), model.own.main.clone())).collect();
    for model in read {
        for name in reader.fallbacks(&model.own.name) {
            match known.iter().find(|(other, _)| *other == name) {
                Some((_, deployment)) => model.own.fallbacks.push(deployment.clone()),
                None => notes.push((
                    format!("{}: the fallback {name}", model.own.name),
                    "it is not one of the models that can be tested".to_owned(),
                )),
            }
        }
        let providers: Vec<_> = model.own.fallbacks.iter().map(|one| one.provider).collect();
        model.likeness = json!([model.likeness, providers]);
    }
}

/// Puts models that are alike together, unless `all` of them are tested, and gives those with the same name numbers.
fn grouped(read: Vec<ReadModel>, all: bool) -> Vec<AdoptedModel> {
    let mut groups: Vec<(ReadModel, Vec<String>)> = Vec::new();
    for model in read {
        let alike = groups.iter_mut().find(|(other, _)| !all && other.likeness == model.likeness);
        match alike {
            Some((other, names)) => {
                let name = model.own.name;
                if other.own.name != name && !names.contains(&name) {
                    names.push(name);
                }
            }
            None => groups.push((model, Vec::new())),
        }
    }
    numbered(groups)
}

/// Gives models with the same name numbers, so that each has a name of its own: `gpt-4o`, `gpt-4o#2`.
fn numbered(read: Vec<(ReadModel, Vec<String>)>) -> Vec<AdoptedModel> {
    let mut models: Vec<AdoptedModel> = Vec::new();
    for (ReadModel { mut own, .. }, alike) in read {
        let earlier = models.iter().filter(|model| base(&model.own.name) == own.name).count();
        if earlier > 0 {
            own.name = format!("{}#{}", own.name, earlier + 1);
        }
        models.push(AdoptedModel { own: Arc::new(own), alike });
    }
    models
}

/// The name without its number.
fn base(name: &str) -> &str {
    match name.rsplit_once('#') {
        Some((base, number)) if number.chars().all(|c| c.is_ascii_digit()) => base,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::proxy::RenderContext;

    const OPTIONS: AdoptOptions = AdoptOptions { patience: Duration::from_secs(120), all: false };

    fn adopted(text: &str) -> Result<(Definition, Adoption), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        fs::write(&path, text).unwrap();
        let litellm = Definition::find("litellm@1.102.4", folder.path()).unwrap();
        litellm.adopt(&path, "config.yaml", &OPTIONS).map_err(|error| error.to_string())
    }

    /// Returns a deployment with these parameters.
    fn entry(name: &str, parameters: &str) -> String {
        format!("  - {{model_name: '{name}', litellm_params: {{{parameters}}}}}\n")
    }

    fn own(text: &str, name: &str) -> Arc<OwnModel> {
        let (_, adoption) = adopted(text).unwrap();
        let found = adoption.models.iter().find(|model| model.own.name == name);
        Arc::clone(&found.unwrap_or_else(|| panic!("{:?}", adoption.models)).own)
    }

    fn one(parameters: &str, rest: &str) -> Arc<OwnModel> {
        own(&format!("model_list:\n{}{rest}", entry("m", parameters)), "m")
    }

    #[test]
    fn the_provider_and_the_apis_follow_from_the_name_of_the_model() {
        let of = |parameters: &str| {
            let own = one(parameters, "");
            format!(
                "{}: {}",
                own.main.provider,
                own.apis.iter().map(|api| api.as_str()).collect::<Vec<_>>().join(" ")
            )
        };
        insta::assert_snapshot!(of("model: azure/gpt-4o"), @"azure: openai/chat openai/responses anthropic/messages");
        insta::assert_snapshot!(of("model: text-embedding-3-small"), @"openai: openai/embeddings");
        insta::assert_snapshot!(of("model: 'bedrock/us.anthropic.claude-sonnet-4-5-v1:0'"), @"bedrock: openai/chat openai/responses anthropic/messages bedrock/converse bedrock/invoke");
        insta::assert_snapshot!(of("model: llama, custom_llm_provider: hosted_vllm"), @"vllm: openai/chat");
    }

    #[test]
    fn addresses_and_keys_are_replaced_and_everything_else_is_kept() {
        let kept = one(
            "model: azure/gpt-4o, api_base: 'https://ours', api_key: os.environ/KEY, api_version: '2025-01-01', \
             drop_params: true, extra_headers: {x: z}, azure_ad_token: t",
            "",
        );
        assert_eq!(
            kept.main.entry["parameters"],
            json!({"api_version": "2025-01-01", "drop_params": true, "extra_headers": {"x": "z"}})
        );
        assert_eq!(kept.main.entry["model"], "azure/gpt-4o");
    }

    #[test]
    fn the_settings_of_the_user_are_read_where_the_proxy_reads_them() {
        let settings = |parameters: &str, rest: &str| {
            let settings = one(&format!("model: openai/x{parameters}"), rest).settings.clone();
            (
                settings.timeout.as_secs(),
                settings.stream_timeout.as_secs(),
                settings.retries,
                settings.retries_vary,
            )
        };
        assert_eq!(settings("", ""), (6000, 6000, 2, false));
        assert_eq!(settings(", timeout: 30, stream_timeout: '5', num_retries: 1", ""), (30, 5, 1, false));
        let general = "router_settings: {timeout: 20, num_retries: 0, retry_policy: {}}\nlitellm_settings: {request_timeout: 9}\n";
        assert_eq!(settings("", general), (9, 9, 0, true));
        let cooldown = |rest: &str| {
            one("model: openai/x", rest).settings.cooldown.map(|cooldown| cooldown.lasting.as_secs())
        };
        assert_eq!(cooldown("router_settings: {cooldown_time: 30}\n"), Some(30));
        assert_eq!(cooldown(""), Some(5), "LiteLLM has one by default");
        assert_eq!(cooldown("router_settings: {disable_cooldowns: true}\n"), None);
    }

    #[test]
    fn models_that_are_alike_are_tested_once_and_those_with_the_same_name_get_numbers() {
        let text = format!(
            "model_list:\n{}{}{}{}",
            entry("a", "model: azure/gpt-4o, rpm: 5"),
            entry("b", "model: azure/gpt-35, rpm: 6"),
            entry("a", "model: azure/gpt-4o, timeout: 7"),
            entry("c", "model: azure/o3"),
        );
        let names = |all: bool| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("config.yaml");
            fs::write(&path, &text).unwrap();
            let litellm = Definition::find("litellm", folder.path()).unwrap();
            let options = AdoptOptions { all, ..OPTIONS };
            let models = litellm.adopt(&path, "c", &options).unwrap().1.models;
            let shown = models.iter().map(|model| format!("{} {:?}", model.own.name, model.alike));
            shown.collect::<Vec<_>>().join(", ")
        };
        insta::assert_snapshot!(names(false), @r#"a ["b"], a#2 [], c []"#);
        insta::assert_snapshot!(names(true), @"a [], b [], a#2 [], c []");
    }

    #[test]
    fn a_wildcard_is_a_wildcard_of_the_case() {
        let text = format!("model_list:\n{}", entry("openai/*", "model: 'openai/*'"));
        let (definition, adoption) = adopted(&text).unwrap();
        let own = &adoption.models[0].own;
        assert!(own.suffix.starts_with("/gpt-"), "{}", own.suffix);
        let route = crate::proxy::ProxyRoute {
            model: format!("upfault-x-primary{}", own.suffix),
            api: crate::scenario::Api::OpenaiChat,
            provider: own.main.provider,
            upstream_model: String::new(),
            base_url: "http://127.0.0.1:4100/x/primary/v1".to_owned(),
            api_key: "sk-mock".to_owned(),
            fallbacks: Vec::new(),
            settings: crate::scenario::ProxySettings::default(),
            group: "x".to_owned(),
            own: own.main.entry.clone(),
        };
        let files = definition.render(&[route], &RenderContext::sample()).unwrap();
        let config: Value = serde_json::from_str(&files[0].1).unwrap();
        let first = &config["model_list"][0];
        assert_eq!(first["model_name"], "upfault-x-primary/*");
        assert_eq!(first["litellm_params"]["model"], "openai/*");
        assert_eq!(first["litellm_params"]["api_base"], "http://127.0.0.1:4100/x/primary/v1");
        assert_eq!(
            config["litellm_settings"],
            json!({"telemetry": false}),
            "no setting of upfault replaces a default"
        );
        assert_eq!(config["router_settings"], Value::Null);
    }

    #[test]
    fn fallbacks_keep_their_order_and_their_providers() {
        let text = format!(
            "model_list:\n{}{}{}litellm_settings: {{fallbacks: [{{a: [b, gone]}}], default_fallbacks: [a]}}\n",
            entry("a", "model: azure/x"),
            entry("b", "model: anthropic/y"),
            entry("gone", "model: vertex_ai/z"),
        );
        let (_, adoption) = adopted(&text).unwrap();
        let chain = |name: &str| {
            let model = adoption.models.iter().find(|model| model.own.name == name).unwrap();
            model.own.fallbacks.iter().map(|one| one.provider.as_str()).collect::<Vec<_>>()
        };
        assert_eq!((chain("a"), chain("b")), (vec!["anthropic"], vec!["azure"]));
        assert!(
            adoption.changed.iter().any(|(what, _)| what == "a: the fallback gone"),
            "{:?}",
            adoption.changed
        );
        let cases = adoption.cases(&Library::bundled());
        let of_chain = cases.iter().find(|case| case.id == "fallback/on-rate-limit[azure]@a");
        let settings = &of_chain.unwrap().scenario.proxy;
        assert_eq!(
            of_chain.unwrap().own.as_ref().unwrap().deployment(settings, "backup").provider.as_str(),
            "anthropic"
        );
    }

    #[test]
    fn what_is_not_used_is_named() {
        let text = format!(
            "model_list:\n{}general_settings: {{database_url: x, master_key: sk}}\nlitellm_settings:\n  cache: true\n  \
             callbacks: [langfuse, mine.handler]\nrouter_settings: {{redis_host: os.environ/H}}\nx: {{y: os.environ/Z}}\n",
            entry("m", "model: openai/x, region: os.environ/R"),
        );
        let (definition, adoption) = adopted(&text).unwrap();
        let lines: Vec<String> =
            adoption.changed.iter().map(|(what, why)| format!("{what} | {why}")).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        general_settings.master_key | each run has a key of its own
        general_settings.database_url | no database is started
        router_settings.redis_host | it is a service outside (the variant `redis` starts one)
        litellm_settings.callbacks: langfuse | it sends data to a service outside, or needs an additional package
        litellm_settings.cache_params.type | the cache is in the memory of the proxy, because a service outside is not used
        x.y | it reads Z, which has no value (`--set Z=VALUE`)
        m: litellm_params.region | it reads R, which has no value (`--set R=VALUE`)
        ");
        assert!(definition.caches());
    }

    #[test]
    fn a_configuration_without_a_model_that_can_be_tested_is_refused() {
        let text = format!("model_list:\n{}{}", entry("a", "model: vertex_ai/x"), entry("b", "mock: y"));
        insta::assert_snapshot!(adopted(&text).unwrap_err(), @"
        config.yaml:2:3: `a` cannot be tested, nor can any other model: `vertex_ai`: LiteLLM exchanges its credentials at a token endpoint first, which upfault does not simulate
          |
        2 |   - {model_name: 'a', litellm_params: {model: vertex_ai/x}}
          |   ^
        help: upfault simulates the providers openai, text-completion-openai, azure, anthropic, gemini, bedrock, mistral, cohere, cohere_chat, groq, deepseek, together_ai, fireworks_ai, xai, perplexity, openrouter, ollama, ollama_chat, hosted_vllm, huggingface, nvidia_nim
        ");
    }
}
