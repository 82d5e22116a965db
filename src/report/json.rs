//! The JSON report. It is an API: it has a version and a schema.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Summary, rerun::Rerun};
use crate::{
    event::{CaseResult, Event, LogLeak, ProxyStop, RunStarted},
    judge::{self, ErrorOrigin, Finding, Policy, StepView, Verdict, sdk_view},
    observation::Observation,
    scenario::Combination,
    snapshot::{Accepted, Difference, FindingLine, Redactor, without_secrets},
};

/// The version of the report format. It increases when an older reader could misunderstand a report.
pub const SCHEMA_VERSION: u32 = 1;

/// A complete run, with everything needed to judge it again. Times are in milliseconds.
///
/// # Examples
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("report.json");
/// # let runtime = tokio::runtime::Runtime::new()?;
/// # let report = runtime.block_on(upfault::Suite::new([]).run())?;
/// std::fs::write(&path, serde_json::to_string(&report)?)?;
/// assert_eq!(upfault::Report::read(&path)?, report);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[cfg_attr(test, schemars(title = "upfault report"))]
pub struct Report {
    /// The version of the format: 1.
    pub schema: u32,
    /// The version of upfault that wrote it.
    pub upfault: String,
    /// The seed of all random choices.
    pub seed: u64,
    /// The policy that decided disputed questions, and how it differs from the bundled policy with this name:
    /// `default, with timeout = 504`.
    pub policy: String,
    /// The complete policy; null in reports of older versions.
    #[serde(default)]
    pub judged_by: Option<Policy>,
    /// Whether known findings failed cases.
    #[serde(default)]
    pub strict: bool,
    /// The run failed if more cases than these were inconclusive; null in reports of older versions.
    #[serde(default)]
    pub allow_inconclusive: Option<usize>,
    /// The tested proxy.
    pub proxy: ProxyReport,
    /// The options for commands that run a case again; absent in reports of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun: Option<Rerun>,
    /// Sorted by id.
    pub cases: Vec<CaseReport>,
    /// Secrets found in the logs of proxies that upfault started. They do not affect verdicts.
    #[serde(default)]
    pub log_leaks: Vec<LogLeak>,
    /// Each time that the proxy stopped serving.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<ProxyStop>,
    /// The run in numbers.
    pub summary: Summary,
}

/// The tested proxy.
///
/// # Examples
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cases = upfault::Library::bundled().cases().into_iter().filter(|case| case.id.starts_with("limits/rate-limit["));
/// let report = upfault::Suite::new(cases).proxy("builtin:retry-after-dropped")?.run().await?;
/// assert_eq!(report.proxy.name, "builtin:retry-after-dropped");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct ProxyReport {
    /// `litellm`, `builtin:retry-after-dropped`.
    pub name: String,
    /// Its version, if known.
    pub version: Option<String>,
}

/// One case.
///
/// # Examples
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cases = upfault::Library::bundled().cases().into_iter().filter(|case| case.id.starts_with("limits/rate-limit["));
/// let report = upfault::Suite::new(cases).proxy("builtin:retry-after-dropped")?.run().await?;
/// let case = &report.cases[0];
/// assert_eq!((case.scenario.as_str(), case.verdict), ("limits/rate-limit", upfault::Verdict::Fail));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct CaseReport {
    /// `limits/rate-limit[stream]`.
    pub id: String,
    /// The scenario's id.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// The scenario's file.
    pub file: String,
    /// Why the scenario matters.
    pub why: String,
    /// The provider, API and streaming mode.
    pub matrix: Combination,
    /// The verdict.
    pub verdict: Verdict,
    /// Why the case is inconclusive, skipped or broken, or, if it was judged, how its repetitions differ.
    pub reason: Option<String>,
    /// The rules that the proxy broke.
    pub findings: Vec<Finding>,
    /// The source of each error that the caller got, and the fate of the provider's details.
    #[serde(default)]
    pub origins: Vec<ErrorOrigin>,
    /// The difference from the accepted snapshot; null if there is none.
    pub change: Option<Difference>,
    /// What the accepted snapshot contained when the case was judged. Null if it was not judged, and in reports of
    /// older versions.
    #[serde(default)]
    pub accepted: Option<Accepted>,
    /// How the official SDKs for this endpoint interpret each response, by measured rules. Empty if there is no such
    /// SDK.
    #[serde(default)]
    pub sdk_view: Vec<StepView>,
    /// Both sides of the wire. Placeholders replace secrets, so that leaks remain detectable. Null if the case did not
    /// run.
    pub observation: Option<Observation>,
    /// From its first request to its last byte.
    pub duration_ms: f64,
    /// The largest lateness of an injected delay in this case.
    #[serde(default)]
    pub timer_error_ms: f64,
}

