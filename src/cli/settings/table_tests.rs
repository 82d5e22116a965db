//! The table of settings: complete, and the source of the tables in docs/settings.md.

use std::{collections::BTreeSet, fmt::Write, path::Path};

use clap::CommandFactory;

use super::{
    schema,
    table::{NOT_SETTINGS, SETTINGS, SettingRow},
};
use crate::cli::args::Args;

/// The options of `upfault run` as clap knows them: `--seed`, and `PATHS` for arguments without a name.
fn options() -> Vec<(String, Option<String>)> {
    let mut command = Args::command();
    command.build();
    let run = command.find_subcommand("run").expect("there is `upfault run`");
    run.get_arguments()
        .map(|argument| {
            let name = argument
                .get_long()
                .map_or_else(|| argument.get_id().as_str().to_uppercase(), |long| format!("--{long}"));
            (name, argument.get_env().map(|variable| variable.to_string_lossy().into_owned()))
        })
        .collect()
}

#[test]
fn each_option_of_run_is_a_setting_or_has_a_reason_not_to_be_one() {
    for (option, variable) in options() {
        let rows: Vec<&SettingRow> =
            SETTINGS.iter().filter(|row| row.options.contains(&option.as_str())).collect();
        let reasons = NOT_SETTINGS.iter().filter(|(name, _)| *name == option).count();
        assert_eq!(rows.len() + reasons, 1, "{option} must be in one of the two tables");
        if let [row] = rows[..] {
            assert_eq!(row.variable, variable.as_deref(), "{option}");
        }
    }
}

#[test]
fn each_row_is_an_option_and_a_key_of_the_file() {
    let known: Vec<String> = options().into_iter().map(|(option, _)| option).collect();
    let named = SETTINGS.iter().flat_map(|row| row.options).chain(NOT_SETTINGS.iter().map(|(name, _)| name));
    for option in named {
        assert!(known.iter().any(|one| one == option), "`upfault run` has no {option}");
    }
    let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
    let keys: BTreeSet<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, SETTINGS.iter().map(|row| row.key).collect::<BTreeSet<_>>());
}

fn settings() -> String {
    let mut text =
        "| key | meaning | command line | environment | default |\n|---|---|---|---|---|\n".to_owned();
    for SettingRow { key, meaning, options, variable, default } in SETTINGS {
        let options: Vec<String> = options.iter().map(|option| format!("`{option}`")).collect();
        let variable = variable.map(|name| format!("`{name}`")).unwrap_or_default();
        let _ = writeln!(text, "| `{key}` | {meaning} | {} | {variable} | {default} |", options.join(", "));
    }
    text
}

fn not_settings() -> String {
    let mut text = "| option | why it is not a setting |\n|---|---|\n".to_owned();
    for (option, reason) in NOT_SETTINGS {
        let _ = writeln!(text, "| `{option}` | {reason} |");
    }
    text
}

#[test]
#[expect(clippy::disallowed_methods, reason = "`just docs` sets the variable")]
fn the_tables_of_settings_are_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    let mut now = std::fs::read_to_string(&path).unwrap();
    for (name, table) in [("settings", settings()), ("options", not_settings())] {
        let (before, rest) = now.split_once(&format!("<!-- {name}:")).expect("the place is marked");
        let (mark, rest) = rest.split_once("-->\n").expect("the mark is closed");
        let (_, after) = rest.split_once("<!-- end -->").expect("the end is marked");
        now = format!("{before}<!-- {name}:{mark}-->\n{table}<!-- end -->{after}");
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == now,
        "docs/settings.md is out of date: run `just docs`"
    );
}
