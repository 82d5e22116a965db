//! The command that runs one case again.

use std::path::Path;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{event::CaseReport, judge::kin_of, scenario::is_scenario, shell};

/// The environment variable that holds the key of a proxy that is already running.
pub(super) const PROXY_KEY: &str = "UPFAULT_PROXY_KEY";

/// The options of a run, exactly as the user wrote them on the command line or in environment variables. Commands
/// that run a case again repeat them. Settings from `upfault.toml` are not repeated. Paths are relative to the
/// folder in which the run was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Rerun {
    /// Scenario files, folders and names; empty for all scenarios of the project.
    pub paths: Vec<String>,
    /// Options of `upfault run` other than filters and the options in the fields below:
    /// `["--proxy", "litellm", "--seed", "7"]`.
    pub options: Vec<String>,
    /// Options that matter only for a whole shard: `["--durations", "durations.json"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shard_options: Vec<String>,
    /// The value of `--policy`.
    pub policy: Option<String>,
    /// Options that `upfault review` accepts too: the settings file and the snapshot folder.
    pub project: Vec<String>,
    /// The configuration that `upfault adopt` adopted; null for `upfault run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopts: Option<String>,
    /// Whether the run used a key for a proxy that was already running. The key itself is never stored.
    pub proxy_key: bool,
    /// Whether the proxy was already running, so that it still answers after the run.
    #[serde(default)]
    pub attached: bool,
    /// The words of the command that repeats an accepting run and accepts the failing cases too. Not stored; empty for other
    /// runs.
    #[serde(skip)]
    pub accept_all: Vec<String>,
}

impl Rerun {
    /// The words of a shell command that runs this case again, quoted where needed. If findings compare the case
    /// with siblings, the siblings run too.
    pub(super) fn command(&self, case: &CaseReport) -> Vec<String> {
        let mut words = vec!["upfault".to_owned()];
        match &self.adopts {
            Some(file) => words.extend(["adopt".to_owned(), file.clone()]),
            None => words.push("run".to_owned()),
        }
        words.extend(self.paths_of(case));
        words.extend(["--filter".to_owned(), filter(case)]);
        words.extend(self.options.iter().cloned());
        words.extend(self.policy.iter().flat_map(|policy| option("--policy", policy)));
        words.extend(self.project.iter().cloned());
        let mut words: Vec<String> = words.iter().map(|word| shell::word(word)).collect();
        if self.proxy_key {
            // If the variable is not set, the shell reports that and runs nothing.
            words.extend(["--proxy-key".to_owned(), format!("\"${{{PROXY_KEY}:?}}\"")]);
        }
        words
    }

    /// The words of the shell command that leaves the proxy running for the requests of this case by hand. `None` if
    /// `upfault repro` cannot find the case or start the proxy.
    pub(super) fn by_hand(&self, case: &CaseReport) -> Option<Vec<String>> {
        if self.attached || self.adopts.is_some() || !self.paths.is_empty() {
            return None;
        }
        let proxy = self.options.iter().position(|word| word == "--proxy");
        let proxy = proxy.and_then(|at| self.options.get(at..at + 2)).unwrap_or_default();
        let policy = self.policy.iter().flat_map(|policy| option("--policy", policy));
        let words = ["upfault", "repro", &case.id].map(str::to_owned).into_iter();
        let words = words.chain(proxy.iter().cloned()).chain(policy).chain(["--keep".to_owned()]);
        Some(words.map(|word| shell::word(&word)).collect())
    }

