//! A case and its verdict, as runs report and store it.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    compare::CaseFacts,
    judge::{self, ErrorOrigin, Finding, StepView, Verdict, sdk_view},
    observation::Observation,
    scenario::{Combination, Level},
    snapshot::{Accepted, Difference, FindingLine, KnownClaim, Redactor, without_secrets},
};

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
    /// The 1-based line of the scenario's title in its file; 1 in reports of older versions.
    #[serde(default = "first_line")]
    pub line: usize,
    /// Why the scenario matters.
    pub why: String,
    /// The provider, API and streaming mode.
    pub matrix: Combination,
    /// The tags of the scenario; empty in reports of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The level of the scenario; `required` in reports of older versions.
    #[serde(default = "required")]
    pub level: Level,
    /// The number by which the times of the scenario were divided for the run; absent if they were as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speedup: Option<u32>,
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
    /// The known findings that name the case and the proxy, with the issues that explain them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<KnownClaim>,
    /// How the official SDKs for this endpoint interpret each response, by measured rules. Empty if no SDK
    /// exists for it.
    #[serde(default)]
    pub sdk_view: Vec<StepView>,
    /// Both sides of the wire. Placeholders replace secrets, so that leaks remain detectable. Null if the case did not
    /// run, and in a lean report (`json`) if it passes.
    pub observation: Option<Box<Observation>>,
    /// What the caller noticed, for comparisons of runs. Null if the case did not run, and in reports of older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Box<CaseFacts>>,
    /// The cases with which rules compare this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compared_with: Vec<String>,
    /// From its first request to its last byte.
    pub duration_ms: f64,
    /// How long it ran while no other case did, over all repetitions, because its result depends on timing or it may have
    /// stopped the proxy.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub alone_ms: f64,
    /// The largest lateness of an injected delay in this case.
    #[serde(default)]
    pub timer_error_ms: f64,
}

fn required() -> Level {
    Level::Required
}

fn is_zero(ms: &f64) -> bool {
    *ms == 0.0
}

fn first_line() -> usize {
    1
}

impl CaseReport {
    /// The rule whose finding a finding of this case only repeats, if both are new or both are accepted.
    pub(crate) fn repeated<'f>(&self, finding: &'f Finding) -> Option<&'f str> {
        let is_new = |rule: &str| self.change.as_ref().is_some_and(|change| change.is_new(rule));
        finding.repeats.as_deref().filter(|rule| is_new(rule) == is_new(&finding.rule))
    }

    /// What a report says about the times of the case, if they are not those of its file.
    pub fn time_note(&self) -> Option<String> {
        let by = self.speedup?;
        Some(format!(
            "the times of the file divided by {by}, those of the upstream and of the proxy's settings; limits that the \
             proxy has by itself are as ever"
        ))
    }

    /// Adds what follows from the observation, and replaces secrets by placeholders. Must be called once for each case,
    /// before any reporter gets it. A stored case can be completed again.
    #[must_use]
    pub(crate) fn completed(self) -> Self {
        let Some(observation) = &self.observation else { return self };
        let redactor = Redactor::secrets(&observation.arrangement);
        let (origins, sdk_view) = (judge::origins(observation), sdk_view(observation));
        let complete = Self {
            facts: Some(CaseFacts::new(observation, &origins, &sdk_view).into()),
            origins,
            sdk_view,
            compared_with: observation.arrangement.compared_with.clone(),
            timer_error_ms: observation.timer_error_ms(),
            ..self
        };
        complete.redacted(&redactor)
    }

    /// The case without what only its complete description shows: what a run keeps in memory.
    pub(crate) fn brief(&self) -> Self {
        Self {
            id: self.id.clone(),
            scenario: self.scenario.clone(),
            title: self.title.clone(),
            file: self.file.clone(),
            line: self.line,
            why: String::new(),
            matrix: self.matrix,
            tags: self.tags.clone(),
            level: self.level,
            speedup: self.speedup,
            verdict: self.verdict,
            reason: self.reason.clone(),
            findings: self.findings.clone(),
            origins: Vec::new(),
            change: self.change.clone(),
            accepted: None,
            known: self.known.clone(),
            sdk_view: Vec::new(),
            observation: None,
            facts: None,
            compared_with: self.compared_with.clone(),
            duration_ms: self.duration_ms,
            alone_ms: self.alone_ms,
            timer_error_ms: self.timer_error_ms,
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
            observation: self.observation.as_deref().and_then(without_secrets).map(Box::new),
            ..self
        }
    }
}
