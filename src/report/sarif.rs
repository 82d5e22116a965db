//! SARIF 2.1.0, the format of static analysis tools, which code hosts display.
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use serde_json::{Value, json};

use super::{
    RecordedRun,
    inert::write_json,
    issues::{Issue, IssueLevel, issues, kind},
    links::link,
};

/// How many results GitHub displays. It keeps those that come first.
/// <https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support-for-code-scanning>
const MAX_RESULTS: usize = 5_000;

/// Renders a report as one run of the tool, with a result for each finding, the most serious first.
pub(super) fn render(run: &RecordedRun, out: &mut dyn Write) -> io::Result<()> {
    let report = &run.report;
    let all = issues(report);
    let shown = &all[..all.len().min(MAX_RESULTS)];
    let used: BTreeSet<&str> = shown.iter().map(|issue| issue.kind).collect();
    let rules: Vec<&str> = used.into_iter().collect();
    let mut invocation = json!({"executionSuccessful": !run.end.interrupted});
    if all.len() > shown.len() {
        let left = all.len() - shown.len();
        let text = format!("{left} results are left out, because code hosts display only {MAX_RESULTS}.");
        invocation["toolExecutionNotifications"] = json!([{"level": "warning", "message": {"text": text}}]);
    }
    let proxy = &report.proxy;
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "upfault",
                "semanticVersion": report.upfault,
                "rules": rules.iter().map(|name| rule(name)).collect::<Vec<_>>(),
            }},
            "automationDetails": {"id": format!("upfault/{proxy}/")},
            "columnKind": "unicodeCodePoints",
            "invocations": [invocation],
            "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The folder of the project."}}},
            "results": shown.iter().map(|issue| result(issue, &rules, &run.sources.path(&issue.case.file))).collect::<Vec<_>>(),
        }],
    });
    write_json(out, &log)
}

fn rule(name: &str) -> Value {
    let Some(kind) = kind(name) else { return json!({"id": name}) };
    let references: Vec<String> = kind
        .references
        .iter()
        .map(|reference| match link(reference) {
            Some(address) => format!("[{reference}]({address})"),
            None => (*reference).to_owned(),
        })
        .collect();
    let see =
        if references.is_empty() { String::new() } else { format!("\n\nSee {}.", references.join(", ")) };
    let mut rule = json!({
        "id": name,
        "shortDescription": {"text": kind.title},
        "fullDescription": {"text": kind.reason},
        "help": {"text": kind.reason, "markdown": format!("{}{see}", kind.reason)},
        "defaultConfiguration": {"level": level(kind.level)},
    });
    if let Some(link) = kind.link {
        rule["helpUri"] = json!(link);
    }
    rule
}

fn result(issue: &Issue<'_>, rules: &[&str], file: &str) -> Value {
    let mut result = json!({
        "ruleId": issue.kind,
        "level": level(issue.level),
        "message": {"text": issue.message},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri(file), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": issue.case.line},
        }}],
        "partialFingerprints": {"upfaultFinding/v1": issue.fingerprint},
    });
    if let Some(index) = rules.iter().position(|rule| *rule == issue.kind) {
        result["ruleIndex"] = json!(index);
    }
    if issue.accepted {
        let why = "The accepted snapshot contains the finding.";
        result["suppressions"] = json!([{"kind": "external", "justification": why}]);
    }
    result
}

fn level(level: IssueLevel) -> &'static str {
    match level {
        IssueLevel::Error => "error",
        IssueLevel::Warning => "warning",
        IssueLevel::Note => "note",
    }
}

/// A path as a relative URI reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.trim_start_matches('/').bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::{Compression, read::GzEncoder};
    use serde_json::Value;

    use crate::{
        event::CaseReport,
        judge::Verdict,
        report::{
            format::tests::rendered,
            sample::{case, failing},
        },
    };

    fn log(cases: Vec<CaseReport>) -> Value {
        serde_json::from_str(&rendered("sarif", cases)).unwrap()
    }

    /// The errors by the schema of SARIF 2.1.0, which `tests/fixtures/schemas/README.md` describes.
    fn schema_errors(log: &Value) -> Vec<String> {
        let schema = include_str!("../../tests/fixtures/schemas/sarif-2.1.0.json");
        let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
        validator.iter_errors(log).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    fn mixed() -> Vec<CaseReport> {
        let mut known = failing("b/known");
        known.verdict = Verdict::Known;
        vec![
            CaseReport { line: 4, file: "my scenarios/a é.yaml".to_owned(), ..failing("a/b[stream]") },
            known,
            case("a/pass", Verdict::Pass),
            case("a/changed", Verdict::Changed),
            CaseReport { reason: Some("busy".to_owned()), ..case("a/unclear", Verdict::Inconclusive) },
        ]
    }

    #[test]
    fn a_log_matches_the_schema() {
        assert_eq!(schema_errors(&log(mixed())), [""; 0]);
        assert_eq!(schema_errors(&log(Vec::new())), [""; 0]);
        let mut wrong = log(mixed());
        wrong["runs"][0]["results"][0]["level"] = "fatal".into();
        assert_eq!(schema_errors(&wrong).len(), 1, "the schema is used");
    }

    #[test]
    fn results_are_sorted_by_level_and_refer_to_their_rules() {
        let log = log(mixed());
        let run = &log["runs"][0];
        let results = run["results"].as_array().unwrap();
        let levels: Vec<&str> = results.iter().map(|result| result["level"].as_str().unwrap()).collect();
        let mut sorted = levels.clone();
        sorted.sort_by_key(|level| ["error", "warning", "note"].iter().position(|known| known == level));
        assert_eq!(levels, sorted);
        for result in results {
            let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
            assert_eq!(rule["id"], result["ruleId"]);
            assert!(!rule["help"]["text"].as_str().unwrap().is_empty());
        }
        let first = results.iter().find(|result| result["ruleId"] == "headers.retry-after").unwrap();
        let place = &first["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "my%20scenarios/a%20%C3%A9.yaml");
        assert_eq!(place["region"]["startLine"], 4);
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        let rule = rules.iter().find(|rule| rule["id"] == "headers.retry-after").unwrap();
        assert_eq!(rule["helpUri"], "https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3");
        // Accepted findings are suppressed, and only they.
        for result in results {
            let is_known = result["message"]["text"].as_str().unwrap().starts_with("b/known");
            assert_eq!(result.get("suppressions").is_some(), is_known, "{result}");
        }
    }

    #[test]
    fn more_results_than_a_code_host_displays_are_cut_with_a_notice() {
        let long = |n: usize| {
            let mut case = CaseReport { observation: None, ..failing(&format!("a/{n:04}")) };
            // Random text, which does not compress.
            case.findings[0].observed =
                (0..100).map(|i| format!("{:x}", (n * 7919 + i * 104_729) * 2_654_435_761)).collect();
            case.findings[0].expected = "é".repeat(5000);
            case
        };
        let text = rendered("sarif", (0..5001).map(long).collect());
        let log: Value = serde_json::from_str(&text).unwrap();
        let run = &log["runs"][0];
        assert_eq!(run["results"].as_array().unwrap().len(), 5000);
        assert!(run["results"].as_array().unwrap().iter().all(|result| result["level"] == "error"));
        let notice =
            run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
        assert!(notice.ends_with("results are left out, because code hosts display only 5000."), "{notice}");
        assert_eq!(schema_errors(&log), [""; 0]);
        let mut packed = Vec::new();
        GzEncoder::new(text.as_bytes(), Compression::default()).read_to_end(&mut packed).unwrap();
        assert!(packed.len() < 10 * 1024 * 1024, "{} bytes", packed.len());
    }
}
