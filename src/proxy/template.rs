//! Renders Jinja templates: undefined variables are errors, and values are not escaped.

use std::{collections::BTreeMap, path::Path};

use minijinja::{
    AutoEscape, Environment, UndefinedBehavior,
    value::{Serde, Value},
};

use serde::Serialize;

use super::{
    error::{ProxyError, at, did_you_mean},
    source::{DefinitionSource, FILE},
    text::Text,
};

/// The variables that every template can use, in addition to those of the definition's own `files`.
pub(super) const VARIABLES: &[&str] = &[
    "routes",
    "bind",
    "port",
    "proxy_key",
    "master_key",
    "version",
    "name",
    "dir",
    "here",
    "ca",
    "work_dir",
    "settings",
    "pins",
    "published_by",
    "fallback",
    "services",
    "ports",
    "upstream_url",
];

/// The additional variables of templates that are rendered for each route.
pub(super) const ROUTE_VARIABLES: &[&str] = &["route", "index"];

/// The additional variables of templates for requests.
pub(super) const REQUEST_VARIABLES: &[&str] = &["route", "index", "path", "stream"];

/// The values of the variables. A copy shares them.
pub(super) type TemplateContext = BTreeMap<String, Value>;

/// Returns the value of a variable.
pub(super) fn value(of: impl Serialize) -> Value {
    Value::from(Serde(of))
}

/// Returns the context for each route, in the order of the routes.
pub(super) fn for_each_route(all: &TemplateContext) -> impl Iterator<Item = TemplateContext> {
    let routes = all.get("routes").and_then(|routes| routes.try_iter().ok()).into_iter().flatten();
    routes.enumerate().map(|(index, route)| {
        let mut context = all.clone();
        context.insert("route".to_owned(), route);
        context.insert("index".to_owned(), value(index));
        context
    })
}

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
/// The place in the template, as 1-based line and column, and the message.
pub(super) fn check(
    environment: &Environment<'_>,
    text: &str,
    known: &[&str],
) -> Result<(), ((usize, usize), String)> {
    let template =
        environment.template_from_str(text).map_err(|error| (place(text, &error), message(&error)))?;
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
            let offset = text.match_indices(name.as_str()).map(|(offset, _)| offset).find(|offset| {
                let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
                !text[..*offset].ends_with(is_part)
                    && !text[offset + name.len()..].starts_with(|c: char| is_part(c) && c != '.')
            });
            let hint = did_you_mean(name, known.iter().copied());
            let hint = if hint.is_empty() {
                format!("; the known variables are {}", known.join(", "))
            } else {
                hint
            };
            let message = format!("unknown variable `{name}` in a template{hint}");
            Err((offset.map_or((1, 1), |offset| line_and_column(text, offset)), message))
        }
    }
}

/// Returns an error in a template of proxy.yaml, with its place in that file. `inside` is the place in the template.
pub(super) fn invalid_text(
    source: &DefinitionSource,
    text: &Text,
    inside: (usize, usize),
    message: &str,
) -> ProxyError {
    let yaml = source.read(FILE).unwrap_or_default();
    invalid_in(&source.display(FILE), &yaml, text, inside, message)
}

/// Returns an error in a template of a YAML file, with its place in that file. `inside` is the place in the template.
pub(super) fn invalid_in(
    file: &str,
    yaml: &str,
    text: &Text,
    inside: (usize, usize),
    message: &str,
) -> ProxyError {
    let (line, column) = place_in_yaml(yaml, text, inside).unwrap_or((text.line, text.column));
    ProxyError::Invalid(at(file, yaml, line, column, message))
}

/// Renders a template of proxy.yaml.
pub(super) fn render(
    environment: &Environment<'_>,
    source: &DefinitionSource,
    text: &Text,
    context: &TemplateContext,
) -> Result<String, ProxyError> {
    environment.render_str(&text.source, value(context)).map_err(|error| {
        match included(environment, &error, "<string>") {
            Some((name, text)) => in_file(&source.display(&name), &text, &error),
            None => invalid_text(source, text, place(&text.source, &error), &message(&error)),
        }
    })
}

/// Renders a template file.
pub(super) fn render_file(
    environment: &Environment<'_>,
    file: &str,
    text: &str,
    context: &TemplateContext,
) -> Result<String, ProxyError> {
    environment.render_named_str(file, text, value(context)).map_err(|error| {
        match included(environment, &error, file) {
            Some((name, text)) => {
                in_file(&Path::new(file).with_file_name(name).display().to_string(), &text, &error)
            }
            None => in_file(file, text, &error),
        }
    })
}

/// Renders the words of a command. A word that is not empty in the definition but renders to an empty string
/// is left out, so that a flag can depend on a pin.
pub(super) fn render_command<'t>(
    environment: &Environment<'_>,
    source: &DefinitionSource,
    command: impl IntoIterator<Item = &'t Text>,
    context: &TemplateContext,
) -> Result<Vec<String>, ProxyError> {
    let mut words = Vec::new();
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

/// The name and the text of the included template in which an error occurred, if it is not in `file` itself.
fn included(environment: &Environment<'_>, error: &minijinja::Error, file: &str) -> Option<(String, String)> {
    let name = error.name().filter(|name| *name != file)?;
    Some((name.to_owned(), environment.get_template(name).ok()?.source().to_owned()))
}

fn in_file(file: &str, text: &str, error: &minijinja::Error) -> ProxyError {
    let (line, column) = place(text, error);
    ProxyError::Invalid(at(file, text, line, column, &message(error)))
}

/// The place of an error in the text of a template, as 1-based line and column.
fn place(text: &str, error: &minijinja::Error) -> (usize, usize) {
    let start = error.range().map(|range| range.start).filter(|start| text.is_char_boundary(*start));
    start.map_or((error.line().unwrap_or(1), 1), |start| line_and_column(text, start))
}

fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset];
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// The place in a YAML file of a place in one of its templates. The lines of a template are lines of the file, indented
/// or after a key; if one is not, because YAML has folded it, there is no such place.
fn place_in_yaml(yaml: &str, text: &Text, (line, column): (usize, usize)) -> Option<(usize, usize)> {
    let own = text.source.lines().nth(line.checked_sub(1)?)?;
    let indent = own.chars().take_while(|c| c.is_whitespace()).count();
    let own = own.trim();
    // A template whose place is not known, because it is inside a free value, is searched in the whole file.
    let (first, lines) = text.line.checked_sub(1).map_or((0, usize::MAX), |first| (first, line + 1));
    yaml.lines().enumerate().skip(first).take(lines).find_map(|(index, row)| {
        let from = if index == first { text.column.saturating_sub(1) } else { 0 };
        let skipped: usize = row.chars().take(from).map(char::len_utf8).sum();
        let offset = row[skipped..].find(own).filter(|_| !own.is_empty())?;
        let start = row[..skipped + offset].chars().count();
        Some((index + 1, start + 1 + (column - 1).saturating_sub(indent)))
    })
}