/// Why a report could not be read.
///
/// # Examples
///
/// ```
/// let error = upfault::Report::read("no-such-file.json".as_ref()).unwrap_err();
/// assert!(matches!(error, upfault::ReportError::Unreadable { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The file cannot be read.
    #[error("cannot read the report {}: {source}\n  help: `upfault run --report json=PATH` writes one", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file is not a report, or it is damaged.
    #[error("{} is not an upfault report: {source}\n  help: give a file that `upfault run --report json=PATH` wrote", path.display())]
    NotAReport {
        /// The file.
        path: PathBuf,
        /// The position and the error.
        source: serde_json::Error,
    },
    /// The report has another version.
    #[error("{} is a report with schema version {found}, but this upfault reads version {SCHEMA_VERSION}\n  help: run the suite again, or use the version of upfault that wrote the report", path.display())]
    OtherSchema {
        /// The file.
        path: PathBuf,
        /// The version of the report.
        found: u64,
    },
}

impl Report {
    /// Reads a report from a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is not a report, or has another schema version.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ReportError::Unreadable { path: path.to_owned(), source })?;
        // The version comes first: the format of other versions is unknown.
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
    /// The case with placeholders for its secrets.
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

    /// The result of the case as a run produces it, but with placeholders for its secrets.
    pub(crate) fn result(&self) -> CaseResult {
        CaseResult {
            id: self.id.clone(),
            scenario: self.scenario.clone(),
            title: self.title.clone(),
            file: self.file.clone(),
            why: self.why.clone(),
            combination: self.matrix,
            verdict: self.verdict,
            reason: self.reason.clone(),
            findings: self.findings.clone(),
            change: self.change.clone(),
            accepted: self.accepted.clone(),
            observation: self.observation.clone(),
            duration_ms: self.duration_ms,
        }
    }

    /// Applies `redactor` to every string.
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
            // Its placeholders keep the length of the secrets, because the case can be judged again.
            observation: self.observation.as_ref().and_then(without_secrets),
            ..self
        }
    }
}

/// Builds a report from the events of a run.
#[derive(Default)]
pub(crate) struct ReportBuilder {
    rerun: Option<Rerun>,
    started: Option<RunStarted>,
    cases: Vec<Arc<CaseResult>>,
    log_leaks: Vec<LogLeak>,
    stops: Vec<ProxyStop>,
    summary: Summary,
}

impl ReportBuilder {
    /// Stores the options for the commands that run a case again.
    pub(crate) fn with_rerun(rerun: Option<Rerun>) -> Self {
        Self { rerun, ..Self::default() }
    }

    /// Adds an event. The events of a run come in their order.
    pub(crate) fn add(&mut self, event: &Event) {
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
            }
            Event::ProxyProgress(_) | Event::CaseStarted { .. } => {}
        }
    }

    /// The report of the events so far.
    pub(crate) fn finish(&self) -> Report {
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

/// Renders a report as JSON, as `upfault schema report` describes it.
pub(super) fn render(report: &Report) -> io::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(report)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::terminal::tests::{case, failing, finish, started};
    use crate::report::{FileReporter, ReportFormat, ReportTarget, Reporter};
    use crate::scenario::schema_of;
    use serde_json::Value;

    fn written(events: &[Event]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out/report.json");
        let mut reporter =
            FileReporter::new(ReportFormat::named("json").unwrap(), ReportTarget::File(path.clone()), None);
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
    fn a_report_survives_a_round_trip() {
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
    fn a_report_contains_the_sdk_view_and_is_readable_without_it() {
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
        let validator =
            jsonschema::validator_for(&serde_json::from_str(&schema_of::<Report>()).unwrap()).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "`just schema` sets the variable")]
    fn the_stored_schema_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/report.schema.json");
        let now = schema_of::<Report>();
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            fs::write(&path, &now).unwrap();
        }
        let kept = fs::read_to_string(path).unwrap_or_default();
        assert!(kept == now, "schema/report.schema.json is out of date: run `just schema`");
    }

    #[test]
    fn a_report_contains_no_secrets_and_leaks_remain_detectable() {
        let mut leaky = failing("leak/key");
        let key = leaky.observation.as_ref().unwrap().arrangement.deployments[0].key.clone();
        leaky.findings[0].observed = format!("the body shows {key}");
        let (_dir, path) = written(&[started(1), Event::CaseFinished(Arc::new(leaky)), finish()]);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&key) && !text.contains("sk-proxy-51c0ffee"));
        let report = Report::read(&path).unwrap();
        let case = &report.cases[0];
        assert_eq!(case.findings[0].observed, "the body shows <key primary>");
        // The arrangement contains the placeholder that replaces the secret.
        let observation = case.observation.as_ref().unwrap();
        let secret = &observation.arrangement.proxy_secrets[0];
        assert!(observation.exchanges[0].request_headers[0].1.contains(secret.as_str()));
    }

    #[test]
    fn an_invalid_report_is_an_error_with_the_reason() {
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
