//! The source of an error, and the fate of each detail.

use super::seen::*;
use crate::{
    judge::{DetailFate, ErrorOrigin, ErrorSource, origins},
    observation::ResponseEnd,
    scenario::{Api, Provider},
};

/// The upstream's error in these tests, with every kind of detail.
const SENT: &str =
    r#"{"error":{"message":"no MSG","type":"requests","param":"model","code":"rate_limit_exceeded"}}"#;

fn failing() -> SideReply {
    say(429, SENT)
        .with("retry-after", "7")
        .with("x-request-id", "RID")
        .with("x-ratelimit-limit-requests", "60")
}

fn origin_of(response: SideReply) -> ErrorOrigin {
    only(plain().tried(failing()).received(response))
}

#[track_caller]
fn only(seen: ObservationBuilder) -> ErrorOrigin {
    let mut origins = origins(&seen.observation);
    assert_eq!(origins.len(), 1, "{origins:#?}");
    origins.remove(0)
}

#[track_caller]
fn fate(origin: &ErrorOrigin, detail: &str) -> DetailFate {
    let found = origin.details.iter().find(|traced| traced.detail == detail);
    found.unwrap_or_else(|| panic!("nothing of {detail} in {origin:#?}")).fate.clone()
}

fn primary() -> ErrorSource {
    ErrorSource::Upstream { deployment: "primary".to_owned(), n: 1 }
}

fn moved(to: &str) -> DetailFate {
    DetailFate::Moved { to: to.to_owned() }
}

#[test]
fn every_detail_of_an_unchanged_error_is_kept_and_its_source_is_the_upstream() {
    let origin = origin_of(failing());
    assert_eq!(origin.maker, primary());
    let evidence: Vec<String> = origin.evidence.iter().map(ToString::to_string).collect();
    assert_eq!(evidence, ["its message in error.message", "its request id in header x-request-id"]);
    assert_eq!(origin.details.len(), 7, "{origin:#?}");
    assert!(origin.details.iter().all(|traced| traced.fate == DetailFate::Kept), "{origin:#?}");
}

#[test]
fn the_source_of_an_error_in_the_proxys_own_words_is_the_proxy_and_every_detail_is_lost() {
    let origin = origin_of(say(500, r#"{"error":{"message":"Something went wrong"}}"#));
    assert_eq!(origin.maker, ErrorSource::Proxy);
    assert_eq!(origin.details.len(), 7);
    assert!(origin.details.iter().all(|traced| traced.fate == DetailFate::Lost), "{origin:#?}");
}

#[test]
fn a_member_with_another_value_is_reported_with_that_value() {
    let reported = r#"{"error":{"message":"RateLimitError: no MSG","type":"throttling_error","code":"429"}}"#;
    let origin = origin_of(say(429, reported).with("retry-after", "60"));
    assert_eq!(fate(&origin, "message"), DetailFate::Prose);
    assert_eq!(fate(&origin, "type"), DetailFate::Mapped { to: "throttling_error".to_owned() });
    assert_eq!(fate(&origin, "code"), DetailFate::Mapped { to: "429".to_owned() });
    assert_eq!(fate(&origin, "param"), DetailFate::Lost);
    assert_eq!(fate(&origin, "retry-after"), DetailFate::Mapped { to: "60".to_owned() });
}

#[test]
fn a_detail_in_another_place_is_reported_with_that_place() {
    let reported = r#"{"error":{"message":"Provider returned error","code":429,
        "metadata":{"raw":"no MSG","code":"rate_limit_exceeded","retry_after":7,"upstream_id":"RID"}}}"#;
    let origin = origin_of(say(429, reported).with("llm_provider-x-ratelimit-limit-requests", "60"));
    assert_eq!(origin.maker, primary());
    assert_eq!(fate(&origin, "message"), moved("error.metadata.raw"));
    assert_eq!(fate(&origin, "code"), moved("error.metadata.code"));
    assert_eq!(fate(&origin, "retry-after"), moved("error.metadata.retry_after"));
    assert_eq!(fate(&origin, "x-request-id"), moved("error.metadata.upstream_id"));
    let limit = fate(&origin, "x-ratelimit-limit-requests");
    assert_eq!(limit, moved("header llm_provider-x-ratelimit-limit-requests"));
}

#[test]
fn a_common_word_or_number_elsewhere_is_not_evidence() {
    let reported =
        r#"{"error":{"message":"7 requests failed: rate_limit_exceeded","kind":"requests","n":"60"}}"#;
    let origin = origin_of(say(429, reported).with("age", "7"));
    for detail in ["type", "code", "retry-after", "x-ratelimit-limit-requests"] {
        assert_eq!(fate(&origin, detail), DetailFate::Lost, "{detail}");
    }
}

