//! `upfault completions`, and the values that a shell offers: names of scenarios, cases, proxies, rules and policies.
//!
//! The script that `completions` prints calls upfault again with the variable [`VARIABLE`], so that the values are those of
//! the project in the current folder.

use std::{collections::BTreeSet, ffi::OsStr};

use clap::{Arg, Command, CommandFactory, Parser};
use clap_complete::{
    CompleteEnv,
    engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter},
    env::Shells,
};

use super::{
    args::{Args, PathArgs},
    context::CliContext,
    failure::Failure,
    lint::WARNINGS,
    manual::ManualTopic,
    own_files,
    own_folder::{own_policies, policy_name},
    print,
    project::own_definitions,
    select,
    settings::Settings,
};
use crate::{
    builtin::{Defect, HonestVariant},
    judge::{Policy, rules},
    provider::profile,
    proxy::Definition,
    report::EXIT_OK,
    scenario::{Api, ErrorName, Level, Library, Provider, expand},
};

/// The variable by which a shell asks for completions. Its value is the name of the shell.
const VARIABLE: &str = "UPFAULT_COMPLETE";

/// What the script for bash needs in addition, because readline splits words at colons.
const BASH: &str = include_str!("completion.bash");

/// Prints the script that makes a shell complete the command line of upfault.
pub(super) fn completions(shell: &str) -> Result<u8, Failure> {
    let mut script = Vec::new();
    if let Some(completer) = Shells::builtins().completer(shell) {
        completer
            .write_registration(VARIABLE, "upfault", "upfault", "upfault", &mut script)
            .map_err(Failure::io("cannot write the script"))?;
    }
    if shell == "bash" {
        script.extend_from_slice(BASH.as_bytes());
    }
    print::out(&String::from_utf8_lossy(&script))?;
    Ok(EXIT_OK)
}

/// Answers a shell that asks for completions. Returns `false` if none does.
pub(super) fn answered() -> Result<bool, clap::Error> {
    let here = std::env::current_dir().ok();
    CompleteEnv::with_factory(|| completed(Args::command()))
        .var(VARIABLE)
        .try_complete(std::env::args_os(), here.as_deref())
}

/// The command, with the values of its arguments. They are found by the names of the arguments, so that every command has
/// them.
fn completed(command: Command) -> Command {
    command.mut_args(with_values).mut_subcommands(completed)
}

fn with_values(arg: Arg) -> Arg {
    let values: fn() -> Vec<OfferedValue> = match arg.get_id().as_str() {
        "paths" | "what" => || [scenarios(), contract()].concat(),
        "case" => cases,
        "proxy" | "sides" | "gateways" => proxies,
        "rule" => rule_ids,
        "policy" => policies,
        "filter" => filters,
        "topic" => topics,
        // The second argument of `explain`; `new` has an option with this name.
        "error" if arg.is_positional() => error_names,
        "error" => errors,
        _ => return arg,
    };
    // A path is possible for most of them.
    let files = !matches!(arg.get_id().as_str(), "filter" | "rule" | "topic" | "error");
    let is_of_scenarios = arg.get_id() == "paths";
    arg.add(ArgValueCompleter::new(move |current: &OsStr| {
        let typed = current.to_string_lossy();
        let is_wanted = |value: &OfferedValue| {
            !(is_of_scenarios && value.is_of_contract) && value.text.starts_with(&*typed)
        };
        let mut found: Vec<CompletionCandidate> =
            values().into_iter().filter(is_wanted).map(OfferedValue::candidate).collect();
        if files {
            found.extend(PathCompleter::any().complete(current));
        }
        found
    }))
}

/// A value that a shell can offer.
#[derive(Clone)]
struct OfferedValue {
    text: String,
    about: String,
    /// Whether only `explain` takes it.
    is_of_contract: bool,
}

impl OfferedValue {
    fn new(text: impl Into<String>, about: impl Into<String>) -> Self {
        Self { text: text.into(), about: about.into(), is_of_contract: false }
    }

    fn candidate(self) -> CompletionCandidate {
        CompletionCandidate::new(self.text).help((!self.about.is_empty()).then(|| self.about.into()))
    }
}

