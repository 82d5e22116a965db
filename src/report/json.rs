//! The JSON report: an API with a version and a schema of its own.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Reporter, Summary, rerun::Rerun};
use crate::{
    event::{CaseResult, Event, LogLeak, ProxyStop, RunStarted},
    judge::{self, ErrorOrigin, Finding, Policy, StepView, Verdict, sdk_view},
    observation::Observation,
    scenario::Combination,
    snapshot::{Accepted, Difference, FindingLine, Redactor, without_secrets, write_atomically},
};

/// The version of the report's form. It rises when a reader of the old form could be misled.
pub const SCHEMA_VERSION: u32 = 1;

/// A whole run, with enough to judge it again. Times are milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "upfault report")]
pub struct Report {
    /// The version of this form: 1.
    pub schema: u32,
    /// The version of upfault that wrote it.
    pub upfault: String,
    /// The seed of everything random.
    pub seed: u64,
    /// The policy by which disputed questions were judged, and what differs from the one bundled under
    /// its name: `default, with timeout = 504`.
    pub policy: String,
    /// That policy, whole; null in a report of a version that did not write it.
    #[serde(default)]
    pub judged_by: Option<Policy>,
    /// Whether known findings failed a case.
    #[serde(default)]
    pub strict: bool,
    /// More inconclusive cases than these failed the run; null in a report of a version that did not write it.
    #[serde(default)]
    pub allow_inconclusive: Option<usize>,
    /// What was tested.
    pub proxy: ProxyReport,
    /// From what the commands are made that run a case again; absent in a report of a version that did not
    /// write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun: Option<Rerun>,
    /// In the order of their ids.
    pub cases: Vec<CaseReport>,
    /// Secrets that stand in the logs of the proxies that were started. They decide no case.
    #[serde(default)]
    pub log_leaks: Vec<LogLeak>,
    /// Each time that the proxy stopped serving.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<ProxyStop>,
    /// The run in numbers.
    pub summary: Summary,
}

/// What was tested.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProxyReport {
    /// `litellm`, `builtin:retry-after-dropped`.
    pub name: String,
    /// Its version, where it has one.
    pub version: Option<String>,
}

/// One case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseReport {
    /// `limits/rate-limit[stream]`.
    pub id: String,
    /// The scenario's id.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// The scenario's file.
    pub file: String,
    /// Why it matters.
    pub why: String,
    /// The point of the scenario's matrix.
    pub matrix: Combination,
    /// What is said of it.
    pub verdict: Verdict,
    /// Why it is inconclusive, skipped or broken; of a case that was judged, that its looks differ.
    pub reason: Option<String>,
    /// The rules that it broke.
    pub findings: Vec<Finding>,
    /// Who made each error that the caller got, and what became of the provider's details.
    #[serde(default)]
    pub origins: Vec<ErrorOrigin>,
    /// How it differs from the accepted snapshot; null if it does not.
    pub change: Option<Difference>,
    /// What was accepted of it when it was judged. Null if it was not judged, and in a report of a version that
    /// did not write it.
    #[serde(default)]
    pub accepted: Option<Accepted>,
    /// What the official SDKs that call this endpoint make of each exchange, by measured rules. Nothing
    /// where there is none.
    #[serde(default)]
    pub sdk_view: Vec<StepView>,
    /// What was seen on both sides; secrets are placeholders throughout, so that a leak can still
    /// be told. Null where nothing was run.
    pub observation: Option<Observation>,
    /// From its first request to its last byte.
    pub duration_ms: f64,
    /// How far injected waits missed their time on this machine, at the worst of the case's attempts.
    #[serde(default)]
    pub timer_error_ms: f64,
}

/// Why a file is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// It cannot be read.
    #[error("cannot read the report {}: {source}\n  help: `upfault run --report json=PATH` writes one", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is no report, or a damaged one.
    #[error("{} is no upfault report: {source}\n  help: give a file that `upfault run --report json=PATH` wrote", path.display())]
    NotAReport {
        /// The file.
        path: PathBuf,
        /// Where, and what is wrong.
        source: serde_json::Error,
    },
    /// It has another version.
    #[error("{} is a report of schema {found}, and this upfault reads schema {SCHEMA_VERSION}\n  help: run again with this version, or read it with the one that wrote it", path.display())]
    OtherSchema {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
}

impl Report {
    /// Reads a report from a file.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is no report, or has another version.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ReportError::Unreadable { path: path.to_owned(), source })?;
        // The version first: what a report of another version looks like is not known here.
        let head: Head = serde_json::from_str(&text)
            .map_err(|source| ReportError::NotAReport { path: path.to_owned(), source })?;
        if head.schema != u64::from(SCHEMA_VERSION) {
            return Err(ReportError::OtherSchema { path: path.to_owned(), found: head.schema });
        }
        serde_json::from_str(&text)
            .map_err(|source| ReportError::NotAReport { path: path.to_owned(), source })
    }
}

