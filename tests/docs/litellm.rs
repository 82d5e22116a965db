//! Holds the table in docs/litellm.md to the accepted snapshots of LiteLLM: a row for each rule with a required finding,
//! and the number of its cases.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use upfault::internals::{
    scenario::{Level, load_dir},
    snapshot::{SnapshotStore, WriteMode},
};

use super::root;

/// The number of cases in which LiteLLM breaks each rule, by the accepted snapshots.
fn accepted() -> BTreeMap<String, usize> {
    let snapshots = SnapshotStore::new(root().join("snapshots/litellm"), WriteMode::Never).without_bundled();
    let library = load_dir(root(), &[]).expect("the bundled scenarios load");
    let mut cases: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for scenario in &library.scenarios {
        let file = snapshots.load(&scenario.id).expect("an accepted snapshot can be read");
        for case in file.into_iter().flat_map(|file| file.cases) {
            let required =
                case.findings.iter().filter(|line| line.level == Level::Required && line.policy.is_empty());
            for finding in required {
                cases.entry(finding.rule.clone()).or_default().insert(case.id.clone());
            }
        }
    }
    cases.into_iter().map(|(rule, cases)| (rule, cases.len())).collect()
}

/// The rule and the number in a row of the table, and the rest of the row; `None` for any other line.
fn row(line: &str) -> Option<(&str, usize, &str)> {
    let (rule, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
    let (count, rest) = rest.split_once(" | ")?;
    Some((rule, count.parse().ok()?, rest))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "`just docs` sets the variable")]
fn the_table_of_litellms_findings_counts_the_accepted_ones() {
    let path = root().join("docs/litellm.md");
    let accepted = accepted();
    let mut text = fs::read_to_string(&path).expect("there is a page");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let counted = text.lines().map(|line| match row(line) {
            Some((rule, _, rest)) => {
                format!("| `{rule}` | {} | {rest}\n", accepted.get(rule).copied().unwrap_or_default())
            }
            None => format!("{line}\n"),
        });
        text = counted.collect();
        fs::write(&path, &text).expect("it can be written");
    }
    let rows = text.lines().filter_map(row);
    let counted: BTreeMap<String, usize> = rows.map(|(rule, count, _)| (rule.to_owned(), count)).collect();
    assert_eq!(
        counted, accepted,
        "the table in docs/litellm.md (left) differs from the accepted snapshots (right): run `just docs` for the \
         numbers; a new rule needs a row with a judgement, and a rule without findings no row"
    );
    for rule in accepted.keys() {
        let is_explained =
            text.lines().any(|line| line.starts_with("**") && line.contains(&format!("`{rule}`")));
        assert!(is_explained, "docs/litellm.md explains nothing about `{rule}`");
    }
}
