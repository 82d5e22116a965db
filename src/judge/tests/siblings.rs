//! A case beside its sibling.

use super::seen::*;
use crate::{
    judge::{self, Finding, Policy},
    observation::{AttemptEnd, Observation, ResponseEnd},
    scenario::{Api, ConnectionFault, Fault, Provider},
};

/// A rule, a case and a sibling beside which it holds, and one that breaks it.
type Proof = (&'static str, [ObservationBuilder; 2], [ObservationBuilder; 2]);

/// The same case under other tokens, as its sibling always has.
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

fn failed(seen: ObservationBuilder, sent: u16, told: SideReply) -> ObservationBuilder {
    seen.tried(error(sent)).received(told)
}

fn findings([own, other]: &[ObservationBuilder; 2]) -> Vec<Finding> {
    judge::compare_siblings(&own.observation, &other.observation, &Policy::default())
}

fn broken(own: ObservationBuilder, other: ObservationBuilder) -> Vec<String> {
    findings(&[own, other]).into_iter().map(|finding| finding.rule).collect()
}

/// Rules that speak of these two.
fn speaking(own: &ObservationBuilder, other: &ObservationBuilder) -> Vec<&'static str> {
    judge::applicable_to_siblings(&own.observation, &other.observation, &Policy::default())
}

const REWORDED: &str =
    r#"{"error":{"message":"The stream failed: no MSG","type":"kind","param":"p","code":"c"}}"#;
const OTHER_CODE: &str = r#"{"error":{"message":"no MSG","type":"kind","param":"p","code":"own"}}"#;
const WORDLESS: &str = r#"{"error":{"message":"It failed.","type":"kind","param":"p","code":"c"}}"#;

fn proofs() -> Vec<Proof> {
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
            [failed(images(), 400, say(400, WORDLESS)), failed(plain_call(), 400, error(400))],
        ),
    ]
}

#[test]
fn each_rule_holds_beside_one_sibling_and_is_broken_beside_another() {
    let proofs = proofs();
    for (rule, holds, breaks) in &proofs {
        assert_eq!(findings(holds), [], "{rule} holds");
        assert!(speaking(&holds[0], &holds[1]).contains(rule), "{rule} speaks of what holds");
        let found = findings(breaks);
        let names: Vec<&str> = found.iter().map(|finding| finding.rule.as_str()).collect();
        assert_eq!(names, [*rule]);
        assert!(!found[0].evidence.is_empty() && !found[0].observed.is_empty());
    }
    let on_siblings = judge::rules().map(|rule| rule.id).filter(|id| judge::kin_of(id).is_some());
    let without: Vec<&str> = on_siblings.filter(|id| proofs.iter().all(|(rule, ..)| rule != id)).collect();
    assert!(without.is_empty(), "no pair proves {without:?}");
}

#[test]
fn of_a_case_alone_no_rule_on_siblings_speaks() {
    for (_, _, [own, _]) in proofs() {
        let spoken = judge::applicable(&own.observation, &Policy::default());
        assert!(spoken.iter().all(|rule| judge::kin_of(rule).is_none()), "{spoken:?}");
    }
}

