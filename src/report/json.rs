//! The JSON report. It is an API: it has a version and a schema.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

#[cfg(test)]
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::{Summary, rerun::Rerun};
use crate::{
    event::{CaseReport, Event, LogLeak, ProxyStop, RunStarted},
    judge::Policy,
    shard::RunSelection,
};

/// The version of the report format. It increases when an older reader could misunderstand a report. Since version 2, a
/// passing case may have no observation.
pub const SCHEMA_VERSION: u32 = 2;

/// The oldest version that can be read.
const OLDEST_VERSION: u64 = 1;

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
pub struct Report<Cases = Vec<CaseReport>> {
    /// The version of the format: 2.
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
    /// Which cases the run selected.
    #[serde(default, skip_serializing_if = "RunSelection::is_everything")]
    pub selection: RunSelection,
    /// The options for commands that run a case again; absent in reports of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun: Option<Rerun>,
    /// Sorted by id.
    pub cases: Cases,
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
    /// What differs from its definition: `LITELLM_RUST=1, overlay.yaml`; absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

impl ProxyReport {
    /// The proxy as the argument of `--proxy`: `litellm@1.108.7,LITELLM_RUST=1`.
    pub(crate) fn spec(&self) -> String {
        let version = self.version.iter().map(|version| format!("@{version}"));
        let words = self.mode.iter().flat_map(|mode| mode.split(", "));
        let words = words.map(|word| format!(",{}", word.replace(',', r"\,")));
        std::iter::once(self.name.clone()).chain(version).chain(words).collect()
    }
}

/// `litellm 1.108.7 with LITELLM_RUST=1`
impl fmt::Display for ProxyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.version.iter().try_for_each(|version| write!(f, " {version}"))?;
        self.mode.iter().try_for_each(|mode| write!(f, " with {mode}"))
    }
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
#[non_exhaustive]
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
    #[error("{} is a report with schema version {found}, but this upfault reads versions {OLDEST_VERSION} to {SCHEMA_VERSION}\n  help: run the suite again, or use the version of upfault that wrote the report", path.display())]
    OtherSchema {
        /// The file.
        path: PathBuf,
        /// The version of the report.
        found: u64,
    },
}

/// Cases that are not read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SkippedCases;

impl<'de> Deserialize<'de> for SkippedCases {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl Report {
    /// Reads a report from a file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is not a report, or has another schema version.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let mut report: Self = read_as(path)?;
        // Version 1 has this only in the observation.
        for case in &mut report.cases {
            if let Some(observation) = &case.observation {
                case.compared_with.clone_from(&observation.arrangement.compared_with);
            }
        }
        Ok(report)
    }
}

impl Report<SkippedCases> {
    /// Reads everything of a report except its cases, which can be too many for the memory.
    ///
    /// # Errors
    ///
    /// Those of [`Report::read`].
    pub(crate) fn read_head(path: &Path) -> Result<Self, ReportError> {
        read_as(path)
    }
}

fn read_as<R: DeserializeOwned>(path: &Path) -> Result<R, ReportError> {
    let text = fs::read_to_string(path)
        .map_err(|source| ReportError::Unreadable { path: path.to_owned(), source })?;
    // The version comes first: the format of other versions is unknown.
    let head: Head = serde_json::from_str(&text)
        .map_err(|source| ReportError::NotAReport { path: path.to_owned(), source })?;
    if !(OLDEST_VERSION..=u64::from(SCHEMA_VERSION)).contains(&head.schema) {
        return Err(ReportError::OtherSchema { path: path.to_owned(), found: head.schema });
    }
    serde_json::from_str(&text).map_err(|source| ReportError::NotAReport { path: path.to_owned(), source })
}

#[derive(Deserialize)]
struct Head {
    schema: u64,
}

/// Builds a report from the events of a run.
#[derive(Default)]
pub(crate) struct ReportBuilder {
    rerun: Option<Rerun>,
    started: Option<RunStarted>,
    cases: Vec<CaseReport>,
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
            Event::CaseFinished(case) => self.add_case(case, CaseReport::clone(case)),
            Event::RunFinished(end) => {
                self.summary.finish(end);
                self.log_leaks.clone_from(&end.log_leaks);
                self.stops.clone_from(&end.stops);
            }
            Event::ProxyProgress(_) | Event::CaseStarted { .. } => {}
        }
    }

    /// Counts a case, and keeps `kept` of it.
    pub(super) fn add_case(&mut self, case: &CaseReport, kept: CaseReport) {
        self.summary.add(case);
        self.cases.push(kept);
    }

    /// The report of the events so far.
    pub(crate) fn finish(self) -> Report {
        let Self { rerun, started, mut cases, log_leaks, stops, summary } = self;
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        Report {
            schema: SCHEMA_VERSION,
            upfault: env!("CARGO_PKG_VERSION").to_owned(),
            seed: started.as_ref().map_or(0, |started| started.seed),
            policy: started.as_ref().map(|started| started.policy.describe()).unwrap_or_default(),
            judged_by: started.as_ref().map(|started| (*started.policy).clone()),
            strict: started.as_ref().is_some_and(|started| started.strict),
            allow_inconclusive: started.as_ref().map(|started| started.allow_inconclusive),
            selection: started.as_ref().map(|started| started.selection.clone()).unwrap_or_default(),
            proxy: started
                .map(|started| ProxyReport {
                    name: started.proxy,
                    version: started.proxy_version,
                    mode: started.proxy_mode,
                })
                .unwrap_or_default(),
            rerun,
            cases,
            log_leaks,
            stops,
            summary,
        }
    }
}