#[derive(Deserialize)]
struct Head {
    schema: u64,
}

impl CaseReport {
    /// A case as it may be shown: its secrets are placeholders.
    pub fn new(case: &CaseResult) -> Self {
        let plain = Self {
            id: case.id.clone(),
            scenario: case.scenario.clone(),
            title: case.title.clone(),
            file: case.file.clone(),
            why: case.why.clone(),
            matrix: case.combination,
            verdict: case.verdict,
            reason: case.reason.clone(),
            findings: case.findings.clone(),
            origins: case.observation.as_ref().map(judge::origins).unwrap_or_default(),
            change: case.change.clone(),
            accepted: case.accepted.clone(),
            sdk_view: case.observation.as_ref().map(sdk_view).unwrap_or_default(),
            observation: case.observation.clone(),
            duration_ms: case.duration_ms,
            timer_error_ms: case.observation.as_ref().map_or(0.0, Observation::timer_error_ms),
        };
        match &case.observation {
            Some(observation) => plain.redacted(&Redactor::secrets(&observation.arrangement)),
            None => plain,
        }
    }

    /// Every string of the findings, the change and the observation goes through `redactor`.
    fn redacted(self, redactor: &Redactor) -> Self {
        let text = |text: String| redactor.text(&text);
        let findings = self.findings.into_iter().map(|finding| Finding {
            expected: text(finding.expected),
            observed: text(finding.observed),
            evidence: finding.evidence.into_iter().map(text).collect(),
            ..finding
        });
        Self {
            reason: self.reason.map(text),
            findings: findings.collect(),
            origins: serde_json::to_value(&self.origins)
                .and_then(|value| serde_json::from_value(redactor.json(&value)))
                .unwrap_or_default(),
            change: self.change.map(|change| Difference { diff: text(change.diff), ..change }),
            accepted: self.accepted.map(|accepted| match accepted {
                Accepted::Nothing => Accepted::Nothing,
                Accepted::Findings(lines) => Accepted::Findings(
                    lines
                        .into_iter()
                        .map(|line| FindingLine { observed: text(line.observed), ..line })
                        .collect(),
                ),
            }),
            // Placeholders as long as what they stand for: it is to be judged again.
            observation: self.observation.as_ref().and_then(without_secrets),
            ..self
        }
    }
}

/// The JSON Schema of [`Report`], as it is checked in under `schema/report.schema.json`.
pub fn json_schema() -> Value {
    schemars::schema_for!(Report).to_value()
}

/// Writes the report when the run is over, interrupted or not.
pub struct JsonReporter {
    path: PathBuf,
    rerun: Option<Rerun>,
    started: Option<RunStarted>,
    cases: Vec<Arc<CaseResult>>,
    log_leaks: Vec<LogLeak>,
    stops: Vec<ProxyStop>,
    summary: Summary,
}

impl JsonReporter {
    /// One that will write to `path`. Its folder is made if need be.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            rerun: None,
            started: None,
            cases: Vec::new(),
            log_leaks: Vec::new(),
            stops: Vec::new(),
            summary: Summary::default(),
        }
    }

    /// Stores what `upfault explain` needs to show the commands that run a case again.
    #[must_use]
    pub fn with_rerun(self, rerun: Rerun) -> Self {
        Self { rerun: Some(rerun), ..self }
    }

    fn report(&self) -> Report {
        let started = self.started.clone();
        let mut cases: Vec<CaseReport> = self.cases.iter().map(|case| CaseReport::new(case)).collect();
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        Report {
            schema: SCHEMA_VERSION,
            upfault: env!("CARGO_PKG_VERSION").to_owned(),
            seed: started.as_ref().map_or(0, |started| started.seed),
            policy: started.as_ref().map(|started| started.policy.describe()).unwrap_or_default(),
            judged_by: started.as_ref().map(|started| (*started.policy).clone()),
            strict: started.as_ref().is_some_and(|started| started.strict),
            allow_inconclusive: started.as_ref().map(|started| started.allow_inconclusive),
            proxy: started
                .map(|started| ProxyReport { name: started.proxy, version: started.proxy_version })
                .unwrap_or_default(),
            rerun: self.rerun.clone(),
            cases,
            log_leaks: self.log_leaks.clone(),
            stops: self.stops.clone(),
            summary: self.summary.clone(),
        }
    }
}

