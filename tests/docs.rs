//! Checks the documents: their scenarios load, their links have targets, and the reference of the file format is complete.

#[path = "docs/field_failures.rs"]
mod field_failures;
#[path = "docs/litellm.rs"]
mod litellm;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use upfault::internals::{
    judge::{Policy, rule},
    provider::{SourceConfidence, catalogue_row, profile},
    scenario::{Api, ErrorName, Level, Provider, load_text},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The README, CONTRIBUTING and the files in docs/, with their texts.
fn documents() -> Vec<(PathBuf, String)> {
    let mut paths = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    for entry in fs::read_dir(root().join("docs")).expect("there is a folder of documents") {
        paths.push(entry.expect("it can be listed").path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("it is text"))).collect()
}

fn reference() -> String {
    fs::read_to_string(root().join("docs/scenarios.md")).expect("there is a reference of the file format")
}

/// The fenced blocks whose info string is exactly `kind`, each with its line number and text.
fn blocks<'t>(text: &'t str, kind: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(bool, usize, Vec<&'t str>)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(info)) => open = Some((info.trim() == kind, number + 1, Vec::new())),
            (Some(_), Some(_)) => {
                if let Some((true, start, lines)) = open.take() {
                    found.push((start, lines.join("\n") + "\n"));
                }
            }
            (Some((_, _, lines)), None) => lines.push(line),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fenced block is not closed");
    found
}

#[test]
fn every_scenario_in_the_documents_loads() {
    let mut count = 0;
    for (path, text) in documents() {
        for (line, scenario) in blocks(&text, "yaml") {
            count += 1;
            let name =
                format!("{}:{line}", path.strip_prefix(root()).expect("it is below the root").display());
            if let Err(errors) = load_text("docs/example", &name, &scenario) {
                panic!(
                    "{}\n\n  help: a block that is not a complete scenario must begin with ```yaml fragment",
                    errors.render(false)
                );
            }
        }
    }
    assert!(count >= 10, "only {count} scenarios were found in the documents");
}

#[test]
fn the_settings_in_the_documents_are_valid_and_explain_every_key() {
    let path = root().join("schema/upfault.schema.json");
    let schema: Value = serde_json::from_str(&fs::read_to_string(path).expect("it is there")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("it is a schema");
    let mut count = 0;
    for (path, text) in documents() {
        for (line, block) in blocks(&text, "toml") {
            count += 1;
            let value: Value = toml::from_str(&block).expect("it is TOML");
            let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}:{line}: {errors:?}", path.display());
        }
    }
    assert!(count >= 3, "only {count} settings files were found in the documents");
    let reference = fs::read_to_string(root().join("docs/settings.md")).expect("there is a page on settings");
    for key in schema["properties"].as_object().expect("they are listed").keys() {
        assert!(reference.contains(&format!("\n| `{key}` |")), "docs/settings.md does not explain {key}");
    }
}

#[test]
fn every_link_between_documents_has_a_target() {
    for (path, text) in documents() {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let outside = target.contains("://") || target.starts_with("mailto:") || target.is_empty();
            let there = path.parent().expect("a file has a folder").join(target);
            assert!(
                outside || there.exists(),
                "{}: the target of the link `{target}` does not exist",
                path.display()
            );
        }
    }
}

/// The value of each `--filter` of `run` and `list` in the documents, without quotes.
fn filters(text: &str) -> Vec<String> {
    // The other commands filter faults and stored cases.
    let others = ["upfault selftest", "upfault show"];
    let of_cases = text.lines().filter(|line| !others.iter().any(|other| line.contains(other)));
    let after = of_cases.flat_map(|line| line.split("--filter ").skip(1));
    after
        .filter_map(|rest| match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split('\'').next(),
            None => rest.split([' ', '`']).next(),
        })
        // In the reference of the commands, these are the values of any filter and of any fault.
        .filter(|filter| !["EXPR", "WORD"].contains(filter))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_filter_in_the_documents_matches_a_case() {
    let mut count = 0;
    for (path, text) in documents() {
        for filter in filters(&text) {
            count += 1;
            let listed = Command::new(env!("CARGO_BIN_EXE_upfault"))
                .args(["list", "--filter", &filter])
                .current_dir(root())
                .output()
                .expect("upfault can be started");
            let errors = String::from_utf8_lossy(&listed.stderr);
            assert!(listed.status.success(), "{}: `{filter}`: {errors}", path.display());
        }
    }
    assert!(count >= 3, "only {count} filters were found in the documents");
}

#[test]
fn filters_are_found_with_and_without_quotes() {
    let text = "upfault run --filter a/b --strict\n`--filter 'x & y'`\nupfault selftest --filter reset\n";
    assert_eq!(filters(text), ["a/b", "x & y"]);
}

/// Collects the keys of every object and the values of every enumeration in a JSON Schema.
fn words(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            for (key, value) in members {
                match (key.as_str(), value) {
                    ("properties", Value::Object(properties)) => found.extend(properties.keys().cloned()),
                    ("enum", Value::Array(values)) => {
                        found.extend(values.iter().filter_map(Value::as_str).map(str::to_owned))
                    }
                    ("const", Value::String(value)) => {
                        found.insert(value.clone());
                    }
                    _ => {}
                }
                words(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| words(item, found)),
        _ => {}
    }
}

