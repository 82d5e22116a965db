//! A proxy that is already running: what it was configured for, and whether a run asks for the same.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use url::Url;

use super::{args::RunArgs, context::CliContext, failure::Failure, run_args::is_url, settings::Settings};
use crate::{
    report::plural,
    runner::{self, Attached, KEY_FILE, MANIFEST, Rendering, RunSettings},
    shell,
};

/// The folder that `--rendered`, or the settings file, names for the proxy of a run.
pub(super) fn folder(context: &CliContext, chosen: &Settings, given: Option<&Path>) -> Option<PathBuf> {
    given.map(|folder| context.place(folder)).or_else(|| chosen.rendered.clone())
}

/// The arguments of a run with what the proxy was configured for: its seed, the address of the mocks, and the selected cases.
/// Returns other arguments unchanged.
///
/// # Errors
///
/// If the run asks for another seed or address, or the folder was not written by upfault.
pub(super) fn complete(context: &CliContext, chosen: &Settings, args: &RunArgs) -> Result<RunArgs, Failure> {
    let mut args = args.clone();
    let proxy = args.proxy.as_ref().or(chosen.proxy.as_ref());
    if !proxy.is_some_and(|spec| is_url(spec)) {
        if args.rendered.is_some() {
            return Err(Failure::Usage(
                "`--rendered` names the configuration of a running proxy, but `--proxy` names none\nhelp: add `--proxy URL`"
                    .to_owned(),
            ));
        }
        return Ok(args);
    }
    // If there is no folder, finding the proxy reports it.
    let Some(folder) = folder(context, chosen, args.rendered.as_deref()) else { return Ok(args) };
    let rendering = read(context, &folder)?;
    let (seed, listen) = (args.seed.or(chosen.seed), args.listen.or(chosen.listen));
    let mut differences = Vec::new();
    let mut words = rendering.command.clone();
    let mut differ = |what: &str, name: &str, rendered: String, wanted: Option<String>| {
        let Some(wanted) = wanted.filter(|wanted| *wanted != rendered) else { return };
        differences.push(format!("  {what}: {rendered}, but this run asks for {wanted}"));
        match words.iter().position(|word| word == name) {
            Some(at) => words[at + 1] = wanted,
            None => words.extend([name.to_owned(), wanted]),
        }
    };
    differ("seed", "--seed", rendering.seed.to_string(), seed.map(|seed| seed.to_string()));
    let wanted = listen.map(|listen| listen.to_string());
    differ("address of the mock providers", "--listen", rendering.listen.to_string(), wanted);
    if !differences.is_empty() {
        return Err(Failure::Usage(format!(
            "the proxy was configured for something else, as {} says\n{}\nhelp: omit these options (or the variables \
             UPFAULT_SEED and UPFAULT_LISTEN, or the keys in upfault.toml), or configure the proxy again with `{}` and restart it",
            shown(context, &folder.join(MANIFEST)),
            differences.join("\n"),
            shell::command(&words)
        )));
    }
    args.seed = Some(rendering.seed);
    args.listen = Some(rendering.listen);
    let select = &mut args.select;
    // Names of scenarios replace those of the rendering, and the report that `--rerun-failed` names has its own cases.
    if select.paths.paths.is_empty() {
        let paths = rendering.paths.iter();
        select.paths.paths = paths.map(|path| context.at_root(&rendering.base, Path::new(path))).collect();
        if select.filter.is_none() && select.only.is_none() {
            select.filter = rendering.filter;
        }
    }
    Ok(args)
}

/// The proxy at `url`, configured with the files in `folder`. `runs` is the name and the version of what is running, if it
/// differs from what was configured.
///
/// # Errors
///
/// If the URL is not that of a proxy, the folder was not written by upfault, or callers need a key and none is known.
pub(super) fn attached(
    context: &CliContext,
    url: &str,
    folder: Option<&Path>,
    key: Option<String>,
    runs: Option<(String, Option<String>)>,
) -> Result<Attached, Failure> {
    let url = parsed(url)?;
    let Some(folder) = folder else {
        return Err(Failure::Usage(
            "a running proxy has to be configured for the mock providers first\nhelp: `upfault proxy render NAME --to FOLDER` \
             writes its configuration; then add `--rendered FOLDER` here. docs/attach.md shows each step"
                .to_owned(),
        ));
    };
    let rendering = read(context, folder)?;
    let definition = context.definition(&rendering.base, &rendering.proxy)?;
    let key = key.or_else(|| runner::key_in(folder)).filter(|_| definition.has_caller_keys());
    if key.is_none() && definition.has_caller_keys() {
        return Err(Failure::Usage(format!(
            "callers of {} need a key, and {} does not exist\nhelp: set UPFAULT_PROXY_KEY to the key (for LiteLLM, the master key or \
             one that it issued), or configure the proxy again with `{}`",
            definition.title(),
            shown(context, &folder.join(KEY_FILE)),
            shell::command(&rendering.command)
        )));
    }
    Ok(Attached { url, key, definition, rendering, folder: shown(context, folder), runs })
}