impl Reporter for JsonReporter {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::RunStarted(started) => self.started = Some(started.clone()),
            Event::ProxyReady { startup_ms, .. } => self.summary.proxy_start_ms = Some(*startup_ms),
            Event::CaseFinished(case) => {
                self.summary.add(case);
                self.cases.push(Arc::clone(case));
            }
            Event::RunFinished(end) => {
                self.summary.finish(end);
                self.log_leaks.clone_from(&end.log_leaks);
                self.stops.clone_from(&end.stops);
                let mut text = serde_json::to_string_pretty(&self.report())?;
                text.push('\n');
                write_atomically(&self.path, &text).map_err(|error| {
                    let message = format!("cannot write the report {}: {error}", self.path.display());
                    io::Error::new(error.kind(), message)
                })?;
            }
            Event::ProxyProgress(_) | Event::CaseStarted { .. } => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::terminal::tests::{case, failing, finish, started};

    fn written(events: &[Event]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out/report.json");
        let mut reporter = JsonReporter::new(path.clone());
        for event in events {
            reporter.event(event).unwrap();
        }
        (dir, path)
    }

    fn run() -> Vec<Event> {
        vec![
            started(2),
            Event::ProxyReady { instances: 1, startup_ms: 18200.0 },
            Event::CaseFinished(Arc::new(failing("limits/rate-limit"))),
            Event::CaseFinished(Arc::new(case("a/skipped", Verdict::Skipped))),
            finish(),
        ]
    }

    #[test]
    fn a_report_is_read_back_as_it_was_written() {
        let (_dir, path) = written(&run());
        let report = Report::read(&path).unwrap();
        assert_eq!((report.schema, report.seed, report.cases.len()), (1, 7, 2));
        assert_eq!(report.cases[0].id, "a/skipped", "cases are sorted");
        assert_eq!(report.summary.slowest.as_ref().unwrap().id, "limits/rate-limit");
        assert_eq!((report.summary.fail, report.summary.skipped), (1, 1));
        assert_eq!(report.summary.timer_error_ms, 0.25);
        let again: Report = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
        assert_eq!(again, report);
    }

    #[test]
    fn a_report_tells_what_the_sdks_make_of_a_case_and_one_without_that_is_read_too() {
        let (_dir, path) = written(&run());
        let mut value: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let case = &mut value["cases"][1];
        let retry = serde_json::json!({"attempts": 3, "reason": "status", "wait": "backoff"});
        let outcome = serde_json::json!({"raises": {"class": "RateLimitError", "retry": retry}});
        assert_eq!(
            case["sdk_view"][0]["sdks"][0],
            serde_json::json!({"sdk": "openai-python", "release": "2.54.0", "outcome": outcome, "silent": false})
        );
        case.as_object_mut().unwrap().remove("sdk_view");
        fs::write(&path, value.to_string()).unwrap();
        assert_eq!(Report::read(&path).unwrap().cases[1].sdk_view, []);
    }

    #[test]
    fn a_report_matches_its_schema() {
        let (_dir, path) = written(&run());
        let value: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let validator = jsonschema::validator_for(&json_schema()).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "`just schema` says so by a variable")]
    fn the_schema_that_is_checked_in_is_the_one_of_the_types() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/report.schema.json");
        let now = format!("{:#}\n", json_schema());
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            fs::write(&path, &now).unwrap();
        }
        let kept = fs::read_to_string(path).unwrap_or_default();
        assert!(kept == now, "schema/report.schema.json is out of date: run `just schema`");
    }

    #[test]
    fn no_secret_is_in_a_report_and_a_leak_can_still_be_told() {
        let mut leaky = failing("leak/key");
        let key = leaky.observation.as_ref().unwrap().arrangement.deployments[0].key.clone();
        leaky.findings[0].observed = format!("the body shows {key}");
        let (_dir, path) = written(&[started(1), Event::CaseFinished(Arc::new(leaky)), finish()]);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&key) && !text.contains("sk-proxy-51c0ffee"));
        let report = Report::read(&path).unwrap();
        let case = &report.cases[0];
        assert_eq!(case.findings[0].observed, "the body shows <key primary>");
        // The arrangement names the same placeholder that stands where the secret was.
        let observation = case.observation.as_ref().unwrap();
        let secret = &observation.arrangement.proxy_secrets[0];
        assert!(observation.exchanges[0].request_headers[0].1.contains(secret.as_str()));
    }

    #[test]
    fn what_is_no_report_is_told_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.json");
        assert!(matches!(Report::read(&path), Err(ReportError::Unreadable { .. })));
        fs::write(&path, "{\"schema\": 2}").unwrap();
        assert!(matches!(Report::read(&path), Err(ReportError::OtherSchema { found: 2, .. })));
        fs::write(&path, "{\"schema\": 1}").unwrap();
        let error = Report::read(&path).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("help: "), "{error}");
    }
}
