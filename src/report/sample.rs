//! Events and cases for the tests of reports.

use crate::{
    event::{CaseReport, Event, RunFinished, RunStarted},
    judge::{Finding, Verdict},
    scenario::{Api, Combination, Level, Provider},
    snapshot::sample_observation,
};

pub(crate) fn started(cases: usize) -> Event {
    Event::RunStarted(run_started(cases))
}

pub(crate) fn run_started(cases: usize) -> RunStarted {
    RunStarted {
        cases,
        proxy: "litellm".to_owned(),
        proxy_version: Some("1.102.4".to_owned()),
        proxy_mode: None,
        seed: 7,
        policy: Box::default(),
        strict: false,
        allow_inconclusive: 5,
        selection: Default::default(),
        baseline: None,
    }
}

pub(crate) fn finish() -> Event {
    Event::RunFinished(RunFinished { wall_ms: 2110.0, total_ms: 21000.0, ..RunFinished::default() })
}

pub(crate) fn case(id: &str, verdict: Verdict) -> CaseReport {
    let scenario = id.split('[').next().unwrap_or(id).to_owned();
    CaseReport {
        id: id.to_owned(),
        title: "A 429 keeps its status, its detail and its Retry-After".to_owned(),
        file: format!("scenarios/{scenario}.yaml"),
        line: 1,
        scenario,
        why: "SDKs wait as long as Retry-After says.".to_owned(),
        matrix: Combination { api: Api::OpenaiChat, provider: Provider::Openai, stream: false },
        tags: Vec::new(),
        level: Level::Required,
        speedup: None,
        verdict,
        reason: None,
        findings: Vec::new(),
        change: None,
        known: Vec::new(),
        accepted: None,
        origins: Vec::new(),
        sdk_view: Vec::new(),
        facts: None,
        compared_with: Vec::new(),
        observation: None,
        duration_ms: 12.0,
        alone_ms: 0.0,
        timer_error_ms: 0.0,
    }
}

pub(crate) fn finding(rule: &str, level: Level) -> Finding {
    Finding {
        rule: rule.to_owned(),
        level,
        expected: "retry-after: 7".to_owned(),
        observed: "no retry-after".to_owned(),
        evidence: vec!["upstream primary#1 sent retry-after: 7".to_owned()],
        policy: Vec::new(),
        repeats: None,
    }
}

pub(crate) fn failing(id: &str) -> CaseReport {
    CaseReport {
        findings: vec![finding("headers.retry-after", Level::Required)],
        observation: Some(sample_observation().into()),
        ..case(id, Verdict::Fail)
    }
}

pub(crate) fn passing(id: &str, duration_ms: f64) -> CaseReport {
    CaseReport { observation: Some(sample_observation().into()), duration_ms, ..case(id, Verdict::Pass) }
}