#[test]
fn the_finding_names_both_sides_in_the_tokens_of_the_case_that_it_is_of() {
    let (_, _, breaks) = proofs().swap_remove(1);
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
fn what_differs_by_whose_it_is_alone_is_the_same() {
    // Tokens, numbers, times, ids: but not the words.
    let told = |model: &str, took: &str| {
        let message = format!("no MSG. model upfault-{model}-primary took {took}s, id 7f9c24e8-3b12-{took}");
        say(503, &format!(r#"{{"error":{{"message":"{message}","type":"kind","param":"p","code":"c"}}}}"#))
    };
    let own = failed(streamed(), 503, told("tok", "0.1"));
    let beside = other(failed(plain(), 503, told("tok", "12.75")));
    assert_eq!(broken(own.clone(), beside.clone()), [""; 0]);
    assert!(speaking(&own, &beside).contains(&"sibling.stream-detail"));
    assert_eq!(
        broken(failed(streamed(), 503, say(503, OTHER_CODE)), failed(plain_call(), 503, error(503))),
        ["sibling.stream-detail"]
    );
}

#[test]
fn where_long_messages_part_is_what_is_shown() {
    let told = |end: &str| {
        let message = format!("no MSG after 12 s. {} In the {end}", "Words. ".repeat(60));
        say(503, &format!(r#"{{"error":{{"message":"{message}","type":"kind","param":"p","code":"c"}}}}"#))
    };
    let pair = |own: &str, beside: &str| {
        findings(&[failed(streamed(), 503, told(own)), failed(plain_call(), 503, told(beside))])
    };
    let found = pair("end upfault-tok-primary and upfault-kot-primary failed.", "end none failed.");
    assert_eq!(
        found[0].observed,
        "the message \"… In the end upfault-tok-primary and upfault-kot-primary failed.\" for the stream, \
         the message \"… In the end none failed.\" for the plain call"
    );
    // One that goes on where the other has ended.
    assert!(pair("end", "end of it.")[0].observed.contains("\"… In the end\" for the stream"));
    // Which models a proxy has besides differs by the order in which it counts them, and by nothing else.
    let models = ["upfault-tok-primary, upfault-kot-primary.", "upfault-kot-primary, upfault-xyz-backup."];
    assert_eq!(pair(models[0], models[1]), []);
}

#[test]
fn only_what_the_upstream_did_to_both_is_compared() {
    let served = || plain_call().tried(say(200, OK)).received(say(200, OK));
    let cut = |seen: ObservationBuilder| seen.tried_until(events(&[ONE]), AttemptEnd::Reset);
    for (own, beside) in [
        // Another status, other words, another form, another header that means something.
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
        // What only a stream can do.
        (cut(streamed()).received(events(&[ONE, ERROR])), failed(plain_call(), 503, error(503))),
        (streamed().tried(events(&[ERROR])).received(error(500)), failed(plain_call(), 503, error(503))),
        // One of them succeeded.
        (failed(streamed(), 503, error(503)), served()),
        // One of them never came to its end.
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
        // No siblings at all.
        (failed(plain(), 503, error(500)), failed(plain_call(), 503, error(503))),
        (
            failed(streamed().calling(Api::OpenaiImages, Provider::Openai), 503, error(500)),
            failed(plain_call(), 503, error(503)),
        ),
    ] {
        assert_eq!(speaking(&own, &beside), [""; 0], "{:#?}", own.observation.attempts);
    }
}

#[test]
fn a_plain_call_is_never_held_against_a_stream() {
    let (own, beside) = (failed(plain_call(), 503, error(500)), failed(streamed(), 503, error(503)));
    assert_eq!(speaking(&own, &beside), [""; 0]);
}

#[test]
fn what_no_upstream_answered_is_compared_too() {
    let refused = |seen: ObservationBuilder, told: u16| seen.unreachable(Fault::Refuse).received(error(told));
    assert_eq!(broken(refused(streamed(), 500), refused(plain_call(), 502)), ["sibling.stream-status"]);
    let silent = |seen: ObservationBuilder, told: u16| {
        seen.tried_in_vain(AttemptEnd::ClientLeft).received(error(told))
    };
    assert_eq!(broken(silent(streamed(), 504), silent(plain_call(), 408)), ["sibling.stream-status"]);
    let reset =
        |seen: ObservationBuilder, told: u16| seen.tried_in_vain(AttemptEnd::Reset).received(error(told));
    assert_eq!(broken(reset(streamed(), 500), reset(plain_call(), 502)), ["sibling.stream-status"]);
    let backlog = |seen: ObservationBuilder| {
        seen.unreachable(Fault::Connection(ConnectionFault::BacklogFull)).received(error(504))
    };
    assert_eq!(broken(backlog(streamed()), backlog(plain_call())), [""; 0]);
}

#[test]
fn a_200_that_was_sent_early_is_held_against_a_stream_as_the_policy_says() {
    let own = failed(streamed(), 503, events(&[ERROR]));
    let beside = failed(plain_call(), 503, error(503));
    assert_eq!(broken(own.clone(), beside.clone()), ["sibling.stream-status"]);
    let early = Policy::from_text("p", "hold_back: lifted\n").unwrap();
    assert_eq!(judge::compare_siblings(&own.observation, &beside.observation, &early), []);
    // A failure that does not show at all is none that was told early.
    let forged = failed(streamed(), 503, events(&[STOP, DONE]));
    assert_eq!(judge::compare_siblings(&forged.observation, &beside.observation, &early).len(), 1);
}

#[test]
fn tries_are_counted_only_as_far_as_the_upstreams_did_the_same() {
    let chain = |seen: ObservationBuilder| seen.chained();
    let to_backup = |seen: ObservationBuilder| {
        chain(seen)
            .tried(error(503))
            .tried_at("backup", say(200, OK), AttemptEnd::Finished)
            .received(say(200, OK))
    };
    let skipped = chain(streamed()).tried(error(503)).received(error(503));
    assert_eq!(broken(skipped, other(to_backup(plain()))), ["sibling.stream-attempts"]);
    // Nothing failed, or what failed was not the same.
    let good = streamed().tried(events(GOOD)).received(events(GOOD));
    assert_eq!(speaking(&good, &plain_call().tried(say(200, OK)).received(say(200, OK))), [""; 0]);
    let limited = plain_call().retrying(1).tried(error(429)).tried(error(429)).received(error(429));
    assert_eq!(broken(streamed().retrying(1).tried(error(503)).received(error(503)), limited), [""; 0]);
    // A connection on which nothing was asked is no attempt.
    let reconnected = other(plain().tried_in_vain(AttemptEnd::Closed).attempt(|one| one.method.clear()))
        .tried(error(503))
        .received(error(503));
    assert_eq!(broken(failed(streamed(), 503, error(503)), reconnected), [""; 0]);
}

#[test]
fn a_route_that_passes_on_what_came_is_right_beside_one_that_is_only_the_first() {
    let embeddings = || other(plain().calling(Api::OpenaiEmbeddings, Provider::Openai));
    let flattened = || failed(embeddings(), 503, error(500));
    assert_eq!(broken(failed(images(), 503, error(503)), flattened()), [""; 0]);
    assert_eq!(broken(failed(images(), 503, error(502)), flattened()), ["sibling.route-status"]);
    // Beside chat it is another matter.
    let chat = failed(plain_call(), 503, error(500));
    assert_eq!(broken(failed(images(), 503, error(503)), chat), ["sibling.route-status"]);
}

#[test]
fn a_member_that_is_the_providers_own_is_right_whatever_stands_elsewhere() {
    let told = |kind: &str, code: &str| {
        let text = format!(r#"{{"error":{{"message":"no MSG","type":{kind},"param":"p","code":{code}}}}}"#);
        say(400, &text)
    };
    let (kept, lost) = (r#""kind""#, "null");
    let beside = |code: &str| failed(plain_call(), 400, told(lost, code));
    // The code is the same wrong one on both.
    assert_eq!(broken(failed(images(), 400, told(kept, r#""400""#)), beside(r#""400""#)), [""; 0]);
    assert_eq!(broken(failed(images(), 400, told(lost, r#""c""#)), beside(r#""400""#)), [""; 0]);
    let flattened = failed(images(), 400, told(lost, "null"));
    assert_eq!(broken(flattened, failed(plain_call(), 400, told(kept, "null"))), ["sibling.route-detail"]);
    // Between a stream and a plain call there is no other reader.
    assert_eq!(
        broken(failed(streamed(), 400, told(kept, r#""400""#)), beside(r#""400""#)),
        ["sibling.stream-detail"]
    );
}

#[test]
fn of_headers_only_those_are_compared_that_do_not_say_what_the_body_is() {
    for (name, counts) in [
        ("content-encoding", false),
        ("llm_provider-content-type", false),
        ("date", false),
        ("llm_provider-retry-after", true),
        ("x-request-id", true),
    ] {
        let told = error(503).with(name, "x");
        let lacking = || streamed().tried(told.clone()).received(error(503));
        let having = plain_call().tried(told.clone()).received(told.clone());
        let expected: &[&str] = if counts { &["sibling.stream-headers"] } else { &[] };
        assert_eq!(broken(lacking(), having), expected, "{name}");
        // It is as wrong the other way about.
        let beside = plain_call().tried(told.clone()).received(error(503));
        assert_eq!(broken(streamed().tried(told.clone()).received(told.clone()), beside), expected, "{name}");
    }
}

#[test]
fn between_dialects_a_server_error_may_have_another_number() {
    let messages = |sent, told: u16| {
        plain()
            .calling(Api::AnthropicMessages, Provider::Openai)
            .tried(error(sent))
            .asked(Api::OpenaiChat)
            .received(say(told, r#"{"type":"error","error":{"type":"x","message":"no MSG"}}"#))
    };
    assert_eq!(broken(messages(503, 529), failed(plain_call(), 503, error(503))), [""; 0]);
    assert_eq!(broken(messages(429, 529), failed(plain_call(), 429, error(429))), ["sibling.route-status"]);
    // Type and code are each dialect's own.
    assert_eq!(broken(messages(400, 400), failed(plain_call(), 400, error(400))), [""; 0]);
}

#[test]
fn a_rule_that_the_scenario_or_the_policy_lifts_is_not_compared() {
    let (_, _, [own, beside]) = proofs().swap_remove(0);
    let lifted = own.clone().set(|arrangement| {
        arrangement.except.insert("sibling.stream-status".to_owned(), "why".to_owned());
    });
    assert_eq!(broken(lifted, beside.clone()), [""; 0]);
    let policy = Policy::from_text("p", "levels: {sibling.stream-status: lifted}\n").unwrap();
    assert_eq!(judge::compare_siblings(&own.observation, &beside.observation, &policy), []);
}
