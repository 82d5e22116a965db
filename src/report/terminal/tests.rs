//! Complete outputs, as people read them.

mod groups;

use std::sync::Arc;

use super::*;
use crate::{
    event::{Event, RunFinished},
    judge::{Finding, PolicyAnswer, PolicyEffect},
    report::{
        recorded_run::RunRecorder,
        sample::{case, failing, finding, passing, started},
    },
    scenario::{Api, Combination, Level, Provider},
    snapshot::{Difference, sample_observation},
};

fn plain() -> TerminalSettings {
    TerminalSettings { width: 100, ..TerminalSettings::default() }
}

fn verbose() -> TerminalSettings {
    TerminalSettings { verbosity: Verbosity::Verbose, failures: FailureOutput::All, ..plain() }
}

fn shown(settings: TerminalSettings, cases: Vec<CaseReport>, end: RunFinished) -> String {
    let mut out = Vec::new();
    let mut recorder = RunRecorder::new(&std::env::temp_dir(), Some(rerun())).unwrap();
    let total = cases.len() + usize::from(end.interrupted) * 3;
    recorder.add(&started(total)).unwrap();
    recorder.add(&Event::ProxyReady { instances: 1, startup_ms: 18230.0 }).unwrap();
    for case in cases {
        recorder.add(&Event::CaseFinished(Arc::new(case.completed()))).unwrap();
    }
    recorder.add(&Event::RunFinished(end.clone())).unwrap();
    TerminalReporter::new(&mut out, settings).finish(&recorder.finish(&end)).unwrap();
    String::from_utf8(out).unwrap()
}

fn rerun() -> Rerun {
    let options = ["--proxy", "litellm@1.102.4"].map(str::to_owned).to_vec();
    Rerun { options, ..Rerun::default() }
}

fn end() -> RunFinished {
    RunFinished { wall_ms: 2110.0, total_ms: 21000.0, ..RunFinished::default() }
}

