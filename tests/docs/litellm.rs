//! Holds the table in docs/litellm.md to the accepted snapshots of LiteLLM: a column for each release with snapshots, a row
//! for each rule with a required finding in one of them, and the numbers of cases.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use upfault::internals::{
    scenario::{Level, load_dir},
    snapshot::{SnapshotStore, WriteMode},
};

use super::root;

/// The first words of the table's header; the releases follow.
const HEADER: &str = "| rule | ";

/// For each rule, the number of cases in which a release breaks it, by the accepted snapshots.
fn accepted(release: &str) -> BTreeMap<String, usize> {
    let of_release = root().join(format!("snapshots/litellm@{release}"));
    let folder = if of_release.exists() { of_release } else { root().join("snapshots/litellm") };
    let snapshots = SnapshotStore::new(folder, WriteMode::Never).without_bundled();
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

/// The releases with snapshots, the default first, then the newest first.
fn releases() -> Vec<String> {
    let of_default =
        fs::read_to_string(root().join("proxies/litellm/proxy.yaml")).expect("there is a definition");
    let default =
        of_default.lines().find_map(|line| line.strip_prefix("version: ")).expect("it has a version");
    let folders = fs::read_dir(root().join("snapshots")).expect("there are snapshots").flatten();
    let names = folders.filter_map(|folder| folder.file_name().into_string().ok());
    let mut others: Vec<String> =
        names.filter_map(|name| Some(name.strip_prefix("litellm@")?.to_owned())).collect();
    let numbers =
        |release: &String| -> Vec<u32> { release.split('.').filter_map(|part| part.parse().ok()).collect() };
    others.sort_by_key(|release| std::cmp::Reverse(numbers(release)));
    std::iter::once(default.trim_matches('"').to_owned()).chain(others).collect()
}

/// The rule in a row of the table, the numbers as text, and the judgement; `None` for any other line.
fn row(line: &str, releases: usize) -> Option<(&str, &str, &str)> {
    let (rule, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
    let at = rest.match_indices(" | ").nth(releases - 1)?.0;
    let (counts, judgement) = rest.split_at(at);
    counts.split(" | ").all(|count| count.parse::<usize>().is_ok()).then_some((rule, counts, judgement))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "`just docs` sets the variable")]
fn the_table_of_litellms_findings_counts_the_accepted_ones() {
    let path = root().join("docs/litellm.md");
    let releases = releases();
    let accepted: Vec<BTreeMap<String, usize>> = releases.iter().map(|release| accepted(release)).collect();
    let counts = |rule: &str| -> String {
        let counts = accepted.iter().map(|of| of.get(rule).copied().unwrap_or_default().to_string());
        counts.collect::<Vec<_>>().join(" | ")
    };
    let rules: BTreeSet<&String> = accepted.iter().flat_map(BTreeMap::keys).collect();
    let mut text = fs::read_to_string(&path).expect("there is a page");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let counted = text.lines().map(|line| match row(line, releases.len()) {
            Some((rule, _, judgement)) => format!("| `{rule}` | {}{judgement}\n", counts(rule)),
            None => format!("{line}\n"),
        });
        text = counted.collect();
        fs::write(&path, &text).expect("it can be written");
    }
    let header = format!("{HEADER}{} | judgement |", releases.join(" | "));
    assert!(text.lines().any(|line| line == header), "docs/litellm.md has no table with the header {header}");
    let rows = text.lines().filter_map(|line| row(line, releases.len()));
    let counted: BTreeMap<&str, &str> = rows.map(|(rule, counts, _)| (rule, counts)).collect();
    let wanted: BTreeMap<&str, String> = rules.iter().map(|rule| (rule.as_str(), counts(rule))).collect();
    let wanted: BTreeMap<&str, &str> = wanted.iter().map(|(rule, counts)| (*rule, counts.as_str())).collect();
    assert_eq!(
        counted, wanted,
        "the table in docs/litellm.md (left) differs from the accepted snapshots (right): run `just docs` for the \
         numbers; a new rule needs a row with a judgement, and a rule without findings no row"
    );
    for rule in rules {
        let is_explained =
            text.lines().any(|line| line.starts_with("**") && line.contains(&format!("`{rule}`")));
        assert!(is_explained, "docs/litellm.md explains nothing about `{rule}`");
    }
}