impl Report {
    /// The same run with other cases.
    pub(super) fn with_cases<Cases>(&self, cases: Cases) -> Report<Cases> {
        Report {
            schema: self.schema,
            upfault: self.upfault.clone(),
            seed: self.seed,
            policy: self.policy.clone(),
            judged_by: self.judged_by.clone(),
            strict: self.strict,
            allow_inconclusive: self.allow_inconclusive,
            selection: self.selection.clone(),
            proxy: self.proxy.clone(),
            rerun: self.rerun.clone(),
            cases,
            log_leaks: self.log_leaks.clone(),
            stops: self.stops.clone(),
            summary: self.summary.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;
    use crate::report::{
        format::tests::rendered,
        sample::{case, failing},
    };
    use crate::scenario::schema_of;
    use serde_json::Value;

    fn cases() -> Vec<CaseReport> {
        vec![failing("limits/rate-limit").completed(), case("a/skipped", Verdict::Skipped)]
    }

    fn stored(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.json");
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn a_report_survives_a_round_trip() {
        let (_dir, path) = stored(&rendered("json-full", cases()));
        let report = Report::read(&path).unwrap();
        assert_eq!((report.schema, report.seed, report.cases.len()), (2, 7, 2));
        assert_eq!(report.cases[0].id, "a/skipped", "cases are sorted");
        assert_eq!(report.summary.slowest.as_ref().unwrap().id, "limits/rate-limit");
        assert_eq!((report.summary.fail, report.summary.skipped), (1, 1));
        assert_eq!(report.summary.timer_error_ms, 0.25);
        let again: Report = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
        assert_eq!(again, report);
    }

    #[test]
    fn a_lean_report_has_no_exchanges_of_cases_that_pass_unless_others_are_compared_with_them() {
        let with = |id: &str, verdict, against: &[&str]| {
            let mut case = CaseReport { verdict, ..failing(id) };
            let observation = case.observation.as_mut().unwrap();
            observation.arrangement.compared_with = against.iter().map(|id| (*id).to_owned()).collect();
            case.completed()
        };
        let text = rendered(
            "json",
            vec![
                with("a", Verdict::Pass, &[]),
                with("a[stream]", Verdict::Fail, &["a"]),
                with("b", Verdict::Pass, &[]),
                with("b[stream]", Verdict::Pass, &["b"]),
                with("c", Verdict::Known, &[]),
            ],
        );
        let (_dir, path) = stored(&text);
        let report = Report::read(&path).unwrap();
        let kept = report.cases.iter().filter(|case| case.observation.is_some());
        assert_eq!(kept.map(|case| case.id.as_str()).collect::<Vec<_>>(), ["a", "a[stream]", "c"]);
        assert_eq!(report.cases[3].compared_with, ["b"]);
    }

    /// Version 1 is version 2 with the observation of every case and without `compared_with`.
    #[test]
    fn reports_of_version_1_are_read() {
        let mut value: Value = serde_json::from_str(&rendered("json-full", cases())).unwrap();
        value["schema"] = 1.into();
        value["cases"][1].as_object_mut().unwrap().remove("compared_with");
        value["cases"][1]["observation"]["arrangement"]["compared_with"] = serde_json::json!(["a/b"]);
        let (_dir, path) = stored(&value.to_string());
        assert_eq!(Report::read(&path).unwrap().cases[1].compared_with, ["a/b"]);
    }

    #[test]
    fn a_report_contains_the_sdk_view_and_is_readable_without_it() {
        let mut value: Value = serde_json::from_str(&rendered("json", cases())).unwrap();
        let case = &mut value["cases"][1];
        let retry = serde_json::json!({"attempts": 3, "reason": "status", "wait": "backoff"});
        let outcome = serde_json::json!({"raises": {"class": "RateLimitError", "retry": retry}});
        assert_eq!(
            case["sdk_view"][0]["sdks"][0],
            serde_json::json!({"sdk": "openai-python", "release": "2.54.0", "outcome": outcome, "silent": false})
        );
        case.as_object_mut().unwrap().remove("sdk_view");
        let (_dir, path) = stored(&value.to_string());
        assert_eq!(Report::read(&path).unwrap().cases[1].sdk_view, []);
    }

    #[test]
    fn a_proxy_is_named_with_its_version_and_its_mode() {
        let mut proxy = ProxyReport { name: "litellm".to_owned(), ..ProxyReport::default() };
        assert_eq!(proxy.to_string(), "litellm");
        proxy.version = Some("1.108.7".to_owned());
        proxy.mode = Some("LITELLM_RUST=1".to_owned());
        assert_eq!(proxy.to_string(), "litellm 1.108.7 with LITELLM_RUST=1");
    }

    #[test]
    fn a_report_matches_its_schema() {
        let value: Value = serde_json::from_str(&rendered("json-full", cases())).unwrap();
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
        let text = rendered("json", vec![leaky.completed()]);
        let (_dir, path) = stored(&text);
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
        fs::write(&path, "{\"schema\": 3}").unwrap();
        assert!(matches!(Report::read(&path), Err(ReportError::OtherSchema { found: 3, .. })));
        fs::write(&path, "{\"schema\": 1}").unwrap();
        let error = Report::read(&path).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("help: "), "{error}");
    }
}