#[test]
fn a_run_that_passes_is_a_few_lines() {
    let cases = || vec![passing("timeouts/hang[stream]", 2003.0), passing("limits/rate-limit", 12.0)];
    insta::assert_snapshot!(shown(plain(), cases(), end()), @"
    Testing litellm 1.102.4: 2 cases, policy default, seed 7

    2 cases: 2 pass
    wall 2.1s, slowest case 2.0s (timeouts/hang[stream]), total case time 2.0s, proxy start 18.2s
    ");
    insta::assert_snapshot!(shown(verbose(), cases(), end()), @"
    Testing litellm 1.102.4: 2 cases, policy default, seed 7

    PASS limits/rate-limit (12ms)
    PASS timeouts/hang[stream] (2.0s)

    2 cases: 2 pass
    wall 2.1s, slowest case 2.0s (timeouts/hang[stream]), total case time 2.0s, proxy start 18.2s
    ");
}

#[test]
fn a_failure_shows_both_sides_of_the_wire() {
    let end =
        RunFinished { pending: vec!["snapshots/litellm/limits/rate-limit.snap.new".to_owned()], ..end() };
    insta::assert_snapshot!(shown(plain(), vec![failing("limits/rate-limit"), passing("a/b", 3.0)], end), @r#"
    Testing litellm 1.102.4: 2 cases, policy default, seed 7

    FAIL limits/rate-limit
      A 429 keeps its status, its detail and its Retry-After
      SDKs wait as long as Retry-After says.
      again: upfault run --filter case:limits/rate-limit --proxy litellm@1.102.4

      headers.retry-after (required)
        expected: retry-after: 7
        observed: no retry-after
        - upstream primary#1 sent retry-after: 7

      caller sent    POST http://127.0.0.1:50222/v1/chat/completions
                     {"model":"upfault-k3x9w2m4p7q1-primary","messages":[{"role":"user","content":"it's
                     a test"}]}
      caller got     429, complete (after 12ms)
                     content-type: application/json
                     x-request-id: req_k3x9w2m4p7q1-primary-1
                     {"error":{"message":"RateLimitError: Rate limit reached
                     canary-msg-k3x9w2m4p7q1-primary-1. Received Model
                     Group=upfault-k3x9w2m4p7q1-primary, took
                     0.012s","type":"throttling_error","param":null,"code":"429"}}
      an SDK sees    openai-python, openai-node  RateLimitError, retried twice
      upstream saw   primary#1, the first request to it: POST /v1/chat/completions
                     {"model":"gpt-4o-mini"}
      upstream sent  429, 136 bytes, finished
                     content-type: application/json
                     retry-after: 7
                     {"error":{"message":"Rate limit reached
                     canary-msg-k3x9w2m4p7q1-primary-1","type":"requests","param":null,
                     "code":"rate_limit_exceeded"}}
      error from     upstream primary#1 (its message in error.message, its request id in header
                     x-request-id)
      detail fate    message inside a longer message; type "requests" became "throttling_error"; code
                     "rate_limit_exceeded" became "429"; retry-after lost

      requests by hand: upfault repro limits/rate-limit --proxy litellm@1.102.4 --keep

    FAIL limits/rate-limit  headers.retry-after
    2 cases: 1 pass, 1 fail
    wall 2.1s, slowest case 12ms (limits/rate-limit), total case time 15ms, proxy start 18.2s
    1 pending snapshot:
      snapshots/litellm/limits/rate-limit.snap.new
    next: `upfault review` accepts or rejects pending snapshots
    limits/rate-limit: expected retry-after: 7; observed no retry-after
    next: `upfault explain headers.retry-after` says why the rule exists
    next: this command runs this case alone:
      upfault run --filter case:limits/rate-limit --proxy litellm@1.102.4
    "#);
}

#[test]
fn a_stream_is_shown_by_its_first_and_last_events() {
    let mut failing = failing("streams/reset[stream]");
    let mut observation = sample_observation();
    let piece = r#"{"choices":[{"delta":{"content":"x"}}]}"#;
    let mut events = vec![(None, piece); 9];
    events.push((Some("error"), "\u{1b}[31mred"));
    crate::snapshot::sample_stream(&mut observation, &events);
    observation.attempts[0].end = crate::observation::AttemptEnd::Reset;
    failing.observation = Some(observation.into());
    let text = shown(TerminalSettings { width: 72, ..plain() }, vec![failing], end());
    assert!(!text.contains('\u{1b}'), "a reply must not control the terminal");
    let got: String =
        text.lines().skip_while(|l| !l.contains("caller got")).take(9).map(|l| format!("{l}\n")).collect();
    insta::assert_snapshot!(got, @r#"
    caller got     200, complete (after 12ms)
                   content-type: text/event-stream
                   data: {..."choices":[{"delta":{"content":"x"}}]}
                   data: {..."choices":[{"delta":{"content":"x"}}]}
                   data: {..."choices":[{"delta":{"content":"x"}}]}
                   ... 4 more events ...
                   data: {..."choices":[{"delta":{"content":"x"}}]}
                   data: {..."choices":[{"delta":{"content":"x"}}]}
                   event: error data: \u{1b}[31mred
    "#);
}

#[test]
fn a_change_shows_its_diff() {
    let change = Difference {
        new_findings: vec!["detail.code-kept".to_owned()],
        vanished_findings: vec!["status.mirrored".to_owned()],
        diff: "--- accepted\n+++ now\n@@ -1,3 +1,3 @@\n-step 1: 500\n+step 1: 429\n   content-type: application/json\n".to_owned(),
        ..Difference::default()
    };
    let changed = CaseReport {
        change: Some(change),
        findings: vec![finding("detail.code-kept", Level::Recommended)],
        ..case("limits/rate-limit", Verdict::Changed)
    };
    insta::assert_snapshot!(shown(plain(), vec![changed], end()), @"
    Testing litellm 1.102.4: 1 case, policy default, seed 7

    CHANGED limits/rate-limit
      A 429 keeps its status, its detail and its Retry-After
      SDKs wait as long as Retry-After says.
      again: upfault run --filter case:limits/rate-limit --proxy litellm@1.102.4

      detail.code-kept (recommended, new)
        expected: retry-after: 7
        observed: no retry-after
        - upstream primary#1 sent retry-after: 7

      no longer broken: status.mirrored
      --- accepted
      +++ now
      @@ -1,3 +1,3 @@
      -step 1: 500
      +step 1: 429
         content-type: application/json

    ADVICE 1 case, 1 rule: not required, do not fail the run (-v lists them)

    CHANGED limits/rate-limit
    1 case: 1 changed
    wall 2.1s, slowest case 12ms (limits/rate-limit), total case time 12ms, proxy start 18.2s
    next: this command runs this case alone:
      upfault run --filter case:limits/rate-limit --proxy litellm@1.102.4
    ");
}

#[test]
fn broken_inconclusive_and_skipped_cases_show_their_reasons() {
    let with =
        |id: &str, verdict, reason: &str| CaseReport { reason: Some(reason.to_owned()), ..case(id, verdict) };
    let skip = "litellm cannot set `cooldown`";
    let cases = vec![
        with("a/broken", Verdict::Broken, "the mock could not bind a port: Address already in use"),
        with(
            "b/unclear[stream]",
            Verdict::Inconclusive,
            "control requests took 900ms: the proxy is out of CPU",
        ),
        with("b/unclear", Verdict::Inconclusive, "control requests took 900ms: the proxy is out of CPU"),
        with("c/1", Verdict::Skipped, skip),
        with("c/2", Verdict::Skipped, skip),
        with("c/3", Verdict::Skipped, skip),
        with("c/4", Verdict::Skipped, skip),
        with("d/1", Verdict::Skipped, "litellm does not offer gemini/generate"),
    ];
    insta::assert_snapshot!(shown(plain(), cases, end()), @"
    Testing litellm 1.102.4: 8 cases, policy default, seed 7

    BROKEN a/broken
      A 429 keeps its status, its detail and its Retry-After
      SDKs wait as long as Retry-After says.
      again: upfault run --filter case:a/broken --proxy litellm@1.102.4
      reason: the mock could not bind a port: Address already in use

    INCONCLUSIVE b/unclear
      A 429 keeps its status, its detail and its Retry-After
      SDKs wait as long as Retry-After says.
      again: upfault run --filter case:b/unclear --proxy litellm@1.102.4
      reason: control requests took 900ms: the proxy is out of CPU

    1 more case (-v shows each in full), by kind:
    INCONCLUSIVE 1 case
        control requests took 900ms: the proxy is out of CPU
        b/unclear[stream]

    INCONCLUSIVE 2 cases: upfault could not decide; the reasons are:
      control requests took 900ms: the proxy is out of CPU: 2 cases
        b/unclear, b/unclear[stream]

    SKIPPED 5 cases: the proxy cannot be configured for them (-v lists them)

    BROKEN a/broken
    8 cases: 2 inconclusive, 5 skipped, 1 broken
    wall 2.1s, slowest case 12ms (a/broken), total case time 96ms, proxy start 18.2s
    warning: 2 cases inconclusive, for the reasons above: upfault could not decide whether they pass
    ");
}

#[test]
fn an_interrupted_run_counts_the_cases_without_verdicts() {
    let end =
        RunFinished { interrupted: true, notes: vec!["1 snapshot has no scenario: x".to_owned()], ..end() };
    insta::assert_snapshot!(shown(plain(), vec![passing("a/b", 3.0)], end), @"
    Testing litellm 1.102.4: 4 cases, policy default, seed 7

    interrupted: 3 of 4 cases have no verdict
    1 case: 1 pass
    wall 2.1s, slowest case 3ms (a/b), total case time 3ms, proxy start 18.2s
    note: 1 snapshot has no scenario: x
    ");
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    let mut cases: Vec<CaseReport> =
        (0..4).map(|n| failing(&format!("limits/rate-limit-{n}[stream]"))).collect();
    let mut changed = failing("status/server-error");
    changed.verdict = Verdict::Changed;
    let diff = format!("+    \"message\": \"{}\"\n", "many words ".repeat(20));
    changed.change = Some(Difference { diff, ..Difference::default() });
    cases.push(changed);
    for settings in [plain(), verbose()] {
        let text = shown(TerminalSettings { width: 80, ..settings }, cases.clone(), end());
        let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
        // A single argument of a command cannot be split.
        let is_body = |line: &&str| line.trim().starts_with("--data-raw");
        assert!(wide.iter().all(is_body), "{wide:?}");
    }
}

#[test]
fn without_colour_the_output_is_ascii() {
    let text = shown(plain(), vec![failing("a/b")], end());
    assert!(text.is_ascii(), "{text}");
    let text = shown(TerminalSettings { color: true, ..plain() }, vec![failing("a/b")], end());
    assert!(text.contains("\u{1b}[1m\u{1b}[31mFAIL"), "{text:?}");
}

#[test]
fn no_secret_is_shown() {
    let mut leaky = failing("leak/key");
    let arrangement = leaky.observation.as_ref().unwrap().arrangement.clone();
    leaky.findings[0].observed =
        format!("{} and {}", arrangement.deployments[0].key, arrangement.proxy_secrets[0]);
    let known = CaseReport { verdict: Verdict::Known, ..leaky.clone() };
    let reason = Some(arrangement.proxy_secrets[0].clone());
    let unclear = CaseReport { verdict: Verdict::Inconclusive, reason, ..leaky.clone() };
    let text = shown(verbose(), vec![leaky, known, unclear.clone(), unclear], end());
    assert!(text.contains("observed: <key primary> and <proxy key>"), "{text}");
    assert!(text.contains("observed <key primary> and <proxy key>"), "in the list of known findings: {text}");
    assert!(!text.contains(&arrangement.deployments[0].key) && !text.contains(&arrangement.proxy_secrets[0]));
}
