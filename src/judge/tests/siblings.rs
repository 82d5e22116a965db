//! Comparison of a case with its sibling.

use regex::Regex;

use super::seen::*;
use crate::{
    judge::{self, Finding, Policy},
    observation::{AttemptEnd, Observation, ResponseEnd, Volatile},
    scenario::{Api, ConnectionFault, Fault, Provider},
};

/// A rule, a pair of siblings for which it holds, and a pair that breaks it.
type SiblingExample = (&'static str, [ObservationBuilder; 2], [ObservationBuilder; 2]);

/// The same observation with other tokens, because a sibling always has other tokens.
fn other(seen: ObservationBuilder) -> ObservationBuilder {
    let text = serde_json::to_string(&seen.observation).unwrap();
    let text = text.replace("tok-", "kot-").replace("\"tok\"", "\"kot\"");
    let observation: Observation = serde_json::from_str(&text).unwrap();
    seen.holding(observation)
}

fn plain_call() -> ObservationBuilder {
    other(plain())
}

fn images() -> ObservationBuilder {
    plain().calling(Api::OpenaiImages, Provider::Openai)
}

fn failed(seen: ObservationBuilder, sent: u16, received: SideReply) -> ObservationBuilder {
    seen.tried(error(sent)).received(received)
}

fn findings([own, other]: &[ObservationBuilder; 2]) -> Vec<Finding> {
    compared(own, other, &Policy::default())
}

/// The findings of the rules that compare siblings.
fn compared(own: &ObservationBuilder, other: &ObservationBuilder, policy: &Policy) -> Vec<Finding> {
    let mut findings = judge::judge(&own.observation, &[&other.observation], policy);
    findings.retain(|finding| judge::kin_of(&finding.rule).is_some());
    findings
}

fn broken(own: ObservationBuilder, other: ObservationBuilder) -> Vec<String> {
    findings(&[own, other]).into_iter().map(|finding| finding.rule).collect()
}

/// The rules that compare siblings and apply to this pair.
fn applicable(own: &ObservationBuilder, other: &ObservationBuilder) -> Vec<&'static str> {
    let mut rules = judge::applicable(&own.observation, &[&other.observation], &Policy::default());
    rules.retain(|rule| judge::kin_of(rule).is_some());
    rules
}

const REWORDED: &str =
    r#"{"error":{"message":"The stream failed: no MSG","type":"kind","param":"p","code":"c"}}"#;
const OTHER_CODE: &str = r#"{"error":{"message":"no MSG","type":"kind","param":"p","code":"own"}}"#;
const WITHOUT_MESSAGE: &str = r#"{"error":{"message":"It failed.","type":"kind","param":"p","code":"c"}}"#;

fn examples() -> Vec<SiblingExample> {
    let with_header = |seen: ObservationBuilder| failed(seen, 503, error(503).with("retry-after", "7"));
    let twice =
        |seen: ObservationBuilder| seen.retrying(1).tried(error(503)).tried(error(503)).received(error(503));
    vec![
        (
            "sibling.stream-status",
            [failed(streamed(), 503, error(503)), failed(plain_call(), 503, error(503))],
            [failed(streamed(), 503, error(500)), failed(plain_call(), 503, error(503))],
        ),
        (
            "sibling.stream-detail",
            [failed(streamed(), 400, error(400)), failed(plain_call(), 400, error(400))],
            [failed(streamed(), 400, say(400, REWORDED)), failed(plain_call(), 400, error(400))],
        ),
        (
            "sibling.stream-headers",
            [with_header(streamed()), with_header(plain_call())],
            [failed(streamed(), 503, error(503)), with_header(plain_call())],
        ),
        (
            "sibling.stream-attempts",
            [twice(streamed()), twice(plain_call())],
            [streamed().retrying(1).tried(error(503)).received(error(503)), twice(plain_call())],
        ),
        (
            "sibling.route-status",
            [failed(images(), 503, error(503)), failed(plain_call(), 503, error(503))],
            [failed(images(), 503, error(500)), failed(plain_call(), 503, error(503))],
        ),
        (
            "sibling.route-detail",
            [failed(images(), 400, error(400)), failed(plain_call(), 400, error(400))],
            [failed(images(), 400, say(400, WITHOUT_MESSAGE)), failed(plain_call(), 400, error(400))],
        ),
    ]
}

