//! From the text of proxy.yaml to a definition in which nothing can be misspelt.

use std::sync::Arc;

use super::{
    definition::{Definition, FileTemplate, LOCAL_VERSION},
    document::{Auth, Document, Text},
    error::{ProxyError, at},
    render::{self, RenderContext},
    source::{FILE, Source},
    template::{self, REQUEST_VARIABLES, VARIABLES},
};

/// Reads and checks a definition.
///
/// # Errors
/// The first mistake, with file, line, column and the source line.
pub(super) fn load(source: Source, version: Option<&str>) -> Result<Definition, ProxyError> {
    let file = source.display(FILE);
    let yaml =
        source.read(FILE).map_err(|error| ProxyError::Invalid(format!("cannot read {file}: {error}")))?;
    let document: Document = serde_saphyr::from_str(&yaml).map_err(|error| yaml_error(&file, &error))?;
    let mistake =
        |line, column, message: &str| Err(ProxyError::Invalid(at(&file, &yaml, line, column, message)));

    let name = Text::from(document.name.clone());
    if name.source.is_empty() || !name.source.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    {
        return mistake(name.line, name.column, "a name is made of letters, digits, `-`, `_` and `.`");
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
            return mistake(line, column, &format!("`{variable}` already means something else in templates"));
        }
        let text = match source.read(&template) {
            Ok(text) => text,
            Err(error) => return mistake(line, column, &format!("the template `{template}`: {error}")),
        };
        let target = template.rsplit(['/', '\\']).next().unwrap_or(&template);
        let target = target.strip_suffix(".j2").unwrap_or(target).to_owned();
        if templates.iter().any(|other| other.target == target) {
            return mistake(line, column, &format!("two files would be written as `{target}`"));
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
    let definition = Definition {
        name: name.source,
        summary: document.summary.clone(),
        homepage: document.homepage.clone(),
        apis: document.apis.clone(),
        settings: document.settings.clone(),
        needs: document.needs.clone(),
        pins: document.versions.get(&version).cloned().unwrap_or_default(),
        version,
        templates,
        document: Arc::new(document),
        source,
    };
    // A misspelt field (`route.basurl`) shows only when it is used: use everything once.
    render::rehearse(&definition, &RenderContext::sample())?;
    Ok(definition)
}

/// Every template of proxy.yaml, and whether it stands where a request is made.
fn texts(document: &Document) -> Vec<(&Text, bool)> {
    let mut texts: Vec<(&Text, bool)> = document.install.iter().flatten().map(|text| (text, false)).collect();
    texts.extend(document.install_help.iter().map(|text| (text, false)));
    texts.extend(document.launch.command.value.iter().map(|text| (text, false)));
    texts.extend(document.launch.env.values().map(|text| (text, false)));
    texts.push((&document.ready.get, false));
    match &document.auth {
        Some(Auth::Bearer(text)) => texts.push((text, false)),
        Some(Auth::Headers(headers)) => texts.extend(headers.values().map(|text| (text, false))),
        None => {}
    }
    texts.extend(document.paths.values().map(|text| (text, true)));
    texts.extend(document.request.headers.values().map(|text| (text, true)));
    texts.extend(document.request.path.iter().map(|text| (text, true)));
    texts
}

/// The only place where the YAML library's errors become ours.
fn yaml_error(file: &str, error: &serde_saphyr::Error) -> ProxyError {
    let mut options = serde_saphyr::RenderOptions::default();
    options.source_name = Some(file);
    ProxyError::Invalid(error.render_with_options(options))
}
