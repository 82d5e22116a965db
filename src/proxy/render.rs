//! A definition's templates with real values.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::json;

use super::{
    definition::Definition,
    error::ProxyError,
    request,
    route::{InstanceSettings, Route},
    template::{self, Context},
};
use crate::scenario::Provider;

/// What templates see besides the routes.
#[derive(Debug, Clone)]
pub struct RenderContext {
    /// Where the proxy listens.
    pub port: u16,
    /// The key that callers show to the proxy; the master key is the same.
    pub proxy_key: String,
    /// What holds for the whole instance.
    pub settings: InstanceSettings,
    /// Where the proxy is installed.
    pub dir: PathBuf,
    /// The definition's folder.
    pub here: PathBuf,
    /// Where the rendered files are.
    pub work_dir: PathBuf,
}

impl RenderContext {
    /// For showing a config to people: port 4000, a key that says what it is.
    pub fn sample() -> Self {
        Self {
            port: 4000,
            proxy_key: "sk-proxy-key".to_owned(),
            settings: InstanceSettings::default(),
            dir: PathBuf::from("/install"),
            here: PathBuf::from("/definition"),
            work_dir: PathBuf::from("/work"),
        }
    }
}

impl Definition {
    /// The rendered files, by name, in the definition's order.
    ///
    /// # Errors
    /// [`ProxyError::Invalid`] with the line of the template.
    pub fn render(
        &self,
        routes: &[Route],
        context: &RenderContext,
    ) -> Result<Vec<(String, String)>, ProxyError> {
        let environment = template::environment(&self.source);
        let context = self.context(routes, context);
        self.templates
            .iter()
            .map(|file| {
                template::render_file(&environment, &file.shown, &file.text, &context)
                    .map(|text| (file.target.clone(), text))
            })
            .collect()
    }

    /// The variables of every template.
    pub(super) fn context(&self, routes: &[Route], context: &RenderContext) -> Context {
        let mut all = self.install_context(&context.dir, &context.here);
        all.extend([
            ("routes".to_owned(), json!(routes)),
            ("port".to_owned(), json!(context.port)),
            ("proxy_key".to_owned(), json!(context.proxy_key)),
            ("master_key".to_owned(), json!(context.proxy_key)),
            ("settings".to_owned(), json!(context.settings.template_value())),
        ]);
        for file in &self.templates {
            all.insert(
                file.variable.clone(),
                json!(context.work_dir.join(&file.target).display().to_string()),
            );
        }
        all
    }

    /// The variables that have a value before there is an instance.
    pub(super) fn install_context(&self, dir: &Path, here: &Path) -> Context {
        BTreeMap::from([
            ("name".to_owned(), json!(self.name)),
            ("version".to_owned(), json!(self.version)),
            ("pins".to_owned(), json!(self.pins)),
            ("dir".to_owned(), json!(dir.display().to_string())),
            ("here".to_owned(), json!(here.display().to_string())),
        ])
    }
}

/// Renders every template once, with two routes that resemble real ones.
pub(super) fn rehearse(definition: &Definition, context: &RenderContext) -> Result<(), ProxyError> {
    let route = |model: &str, fallbacks: Vec<String>| Route {
        model: model.to_owned(),
        provider: Provider::Openai,
        upstream_model: "gpt-4o-mini".to_owned(),
        base_url: "http://127.0.0.1:4100/v1".to_owned(),
        api_key: "sk-upstream".to_owned(),
        timeout_s: 2.0,
        retries: 0,
        fallbacks,
        group: "case".to_owned(),
    };
    let routes = [route("primary", vec!["backup".to_owned()]), route("backup", Vec::new())];
    definition.render(&routes, context)?;
    let environment = template::environment(&definition.source);
    let document = &definition.document;
    let install = definition.install_context(&context.dir, &context.here);
    for command in &document.install {
        template::render_command(&environment, &definition.source, command, &install)?;
    }
    if let Some(text) = &document.install_help {
        template::render(&environment, &definition.source, text, &install)?;
    }
    let all = definition.context(&routes, context);
    template::render_command(&environment, &definition.source, &document.launch.command.value, &all)?;
    for text in document.launch.env.values().chain([&document.ready.get]) {
        template::render(&environment, &definition.source, text, &all)?;
    }
    request::Mapping::new(definition, &routes, &all).map(drop)
}