#[test]
fn the_reference_explains_every_word_of_the_format() {
    let text = reference();
    let mut all = BTreeSet::new();
    let schema = fs::read_to_string(root().join("schema/scenario.schema.json")).expect("it is there");
    words(&serde_json::from_str(&schema).expect("the schema is JSON"), &mut all);
    assert!(all.len() > 60, "only {} words were found in the schema", all.len());
    all.extend(Level::ALL.iter().map(ToString::to_string));
    all.extend(Provider::ALL.iter().map(ToString::to_string));
    all.extend(Api::ALL.iter().map(ToString::to_string));
    let missing: Vec<&String> = all
        .iter()
        .filter(|word| {
            ["`{word}`", "`{word}:", "`{{word}:"]
                .iter()
                .all(|form| !text.contains(&form.replace("{word}", word)))
        })
        .collect();
    assert!(missing.is_empty(), "docs/scenarios.md does not explain {missing:?}");
}

#[test]
fn the_table_of_errors_matches_the_catalogue() {
    let text = reference();
    for name in ErrorName::ALL {
        let row = catalogue_row(Provider::Openai, *name);
        let begin = format!("| `{name}` | {} | `{}` | ", row.status, row.kind.as_deref().unwrap_or_default());
        let begin = if row.status == 502 || row.status == 504 {
            format!("| `{name}` | {} | ", row.status)
        } else {
            begin
        };
        assert!(text.contains(&begin), "docs/scenarios.md needs a row that begins with {begin}");
        assert!(
            row.code.as_str().is_none_or(|code| text.contains(&format!("{begin}`{code}` |"))),
            "docs/scenarios.md: the code of {name} is `{}`",
            row.code
        );
    }
}

#[test]
fn the_page_on_deviations_lists_the_recalled_rows() {
    let path = root().join("docs/provider-deviations.md");
    let text = fs::read_to_string(path).expect("there is a page of deviations");
    for section in text.split("\n## ").skip(1) {
        let title = section.lines().next().unwrap_or_default();
        let provider = Provider::ALL.iter().copied().find(|known| profile(*known).title == title);
        let (Some(provider), Some((_, listed))) = (provider, section.split_once("\nRecalled rows:")) else {
            continue;
        };
        let listed: BTreeSet<&str> = listed.split('`').skip(1).step_by(2).collect();
        let recalled = ErrorName::COMMON
            .iter()
            .filter(|name| catalogue_row(provider, **name).confidence == SourceConfidence::Recalled)
            .map(|name| name.as_str());
        assert_eq!(listed, recalled.collect(), "{title}");
    }
}

/// The table of policy keys in docs/policies.md.
fn table_of_keys() -> String {
    let policies = Policy::all();
    let names: Vec<String> = policies.iter().map(|policy| format!("`{}`", policy.name)).collect();
    let mut text = format!("| key | question | may be | decides | {} |\n", names.join(" | "));
    text.push_str(&format!("|---|---|---|---|{}\n", "---|".repeat(policies.len())));
    for (n, question) in Policy::QUESTIONS.iter().enumerate() {
        let answers: Vec<String> = policies.iter().map(|policy| policy.rows()[n].1.clone()).collect();
        let possible: Vec<String> = question.possible.iter().map(|word| format!("`{word}`")).collect();
        let decided = question.decides.iter().filter_map(|id| rule(id));
        let decided: Vec<String> = decided.map(|rule| format!("`{}` ({})", rule.id, rule.level)).collect();
        text.push_str(&format!(
            "| `{}` | {} | {} | {} | {} |\n",
            question.key,
            question.asks,
            possible.join(", "),
            decided.join(", "),
            answers.join(" | ")
        ));
    }
    text
}

#[test]
#[expect(clippy::disallowed_methods, reason = "`just docs` sets the variable")]
fn the_table_of_keys_is_up_to_date() {
    let path = root().join("docs/policies.md");
    let text = fs::read_to_string(&path).expect("there is a page on policies");
    let (before, rest) = text.split_once("<!-- keys:").expect("the place of the table is marked");
    let (mark, rest) = rest.split_once("-->\n").expect("the mark is closed");
    let (_, after) = rest.split_once("<!-- end -->").expect("the end of the table is marked");
    let now = format!("{before}<!-- keys:{mark}-->\n{}<!-- end -->{after}", table_of_keys());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &now).expect("it can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == now, "docs/policies.md is out of date: run `just docs`");
}

#[test]
fn the_page_on_policies_gives_the_positions_on_every_question() {
    let text = fs::read_to_string(root().join("docs/policies.md")).expect("there is a page on policies");
    let (_, positions) = text.split_once("## Where the positions come from").expect("they have a section");
    for question in Policy::QUESTIONS {
        let listed = positions
            .lines()
            .any(|line| line.starts_with("- **`") && line.contains(&format!("`{}`", question.key)));
        assert!(listed, "docs/policies.md does not give the positions on `{}`", question.key);
    }
}

#[test]
fn blocks_are_found_by_their_exact_info_string() {
    let text = "```yaml\na\n```\n```yaml fragment\nb\n```\n  ```yaml\n  c\n  ```\n";
    assert_eq!(blocks(text, "yaml"), [(2, "a\n".to_owned()), (8, "  c\n".to_owned())]);
}
