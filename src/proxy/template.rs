//! Jinja as definitions use it: strict, without escaping.

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

/// What every template sees, besides the names of the definition's own files.
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
];

/// What templates under `request` see as well.
pub(super) const REQUEST_VARIABLES: &[&str] = &["route", "path", "stream"];

/// The values of the variables.
pub(super) type TemplateContext = BTreeMap<String, serde_json::Value>;

/// An environment whose includes come from the definition's folder.
pub(super) fn environment(source: &DefinitionSource) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    // A line more in an error is worth more here than the time to keep it.
    environment.set_debug(true);
    // A template that loops for ever ends with an error; 1,500 routes need some 100,000 steps.
    environment.set_fuel(Some(100_000_000));
    let source = source.clone();
    environment.set_loader(move |name| Ok(source.read(name).ok()));
    environment
}

/// Compiles a template and looks for variables that will not be there.
///
/// # Errors
/// The mistake and, where known, the line within the template.
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
            let hint = if hint.is_empty() { format!("; known are {}", known.join(", ")) } else { hint };
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

/// Renders the arguments of a command. An argument that is all template and renders to nothing is
/// left out, so that a flag can depend on a pin.
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

/// What the engine says, in one line.
pub(super) fn message(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}
