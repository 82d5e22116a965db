//! Expectations of scenarios in addition to the contract.

use std::time::Duration;

use super::{every_rule::RuleExample, seen::*};
use crate::{
    judge::{self, Policy},
    observation::ResponseEnd,
    scenario::{
        Api, Attempts, BodyExpect, EndingExpect, ErrorExpect, Expect, FinishExpect, HeaderExpect, Level,
        Provider, RequestExpect, StatusPattern, StatusSet, TextList, Turn, TurnReply,
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
        let json = HeaderExpect::Equals("application/json".to_owned());
        e.headers.insert("Content-Type".to_owned(), json);
    };
    let within = |e: &mut Expect| e.within = Some(Duration::from_secs(1));
    let first_byte = |e: &mut Expect| e.first_byte_within = Some(Duration::from_secs(1));
    let content_type = |e: &mut Expect| e.content_type = Some("application/json".to_owned());
    let body = |e: &mut Expect| {
        e.body = Some(BodyExpect { contains: texts(&["{{canary.message}}"]), ..BodyExpect::default() });
    };
    let requests = |e: &mut Expect| {
        e.requests = vec![RequestExpect { model: Some("m".to_owned()), ..RequestExpect::default() }];
    };
    let asking = |model: &str| one().attempt(|attempt| attempt.body = format!("{{\"model\":\"{model}\"}}"));
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
            "expect.content-type",
            plain()
                .tried(error(429))
                .received(error(429).with("content-type", "Application/JSON; charset=utf-8"))
                .expecting(content_type),
            plain()
                .tried(error(429))
                .received(error(429).with("content-type", "text/html"))
                .expecting(content_type),
        ),
        ("expect.body", one().expecting(body), ok().expecting(body)),
        ("expect.requests", asking("m").expecting(requests), asking("other").expecting(requests)),
        (
            "expect.first-byte",
            one().expecting(first_byte),
            plain().tried(error(429)).wait(1100.0).received(error(429)).expecting(first_byte),
        ),
        (
            "expect.within",
            one().expecting(within),
            plain().tried(error(429)).wait(1100.0).received(error(429)).expecting(within),
        ),
    ]
}

fn texts(texts: &[&str]) -> TextList {
    TextList(texts.iter().map(|text| (*text).to_owned()).collect())
}

/// What is expected and observed by the finding of a rule; `None` if it holds.
fn found(seen: &ObservationBuilder, rule: &str) -> Option<(String, String)> {
    let findings = judge::judge(&seen.observation, &[], &Policy::default());
    let finding = findings.into_iter().find(|finding| finding.rule == rule)?;
    Some((finding.expected, finding.observed))
}

#[test]
fn a_body_is_searched_as_it_is_and_as_it_reads() {
    let stream = || streamed().tried(events(GOOD)).received(events(GOOD));
    let body = |seen: ObservationBuilder, text: &str| {
        let wanted: BodyExpect = serde_saphyr::from_str(text).unwrap();
        found(&seen.expecting(|e| e.body = Some(wanted)), "expect.body")
    };
    let refused = || plain().tried(error(429)).received(error(429));
    for held in [
        "contains: '{{canary.message}}'",
        "{contains: [kind, 'no '], not_contains: [Traceback, <html]}",
        "json: {/error/type: kind, /error/nothing: null}",
    ] {
        assert_eq!(body(refused(), held), None, "{held}");
    }
    // The text of the two events together, and a member of one of them.
    assert_eq!(body(stream(), "{contains: ' two', json: {/choices/0/finish_reason: stop}}"), None);
    let canary = refused().observation.attempts[0].canaries.content.clone();
    assert_eq!(body(stream(), &format!("contains: 'one {canary} two'")), None);
    let breach = |text: &str| body(refused(), text).unwrap();
    assert_eq!(breach("contains: Azure").0, "\"Azure\" in the body");
    assert_eq!(breach("not_contains: kind").0, "no \"kind\" in the body");
    assert_eq!(
        breach("json: {/error/code: d}"),
        ("\"d\" at /error/code of the body".to_owned(), "/error/code is \"c\"".to_owned())
    );
    assert_eq!(breach("json: {/error/code: null}").0, "no value at /error/code of the body");
    assert_eq!(breach("json: {/detail: x}").1, "no value at /detail");
    assert!(body(plain().tried(error(429)).received_nothing(ResponseEnd::Reset), "contains: x").is_some());
}

#[test]
fn requests_are_expected_in_the_order_of_their_arrival() {
    let asking = |seen: ObservationBuilder, stream: bool| {
        seen.tried(error(429)).attempt(|attempt| {
            attempt.headers = vec![("authorization".to_owned(), "Bearer k".to_owned())];
            attempt.body = format!("{{\"model\":\"m\",\"stream\":{stream}}}");
        })
    };
    let seen = || asking(asking(plain(), true).wait(3000.0), false).received(error(429));
    let broken = |list: &str| {
        let wanted: Vec<RequestExpect> = serde_saphyr::from_str(list).unwrap();
        found(&seen().expecting(|e| e.requests = wanted), "expect.requests")
    };
    for held in [
        "[{api: openai/chat, model: m, deployment: primary, headers: {authorization: {contains: Bearer}, x: null}}]",
        "[{body: {json: {/stream: true}}}, {body: {json: {/stream: false}}, after: 3s}]",
    ] {
        assert_eq!(broken(held), None, "{held}");
    }
    let breach = |list: &str| broken(list).unwrap();
    // The last entry applies to all further requests.
    assert_eq!(
        breach("[{body: {json: {/stream: true}}}]"),
        ("request 2 (primary#2): true at /stream of the body".to_owned(), "/stream is false".to_owned())
    );
    assert_eq!(breach("[{}, {}, {}]"), ("at least 3 request(s)".to_owned(), "2".to_owned()));
    assert_eq!(
        breach("[{}, {after: 27s}]"),
        ("request 2 (primary#2): at least 27s after the request before it".to_owned(), "3.00 s".to_owned())
    );
    assert_eq!(breach("[{headers: {authorization: null}}]").1, "authorization: Bearer k");
    assert_eq!(breach("[{model: other}]").1, "m");
    assert_eq!(breach("[{deployment: backup}]").1, "primary");
    assert_eq!(breach("[{api: openai/responses}]").1, "POST /v1/chat/completions");
}

#[test]
fn a_broken_expectation_names_the_rule_that_the_same_facts_break() {
    let seen = plain()
        .tried(error(429))
        .received(error(500))
        .expecting(|e| e.status = Some(StatusSet(vec![StatusPattern::Exactly(429)])))
        .expecting(|e| e.attempts = Some(Attempts::Total(9)));
    let repeats = |level| {
        let seen = seen.clone().set(|arrangement| arrangement.level = level);
        let findings = judge::judge(&seen.observation, &[], &Policy::default());
        let of = |rule: &str| findings.iter().find(|finding| finding.rule == rule).unwrap().repeats.clone();
        (of("expect.status"), of("expect.attempts"))
    };
    assert_eq!(repeats(Level::Required), (Some("status.rate-limit".to_owned()), None));
    for (rule, families) in judge::SAME_FACTS {
        assert!(judge::rule(rule).is_some(), "{rule}");
        for family in *families {
            assert!(judge::rules().any(|rule| rule.id.starts_with(family)), "{rule}: {family}");
        }
    }
    let of_expectations = judge::rules().filter(|rule| rule.id.starts_with("expect."));
    assert_eq!(of_expectations.count(), judge::SAME_FACTS.len());
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
        let answer = TurnReply::Literal { status: 429, body: None, bodies, chunks: Vec::new() };
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
