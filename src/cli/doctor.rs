//! `upfault doctor`

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    path::PathBuf,
};

use indicatif::DecimalBytes;

use super::{
    context::CliContext, failure::Failure, own_files, print, project::own_definitions,
    proxy_list::ProxyReadiness, run_args::is_url, settings::Settings, version::VERSION,
};
use crate::{
    platform::OperatingSystem,
    proxy::{Definition, cached_installations, is_writable, size_of},
    report::{EXIT_OK, EXIT_PROXY, plural},
    scenario::Library,
    upstream::unplayable,
};

/// Prints what upfault finds on this machine: its version, the cache, the project, and which proxies can run.
pub(super) fn doctor(context: &CliContext) -> Result<u8, Failure> {
    let mut text = format!(
        "upfault   {VERSION}, {} {}\nprogram   {}\n",
        OperatingSystem::HERE.as_str(),
        std::env::consts::ARCH,
        std::env::current_exe().map_or_else(|error| error.to_string(), |path| path.display().to_string()),
    );
    let (cache, mut is_good) = cache(context)?;
    text += &cache;
    let settings = Settings::read(context);
    is_good &= settings.is_ok();
    text += &project(context, settings.as_ref().ok());
    if own_files::load(context).is_err() {
        text.push_str("          BAD: its files about providers do not load; `upfault check` says why\n");
        is_good = false;
    }
    text += &skipped_here();
    text.push_str("\nproxies\n");
    let specs = specs(context, settings.unwrap_or_default());
    let width = specs.iter().map(|(_, spec)| spec.chars().count()).max().unwrap_or(0);
    // Most proxies need the same programs.
    let mut missing = BTreeMap::new();
    for (base, spec) in specs {
        let state = match context.definition_as_written(&base, &spec) {
            Ok(definition) => {
                let state = ProxyReadiness::of(context, &definition);
                if let ProxyReadiness::Lacks(program) = &state {
                    missing.insert(program.clone(), definition.needs[program].clone());
                }
                state.text()
            }
            Err(error) => format!("does not load: {}", error.to_string().lines().next().unwrap_or_default()),
        };
        let _ = writeln!(text, "  {spec:width$}  {state}");
    }
    for (program, help) in missing {
        let _ = writeln!(text, "\n{program} is not on the PATH: {help}");
    }
    text.push_str("\n`upfault proxy doctor NAME` says more about a proxy, `upfault proxy clean` frees space in the cache\n");
    print::fitted(&text, context.width)?;
    Ok(if is_good { EXIT_OK } else { EXIT_PROXY })
}

/// The proxies: what the settings name, the definitions of the project, and the bundled ones.
/// Each has the folder to which it is relative.
fn specs(context: &CliContext, settings: Settings) -> Vec<(PathBuf, String)> {
    let Settings { proxy, base, .. } = settings;
    let is_definition = |spec: &String| spec != "builtin" && !spec.starts_with("builtin:") && !is_url(spec);
    let chosen = proxy.filter(is_definition).map(|spec| (base, spec));
    let bundled = Definition::bundled().into_iter().map(|bundled| bundled.name);
    let others = own_definitions(&context.root).into_iter().chain(bundled);
    let others = others.map(|spec| (context.root.clone(), spec));
    let mut seen = BTreeSet::new();
    chosen.into_iter().chain(others).filter(|(_, spec)| seen.insert(spec.clone())).collect()
}

/// The cache and its size, and whether upfault can write to it.
fn cache(context: &CliContext) -> Result<(String, bool), Failure> {
    let folder = &context.cache;
    let mut text = format!("cache     {}\n", folder.display());
    if let Err(error) = is_writable(folder) {
        let _ =
            writeln!(text, "          BAD: cannot be written: {error}; set UPFAULT_CACHE to another folder");
        return Ok((text, false));
    }
    let installed = cached_installations(folder)?;
    let whole = DecimalBytes(size_of(folder));
    let taken = DecimalBytes(installed.iter().map(|one| size_of(&one.dir)).sum());
    let _ = match installed.len() {
        0 => writeln!(text, "          {whole}; no proxy is installed"),
        1 => writeln!(text, "          {whole}; 1 installed proxy takes {taken}"),
        n => writeln!(text, "          {whole}; {n} installed proxies take {taken}"),
    };
    Ok((text, true))
}

/// The settings file and what it chooses; `settings` is `None` if it does not load.
fn project(context: &CliContext, settings: Option<&Settings>) -> String {
    let Some(file) = &context.config else {
        return "project   no upfault.toml; `upfault init` creates one\n".to_owned();
    };
    match settings {
        Some(settings) => {
            let proxy = settings.proxy.as_deref().unwrap_or("builtin");
            format!("project   {} (proxy: {proxy})\n", file.display())
        }
        None => format!(
            "project   {}\n          BAD: it does not load; `upfault check` says why\n",
            file.display()
        ),
    }
}

/// The bundled cases that the mock cannot play on this operating system.
fn skipped_here() -> String {
    let library = Library::bundled();
    let reasons: Vec<String> =
        library.scenarios.iter().filter_map(|scenario| unplayable(scenario, OperatingSystem::HERE)).collect();
    match reasons.first() {
        None => "scenarios all can run on this operating system\n".to_owned(),
        Some(reason) => {
            format!("scenarios {} cannot run here: {reason}\n", plural(reasons.len(), "bundled scenario"))
        }
    }
}
