//! `upfault init`

use std::path::{Path, PathBuf};

use super::{
    args::InitArgs,
    context::CliContext,
    failure::Failure,
    own_folder::OWN,
    print,
    project::SNAPSHOTS,
    run::{RunningProxy, proxy, tested},
    run_args::is_url,
    settings::NAME,
};
use crate::{
    proxy::ProxyMode,
    report::{EXIT_OK, plural},
    runner::ProxyChoice,
    snapshot::{bundled_files, bundled_folder, bundled_versions, write_atomically},
};

/// Creates the settings file of a project in the current folder, and copies the bundled baseline of the proxy into it.
pub(super) fn init(context: &CliContext, args: &InitArgs) -> Result<u8, Failure> {
    let spec = args.proxy.as_str();
    if is_url(spec) {
        return Err(Failure::Usage(format!(
            "the settings of a running proxy need its definition\nhelp: name what runs there, for example `upfault init --proxy \
             litellm`; then set `proxy = \"{spec}\"` and `rendered = \"FOLDER\"` in {NAME}, as docs/attach.md says"
        )));
    }
    let chosen = proxy(context, &context.cwd, spec, RunningProxy::default())?;
    let own = context.cwd.join(OWN).join(NAME);
    let settings = if own.is_file() { own } else { context.cwd.join(NAME) };
    let root = context.cwd.join(SNAPSHOTS);
    let folder = root.join(chosen.baseline());
    let files = baseline(&chosen);
    if !args.force {
        refuse_existing(context, &settings, &folder, &files)?;
    }
    // The settings file comes last: a folder with it is a complete project.
    for (path, text) in &files {
        let path = folder.join(path);
        write_atomically(&path, text)
            .map_err(Failure::io(format!("cannot write {}", shown(context, &path))))?;
    }
    let named = pinned(&chosen, spec);
    write_atomically(&settings, &settings_text(&named))
        .map_err(Failure::io(format!("cannot write {}", shown(context, &settings))))?;
    let mut text = format!("wrote {}: `upfault run` tests {named}\n", shown(context, &settings));
    text.push_str(&match files.len() {
        0 => no_baseline(&chosen),
        n => format!(
            "copied the baseline of {}: {} in {}\nnext: `upfault run`; commit {} and {SNAPSHOTS}/\n",
            tested(&chosen),
            plural(n, "snapshot"),
            shown(context, &folder),
            shown(context, &settings)
        ),
    });
    print::fitted(&text, context.width)?;
    Ok(EXIT_OK)
}

/// The bundled snapshots that were recorded with this proxy in this version.
fn baseline(chosen: &ProxyChoice) -> Vec<(&'static str, &'static str)> {
    let name = chosen.name();
    let folder = match chosen {
        ProxyChoice::Builtin(which) => which.name().is_none().then_some(name),
        ProxyChoice::Definition(definition) if definition.is_bundled() => {
            bundled_folder(&name, &definition.version)
        }
        ProxyChoice::Definition(_) | ProxyChoice::Attached(_) => None,
    };
    folder.map(|folder| bundled_files(&folder).collect()).unwrap_or_default()
}

/// The next step for a proxy without a bundled baseline.
fn no_baseline(chosen: &ProxyChoice) -> String {
    let name = chosen.name();
    let recorded: Vec<String> = bundled_versions(&name).into_iter().collect();
    let why = match recorded.as_slice() {
        [] => "none is bundled with upfault".to_owned(),
        [version] => format!("the bundled one is of {name} {version}"),
        versions => format!("the bundled ones are of {name} {}", versions.join(", ")),
    };
    format!(
        "no baseline of {}: {why}\nnext: `upfault run --accept` records what passes, `upfault run --accept --force` also the \
         findings of today\n",
        tested(chosen)
    )
}

/// The proxy for the settings file, with its version: an upgrade of upfault must not change what is tested.
fn pinned(chosen: &ProxyChoice, spec: &str) -> String {
    match (chosen, chosen.version()) {
        (ProxyChoice::Definition(definition), Some(_)) if ProxyMode::split(spec).0 == definition.name => {
            tested(chosen).spec()
        }
        _ => spec.to_owned(),
    }
}

/// Refuses to replace files of a project.
fn refuse_existing(
    context: &CliContext,
    settings: &Path,
    folder: &Path,
    files: &[(&str, &str)],
) -> Result<(), Failure> {
    let mut existing: Vec<PathBuf> = Vec::new();
    if settings.exists() {
        existing.push(settings.to_owned());
    }
    let there = files.iter().filter(|(path, _)| folder.join(path).exists()).count();
    let mut names: Vec<String> = existing.iter().map(|path| shown(context, path)).collect();
    if there > 0 {
        names.push(format!("{} in {}", plural(there, "snapshot"), shown(context, folder)));
    }
    if names.is_empty() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "this folder already contains {}\nhelp: use another folder, or replace them with `upfault init --force`",
        names.join(" and ")
    )))
}

fn shown(context: &CliContext, path: &Path) -> String {
    path.strip_prefix(&context.cwd).unwrap_or(path).display().to_string()
}

/// The text of the settings file.
fn settings_text(proxy: &str) -> String {
    // A JSON string is a valid basic string of TOML.
    let value = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        r#"# Settings of upfault for this project. `upfault check` checks this file.

# What `upfault run` tests.
proxy = {proxy}

# The baseline: what the proxy does in each case, and which rules it breaks there. Only this folder is used, not the
# snapshots inside the program, so that a new version of upfault does not change the baseline.
snapshots = {snapshots}

# More keys, with examples:
#
# scenarios = ["limits", "stream", "scenarios"]   # default: the bundled ones, and those in scenarios/
# policy = "strict"                               # default: "default"; `upfault explain policies` lists them
#
# A finding that the proxy's project knows does not fail a run while the issue is open:
#
# [[known]]
# proxy = "litellm"
# rule = "headers.retry-after"
# versions = ">=1.67.6, <1.110"
# cases = ["limits/rate-limit*"]
# issue = "https://github.com/BerriAI/litellm/issues/1234"
"#,
        proxy = value(proxy),
        snapshots = value(SNAPSHOTS),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::settings::Settings;

    fn read(text: &str) -> Settings {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(NAME);
        std::fs::write(&file, text).unwrap();
        let context = CliContext::for_tests(dir.path(), Some(&file));
        Settings::read(&context).unwrap_or_else(|failure| panic!("{}", failure.render(false)))
    }

    #[test]
    fn the_settings_file_is_valid_whatever_the_name_of_the_proxy_is() {
        for proxy in ["litellm@1.102.4", "my \"proxies\"/ours", "C:\\proxies\\ours"] {
            let settings = read(&settings_text(proxy));
            assert_eq!(settings.proxy.as_deref(), Some(proxy));
            assert!(settings.known.is_empty());
        }
    }

    #[test]
    fn the_examples_in_comments_are_valid_settings() {
        let text = settings_text("builtin");
        let is_example =
            |line: &&str| line.starts_with("# ") && (line.contains(" = ") || line.contains("[["));
        let examples: Vec<&str> =
            text.lines().filter(is_example).filter_map(|line| line.strip_prefix("# ")).collect();
        assert!(examples.len() > 6, "{examples:?}");
        let settings = read(&examples.join("\n"));
        assert_eq!((settings.known.len(), settings.scenarios.len()), (1, 3));
        assert!(settings.policy.is_some());
    }
}
