//! Random scenarios: the honest proxy breaks no rule whatever an upstream does, and an additional fault never makes a failed
//! call pass.
//!
//! Scenarios are generated as text, so that a failing test prints a scenario file. They are the same in every run;
//! `DRAWN=500` generates 500 of them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    strategy::{BoxedStrategy, ValueTree},
    test_runner::TestRunner,
};
use upfault::internals::{
    builtin::Defect,
    judge::has_required,
    scenario::{Case, expand, load_text},
};

use super::{block_on, number_of, run::run};

/// The default number of random scenarios.
const DRAWN: usize = 200;

fn drawn<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    let mut draw = || strategy.new_tree(&mut runner).expect("the strategy rejects nothing").current();
    (0..number_of("DRAWN").unwrap_or(DRAWN)).map(|_| draw()).collect()
}

fn text(words: &'static [&'static str]) -> BoxedStrategy<String> {
    select(words).prop_map(str::to_owned).boxed()
}

/// Points in a reply; only a stream has events. All of them are before its end: after the end, the connection may already
/// be in use again, possibly by another case.
fn point(events: bool) -> BoxedStrategy<String> {
    let words = text(&["before_headers", "after_headers", "before_end"]);
    let bytes = (1..15u32).prop_map(|n| format!("{{after_bytes: {n}}}"));
    if !events {
        return prop_oneof![words, bytes].boxed();
    }
    prop_oneof![words, bytes, (1..7u32).prop_map(|n| format!("{{after_events: {n}}}"))].boxed()
}

const ERRORS: &[&str] = &[
    "invalid_api_key",
    "permission",
    "model_not_found",
    "bad_request",
    "context_length",
    "content_policy",
    "too_large",
    "unprocessable",
    "rate_limit",
    "quota",
    "internal",
    "bad_gateway",
    "unavailable",
    "gateway_timeout",
    "overloaded",
];

/// A fault that changes the timing of bytes or adds ignorable events, so that the call still succeeds.
fn harmless(events: bool) -> BoxedStrategy<String> {
    let delay = (point(events), 0..200u32).prop_map(|(at, ms)| format!("delay: {{at: {at}, for: {ms}ms}}"));
    let split = (1..60u32).prop_map(|bytes| format!("split: {{bytes: {bytes}}}"));
    if !events {
        return prop_oneof![delay, split].boxed();
    }
    let put_in = (text(&["comment", "ping"]), 1..7u32)
        .prop_map(|(what, n)| format!("{what}: {{at: {{after_events: {n}}}}}"));
    prop_oneof![delay, put_in, split, text(&["crlf", "multi_line_data", "duplicate_terminator"])].boxed()
}

/// A fault that can make a reply fail.
fn harmful(events: bool) -> BoxedStrategy<String> {
    let cut = (text(&["reset", "close", "truncate", "hang"]), point(events))
        .prop_map(|(what, at)| format!("{what}: {{at: {at}}}"));
    if !events {
        return cut.boxed();
    }
    let event = (select(ERRORS), 0..7u32)
        .prop_map(|(error, n)| format!("error_event: {{error: {error}, at: {{after_events: {n}}}}}"));
    prop_oneof![cut, event].boxed()
}

fn fault(events: bool) -> impl Strategy<Value = String> {
    prop_oneof![harmful(events), harmless(events)]
}

fn faults(events: bool) -> impl Strategy<Value = Vec<String>> {
    (vec(harmless(events), 0..2), proptest::option::of(harmful(events))).prop_map(|(mut faults, end)| {
        faults.extend(end);
        faults
    })
}

fn reply() -> BoxedStrategy<String> {
    text(&["reply: ok", "reply: tool_call", "reply: non_ascii", "reply: {chunks: 12}"])
}

fn refusal() -> impl Strategy<Value = String> {
    let literal = (
        400..600u16,
        text(&["'no {{canary.message}}'", "'<html>no</html>'", "{detail: '{{canary.message}}'}"]),
    );
    prop_oneof![
        3 => select(ERRORS).prop_map(|error| format!("error: {error}")),
        1 => literal.prop_map(|(status, body)| format!("status: {status}, body: {body}")),
    ]
}

/// A fault that replaces a good reply, and cannot be combined with another fault.
fn instead() -> impl Strategy<Value = String> {
    let body = text(&["not_json", "empty", "null", "html", "cut_json", "{error: rate_limit}"]);
    prop_oneof![3 => body.prop_map(|body| format!("malform: {body}")), 1 => Just("redirect: 307".to_owned())]
}

/// A turn's answer and its faults.
type Turn = (String, Vec<String>);

fn turn(stream: bool) -> BoxedStrategy<Turn> {
    prop_oneof![
        3 => (reply(), faults(stream)),
        3 => (refusal(), faults(false)),
        1 => (reply(), instead().prop_map(|fault| vec![fault])),
    ]
    .boxed()
}

