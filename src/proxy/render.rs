//! Renders the templates of a definition.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

use super::{
    definition::{Definition, RouteFileTemplate},
    document::ReleasesDocument,
    error::ProxyError,
    request,
    route::{InstanceSettings, ProxyRoute},
    service::{ServicePlace, ServicePlaces},
    template::{self, TemplateContext, value},
    text::Text,
    variant::ServiceDocument,
};
use crate::scenario::{Api, Provider, ProxySettings};

/// The variable with the texts of the rendered files, in the template of values for a Helm chart.
pub(super) const RENDERED: &str = "rendered";

/// The values that templates can use, except the routes.
#[derive(Debug, Clone)]
pub struct RenderContext {
    /// The address that the proxy listens on.
    pub bind: IpAddr,
    /// The port that the proxy listens on.
    pub port: u16,
    /// The key with which callers authenticate. It is also the master key.
    pub proxy_key: String,
    /// The settings of the whole instance.
    pub settings: InstanceSettings,
    /// The folder of the installation.
    pub dir: PathBuf,
    /// The definition's folder.
    pub here: PathBuf,
    /// A PEM file with the certificate of the authority that the proxy must trust.
    pub ca: PathBuf,
    /// The folder of the rendered files.
    pub work_dir: PathBuf,
    /// The addresses and folders of its services.
    pub(crate) services: ServicePlaces,
    /// The additional ports of the instance, by name.
    pub(crate) ports: BTreeMap<String, u16>,
}

impl RenderContext {
    /// Returns values for showing a configuration to users: port 4000, and a key that is recognizable as an
    /// example.
    pub fn sample() -> Self {
        Self {
            bind: Ipv4Addr::LOCALHOST.into(),
            port: 4000,
            proxy_key: "sk-proxy-key".to_owned(),
            settings: InstanceSettings::default(),
            dir: PathBuf::from("/install"),
            here: PathBuf::from("/definition"),
            ca: PathBuf::from("/run/ca.pem"),
            work_dir: PathBuf::from("/work"),
            services: ServicePlaces::new(),
            ports: BTreeMap::new(),
        }
    }

    /// Returns values for showing a configuration of this definition, with its services and ports.
    pub(crate) fn sample_of(definition: &Definition) -> Self {
        let (services, ports) = (definition.sample_services(), definition.sample_ports());
        Self { services, ports, ..Self::sample() }
    }
}

impl Definition {
    /// Returns places of its services that are recognizable as examples.
    pub(super) fn sample_services(&self) -> ServicePlaces {
        let place = |(index, name): (usize, &String)| {
            let port = 4001 + u16::try_from(index).unwrap_or_default();
            (name.clone(), ServicePlace { port, dir: PathBuf::from("/work").join(name) })
        };
        self.mode.services.keys().enumerate().map(place).collect()
    }

    /// Returns numbers of its additional ports that are recognizable as examples.
    pub(super) fn sample_ports(&self) -> BTreeMap<String, u16> {
        self.document.launch.ports.iter().cloned().zip(4101..).collect()
    }

