//! The user's options, for the commands that run a case again.

use super::{
    adopt_args::AdoptArgs, args::RunArgs, context::CliContext, run_args::is_url, settings::Settings,
};
use crate::report::{Rerun, option};

/// The options, from the command line and the environment, that affect verdicts. `--jobs`, `--shard` and `--filter`
/// do not matter for a single case, and `--accept` and `--report` write files.
pub(super) fn rerun(context: &CliContext, chosen: &Settings, args: &RunArgs) -> Rerun {
    let mut options = Vec::new();
    let mut push = |name: &str, value: Option<String>| {
        options.extend(value.iter().flat_map(|value| option(name, value)));
    };
    push("--proxy", args.proxy.clone());
    push("--as", args.mode.compared_as.clone());
    push("--rendered", args.rendered.as_ref().map(|folder| folder.display().to_string()));
    push("--listen", args.listen.map(|address| address.to_string()));
    push("--seed", args.seed.map(|seed| seed.to_string()));
    match args.strict {
        Some(true) => options.push("--strict".to_owned()),
        Some(false) => options.push("--strict=false".to_owned()),
        None => {}
    }
    let durations = args.select.durations.as_ref().map(|file| file.display().to_string());
    let allowed = args.allow_inconclusive.map(|most| most.to_string());
    let shard_options = [("--durations", durations), ("--allow-inconclusive", allowed)];
    let attached = args.proxy.as_ref().or(chosen.proxy.as_ref()).is_some_and(|spec| is_url(spec));
    let words = args.select.paths.paths.iter().map(|path| path.display().to_string());
    Rerun {
        // A path must not look like an option.
        paths: words.map(|path| if path.starts_with('-') { format!("./{path}") } else { path }).collect(),
        options,
        shard_options: shard_options
            .iter()
            .flat_map(|(name, value)| value.iter().flat_map(|value| option(name, value)))
            .collect(),
        policy: args.policy.clone(),
        project: project(context, args.snapshots.as_deref()),
        adopts: None,
        accept_all: if args.accept { accept_all(context, args) } else { Vec::new() },
        proxy_key: args.proxy_key.is_some() && attached,
        attached,
    }
}

/// The options of `upfault adopt` that affect verdicts.
pub(super) fn of_adoption(context: &CliContext, args: &AdoptArgs) -> Rerun {
    let mut options = option("--proxy", &args.proxy);
    options.extend(args.set.iter().flat_map(|word| option("--set", word)));
    options.extend(option("--patience", &humantime::format_duration(args.patience).to_string()));
    options.extend(args.seed.iter().flat_map(|seed| option("--seed", &seed.to_string())));
    if args.all {
        options.push("--all".to_owned());
    }
    let file = args.file.display().to_string();
    Rerun {
        adopts: Some(if file.starts_with('-') { format!("./{file}") } else { file }),
        options,
        policy: args.policy.clone(),
        project: project(context, None),
        ..Rerun::default()
    }
}

/// The words of the same command with `--accept --force`.
fn accept_all(context: &CliContext, args: &RunArgs) -> Vec<String> {
    let mut words = vec!["upfault".to_owned(), "run".to_owned()];
    let rerun_failed = args.rerun_failed.as_ref().map(|report| report.display().to_string());
    // The report names the cases.
    let paths = args.select.paths.paths.iter().filter(|_| rerun_failed.is_none());
    words.extend(paths.map(|path| path.display().to_string()));
    let shard = args.select.shard.map(|shard| format!("{}/{}", shard.k, shard.n));
    for (name, value) in [
        ("--filter", args.select.filter.clone()),
        ("--rerun-failed", rerun_failed),
        ("--shard", shard),
        ("--durations", args.select.durations.as_ref().map(|file| file.display().to_string())),
        ("--proxy", args.proxy.clone()),
        ("--as", args.mode.compared_as.clone()),
        ("--rendered", args.rendered.as_ref().map(|folder| folder.display().to_string())),
        ("--listen", args.listen.map(|address| address.to_string())),
        ("--seed", args.seed.map(|seed| seed.to_string())),
        ("--policy", args.policy.clone()),
    ] {
        words.extend(value.iter().flat_map(|value| option(name, value)));
    }
    words.extend(project(context, args.snapshots.as_deref()));
    words.extend(["--accept", "--force"].map(str::to_owned));
    words
}

/// The options by which `run` and `review` find the project and its snapshots.
pub(super) fn project(context: &CliContext, snapshots: Option<&std::path::Path>) -> Vec<String> {
    let mut words = context.settings_words.clone();
    words.extend(snapshots.iter().flat_map(|folder| option("--snapshots", &folder.display().to_string())));
    words
}