fn written((answer, faults): &Turn) -> String {
    let faults: Vec<String> = faults.iter().map(|fault| format!("{{{fault}}}")).collect();
    format!("{{{answer}, faults: [{}]}}", faults.join(", "))
}

fn matrix(stream: bool) -> impl Strategy<Value = String> {
    let apis = text(&["openai/chat", "anthropic/messages", "openai/responses", "gemini/generate"]);
    apis.prop_map(move |api| format!("matrix: {{api: [{api}], stream: [{stream}]}}\n"))
}

/// Complete scenarios: several turns of one or two deployments, with retries, fallbacks or concurrent requests.
fn scenario() -> impl Strategy<Value = String> {
    let parts = |stream| {
        let deployments = (vec(turn(stream), 1..4), vec(turn(stream), 1..3));
        (matrix(stream), deployments, 0..3u32, 0..3u32, 1..4usize)
    };
    any::<bool>().prop_flat_map(parts).prop_map(
        |(matrix, (one, two), retries, shape, steps)| {
            let list = |turns: &[Turn]| turns.iter().map(written).collect::<Vec<_>>().join(", ");
            let steps = vec!["{}"; steps].join(", ");
            let (fallback, more) = match shape {
                0 => ("", ""),
                1 => (", fallback: [one, two]", ""),
                _ => ("", ", {to: one}, {to: two, together: true}"),
            };
            format!(
                "{matrix}deployments:\n  one: [{}]\n  two: [{}]\nproxy: {{timeout: 1s, retries: {retries}{fallback}}}\n\
                 steps: [{steps}{more}]\n",
                list(&one),
                list(&two)
            )
        },
    )
}

/// The cases of a scenario; none if its faults cannot be combined.
fn cases(id: &str, text: &str) -> Vec<Case> {
    let text = format!("title: t\nwhy: w\n{text}");
    load_text(id, "any.yaml", &text).map(|scenario| expand(&scenario.into())).unwrap_or_default()
}

#[test]
fn the_honest_proxy_breaks_no_rule_in_random_scenarios() {
    let texts: BTreeMap<String, String> =
        drawn(scenario()).into_iter().enumerate().map(|(n, text)| (format!("any/{n}"), text)).collect();
    let all: Vec<Case> = texts.iter().flat_map(|(id, text)| cases(id, text)).collect();
    assert!(all.len() > texts.len() / 2, "{} of {} load", all.len(), texts.len());
    let results = block_on(run(None, all));
    let accused: Vec<String> = results
        .iter()
        .filter(|result| has_required(&result.findings))
        .map(|result| format!("{:#?}\n{}", result.findings, texts[&result.scenario]))
        .collect();
    assert!(accused.is_empty(), "{} of {}:\n{}", accused.len(), results.len(), accused.join("\n"));
}

#[test]
fn an_additional_fault_never_makes_a_failed_call_pass() {
    let pair =
        any::<bool>().prop_flat_map(|stream| (matrix(stream), turn(stream), fault(stream), any::<bool>()));
    let (mut befores, mut afters) = (BTreeMap::new(), BTreeMap::new());
    for (n, (matrix, turn, more, first)) in drawn(pair).into_iter().enumerate() {
        let (answer, mut faults) = turn.clone();
        faults.insert(if first { 0 } else { faults.len() }, more);
        let file = |turn: &Turn| format!("{matrix}upstream: [{}]\nproxy: {{timeout: 1s}}\n", written(turn));
        let (id, before, after) = (format!("any/{n}"), file(&turn), file(&(answer, faults)));
        if !cases(&id, &before).is_empty() && !cases(&id, &after).is_empty() {
            befores.insert(id.clone(), before);
            afters.insert(id, after);
        }
    }
    // Each half uses a separate proxy, because a fault after an empty body could affect a reused connection.
    let failed = failing(&befores);
    assert!(failed.len() > 20, "only {} of these calls fail", failed.len());
    let still = failing(&afters);
    let healed: Vec<String> =
        failed.difference(&still).map(|id| format!("{}{}", befores[id], afters[id])).collect();
    assert!(healed.is_empty(), "{} of {}:\n{}", healed.len(), failed.len(), healed.join("\n"));
}

/// The scenarios with a case that fails with a proxy that reports every failure as a success.
fn failing(texts: &BTreeMap<String, String>) -> BTreeSet<String> {
    let all: Vec<Case> = texts.iter().flat_map(|(id, text)| cases(id, text)).collect();
    let results = block_on(run(Some(Defect::SuccessMadeUp), all));
    results
        .iter()
        .filter(|result| has_required(&result.findings))
        .map(|result| result.scenario.clone())
        .collect()
}