/// The project in the current folder, if it can be read.
fn project() -> Option<(CliContext, Settings)> {
    let context = CliContext::read(&Args::try_parse_from(["upfault", "list"]).ok()?).ok()?;
    let _ = own_files::load(&context);
    let settings = Settings::read(&context).ok()?;
    Some((context, settings))
}

/// The scenarios of the project. If they do not load, the bundled ones.
fn library() -> Library {
    let own = project()
        .and_then(|(context, settings)| select::library(&context, &settings, &PathArgs::default()).ok());
    own.unwrap_or_else(Library::bundled)
}

/// The folders of scenarios.
fn folders(library: &Library) -> BTreeSet<&str> {
    let ids = library.scenarios.iter().filter_map(|scenario| scenario.id.split_once('/'));
    ids.map(|(folder, _)| folder).collect()
}

fn scenarios() -> Vec<OfferedValue> {
    let library = library();
    let folders = folders(&library);
    let folders = folders.into_iter().map(|folder| OfferedValue::new(folder, "a folder of scenarios"));
    folders.chain(library.scenarios.iter().map(|one| OfferedValue::new(&one.id, &one.title))).collect()
}

fn cases() -> Vec<OfferedValue> {
    let library = library();
    library
        .scenarios
        .iter()
        .flat_map(expand)
        .map(|case| OfferedValue::new(&case.id, &case.scenario.title))
        .collect()
}

fn rule_ids() -> Vec<OfferedValue> {
    rules().map(|rule| OfferedValue::new(rule.id, rule.title)).collect()
}

/// What `explain` takes in addition to scenarios.
fn contract() -> Vec<OfferedValue> {
    let lists = [
        ("rules", "all rules"),
        ("policies", "the disputed questions"),
        ("warnings", "all warnings of `check`"),
    ]
    .map(|(name, about)| OfferedValue::new(name, about));
    let warnings = WARNINGS.iter().map(|row| OfferedValue::new(row.code, row.title));
    let _ = project();
    let providers = Provider::all();
    let providers = providers.iter().map(|one| OfferedValue::new(one.as_str(), &profile(*one).title));
    let all = rule_ids().into_iter().chain(lists).chain(warnings).chain(providers).chain(errors());
    all.map(|value| OfferedValue { is_of_contract: true, ..value }).collect()
}

/// The errors of all providers: `anthropic/overloaded`.
fn errors() -> Vec<OfferedValue> {
    let of = |provider: Provider| {
        let rows = profile(provider).errors.iter();
        rows.map(move |(name, row)| {
            OfferedValue::new(format!("{provider}/{name}"), format!("an error with status {}", row.status))
        })
    };
    let _ = project();
    Provider::all().into_iter().flat_map(of).collect()
}

/// The names of errors, which are the same for all providers.
fn error_names() -> Vec<OfferedValue> {
    let _ = project();
    ErrorName::names().iter().map(|name| OfferedValue::new(*name, "an error of the provider")).collect()
}

fn proxies() -> Vec<OfferedValue> {
    let mut found = vec![OfferedValue::new("builtin", "the embedded proxy, without defects")];
    found.extend(
        Definition::bundled().into_iter().map(|bundled| OfferedValue::new(bundled.name, bundled.summary)),
    );
    if let Some((context, _)) = project() {
        let own = own_definitions(&context.root);
        let names = own.iter().filter_map(|folder| folder.rsplit('/').next());
        found.extend(names.map(|name| OfferedValue::new(name, "a definition of this project")));
    }
    found.extend(
        HonestVariant::ALL
            .iter()
            .map(|one| OfferedValue::new(format!("builtin:{}", one.as_str()), one.summary())),
    );
    found.extend(
        Defect::ALL.iter().map(|one| OfferedValue::new(format!("builtin:{}", one.as_str()), one.summary())),
    );
    found
}

