//! Expectations of scenarios in addition to the contract.

use std::time::Duration;

use super::{every_rule::RuleExample, seen::*};
use crate::{
    judge::{self, Policy},
    scenario::{
        Api, Attempts, EndingExpect, ErrorExpect, Expect, FinishExpect, Level, Provider, StatusPattern,
        StatusSet, Turn, TurnReply,
    },
};

pub(super) fn examples() -> Vec<RuleExample> {
    let one = || plain().tried(error(429)).received(error(429));
    let two = || plain().tried(error(429)).tried(error(429)).received(error(429));
    let ok = || plain().tried(say(200, OK)).received(say(200, OK));
    let status = |e: &mut Expect| e.status = Some(StatusSet(vec![StatusPattern::Exactly(429)]));
    let attempts = |e: &mut Expect| e.attempts = Some(Attempts::Total(1));
    let ending = |e: &mut Expect| e.ending = Some(EndingExpect::Failure);
    let stop = |e: &mut Expect| e.finish = Some(FinishExpect::Stop);
    let limited = plain().tried(say(200, LIMITED)).received(say(200, LIMITED));
    let error_code = |e: &mut Expect| {
        e.error = Some(ErrorExpect { code: Some("c".to_owned()), ..ErrorExpect::default() });
    };
    let headers = |e: &mut Expect| {
        e.headers.insert("Content-Type".to_owned(), Some("application/json".to_owned()));
    };
    let within = |e: &mut Expect| e.within = Some(Duration::from_secs(1));
    vec![
        ("expect.status", one().expecting(status), ok().expecting(status)),
        ("expect.attempts", one().expecting(attempts), two().expecting(attempts)),
        ("expect.ending", one().expecting(ending), ok().expecting(ending)),
        ("expect.finish", ok().expecting(stop), limited.expecting(stop)),
        (
            "expect.error",
            one().expecting(error_code),
            plain()
                .tried(error(429))
                .received(say(429, &ERROR.replace(r#""c""#, "null")))
                .expecting(error_code),
        ),
        (
            "expect.headers",
            one().expecting(headers),
            plain()
                .tried(error(429))
                .received(error(429).with("content-type", "text/html"))
                .expecting(headers),
        ),
        (
            "expect.within",
            one().expecting(within),
            plain().tried(error(429)).wait(1100.0).received(error(429)).expecting(within),
        ),
    ]
}

#[test]
fn a_finish_reason_is_expected_in_the_words_of_the_callers_api() {
    let broken = |seen: ObservationBuilder, wanted| {
        let seen = seen.expecting(|e| e.finish = Some(wanted));
        let findings = judge::judge(&seen.observation, &[], &Policy::default());
        findings.iter().any(|finding| finding.rule == "expect.finish")
    };
    let ended_by = |word: &str| {
        let said = || say(200, &OK.replace("stop", word));
        plain().tried(said()).received(said())
    };
    let responses = || {
        let said = || say(200, r#"{"status":"completed","output":[]}"#);
        plain().calling(Api::OpenaiResponses, Provider::Openai).tried(said()).received(said())
    };
    assert!(!broken(ended_by("length"), FinishExpect::Limit));
    assert!(!broken(ended_by("content_filter"), FinishExpect::Filter));
    assert!(!broken(ended_by("tool_calls"), FinishExpect::ToolCalls));
    assert!(broken(ended_by("stop"), FinishExpect::ToolCalls));
    assert!(!broken(responses(), FinishExpect::ToolCalls));
    assert!(broken(plain().tried(error(500)).received(error(500)), FinishExpect::Stop));
}

#[test]
fn nothing_is_expected_if_an_upstream_was_asked_where_the_scenario_has_no_body() {
    let asked_at = |endpoint| {
        let bodies = [(Api::OpenaiChat, serde_json::json!({}))].into_iter().collect();
        let answer = TurnReply::Literal { status: 429, body: None, bodies };
        plain()
            .tried(error(429))
            .asked(endpoint)
            .attempt(|attempt| {
                attempt.turn = Some(Turn { answer, headers: Default::default(), faults: Vec::new() });
            })
            .received(say(200, OK))
            .expecting(|e| e.ending = Some(EndingExpect::Failure))
    };
    let broken = |seen: ObservationBuilder| -> Vec<String> {
        let findings = judge::judge(&seen.observation, &[], &Policy::default());
        findings.into_iter().map(|finding| finding.rule).collect()
    };
    let expected = |rules: &[String]| rules.iter().any(|rule| rule == "expect.ending");
    let at_its_endpoint = broken(asked_at(Api::OpenaiChat));
    assert!(expected(&at_its_endpoint), "{at_its_endpoint:?}");
    let elsewhere = broken(asked_at(Api::OpenaiResponses));
    assert!(!expected(&elsewhere), "{elsewhere:?}");
    // The contract still applies: an error became a success.
    assert!(!elsewhere.is_empty());
}

#[test]
fn an_expectation_has_the_level_of_its_scenario_and_a_rule_the_weaker_of_both() {
    let broken = plain()
        .tried(error(429).with("retry-after", "7").with("x-request-id", "RID"))
        .received(error(429))
        .expecting(|e| e.attempts = Some(Attempts::Total(9)));
    let levels = |level| {
        let seen = broken.clone().set(|arrangement| arrangement.level = level);
        let findings = judge::judge(&seen.observation, &[], &Policy::default());
        let of = |rule: &str| findings.iter().find(|finding| finding.rule == rule).map(|found| found.level);
        [of("headers.retry-after"), of("headers.request-id"), of("expect.attempts")]
    };
    use Level::{Informative, Recommended, Required};
    assert_eq!(levels(Required), [Some(Required), Some(Recommended), Some(Required)]);
    assert_eq!(levels(Recommended), [Some(Recommended); 3]);
    assert_eq!(levels(Informative), [Some(Informative); 3]);
}
