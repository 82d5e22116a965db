//! The command that runs one case of a run again.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::CaseReport;
use crate::{judge::kin_of, scenario::is_scenario, shell};

/// The environment variable with the key of a running proxy.
pub const PROXY_KEY: &str = "UPFAULT_PROXY_KEY";

/// What the user chose on the command line and by the environment, as it was written: the commands that run a
/// case of this run again have the same words. What comes out of `upfault.toml` is not repeated. Paths are
/// relative to the folder in which the run was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rerun {
    /// Scenario files, folders and names; empty for all scenarios of the project.
    pub paths: Vec<String>,
    /// The options of `upfault run`, without those that choose cases and those in the other members:
    /// `["--proxy", "litellm", "--seed", "7"]`.
    pub options: Vec<String>,
    /// What `--policy` was given.
    pub policy: Option<String>,
    /// The options that `upfault review` takes too: the settings and the folder of the snapshots.
    pub project: Vec<String>,
    /// Whether the key of a running proxy was given. The key itself is never stored.
    pub proxy_key: bool,
}

impl Rerun {
    /// The command for a POSIX shell that runs this case alone. Where the findings compare the case with
    /// siblings, these run too: without them there is nothing to compare with.
    pub(super) fn command(&self, case: &CaseReport) -> String {
        let mut words = vec!["upfault".to_owned(), "run".to_owned()];
        words.extend(self.paths_of(case));
        words.extend(["--filter".to_owned(), filter(case)]);
        words.extend(self.options.iter().cloned());
        words.extend(self.policy.iter().flat_map(|policy| option("--policy", policy)));
        words.extend(self.project.iter().cloned());
        let line = shell::command(&words);
        // A shell that does not know the key says so, and runs nothing.
        if self.proxy_key { format!("{line} --proxy-key \"${{{PROXY_KEY}:?}}\"") } else { line }
    }

    /// The command for a POSIX shell that reviews what this run left pending.
    pub(super) fn review(&self) -> String {
        let words = ["upfault", "review"].into_iter().chain(self.project.iter().map(String::as_str));
        shell::command(&words.collect::<Vec<_>>())
    }

    /// All paths, since a scenario's id depends on the path that led to it; a file is enough by itself where
    /// only files were named.
    fn paths_of(&self, case: &CaseReport) -> Vec<String> {
        let is_file = |path: &String| is_scenario(Path::new(path));
        if self.paths.iter().all(is_file) && self.paths.contains(&case.file) {
            return vec![case.file.clone()];
        }
        self.paths.clone()
    }
}

/// An option and its value as words of a command. A value that looks like an option has to be in one word
/// with the name.
pub fn option(name: &str, value: &str) -> Vec<String> {
    match value.starts_with('-') {
        true => vec![format!("{name}={value}")],
        false => vec![name.to_owned(), value.to_owned()],
    }
}

fn filter(case: &CaseReport) -> String {
    let change = case.change.iter();
    let changed = change.flat_map(|change| change.new_findings.iter().chain(&change.vanished_findings));
    let mut rules = case.findings.iter().map(|finding| &finding.rule).chain(changed);
    let compares = rules.any(|rule| kin_of(rule).is_some());
    let siblings = case.observation.iter().flat_map(|seen| &seen.arrangement.held_against);
    let cases = std::iter::once(&case.id).chain(siblings.filter(|_| compares));
    cases.map(|id| exactly(id)).collect::<Vec<_>>().join(" | ")
}

/// The filter that matches the case of this id and no other.
pub fn exactly(id: &str) -> String {
    let special = |c: char| c.is_whitespace() || "&|!()\"\\".contains(c);
    match id.contains(special) {
        true => format!("case:\"{}\"", id.replace('\\', r"\\").replace('"', r#"\""#)),
        false => format!("case:{id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::terminal::tests::failing;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_command_has_the_words_of_the_user_and_one_case() {
        let case = CaseReport::new(&failing("limits/rate-limit[azure,stream]"));
        let none = Rerun::default();
        insta::assert_snapshot!(none.command(&case), @"upfault run --filter 'case:limits/rate-limit[azure,stream]'");
        insta::assert_snapshot!(none.review(), @"upfault review");
        let all = Rerun {
            paths: words(&["my llm", "limits"]),
            options: words(&["--proxy", "./my proxies/fake@2", "--seed", "7", "--strict"]),
            policy: Some("it's ours.yaml".to_owned()),
            project: words(&["--config", "ci/nightly.toml", "--snapshots", "my snaps"]),
            proxy_key: true,
        };
        insta::assert_snapshot!(all.command(&case), @r#"upfault run 'my llm' limits --filter 'case:limits/rate-limit[azure,stream]' --proxy './my proxies/fake@2' --seed 7 --strict --policy 'it'\''s ours.yaml' --config ci/nightly.toml --snapshots 'my snaps' --proxy-key "${UPFAULT_PROXY_KEY:?}""#);
        insta::assert_snapshot!(all.review(), @"upfault review --config ci/nightly.toml --snapshots 'my snaps'");
    }

    #[test]
    fn of_many_files_only_the_one_with_the_case_is_named() {
        let case = CaseReport::new(&failing("a"));
        let several = |paths: &[&str]| Rerun { paths: words(paths), ..Rerun::default() }.paths_of(&case);
        assert_eq!(several(&["b.yaml", "scenarios/a.yaml", "c.json"]), ["scenarios/a.yaml"]);
        // The id may count from the folder.
        assert_eq!(several(&["scenarios/a.yaml", "folder"]), ["scenarios/a.yaml", "folder"]);
    }

    #[test]
    fn a_comparison_needs_its_siblings() {
        let mut case = failing("a[stream]");
        case.observation.as_mut().unwrap().arrangement.held_against = words(&["a"]);
        assert_eq!(filter(&CaseReport::new(&case)), "case:a[stream]");
        case.findings[0].rule = "sibling.stream-status".to_owned();
        assert_eq!(filter(&CaseReport::new(&case)), "case:a[stream] | case:a");
    }
}