/// The URL of a proxy. Nothing secret is part of it, because reports contain it.
fn parsed(text: &str) -> Result<Url, Failure> {
    let url =
        Url::parse(text).map_err(|error| Failure::Usage(format!("`{text}` is not a valid URL: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::Usage(
            "the URL of the proxy contains a user name or a password, which reports would show\nhelp: remove it, and set \
             UPFAULT_PROXY_KEY to the key of callers"
                .to_owned(),
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Failure::Usage(format!(
            "`{text}` is not the base URL of a proxy\nhelp: remove everything after `?` or `#`"
        )));
    }
    Ok(url)
}

fn read(context: &CliContext, folder: &Path) -> Result<Rendering, Failure> {
    Rendering::read(folder).map_err(|why| {
        Failure::Usage(format!(
            "{}: {why}\nhelp: `upfault proxy render NAME --to FOLDER` writes such a folder",
            shown(context, &folder.join(MANIFEST))
        ))
    })
}

/// A path for messages.
fn shown(context: &CliContext, path: &Path) -> String {
    path.strip_prefix(&context.cwd).unwrap_or(path).display().to_string()
}

/// Notes on what the proxy is not configured for, and what has changed since it was configured.
pub(super) fn notes(settings: &RunSettings, attached: &Attached) -> Vec<String> {
    let Attached { rendering, definition, folder, .. } = attached;
    let again = shell::command(&rendering.command);
    let mut notes = Vec::new();
    let current = env!("CARGO_PKG_VERSION");
    if rendering.upfault != current {
        notes.push(format!(
            "note: upfault {} wrote {folder}, and this is upfault {current}: `{again}` writes it again; then restart the proxy",
            rendering.upfault
        ));
    }
    if definition.hash_of_templates() != rendering.templates {
        notes.push(format!(
            "note: the templates of {} have changed since {folder} was written: `{again}` writes it again; then restart the proxy",
            definition.name
        ));
    }
    let mut missing: BTreeMap<String, usize> = BTreeMap::new();
    for (_, reason) in runner::plan(settings.cases.clone(), &settings.proxy, settings.seed).skipped {
        if reason.starts_with(runner::NOT_CONFIGURED) {
            *missing.entry(reason).or_default() += 1;
        }
    }
    let instance =
        |reason: &str| reason.rsplit_once(", instance ").and_then(|(_, n)| n.parse::<usize>().ok());
    let (elsewhere, here): (Vec<_>, Vec<_>) =
        missing.into_iter().partition(|(reason, _)| instance(reason).is_some());
    for (reason, count) in here {
        notes.push(format!(
            "note: {} skipped, {reason}: `{again}` configures the proxy again, if it selects them",
            plural(count, "case")
        ));
    }
    match elsewhere.as_slice() {
        [] => {}
        [(reason, count)] => {
            let command = instance(reason).map_or(again, |n| render_again(rendering, n));
            notes.push(format!(
                "note: {} skipped, {reason}: `{command}` configures a proxy for them",
                plural(*count, "case")
            ));
        }
        several => {
            let count = several.iter().map(|(_, count)| count).sum();
            notes.push(format!(
                "note: {} skipped, not configured: they need {} with other settings; {folder}/README.md has a command for each",
                plural(count, "case"),
                plural(several.len(), "proxy instance")
            ));
        }
    }
    if settings.listen.is_some_and(|listen| listen.ip().is_unspecified()) {
        notes.push(
            "note: the mock providers listen on all interfaces of this machine while the run lasts"
                .to_owned(),
        );
    }
    notes
}

/// The command that renders another instance, to a folder of its own.
pub(super) fn render_again(rendering: &Rendering, instance: usize) -> String {
    let mut words = rendering.command.clone();
    let mut set =
        |name: &str, value: &dyn Fn(Option<&str>) -> String| match words.iter().position(|word| word == name)
        {
            Some(at) => words[at + 1] = value(Some(words[at + 1].as_str())),
            None => words.extend([name.to_owned(), value(None)]),
        };
    set("--instance", &|_| instance.to_string());
    let own = format!("-{}", rendering.instance);
    set("--to", &|folder| {
        let folder = folder.unwrap_or("attach").trim_end_matches('/');
        let stem = folder.strip_suffix(&own).filter(|_| rendering.instance != 1).unwrap_or(folder);
        if instance == 1 { stem.to_owned() } else { format!("{stem}-{instance}") }
    });
    shell::command(&words)
}