    /// Returns the name and the text of each rendered file, in the definition's order.
    ///
    /// # Errors
    /// [`ProxyError::Invalid`] with the line in the template.
    pub fn render(
        &self,
        routes: &[ProxyRoute],
        context: &RenderContext,
    ) -> Result<Vec<(String, String)>, ProxyError> {
        let environment = template::environment(&self.source);
        let context = self.context(routes, context);
        let render = |shown: &str, text: &str, context: &TemplateContext| {
            let text = template::render_file(&environment, shown, text, context)?;
            // The engine removes the last line feed, which some programs need.
            Ok(if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" })
        };
        let mut files = Vec::new();
        for file in &self.templates {
            let text = render(&file.shown, &file.text, &context)?;
            let is_changed = self.configuration_file() == Some(file.target.as_str());
            let values = |value: &serde_json::Value| request::body_value(&environment, self, value, &context);
            let text = if is_changed { self.mode.merged(&file.shown, text, values)? } else { text };
            files.push((file.target.clone(), text));
        }
        if self.route_templates.is_empty() {
            return Ok(files);
        }
        for context in template::for_each_route(&context) {
            for RouteFileTemplate { target, shown, text } in &self.route_templates {
                let path = template::render(&environment, &self.source, target, &context)?;
                let problem = if path.split(['/', '\\']).any(|part| matches!(part, "" | "." | "..")) {
                    format!("`{path}` is not a path below the folder of the instance")
                } else if files.iter().any(|(other, _)| *other == path) {
                    format!("several routes would write the same file `{path}`")
                } else {
                    files.push((path, render(shown, text, &context)?));
                    continue;
                };
                return Err(template::invalid_text(&self.source, target, (1, 1), &problem));
            }
        }
        Ok(files)
    }

    /// Returns the values for the Helm chart, if the definition has a template for them. `files` are the rendered files.
    pub(super) fn helm_values(
        &self,
        files: &[(String, String)],
        context: &TemplateContext,
    ) -> Result<Option<String>, ProxyError> {
        let Some(file) = &self.helm else { return Ok(None) };
        let text_of = |target: &String| files.iter().find(|(name, _)| name == target).map(|(_, text)| text);
        let texts: BTreeMap<&String, &String> = self
            .templates
            .iter()
            .filter_map(|template| Some((&template.variable, text_of(&template.target)?)))
            .collect();
        let mut context = context.clone();
        context.insert(RENDERED.to_owned(), value(texts));
        let environment = template::environment(&self.source);
        let text = template::render_file(&environment, &file.shown, &file.text, &context)?;
        Ok(Some(text.trim_end().to_owned() + "\n"))
    }

    /// Returns the words of the launch command, with the arguments of the mode.
    pub(super) fn launch_words(&self, context: &TemplateContext) -> Result<Vec<String>, ProxyError> {
        let environment = template::environment(&self.source);
        let render = |texts: &[Text], context: &TemplateContext| {
            template::render_command(&environment, &self.source, texts, context)
        };
        let mut words = Vec::new();
        for word in &self.document.launch.command.value {
            match word.texts() {
                (texts, false) => words.extend(render(texts, context)?),
                (texts, true) => {
                    for context in template::for_each_route(context) {
                        words.extend(render(texts, &context)?);
                    }
                }
            }
        }
        words.extend(render(&self.mode.arguments, context)?);
        Ok(words)
    }

    /// Returns the environment variables of the launch command, those of the mode last.
    pub(super) fn launch_env(&self, context: &TemplateContext) -> Result<Vec<(String, String)>, ProxyError> {
        let environment = template::environment(&self.source);
        let render = |text: &Text, context: &TemplateContext| {
            template::render(&environment, &self.source, text, context)
        };
        let mut variables = Vec::new();
        let launch = &self.document.launch;
        for (name, text) in &launch.env {
            set(&mut variables, name.clone(), render(text, context)?);
        }
        if !launch.each_route.env.is_empty() {
            for context in template::for_each_route(context) {
                for (name, text) in &launch.each_route.env {
                    let name = Text { source: name.clone(), ..text.clone() };
                    set(&mut variables, render(&name, &context)?, render(text, &context)?);
                }
            }
        }
        for (name, value) in self.mode_env(context)? {
            set(&mut variables, name, value);
        }
        Ok(variables)
    }

    /// Returns the environment variables of the mode.
    pub(super) fn mode_env(&self, context: &TemplateContext) -> Result<Vec<(String, String)>, ProxyError> {
        let environment = template::environment(&self.source);
        let mut variables = Vec::new();
        for (name, text) in &self.mode.env {
            let value = template::render(&environment, &self.source, text, context)?;
            set(&mut variables, name.clone(), value);
        }
        for (name, value) in &self.mode.variables {
            set(&mut variables, name.clone(), value.clone());
        }
        Ok(variables)
    }

    /// Returns the variables that every template can use.
    pub(super) fn context(&self, routes: &[ProxyRoute], context: &RenderContext) -> TemplateContext {
        let mut all = self.install_context(&context.dir, &context.here);
        let upstream_url = routes.first().map(ProxyRoute::shared_base_url);
        let routes: Vec<_> = routes.iter().map(ProxyRoute::template_value).collect();
        all.extend([
            ("routes".to_owned(), value(routes)),
            ("bind".to_owned(), value(context.bind.to_string())),
            ("port".to_owned(), value(context.port)),
            ("proxy_key".to_owned(), value(&context.proxy_key)),
            ("master_key".to_owned(), value(&context.proxy_key)),
            ("settings".to_owned(), value(context.settings.template_value())),
            ("ca".to_owned(), value(context.ca.display().to_string())),
            ("work_dir".to_owned(), value(context.work_dir.display().to_string())),
            ("services".to_owned(), value(&context.services)),
            ("ports".to_owned(), value(&context.ports)),
            ("upstream_url".to_owned(), value(upstream_url)),
        ]);
        for file in &self.templates {
            let path = context.work_dir.join(&file.target).display().to_string();
            all.insert(file.variable.clone(), value(path));
        }
        all
    }

    /// Returns the variables that have a value before an instance exists.
    pub(super) fn install_context(&self, dir: &Path, here: &Path) -> TemplateContext {
        BTreeMap::from([
            ("name".to_owned(), value(&self.name)),
            ("version".to_owned(), value(&self.version)),
            ("pins".to_owned(), value(&self.pins)),
            ("published_by".to_owned(), value(&self.published_by)),
            ("fallback".to_owned(), value(self.fallback)),
            ("dir".to_owned(), value(dir.display().to_string())),
            ("here".to_owned(), value(here.display().to_string())),
        ])
    }
}

/// Sets a variable, which may already have another value.
fn set(variables: &mut Vec<(String, String)>, name: String, value: String) {
    variables.retain(|(other, _)| *other != name);
    variables.push((name, value));
}

/// Renders every template once to find mistakes. The routes resemble real ones: a fallback chain of two, and
/// one for each API and provider that the definition serves.
pub(super) fn rehearse(definition: &Definition, context: &RenderContext) -> Result<(), ProxyError> {
    let route = |model: &str, api, provider, fallbacks: Vec<String>| ProxyRoute {
        model: model.to_owned(),
        api,
        provider,
        upstream_model: crate::provider::model(provider).to_owned(),
        base_url: "http://127.0.0.1:4100/v1".to_owned(),
        api_key: "sk-upstream".to_owned(),
        fallbacks,
        settings: ProxySettings::default(),
        group: "case".to_owned(),
        own: serde_json::Value::Null,
    };
    let (api, provider) = (Api::OpenaiChat, Provider::Openai);
    let mut routes = vec![
        route("primary", api, provider, vec!["backup".to_owned()]),
        route("backup", api, provider, Vec::new()),
    ];
    let named = |(api, providers): (&Api, &Vec<Provider>), passing: &str| {
        let name = |provider: &Provider| (format!("{api}-{provider}{passing}"), *api, *provider);
        providers.iter().map(name).collect::<Vec<_>>()
    };
    let served = definition.apis.iter().flat_map(|served| named(served, ""));
    routes.extend(served.map(|(model, api, provider)| ProxyRoute {
        settings: ProxySettings::sample(),
        ..route(&model, api, provider, Vec::new())
    }));
    let passing = definition.document.pass_through.iter().flat_map(|passing| &passing.apis);
    routes.extend(passing.flat_map(|passing| named(passing, "-passing")).map(|(model, api, provider)| {
        let settings = ProxySettings { pass_through: true, ..ProxySettings::default() };
        ProxyRoute { settings, ..route(&model, api, provider, Vec::new()) }
    }));
    // A mistake in a branch for a date or for replaced requirements is found too.
    let published_by = Some("2026-11-28".to_owned());
    let definition =
        &Definition { published_by, fallback: context.settings.cooldown.is_some(), ..definition.clone() };
    let files = definition.render(&routes, context)?;
    let environment = template::environment(&definition.source);
    let document = &definition.document;
    let install = definition.install_context(&context.dir, &context.here);
    for command in &document.install {
        template::render_command(&environment, &definition.source, command, &install)?;
    }
    for text in document.releases.iter().flat_map(ReleasesDocument::texts) {
        template::render(&environment, &definition.source, text, &install)?;
    }
    if let Some(text) = &document.install_help {
        template::render(&environment, &definition.source, text, &install)?;
    }
    let all = definition.context(&routes, context);
    definition.launch_words(&all)?;
    definition.launch_env(&all)?;
    template::render_command(&environment, &definition.source, &document.repro.command, &all)?;
    for command in document.repro.versions.values() {
        template::render_command(&environment, &definition.source, command, &install)?;
    }
    if let Some(container) = &document.container {
        let words = std::iter::once(&container.image).chain(&container.command);
        template::render_command(&environment, &definition.source, words, &all)?;
    }
    definition.helm_values(&files, &all)?;
    if let Some(text) = &document.ready.get {
        template::render(&environment, &definition.source, text, &all)?;
    }
    let mode = &definition.mode;
    let services = mode.services.values().flat_map(ServiceDocument::texts);
    for text in mode.install.iter().flatten().chain(services) {
        template::render(&environment, &definition.source, text, &all)?;
    }
    request::Mapping::new(definition, &routes, &all).map(drop)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::scenario::Cooldown;

    fn settings() -> ProxySettings {
        ProxySettings { timeout: Duration::from_millis(2500), retries: 1, ..ProxySettings::default() }
    }

    fn route(model: &str, fallbacks: &[&str]) -> ProxyRoute {
        ProxyRoute {
            model: model.to_owned(),
            api: Api::OpenaiChat,
            provider: Provider::Openai,
            upstream_model: "gpt-4o-mini".to_owned(),
            base_url: format!("http://127.0.0.1:9/{model}/v1"),
            api_key: format!("sk-{model}"),
            fallbacks: fallbacks.iter().map(|&model| model.to_owned()).collect(),
            settings: settings(),
            group: "case".to_owned(),
            own: serde_json::Value::Null,
        }
    }

    fn litellm(routes: &[ProxyRoute], settings: InstanceSettings) -> String {
        let definition = Definition::find("litellm", Path::new("/nonexistent")).unwrap();
        let context = RenderContext { settings, ..RenderContext::sample() };
        let files = definition.render(routes, &context).unwrap();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].0, "config.yaml");
        files[0].1.clone()
    }

    fn parse(yaml: &str) -> serde_json::Value {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn litellm_gets_each_route_with_its_own_timeout_and_retries() {
        let text = litellm(&[route("m1", &["m2"]), route("m2", &[])], InstanceSettings::default());
        insta::assert_snapshot!(text, @r#"
        # num_retries: retries by LiteLLM's router, for one model. max_retries: additional retries by the SDK.
        model_list:
          - model_name: "m1"
            litellm_params:
              model: "openai/gpt-4o-mini"
              api_base: "http://127.0.0.1:9/m1/v1"
              api_key: "sk-m1"
              timeout: 2.5
              stream_timeout: 2.5
              num_retries: 1
              max_retries: 0
          - model_name: "m2"
            litellm_params:
              model: "openai/gpt-4o-mini"
              api_base: "http://127.0.0.1:9/m2/v1"
              api_key: "sk-m2"
              timeout: 2.5
              stream_timeout: 2.5
              num_retries: 1
              max_retries: 0
        litellm_settings:
          num_retries: 0
          telemetry: false
        router_settings:
          # For models without their own num_retries; without this line the router would use 2.
          num_retries: 0
          disable_cooldowns: true
          fallbacks:
            - {"m1": ["m2"]}
        general_settings:
          master_key: "sk-proxy-key"
        "#);
        let config = parse(&text);
        assert_eq!(config["model_list"].as_array().unwrap().len(), 2);
        assert_eq!(config["model_list"][0]["litellm_params"]["timeout"], 2.5);
        assert_eq!(config["router_settings"]["fallbacks"], json!([{"m1": ["m2"]}]));
        assert_eq!(config["router_settings"]["disable_cooldowns"], true);
    }

    #[test]
    fn litellm_starts_a_cooldown_after_the_specified_number_of_failures() {
        let cooldown = Some(Cooldown { after: 3, lasting: Duration::from_millis(1500) });
        let settings = ProxySettings { cooldown, ..ProxySettings::default() };
        let config = parse(&litellm(&[route("m", &[])], InstanceSettings::of(&settings, |_| false)));
        let router = &config["router_settings"];
        assert_eq!((&router["allowed_fails"], &router["cooldown_time"]), (&json!(2), &json!(1.5)));
        assert_eq!(router.get("disable_cooldowns"), None);
        assert_eq!(router.get("fallbacks"), None);
    }

    #[test]
    fn litellm_gets_its_own_name_and_url_for_each_provider() {
        let routes: Vec<ProxyRoute> = Provider::ALL
            .iter()
            .map(|&provider| ProxyRoute {
                provider,
                upstream_model: "m".to_owned(),
                ..route(provider.as_str(), &[])
            })
            .collect();
        let config = parse(&litellm(&routes, InstanceSettings::default()));
        let models: Vec<String> = config["model_list"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| {
                let params = &model["litellm_params"];
                let base = params["api_base"].as_str().or(params["aws_bedrock_runtime_endpoint"].as_str());
                format!("{} {}", params["model"].as_str().unwrap(), base.unwrap())
            })
            .collect();
        insta::assert_snapshot!(models.join("\n"), @"
        openai/m http://127.0.0.1:9/openai/v1
        azure/m http://127.0.0.1:9/azure/v1
        anthropic/m http://127.0.0.1:9/anthropic/v1
        gemini/m http://127.0.0.1:9/gemini/v1/v1beta
        vertex/m http://127.0.0.1:9/vertex/v1
        bedrock/m http://127.0.0.1:9/bedrock/v1
        mistral/m http://127.0.0.1:9/mistral/v1
        cohere_chat/m http://127.0.0.1:9/cohere/v1/v2/chat
        groq/m http://127.0.0.1:9/groq/v1
        deepseek/m http://127.0.0.1:9/deepseek/v1
        together_ai/m http://127.0.0.1:9/together/v1
        fireworks_ai/m http://127.0.0.1:9/fireworks/v1
        xai/m http://127.0.0.1:9/xai/v1
        perplexity/m http://127.0.0.1:9/perplexity/v1
        openrouter/m http://127.0.0.1:9/openrouter/v1
        ollama_chat/m http://127.0.0.1:9/ollama/v1
        hosted_vllm/m http://127.0.0.1:9/vllm/v1
        huggingface/m http://127.0.0.1:9/tgi/v1
        nvidia_nim/m http://127.0.0.1:9/nvidia/v1
        ");
    }

    #[test]
    fn litellm_config_contains_keep_alive_and_pass_through_routes() {
        let keep_alive = Some(Duration::from_millis(300));
        let pinged = ProxyRoute { settings: ProxySettings { keep_alive, ..settings() }, ..route("m1", &[]) };
        let passing = |provider, model| {
            let settings = ProxySettings { pass_through: true, ..settings() };
            ProxyRoute { provider, settings, ..route(model, &[]) }
        };
        let routes = [pinged, passing(Provider::Openai, "m2"), passing(Provider::Anthropic, "m3")];
        let config = parse(&litellm(&routes, InstanceSettings::default()));
        assert_eq!(config["model_list"].as_array().unwrap().len(), 1);
        assert_eq!(config["model_list"][0]["litellm_params"]["keepalive_seconds"], 0.3);
        let passed = &config["general_settings"]["pass_through_endpoints"];
        assert_eq!(
            (&passed[0]["path"], &passed[0]["target"]),
            (&json!("/pass/m2"), &json!("http://127.0.0.1:9/m2/v1"))
        );
        assert_eq!(passed[0]["headers"], json!({"Authorization": "Bearer sk-m2"}));
        assert_eq!(passed[1]["headers"]["x-api-key"], "sk-m3");
        assert_eq!((&passed[1]["timeout"], &passed[1]["auth"]), (&json!(2.5), &json!(true)));
    }

    #[test]
    fn litellm_gets_an_empty_list_if_there_are_no_routes() {
        assert_eq!(parse(&litellm(&[], InstanceSettings::default()))["model_list"], json!([]));
    }

    #[test]
    fn hostile_names_stay_values() {
        let name = "a\": {b}\n- 'x' # {{ port }} ";
        let mut hostile = route("m", &[name]);
        hostile.model = name.to_owned();
        hostile.api_key = name.to_owned();
        let config = parse(&litellm(&[hostile], InstanceSettings::default()));
        assert_eq!(config["model_list"][0]["model_name"], name);
        assert_eq!(config["model_list"][0]["litellm_params"]["api_key"], name);
        assert_eq!(config["router_settings"]["fallbacks"][0][name][0], name);
    }

    #[test]
    fn a_pin_adds_a_flag_for_its_version_and_no_empty_argument_for_others() {
        let install = |spec| {
            let definition = Definition::find(spec, Path::new("/nonexistent")).unwrap();
            let environment = template::environment(&definition.source);
            let context = definition.install_context(Path::new("/d"), Path::new("/h"));
            let command = &definition.document.install[1];
            template::render_command(&environment, &definition.source, command, &context).unwrap()
        };
        assert!(install("litellm@1.90.7").contains(&"--exclude-newer=2026-08-15".to_owned()));
        let unpinned = install("litellm@1.95.0");
        assert_eq!(unpinned.last().unwrap(), "litellm[proxy]==1.95.0");
        assert!(unpinned.iter().all(|word| !word.is_empty() && !word.contains("exclude")));
    }

    #[test]
    fn arguments_and_variables_of_a_mode_come_last() {
        let litellm = Definition::find("litellm", Path::new("/nonexistent")).unwrap();
        let words = ["workers-2", "LITELLM_MODE=DEV"].map(str::to_owned);
        let definition = litellm.in_mode(&words, Path::new("/nonexistent")).unwrap();
        let context = definition.context(&[], &RenderContext::sample());
        let words = definition.launch_words(&context).unwrap();
        assert!(words.ends_with(&["--num_workers", "2"].map(str::to_owned)), "{words:?}");
        let env = definition.launch_env(&context).unwrap();
        assert_eq!(env.last().unwrap(), &("LITELLM_MODE".to_owned(), "DEV".to_owned()));
        assert_eq!(env.iter().filter(|(name, _)| name == "LITELLM_MODE").count(), 1);
    }

    #[test]
    fn fifteen_hundred_routes_are_rendered_without_running_out_of_fuel() {
        let routes: Vec<ProxyRoute> = (0..1500).map(|index| route(&format!("m{index}"), &["b"])).collect();
        let text = litellm(&routes, InstanceSettings::default());
        assert_eq!(text.matches("model_name").count(), 1500);
    }
}