#[test]
fn a_planted_token_inside_the_message_is_prose() {
    let sent = r#"{"error":{"message":"no MSG","type":"t","code":"canary_code_tok-primary-1"}}"#;
    let reported = r#"{"error":{"message":"no MSG (canary_code_tok-primary-1, RID)"}}"#;
    let seen = plain().tried(say(400, sent).with("request-id", "RID")).received(say(400, reported));
    let origin = only(seen);
    assert_eq!(fate(&origin, "code"), DetailFate::Prose);
    assert_eq!(fate(&origin, "request-id"), DetailFate::Prose);
}

#[test]
fn secrets_and_connection_headers_are_reported_as_leaked() {
    let reported = say(500, r#"{"error":{"message":"127.0.0.1:9 refused KEY"}}"#);
    let seen = plain().tried(failing().with("set-cookie", "a=b"));
    let key = seen.observation.arrangement.deployments[0].key.clone();
    let origin = only(seen.received(reported.with("x-key", &key).with("set-cookie", "a=b")));
    let leaked = |at: &str| DetailFate::Leaked { at: at.to_owned() };
    assert_eq!(fate(&origin, "key of primary"), leaked("header x-key"));
    assert_eq!(fate(&origin, "address of an upstream"), leaked("the body"));
    assert_eq!(fate(&origin, "set-cookie"), leaked("header set-cookie"));
}

#[test]
fn the_source_is_the_attempt_whose_tokens_the_error_contains() {
    let seen = plain().chained().tried(failing());
    let end = crate::observation::AttemptEnd::Finished;
    let reported = r#"{"error":{"message":"no backup.MSG","type":"requests"}}"#;
    let origin = only(seen.tried_at("backup", failing(), end).received(say(429, reported)));
    assert_eq!(origin.maker, ErrorSource::Upstream { deployment: "backup".to_owned(), n: 1 });
}

#[test]
fn a_token_is_not_found_inside_a_longer_one() {
    let origin = origin_of(say(429, r#"{"error":{"message":"no MSG0","type":"requests"}}"#));
    assert_eq!(origin.maker, ErrorSource::Proxy, "attempt 10 is not attempt 1");
}

#[test]
fn in_a_stream_the_error_event_is_traced() {
    let seen = streamed().tried(events(&[ONE, SENT]));
    let origin = only(seen.clone().received(events(&[ONE, SENT])));
    assert_eq!((&origin.maker, fate(&origin, "code")), (&primary(), DetailFate::Kept));
    let forged = only(seen.received(events(&[ONE, STOP, DONE])));
    assert_eq!(forged.maker, ErrorSource::Unreported);
    assert_eq!(fate(&forged, "message"), DetailFate::Lost);
}

#[test]
fn errors_of_upfault_are_not_attributed_to_the_proxy() {
    let late = only(plain().tried(failing()).received_nothing(ResponseEnd::Deadline));
    assert_eq!(late.maker, ErrorSource::Upfault);
    let unarmed = r#"{"error":{"message":"No mock is armed at this path (POST /x)"}}"#;
    assert_eq!(only(plain().received(say(404, unarmed))).maker, ErrorSource::Upfault);
    let reset = only(plain().tried(failing()).received_nothing(ResponseEnd::Reset));
    assert_eq!(reset.maker, ErrorSource::Proxy);
}

#[test]
fn a_page_that_is_passed_on_unchanged_is_recognised() {
    let page = || say(502, "<html>Bad gateway</html>").with("content-type", "text/html");
    let origin = only(plain().tried(page()).received(page()));
    assert_eq!(origin.maker, primary());
}

#[test]
fn a_type_that_was_translated_between_dialects_is_reported_as_mapped() {
    let seen = plain().calling(Api::AnthropicMessages, Provider::Openai).tried(failing());
    let reported = r#"{"type":"error","error":{"type":"rate_limit_error","message":"no MSG"}}"#;
    let origin = only(seen.asked(Api::OpenaiChat).received(say(429, reported)));
    assert_eq!(fate(&origin, "message"), DetailFate::Kept);
    assert_eq!(fate(&origin, "type"), DetailFate::Mapped { to: "rate_limit_error".to_owned() });
    assert_eq!(fate(&origin, "code"), DetailFate::Lost);
}

#[test]
fn a_success_has_no_origin() {
    assert_eq!(origins(&plain().tried(say(200, OK)).received(say(200, OK)).observation), []);
}
