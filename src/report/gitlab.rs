//! A Code Quality report, which GitLab shows in merge requests.
//! <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{
    RecordedRun,
    inert::write_json,
    issues::{IssueLevel, issues},
};

/// Renders a report as a list with an entry for each finding. GitLab compares it with that of the target branch by the
/// fingerprints, so it contains accepted findings too.
pub(super) fn render(run: &RecordedRun, out: &mut dyn Write) -> io::Result<()> {
    let entries: Vec<Value> = issues(&run.report)
        .into_iter()
        .map(|issue| {
            json!({
                "description": issue.message,
                "check_name": issue.kind,
                "fingerprint": issue.fingerprint,
                "severity": severity(issue.kind, issue.level),
                "location": {"path": run.sources.path(&issue.case.file), "lines": {"begin": issue.case.line}},
            })
        })
        .collect();
    write_json(out, &entries)
}

fn severity(kind: &str, level: IssueLevel) -> &'static str {
    match level {
        _ if kind == "upfault.broken" => "blocker",
        IssueLevel::Error => "major",
        IssueLevel::Warning => "minor",
        IssueLevel::Note => "info",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::{
        event::CaseReport,
        judge::Verdict,
        report::{
            format::tests::rendered,
            sample::{case, failing},
        },
    };

    fn entries(cases: Vec<CaseReport>) -> Vec<Value> {
        serde_json::from_str(&rendered("gitlab", cases)).unwrap()
    }

    #[test]
    fn each_finding_is_an_entry_at_the_line_of_its_scenario() {
        let all = entries(vec![
            CaseReport { line: 3, ..failing("limits/rate-limit[stream]") },
            case("a/pass", Verdict::Pass),
            CaseReport { reason: Some("busy".to_owned()), ..case("a/unclear", Verdict::Inconclusive) },
            case("a/broken", Verdict::Broken),
            case("a/changed", Verdict::Changed),
        ]);
        let shown: Vec<String> = all
            .iter()
            .map(|entry| {
                let place = format!("{}:{}", entry["location"]["path"], entry["location"]["lines"]["begin"]);
                format!("{} {} {place} {}", entry["severity"], entry["check_name"], entry["description"])
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        "blocker" "upfault.broken" "scenarios/a/broken.yaml":1 "a/broken: upfault itself failed"
        "major" "upfault.changed" "scenarios/a/changed.yaml":1 "a/changed: The result differs from the accepted snapshot"
        "major" "headers.retry-after" "scenarios/limits/rate-limit.yaml":3 "limits/rate-limit[stream]: Retry-After reaches the caller. Expected: retry-after: 7. Observed: no retry-after"
        "info" "upfault.inconclusive" "scenarios/a/unclear.yaml":1 "a/unclear: upfault could not decide: busy"
        "#);
    }

    #[test]
    fn fingerprints_are_unique_and_the_same_in_another_run() {
        let twice = |observed: &str| {
            let mut case = failing("a/b");
            case.findings.push(case.findings[0].clone());
            case.findings[0].observed = observed.to_owned();
            case
        };
        let prints = |cases| {
            let entries = entries(cases).into_iter();
            entries.map(|entry| entry["fingerprint"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let first = prints(vec![twice("req_1"), failing("a/c")]);
        assert_eq!(first, prints(vec![twice("req_2"), failing("a/c"), case("x", Verdict::Pass)]));
        let mut unique = first.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), first.len());
    }
}