/// The commands and the pages of the manual.
fn topics() -> Vec<OfferedValue> {
    let command = Args::command();
    let commands = command.get_subcommands().filter(|one| !one.is_hide_set());
    let mut found: Vec<OfferedValue> = commands
        .map(|one| {
            OfferedValue::new(one.get_name(), one.get_about().map(ToString::to_string).unwrap_or_default())
        })
        .collect();
    let pages = ManualTopic::all();
    let others = pages.iter().filter(|page| command.find_subcommand(page.name).is_none());
    found.extend(others.map(|page| OfferedValue::new(page.name, page.title())));
    found
}

fn policies() -> Vec<OfferedValue> {
    let own = project().map(|(context, _)| own_policies(&context.root)).unwrap_or_default();
    let own = own.iter().map(|file| OfferedValue::new(policy_name(file), "a policy of this project"));
    let bundled = Policy::all();
    let bundled = bundled.iter().map(|policy| OfferedValue::new(&policy.name, "a bundled policy"));
    own.chain(bundled).collect()
}

/// The simplest filters. An expression with several parts has no completion.
fn filters() -> Vec<OfferedValue> {
    let library = library();
    let folders = folders(&library);
    let tags: BTreeSet<&String> = library.scenarios.iter().flat_map(|scenario| &scenario.tags).collect();
    let mut found: Vec<OfferedValue> = folders
        .into_iter()
        .map(|folder| OfferedValue::new(format!("{folder}/*"), "a folder of scenarios"))
        .collect();
    found.extend(
        ["stream", "plain"].map(|word| OfferedValue::new(word, "whether the caller requests a stream")),
    );
    found.extend(
        Provider::all()
            .into_iter()
            .map(|one| OfferedValue::new(format!("provider:{one}"), "the provider behind the proxy")),
    );
    found.extend(
        Api::ALL.iter().map(|one| OfferedValue::new(format!("api:{one}"), "the API that the caller uses")),
    );
    found.extend(
        Level::ALL.iter().map(|one| OfferedValue::new(format!("level:{one}"), "the level of the scenario")),
    );
    found
        .extend(tags.into_iter().map(|tag| OfferedValue::new(format!("tag:{tag}"), "a tag of the scenario")));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_takes_a_name_offers_the_names() {
        let mut missing = Vec::new();
        let mut commands = vec![completed(Args::command())];
        let mut offering = 0;
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands().filter(|one| !one.is_hide_set()).cloned());
            for arg in command.get_arguments() {
                let takes_a_name = matches!(
                    arg.get_id().as_str(),
                    "paths"
                        | "what"
                        | "case"
                        | "proxy"
                        | "sides"
                        | "gateways"
                        | "rule"
                        | "policy"
                        | "filter"
                        | "topic"
                        | "error"
                );
                match arg.get::<ArgValueCompleter>() {
                    Some(_) => offering += 1,
                    None if takes_a_name => missing.push(format!("{} {}", command.get_name(), arg.get_id())),
                    None => {}
                }
            }
        }
        assert!(missing.is_empty(), "{missing:?}");
        assert!(offering > 20, "only {offering} arguments offer values");
    }

    #[test]
    fn the_offered_values_exist() {
        let has = |values: Vec<OfferedValue>, text: &str| values.iter().any(|value| value.text == text);
        assert!(has(scenarios(), "limits/rate-limit") && has(scenarios(), "limits"));
        assert!(has(cases(), "connection/reset-after-content[stream]"));
        assert!(has(rule_ids(), "stream.no-forged-success") && has(contract(), "policies"));
        assert!(has(topics(), "tutorial") && has(topics(), "run"));
        for text in ["warnings", "fault-after-end", "anthropic", "anthropic/overloaded"] {
            assert!(has(contract(), text), "{text}");
        }
        assert!(has(error_names(), "overloaded"));
        assert!(has(proxies(), "litellm") && has(proxies(), "builtin:rate-limit-as-500"));
        assert!(
            policies().iter().all(|value| Policy::named(&value.text).is_some()) && has(policies(), "strict")
        );
        let all = Library::bundled().cases();
        for value in filters() {
            let filter = crate::cli::filter::Filter::parse(&value.text).unwrap();
            assert!(all.iter().any(|case| filter.matches(case)), "{}", value.text);
        }
    }
}
