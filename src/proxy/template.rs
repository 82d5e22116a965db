//! Renders Jinja templates: undefined variables are errors, and values are not escaped.

use std::collections::BTreeMap;

use minijinja::{
    AutoEscape, Environment, UndefinedBehavior,
    value::{Serde, Value},
};

use super::{
    document::Text,
    error::{ProxyError, at, did_you_mean},
    source::{DefinitionSource, FILE},
};

/// The variables that every template can use, in addition to those of the definition's own `files`.
pub(super) const VARIABLES: &[&str] = &[
    "routes",
    "port",
    "proxy_key",
    "master_key",
    "version",
    "name",
    "dir",
    "here",
    "ca",
    "settings",
    "pins",
    "published_by",
    "fallback",
    "services",
];

/// The additional variables of templates for requests.
pub(super) const REQUEST_VARIABLES: &[&str] = &["route", "path", "stream"];

/// The values of the variables.
pub(super) type TemplateContext = BTreeMap<String, serde_json::Value>;

/// Returns an environment whose includes come from the definition's folder.
pub(super) fn environment(source: &DefinitionSource) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    // Debug mode costs time but gives errors a line number.
    environment.set_debug(true);
    // Stops a template that never ends. A template for 1,500 routes needs some 100,000 steps.
    environment.set_fuel(Some(100_000_000));
    let source = source.clone();
    environment.set_loader(move |name| Ok(source.read(name).ok()));
    environment
}

/// Compiles a template and checks that all of its variables are known.
///
/// # Errors
/// The message and, if known, the line within the template.
pub(super) fn check(
    environment: &Environment<'_>,
    text: &str,
    known: &[&str],
) -> Result<(), (Option<usize>, String)> {
    let template = environment.template_from_str(text).map_err(|error| (error.line(), message(&error)))?;
    let mut unknown: Vec<String> = template
        .undeclared_variables(false)
        .into_iter()
        .filter(|name| !known.contains(&name.as_str()))
        .filter(|name| !environment.globals().any(|(global, _)| global == name))
        .collect();
    unknown.sort();
    match unknown.first() {
        None => Ok(()),
        Some(name) => {
            let line = text.lines().position(|line| line.contains(name.as_str())).map(|index| index + 1);
            let hint = did_you_mean(name, known.iter().copied());
            let hint = if hint.is_empty() {
                format!("; the known variables are {}", known.join(", "))
            } else {
                hint
            };
            Err((line, format!("unknown variable `{name}` in a template{hint}")))
        }
    }
}

/// Renders a template of proxy.yaml.
pub(super) fn render(
    environment: &Environment<'_>,
    source: &DefinitionSource,
    text: &Text,
    context: &TemplateContext,
) -> Result<String, ProxyError> {
    let value = Value::from(Serde(context));
    environment.render_str(&text.source, value).map_err(|error| {
        let file = source.display(FILE);
        let yaml = source.read(FILE).unwrap_or_default();
        ProxyError::Invalid(at(&file, &yaml, text.line, text.column, &message(&error)))
    })
}

/// Renders a template file.
pub(super) fn render_file(
    environment: &Environment<'_>,
    file: &str,
    text: &str,
    context: &TemplateContext,
) -> Result<String, ProxyError> {
    environment
        .render_named_str(file, text, Value::from(Serde(context)))
        .map_err(|error| ProxyError::Invalid(at(file, text, error.line().unwrap_or(0), 1, &message(&error))))
}

/// Renders the words of a command. A word that is not empty in the definition but renders to an empty string
/// is left out, so that a flag can depend on a pin.
pub(super) fn render_command(
    environment: &Environment<'_>,
    source: &DefinitionSource,
    command: &[Text],
    context: &TemplateContext,
) -> Result<Vec<String>, ProxyError> {
    let mut words = Vec::with_capacity(command.len());
    for text in command {
        let word = render(environment, source, text, context)?;
        if !word.is_empty() || text.source.is_empty() {
            words.push(word);
        }
    }
    Ok(words)
}

/// Returns the engine's error message in one line.
pub(super) fn message(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}
