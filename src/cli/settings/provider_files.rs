//! The files about providers that the settings name. They say what other words mean, so they are read before the settings.

use std::path::PathBuf;

use serde::Deserialize;

use super::read::TomlSource;
use crate::{
    cli::{context::CliContext, failure::Failure},
    scenario::{Diagnostic, LoadErrors},
};

/// The part of the settings that is read.
#[derive(Default, Deserialize)]
struct ProviderPaths {
    #[serde(default)]
    providers: Vec<PathBuf>,
}

/// The files that the settings name.
///
/// # Errors
///
/// If the settings are not valid TOML, or one of the files does not exist.
pub(crate) fn provider_files(context: &CliContext) -> Result<Vec<PathBuf>, Failure> {
    let Some((source, named)) = named(context)? else { return Ok(Vec::new()) };
    let paths: Vec<PathBuf> = named.iter().map(|path| context.root.join(path)).collect();
    let missing = paths.iter().enumerate().filter(|(_, path)| !path.is_file()).map(|(n, _)| {
        let message = format!("cannot find the file {}", named[n].display());
        source.wrong(&["providers"], Some(n), message).help(format!(
            "a file about a provider is called NAME.yaml; its path is relative to {}",
            context.root.display()
        ))
    });
    let errors: Vec<_> = missing.collect();
    if errors.is_empty() { Ok(paths) } else { Err(Failure::Settings(LoadErrors(errors))) }
}

/// The paths of these files, also of those that do not exist.
///
/// # Errors
///
/// If the settings are not valid TOML.
pub(crate) fn named_provider_files(context: &CliContext) -> Result<Vec<PathBuf>, Failure> {
    let named = named(context)?.map(|(_, named)| named).unwrap_or_default();
    Ok(named.iter().map(|path| context.root.join(path)).collect())
}

/// The settings and the paths in them; `None` without settings.
fn named(context: &CliContext) -> Result<Option<(TomlSource, Vec<PathBuf>)>, Failure> {
    let Some(file) = &context.config else { return Ok(None) };
    let shown = file.strip_prefix(&context.cwd).unwrap_or(file).display().to_string();
    let settings = |error: Box<Diagnostic>| Failure::Settings(LoadErrors(vec![*error]));
    let source = TomlSource::read(file, shown).map_err(settings)?;
    let named = source.parse::<ProviderPaths>().map_err(settings)?.providers;
    Ok(Some((source, named)))
}
