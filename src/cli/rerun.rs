//! What the user said, for the commands that run a case again.

use super::{args::RunArgs, context::Context, run::is_url, settings::Settings};
use crate::report::{Rerun, option};

/// The words of the command line and the environment that decide a verdict. `--jobs`, `--shard` and `--filter`
/// say which cases run and when, and one case alone needs none of them; `--accept` and `--report` write.
pub fn rerun(context: &Context, chosen: &Settings, args: &RunArgs) -> Rerun {
    let mut options = Vec::new();
    let mut say = |name: &str, value: Option<String>| {
        options.extend(value.iter().flat_map(|value| option(name, value)));
    };
    say("--proxy", args.proxy.clone());
    say("--listen", args.listen.map(|address| address.to_string()));
    say("--seed", args.seed.map(|seed| seed.to_string()));
    if args.strict {
        options.push("--strict".to_owned());
    }
    let proxy = args.proxy.as_ref().or(chosen.proxy.as_ref());
    let words = args.select.paths.paths.iter().map(|path| path.display().to_string());
    Rerun {
        // A path that looks like an option stays a path.
        paths: words.map(|path| if path.starts_with('-') { format!("./{path}") } else { path }).collect(),
        options,
        policy: args.policy.clone(),
        project: project(context, args.snapshots.as_deref()),
        proxy_key: args.proxy_key.is_some() && proxy.is_some_and(|spec| is_url(spec)),
    }
}

/// The options by which `run` and `review` find a project and its snapshots, as they were given.
pub fn project(context: &Context, snapshots: Option<&std::path::Path>) -> Vec<String> {
    let mut words = context.settings_words.clone();
    words.extend(snapshots.iter().flat_map(|folder| option("--snapshots", &folder.display().to_string())));
    words
}
