//! The files about providers that the settings name. They say what other words mean, so they are read before the settings.

use std::path::PathBuf;

use serde::Deserialize;

use super::read::TomlSource;
use crate::{
    cli::{context::CliContext, failure::Failure},
    scenario::LoadErrors,
};

/// The part of the settings that is read.
#[derive(Default, Deserialize)]
struct ProviderPaths {
    #[serde(default)]
    providers: Vec<PathBuf>,
}

/// The files that the settings name. What else is wrong with the settings is reported when they are read.
///
/// # Errors
///
/// If one of them does not exist.
pub(crate) fn provider_files(context: &CliContext) -> Result<Vec<PathBuf>, Failure> {
    let Some(file) = &context.config else { return Ok(Vec::new()) };
    let shown = file.strip_prefix(&context.cwd).unwrap_or(file).display().to_string();
    let Ok(source) = TomlSource::read(file, shown) else { return Ok(Vec::new()) };
    let named = toml::from_str::<ProviderPaths>(&source.text).unwrap_or_default().providers;
    let paths: Vec<PathBuf> = named.iter().map(|path| context.root.join(path)).collect();
    let missing = paths.iter().enumerate().filter(|(_, path)| !path.is_file()).map(|(n, _)| {
        let message = format!("there is no file {}", named[n].display());
        source.wrong(&["providers"], Some(n), message).help(format!(
            "a file about a provider is called NAME.yaml; its path is relative to {}",
            context.root.display()
        ))
    });
    let errors: Vec<_> = missing.collect();
    if errors.is_empty() { Ok(paths) } else { Err(Failure::Settings(LoadErrors(errors))) }
}