#[test]
fn each_rule_holds_for_one_pair_and_is_broken_by_another() {
    let examples = examples();
    for (rule, holds, breaks) in &examples {
        assert_eq!(findings(holds), [], "{rule} holds");
        assert!(
            applicable(&holds[0], &holds[1]).contains(rule),
            "{rule} applies to the pair for which it holds"
        );
        let found = findings(breaks);
        let names: Vec<&str> = found.iter().map(|finding| finding.rule.as_str()).collect();
        assert_eq!(names, [*rule]);
        assert!(!found[0].evidence.is_empty() && !found[0].observed.is_empty());
    }
    let on_siblings = judge::rules().map(|rule| rule.id).filter(|id| judge::kin_of(id).is_some());
    let without: Vec<&str> = on_siblings.filter(|id| examples.iter().all(|(rule, ..)| rule != id)).collect();
    assert!(without.is_empty(), "no example for {without:?}");
}

#[test]
fn no_rule_on_siblings_applies_to_a_single_case() {
    for (_, _, [own, _]) in examples() {
        let rules = judge::applicable(&own.observation, &[], &Policy::default());
        assert!(rules.iter().all(|rule| judge::kin_of(rule).is_none()), "{rules:?}");
    }
}

#[test]
fn a_finding_shows_both_sides_with_the_tokens_of_its_case() {
    let (_, _, breaks) = examples().swap_remove(1);
    let finding = findings(&breaks).swap_remove(0);
    insta::assert_snapshot!(format!("{}\n{}\n{}", finding.expected, finding.observed, finding.evidence.join("\n")), @r#"
    the same error, streaming or not
    the message "The stream failed: no canary-msg-tok-primary-1" for the stream, the message "no canary-msg-tok-primary-1" for the plain call
    upstream primary#1 answered 400
    step 1: the caller got 400, The stream failed: no canary-msg-tok-primary-1
    the plain call: upstream primary#1 answered 400
    the plain call: the caller got 400, no canary-msg-tok-primary-1
    "#);
}

#[test]
fn tokens_numbers_times_and_ids_may_differ() {
    // The messages differ in tokens, numbers, times and ids, but not in their words.
    let reported = |model: &str, took: &str| {
        let message = format!("no MSG. model upfault-{model}-primary took {took}s, id 7f9c24e8-3b12-{took}");
        say(503, &format!(r#"{{"error":{{"message":"{message}","type":"kind","param":"p","code":"c"}}}}"#))
    };
    let own = failed(streamed(), 503, reported("tok", "0.1"));
    let sibling = other(failed(plain(), 503, reported("tok", "12.75")));
    assert_eq!(broken(own.clone(), sibling.clone()), [""; 0]);
    assert!(applicable(&own, &sibling).contains(&"sibling.stream-detail"));
    assert_eq!(
        broken(failed(streamed(), 503, say(503, OTHER_CODE)), failed(plain_call(), 503, error(503))),
        ["sibling.stream-detail"]
    );
}

#[test]
fn volatile_parts_may_differ() {
    let listing = |order: &str| {
        let message = format!("no MSG. All failed: {order}");
        say(503, &format!(r#"{{"error":{{"message":"{message}","type":"kind","param":"p","code":"c"}}}}"#))
    };
    let mut own = failed(streamed(), 503, listing("left, right"));
    let sibling = failed(plain_call(), 503, listing("right, left"));
    assert_eq!(broken(own.clone(), sibling.clone()), ["sibling.stream-detail"]);
    let order = Regex::new("All failed: .*").unwrap();
    own.observation.arrangement.volatile = vec![Volatile::new(order, "All failed".to_owned())];
    assert_eq!(broken(own, sibling), [""; 0]);
}

#[test]
fn a_finding_shows_where_long_messages_differ() {
    let reported = |end: &str| {
        let message = format!("no MSG after 12 s. {} In the {end}", "Words. ".repeat(60));
        say(503, &format!(r#"{{"error":{{"message":"{message}","type":"kind","param":"p","code":"c"}}}}"#))
    };
    let pair = |own: &str, sibling: &str| {
        findings(&[failed(streamed(), 503, reported(own)), failed(plain_call(), 503, reported(sibling))])
    };
    let found = pair("end upfault-tok-primary and upfault-kot-primary failed.", "end none failed.");
    assert_eq!(
        found[0].observed,
        "the message \"… In the end upfault-tok-primary and upfault-kot-primary failed.\" for the stream, \
         the message \"… In the end none failed.\" for the plain call"
    );
    // One message continues after the end of the other.
    assert!(pair("end", "end of it.")[0].observed.contains("\"… In the end\" for the stream"));
    // A list of the proxy's models may differ in its order and in its names.
    let models = ["upfault-tok-primary, upfault-kot-primary.", "upfault-kot-primary, upfault-xyz-backup."];
    assert_eq!(pair(models[0], models[1]), []);
}

#[test]
fn siblings_are_compared_only_if_the_upstreams_did_the_same() {
    let served = || plain_call().tried(say(200, OK)).received(say(200, OK));
    let cut = |seen: ObservationBuilder| seen.tried_until(events(&[ONE]), AttemptEnd::Reset);
    for (own, sibling) in [
        // Another status, another message, another content type, another meaningful header.
        (failed(streamed(), 500, error(500)), failed(plain_call(), 503, error(503))),
        (failed(streamed(), 503, error(500)), plain_call().tried(say(503, OTHER_CODE)).received(error(503))),
        (
            failed(streamed(), 503, error(500)),
            plain_call().tried(error(503).with("content-type", "text/html")).received(error(503)),
        ),
        (
            failed(streamed(), 503, error(500)),
            plain_call().tried(error(503).with("retry-after", "1")).received(error(503)),
        ),
        // A failure that only a stream can have.
        (cut(streamed()).received(events(&[ONE, ERROR])), failed(plain_call(), 503, error(503))),
        (streamed().tried(events(&[ERROR])).received(error(500)), failed(plain_call(), 503, error(503))),
        // One of them succeeded.
        (failed(streamed(), 503, error(503)), served()),
        // One of them did not end by itself.
        (
            failed(streamed(), 503, error(500)),
            plain_call().tried(error(503)).received_nothing(ResponseEnd::Deadline),
        ),
        // Other turns, other settings.
        (failed(streamed(), 503, error(500)), failed(plain_call().retrying(1), 503, error(503))),
        (
            failed(streamed(), 503, error(500)).unreachable(Fault::Refuse),
            failed(plain_call(), 503, error(503)),
        ),
        // Not siblings.
        (failed(plain(), 503, error(500)), failed(plain_call(), 503, error(503))),
        (
            failed(streamed().calling(Api::OpenaiImages, Provider::Openai), 503, error(500)),
            failed(plain_call(), 503, error(503)),
        ),
    ] {
        assert_eq!(applicable(&own, &sibling), [""; 0], "{:#?}", own.observation.attempts);
    }
}

#[test]
fn a_plain_call_is_never_compared_with_a_stream() {
    let (own, sibling) = (failed(plain_call(), 503, error(500)), failed(streamed(), 503, error(503)));
    assert_eq!(applicable(&own, &sibling), [""; 0]);
}

#[test]
fn calls_without_an_upstream_response_are_compared_too() {
    let refused =
        |seen: ObservationBuilder, reported: u16| seen.unreachable(Fault::Refuse).received(error(reported));
    assert_eq!(broken(refused(streamed(), 500), refused(plain_call(), 502)), ["sibling.stream-status"]);
    let silent = |seen: ObservationBuilder, reported: u16| {
        seen.tried_in_vain(AttemptEnd::ClientLeft).received(error(reported))
    };
    assert_eq!(broken(silent(streamed(), 504), silent(plain_call(), 408)), ["sibling.stream-status"]);
    let reset = |seen: ObservationBuilder, reported: u16| {
        seen.tried_in_vain(AttemptEnd::Reset).received(error(reported))
    };
    assert_eq!(broken(reset(streamed(), 500), reset(plain_call(), 502)), ["sibling.stream-status"]);
    let backlog = |seen: ObservationBuilder| {
        seen.unreachable(Fault::Connection(ConnectionFault::BacklogFull)).received(error(504))
    };
    assert_eq!(broken(backlog(streamed()), backlog(plain_call())), [""; 0]);
}

#[test]
fn the_policy_decides_whether_an_early_200_of_a_stream_is_a_finding() {
    let own = failed(streamed(), 503, events(&[ERROR]));
    let sibling = failed(plain_call(), 503, error(503));
    assert_eq!(broken(own.clone(), sibling.clone()), ["sibling.stream-status"]);
    let early = Policy::from_text("p", "hold_back: lifted\n").unwrap();
    assert_eq!(compared(&own, &sibling, &early), []);
    // A stream that does not show its failure is still a finding.
    let forged = failed(streamed(), 503, events(&[STOP, DONE]));
    assert_eq!(compared(&forged, &sibling, &early).len(), 1);
}

#[test]
fn attempts_are_compared_only_if_the_upstreams_did_the_same() {
    let chain = |seen: ObservationBuilder| seen.chained();
    let to_backup = |seen: ObservationBuilder| {
        chain(seen)
            .tried(error(503))
            .tried_at("backup", say(200, OK), AttemptEnd::Finished)
            .received(say(200, OK))
    };
    let skipped = chain(streamed()).tried(error(503)).received(error(503));
    assert_eq!(broken(skipped, other(to_backup(plain()))), ["sibling.stream-attempts"]);
    // No failure, or different failures.
    let good = streamed().tried(events(GOOD)).received(events(GOOD));
    assert_eq!(applicable(&good, &plain_call().tried(say(200, OK)).received(say(200, OK))), [""; 0]);
    let limited = plain_call().retrying(1).tried(error(429)).tried(error(429)).received(error(429));
    assert_eq!(broken(streamed().retrying(1).tried(error(503)).received(error(503)), limited), [""; 0]);
    // A connection without a request is not an attempt.
    let reconnected = other(plain().tried_in_vain(AttemptEnd::Closed).attempt(|one| one.method.clear()))
        .tried(error(503))
        .received(error(503));
    assert_eq!(broken(failed(streamed(), 503, error(503)), reconnected), [""; 0]);
}

#[test]
fn a_route_that_passes_on_the_status_is_right_unless_its_sibling_is_chat() {
    let embeddings = || other(plain().calling(Api::OpenaiEmbeddings, Provider::Openai));
    let flattened = || failed(embeddings(), 503, error(500));
    assert_eq!(broken(failed(images(), 503, error(503)), flattened()), [""; 0]);
    assert_eq!(broken(failed(images(), 503, error(502)), flattened()), ["sibling.route-status"]);
    // A difference from chat is always a finding.
    let chat = failed(plain_call(), 503, error(500));
    assert_eq!(broken(failed(images(), 503, error(503)), chat), ["sibling.route-status"]);
}

#[test]
fn a_member_equal_to_the_providers_is_right_whatever_the_sibling_got() {
    let reported = |kind: &str, code: &str| {
        let text = format!(r#"{{"error":{{"message":"no MSG","type":{kind},"param":"p","code":{code}}}}}"#);
        say(400, &text)
    };
    let (kept, lost) = (r#""kind""#, "null");
    let sibling = |code: &str| failed(plain_call(), 400, reported(lost, code));
    // Both have the same wrong code.
    assert_eq!(broken(failed(images(), 400, reported(kept, r#""400""#)), sibling(r#""400""#)), [""; 0]);
    assert_eq!(broken(failed(images(), 400, reported(lost, r#""c""#)), sibling(r#""400""#)), [""; 0]);
    let flattened = failed(images(), 400, reported(lost, "null"));
    assert_eq!(
        broken(flattened, failed(plain_call(), 400, reported(kept, "null"))),
        ["sibling.route-detail"]
    );
    // A stream and a plain call must be equal, even if one of them is right.
    assert_eq!(
        broken(failed(streamed(), 400, reported(kept, r#""400""#)), sibling(r#""400""#)),
        ["sibling.stream-detail"]
    );
}

#[test]
fn headers_that_describe_the_body_are_not_compared() {
    for (name, counts) in [
        ("content-encoding", false),
        ("llm_provider-content-type", false),
        ("date", false),
        ("llm_provider-retry-after", true),
        ("x-request-id", true),
    ] {
        let reported = error(503).with(name, "x");
        let lacking = || streamed().tried(reported.clone()).received(error(503));
        let having = plain_call().tried(reported.clone()).received(reported.clone());
        let expected: &[&str] = if counts { &["sibling.stream-headers"] } else { &[] };
        assert_eq!(broken(lacking(), having), expected, "{name}");
        // The reverse is a finding as well.
        let sibling = plain_call().tried(reported.clone()).received(error(503));
        assert_eq!(
            broken(streamed().tried(reported.clone()).received(reported.clone()), sibling),
            expected,
            "{name}"
        );
    }
}

#[test]
fn between_dialects_a_server_error_may_have_another_status() {
    let messages = |sent, reported: u16| {
        plain()
            .calling(Api::AnthropicMessages, Provider::Openai)
            .tried(error(sent))
            .asked(Api::OpenaiChat)
            .received(say(reported, r#"{"type":"error","error":{"type":"x","message":"no MSG"}}"#))
    };
    assert_eq!(broken(messages(503, 529), failed(plain_call(), 503, error(503))), [""; 0]);
    assert_eq!(broken(messages(429, 529), failed(plain_call(), 429, error(429))), ["sibling.route-status"]);
    // Each dialect has its own types and codes.
    assert_eq!(broken(messages(400, 400), failed(plain_call(), 400, error(400))), [""; 0]);
}

#[test]
fn a_rule_that_the_scenario_or_the_policy_lifts_is_not_compared() {
    let (_, _, [own, sibling]) = examples().swap_remove(0);
    let lifted = own.clone().set(|arrangement| {
        arrangement.except.insert("sibling.stream-status".to_owned(), "why".to_owned());
    });
    assert_eq!(broken(lifted, sibling.clone()), [""; 0]);
    let policy = Policy::from_text("p", "levels: {sibling.stream-status: lifted}\n").unwrap();
    assert_eq!(compared(&own, &sibling, &policy), []);
}