    /// The shell command that runs a shard, given as `K/N`.
    pub(super) fn of_shard(&self, filter: Option<&str>, shard: &str) -> String {
        let mut words = vec!["upfault".to_owned(), "run".to_owned()];
        words.extend(self.paths.iter().cloned());
        words.extend(filter.iter().flat_map(|filter| option("--filter", filter)));
        words.extend(self.options.iter().chain(&self.shard_options).cloned());
        words.extend(self.policy.iter().flat_map(|policy| option("--policy", policy)));
        words.extend(self.project.iter().cloned());
        words.extend(["--shard", shard, "--report", "json=PATH"].map(str::to_owned));
        shell::command(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The shell command that reviews the pending snapshots of this run.
    pub(super) fn review(&self) -> String {
        let words = ["upfault", "review"].into_iter().chain(self.project.iter().map(String::as_str));
        shell::command(&words.collect::<Vec<_>>())
    }

    /// The path of the case's file if the user named only files; otherwise all paths, because a scenario's id
    /// depends on the path under which it was found.
    fn paths_of(&self, case: &CaseReport) -> Vec<String> {
        let is_file = |path: &String| is_scenario(Path::new(path));
        if self.paths.iter().all(is_file) && self.paths.contains(&case.file) {
            return vec![case.file.clone()];
        }
        self.paths.clone()
    }
}

/// An option and its value as words of a command: `--name=value` if the value starts with a dash, otherwise two
/// words.
pub(crate) fn option(name: &str, value: &str) -> Vec<String> {
    match value.starts_with('-') {
        true => vec![format!("{name}={value}")],
        false => vec![name.to_owned(), value.to_owned()],
    }
}

/// Whether a finding of a case, new or gone, compares the case with its siblings.
pub(crate) fn compares(case: &CaseReport) -> bool {
    let change = case.change.iter();
    let changed = change.flat_map(|change| change.new_findings.iter().chain(&change.vanished_findings));
    let mut rules = case.findings.iter().map(|finding| &finding.rule).chain(changed);
    rules.any(|rule| kin_of(rule).is_some())
}

fn filter(case: &CaseReport) -> String {
    let siblings = case.compared_with.iter().filter(|_| compares(case));
    let cases = std::iter::once(&case.id).chain(siblings);
    cases.map(|id| exactly(id)).collect::<Vec<_>>().join(" | ")
}

/// A filter that matches only the case with this id.
pub(crate) fn exactly(id: &str) -> String {
    let special = |c: char| c.is_whitespace() || "&|!()\"\\".contains(c);
    match id.contains(special) {
        true => format!("case:\"{}\"", id.replace('\\', r"\\").replace('"', r#"\""#)),
        false => format!("case:{id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::failing;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_command_repeats_the_options_and_selects_one_case() {
        let case = failing("limits/rate-limit[azure,stream]");
        let none = Rerun::default();
        insta::assert_snapshot!(none.command(&case).join(" "), @"upfault run --filter 'case:limits/rate-limit[azure,stream]'");
        insta::assert_snapshot!(none.review(), @"upfault review");
        let all = Rerun {
            paths: words(&["my llm", "limits"]),
            options: words(&["--proxy", "./my proxies/fake@2", "--seed", "7", "--strict"]),
            shard_options: words(&["--allow-inconclusive", "20"]),
            policy: Some("it's ours.yaml".to_owned()),
            project: words(&["--config", "ci/nightly.toml", "--snapshots", "my snaps"]),
            adopts: None,
            accept_all: Vec::new(),
            proxy_key: true,
            attached: true,
        };
        insta::assert_snapshot!(all.command(&case).join(" "), @r#"upfault run 'my llm' limits --filter 'case:limits/rate-limit[azure,stream]' --proxy './my proxies/fake@2' --seed 7 --strict --policy 'it'\''s ours.yaml' --config ci/nightly.toml --snapshots 'my snaps' --proxy-key "${UPFAULT_PROXY_KEY:?}""#);
        insta::assert_snapshot!(all.review(), @"upfault review --config ci/nightly.toml --snapshots 'my snaps'");
    }

    #[test]
    fn requests_by_hand_need_a_proxy_that_upfault_starts() {
        let case = failing("limits/rate-limit[azure,stream]");
        let own = Rerun { options: words(&["--proxy", "litellm@1.90.7", "--seed", "7"]), ..Rerun::default() };
        insta::assert_snapshot!(own.by_hand(&case).unwrap().join(" "), @"upfault repro 'limits/rate-limit[azure,stream]' --proxy litellm@1.90.7 --keep");
        let strict = Rerun { policy: Some("strict".to_owned()), ..Rerun::default() };
        insta::assert_snapshot!(strict.by_hand(&case).unwrap().join(" "), @"upfault repro 'limits/rate-limit[azure,stream]' --policy strict --keep");
        for other in [
            Rerun { attached: true, ..own.clone() },
            Rerun { adopts: Some("config.yaml".to_owned()), ..own.clone() },
            Rerun { paths: words(&["elsewhere"]), ..own },
        ] {
            assert_eq!(other.by_hand(&case), None);
        }
    }

    #[test]
    fn a_case_of_an_adopted_configuration_runs_again_with_it() {
        let adopting = Rerun { adopts: Some("my config.yaml".to_owned()), ..Rerun::default() };
        let command = adopting.command(&failing("limits/rate-limit[azure]@openai/*")).join(" ");
        insta::assert_snapshot!(command, @"upfault adopt 'my config.yaml' --filter 'case:limits/rate-limit[azure]@openai/*'");
    }

    #[test]
    fn only_the_file_of_the_case_is_named_if_only_files_were_given() {
        let case = failing("a");
        let several = |paths: &[&str]| Rerun { paths: words(paths), ..Rerun::default() }.paths_of(&case);
        assert_eq!(several(&["b.yaml", "scenarios/a.yaml", "c.json"]), ["scenarios/a.yaml"]);
        // The id may start at the folder.
        assert_eq!(several(&["scenarios/a.yaml", "folder"]), ["scenarios/a.yaml", "folder"]);
    }

    #[test]
    fn siblings_run_too_if_a_finding_compares_with_them() {
        let mut case = failing("a[stream]");
        case.compared_with = words(&["a"]);
        assert_eq!(filter(&case), "case:a[stream]");
        case.findings[0].rule = "sibling.stream-status".to_owned();
        assert_eq!(filter(&case), "case:a[stream] | case:a");
    }
}
