//! Errors that upstreams send as events: as the first event of a stream, or after content.

use proptest::{prelude::*, sample::select};

use super::{arbitrary::exchange, seen::*};
use crate::{
    judge::{self, Facts, Policy, attempt_outcome::AttemptOutcome},
    observation::{AttemptEnd, ExchangeOutcome, ResponseBody, ResponseEnd},
    scenario::{Api, ErrorName, Fault, Point, Provider},
};

const LIMIT: &str =
    r#"{"error":{"message":"no MSG","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#;
const TOO_LONG: &str = r#"{"error":{"message":"no MSG","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#;
const OVERLOAD: &str = r#"{"error":{"message":"no MSG","type":"service_unavailable_error","param":null,"code":"server_is_overloaded"}}"#;
const UNSAID: &str = r#"{"error":{"message":"no MSG"}}"#;

fn broken(seen: &ObservationBuilder) -> Vec<String> {
    judge::judge(&seen.observation, &[], &Policy::default()).into_iter().map(|finding| finding.rule).collect()
}

/// The upstream's stream begins with this event, and the caller gets this response.
fn first(event: &str, said: SideReply) -> Vec<String> {
    broken(&streamed().tried(events(&[event])).received(said))
}

#[test]
fn a_proxy_that_passes_on_events_unread_may_wait_for_a_provider_that_keeps_its_stream_open() {
    let open = || streamed().tried_until(events(&[ONE, TWO, ERROR]), AttemptEnd::ClientLeft);
    let is_late = |seen: ObservationBuilder| broken(&seen).contains(&"stream.ends-after-error".to_owned());
    assert!(!is_late(open().received(events(&[ONE, TWO, ERROR]).lasting(3300.0))));
    let own = r#"{"error":{"message":"The provider reported: MSG"}}"#;
    assert!(is_late(open().received(events(&[ONE, TWO, own]).lasting(3300.0))));
    let over = streamed().tried(events(&[ONE, TWO, ERROR]));
    assert!(is_late(over.received(events(&[ONE, TWO, ERROR]).lasting(3300.0))));
}

#[test]
fn an_error_as_first_event_is_judged_by_the_status_that_it_states() {
    let none: [&str; 0] = [];
    assert_eq!(first(LIMIT, say(429, LIMIT)), none);
    assert_eq!(first(LIMIT, say(502, LIMIT)), ["status.rate-limit"]);
    assert_eq!(first(TOO_LONG, say(400, TOO_LONG)), none);
    assert_eq!(first(TOO_LONG, say(502, TOO_LONG)), ["status.mirrored"]);
    assert_eq!(first(OVERLOAD, say(503, OVERLOAD)), none);
    assert_eq!(first(OVERLOAD, say(400, OVERLOAD)), ["status.class-kept"]);
    // Passing the event on is allowed.
    assert_eq!(first(LIMIT, events(&[LIMIT])), none);
    // A proxy cannot know the status of an error that states none.
    for status in [400, 429, 500, 502] {
        assert_eq!(first(UNSAID, say(status, UNSAID)), none, "{status}");
    }
}

#[test]
fn a_type_that_a_server_uses_for_every_error_states_no_status() {
    let limit = r#"{"error":{"message":"no MSG","type":"api_error","param":null,"code":null}}"#;
    let fault = Fault::ErrorEvent { error: ErrorName::RateLimit, at: Point::AfterHeaders, form: None };
    for status in [429, 500, 502] {
        let tried = streamed().tried(events(&[limit])).with_fault(fault.clone());
        assert_eq!(broken(&tried.received(say(status, limit))), [""; 0], "{status}");
    }
}

#[test]
fn the_words_of_an_error_as_first_event_are_judged_like_those_of_a_response() {
    let own = r#"{"error":{"message":"empty completion","type":"api_error","param":null,"code":null}}"#;
    assert_eq!(
        first(TOO_LONG, say(400, own)),
        ["detail.message-kept", "detail.code-kept", "detail.type-kept", "detail.param-kept"]
    );
    assert_eq!(first(UNSAID, say(502, own)), ["detail.server-message-kept"]);
    let with_200 = |said: &str| broken(&plain().tried(say(200, UNSAID)).received(say(502, said)));
    assert_eq!(with_200(UNSAID), [""; 0]);
    assert_eq!(with_200(own), ["detail.server-message-kept"]);
    let with_id = |said: SideReply| said.with("x-request-id", "RID").with("retry-after", "7");
    let kept = streamed().tried(with_id(events(&[LIMIT]))).received(with_id(say(429, LIMIT)));
    assert_eq!(broken(&kept), [""; 0]);
    let lost = streamed().tried(with_id(events(&[LIMIT]))).received(say(429, LIMIT));
    assert_eq!(broken(&lost), ["headers.retry-after", "headers.request-id"]);
}

#[test]
fn a_bad_request_as_first_event_is_not_retried_and_starts_no_cooldown() {
    let twice = streamed().retrying(2).tried(events(&[TOO_LONG])).tried(events(&[TOO_LONG]));
    assert_eq!(broken(&twice.received(say(400, TOO_LONG))), ["retry.terminal-errors-once"]);
    let closed = streamed().cooling(1, 20).tried(events(&[TOO_LONG])).received(say(400, TOO_LONG));
    let refused = closed.wait(100.0).received(say(429, LIMIT));
    assert!(broken(&refused).contains(&"cooldown.not-for-bad-requests".to_owned()));
}

#[test]
fn an_error_event_after_content_keeps_its_members_and_its_message_is_text() {
    let after =
        |event: &str| broken(&streamed().tried(events(&[ONE, TOO_LONG])).received(events(&[ONE, event])));
    assert_eq!(after(TOO_LONG), [""; 0]);
    assert_eq!(after(&TOO_LONG.replace("context_length_exceeded", "x")), ["detail.code-kept"]);
    assert_eq!(after(&TOO_LONG.replace("invalid_request_error", "api_error")), ["detail.type-kept"]);
    let escaped = serde_json::json!({"error": {
        "message": format!("Error: {}", serde_json::Value::from(TOO_LONG)),
        "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded",
    }});
    assert_eq!(after(&escaped.to_string()), ["detail.message-plain"]);
}

#[test]
fn a_finish_reason_error_alone_shows_no_failure_unless_the_upstream_sent_it() {
    let bare = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#;
    let ended = |event: &str| streamed().tried(events(&[ONE, event])).received(events(&[ONE, bare, DONE]));
    assert_eq!(broken(&ended(OVERLOAD)), ["stream.error-visible"]);
    assert_eq!(broken(&ended(bare)), [""; 0]);
    let stop = r#"{"type":"message_delta","delta":{"stop_reason":"error"}}"#;
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"no MSG"}}"#;
    let messages = streamed()
        .calling(Api::AnthropicMessages, Provider::Anthropic)
        .tried(named_events(&[(Some("error"), error)]))
        .received(named_events(&[
            (Some("message_delta"), stop),
            (Some("message_stop"), r#"{"type":"message_stop"}"#),
        ]));
    assert_eq!(broken(&messages), ["stream.error-visible"]);
}

#[test]
fn a_body_that_is_neither_a_success_nor_an_error_does_not_answer_a_failed_stream() {
    let failed = || streamed().tried(events(&[OVERLOAD]));
    for body in ["", "{}", OVERLOAD] {
        assert_eq!(broken(&failed().received(say(200, body))), ["status.failure-not-success"], "{body}");
    }
}

#[test]
fn a_doubtful_response_is_delivered_or_rejected_but_not_shortened() {
    let doubtful = || streamed().tried(events(GOOD)).attempt(|attempt| attempt.sent.doubtful = true);
    assert_eq!(broken(&doubtful().received(events(GOOD))), [""; 0]);
    assert_eq!(broken(&doubtful().received(say(502, UNSAID))), [""; 0]);
    assert_eq!(broken(&doubtful().received(events(&[ONE, UNSAID]))), [""; 0]);
    assert_eq!(broken(&doubtful().received_until(events(&[ONE]), ResponseEnd::Reset)), [""; 0]);
    assert_eq!(broken(&doubtful().received(events(&[ONE]))), ["success.whole-or-failed"]);
    assert_eq!(broken(&doubtful().received_nothing(ResponseEnd::Closed)), ["status.answered"]);
}

#[test]
fn a_connection_that_closes_in_place_of_an_answer_is_a_finding_for_every_failure() {
    for status in [400, 401, 429, 500, 503] {
        for end in [ResponseEnd::Closed, ResponseEnd::Reset] {
            let seen = plain().tried(error(status)).received_nothing(end);
            assert_eq!(broken(&seen), ["status.answered"], "{status}");
        }
    }
    let cut = plain().tried_in_vain(AttemptEnd::Reset);
    assert_eq!(broken(&cut.received_nothing(ResponseEnd::Reset)), ["status.answered"]);
    let succeeded = plain().tried(say(200, OK)).received_nothing(ResponseEnd::Closed);
    assert_eq!(broken(&succeeded), ["success.delivered"]);
}

#[test]
fn words_of_the_provider_are_judged_wherever_it_put_them() {
    let own = r#"{"error":{"message":"Bad request","type":"t","param":null,"code":null}}"#;
    for body in [r#"{"detail":"no MSG"}"#, r#"{"message":"no MSG"}"#, r#"{"error":"no MSG"}"#] {
        let seen = plain().tried(say(422, body)).received(say(422, own));
        assert_eq!(broken(&seen), ["detail.message-kept"], "{body}");
    }
    let raw = r#"{"error":{"message":"Bad request","type":"t","metadata":{"raw":"no MSG"}}}"#;
    assert_eq!(broken(&plain().tried(say(400, raw)).received(say(400, own))), ["detail.members-kept"]);
    let header = || plain().tried(say(400, "").with("x-amzn-errormessage", "no MSG"));
    assert_eq!(broken(&header().received(say(400, own))), ["detail.members-kept"]);
    assert_eq!(broken(&header().received(say(400, &own.replace("Bad request", "no MSG")))), [""; 0]);
}

#[test]
fn a_wait_that_only_the_details_state_reaches_the_caller_as_a_detail_or_a_header() {
    let google = |message: &str| {
        format!(
            r#"{{"error":{{"code":429,"status":"RESOURCE_EXHAUSTED","message":"{message}","details":[{{"retryDelay":"34.4s"}}]}}}}"#
        )
    };
    let said = |body: &str| {
        plain().calling(Api::OpenaiChat, Provider::Gemini).tried(say(429, body)).asked(Api::GeminiGenerate)
    };
    let own = || say(429, r#"{"error":{"message":"no MSG","type":"t","param":null,"code":"c"}}"#);
    let about_details =
        |seen: &ObservationBuilder| broken(seen).iter().filter(|rule| *rule == "detail.members-kept").count();
    assert_eq!(about_details(&said(&google("no MSG")).received(own())), 1);
    assert_eq!(about_details(&said(&google("no MSG")).received(own().with("retry-after", "35"))), 0);
    assert_eq!(about_details(&said(&google("no MSG")).received(own().with("retry-after-ms", "34400"))), 0);
    assert_eq!(about_details(&said(&google("no MSG")).received(own().with("retry-after", "3"))), 1);
    let mut dated =
        said(&google("no MSG")).received(own().with("retry-after", "Thu, 01 Jan 1970 00:00:35 GMT"));
    dated.observation.began = Some(jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(about_details(&dated), 0);
    // A number in a longer word does not state the wait.
    assert_eq!(about_details(&said(&google("no MSG of a34.4b")).received(own())), 1);
    let quoted = || {
        say(
            429,
            r#"{"error":{"message":"no MSG {\"retryDelay\": \"34.4s\"}","type":"t","param":null,"code":"c"}}"#,
        )
    };
    assert_eq!(about_details(&said(&google("no MSG")).received(quoted())), 0);
    // The message says the same.
    assert_eq!(about_details(&said(&google("no MSG, retry in 34.4s")).received(own())), 0);
}

#[test]
fn after_several_attempts_the_proxy_may_report_the_one_that_said_less() {
    let elsewhere = r#"{"error":{"message":"Provider returned error","metadata":{"raw":"no MSG"}}}"#;
    let seen = || plain().retrying(1).tried(error(503)).tried(say(503, elsewhere));
    let last = elsewhere.replace("MSG", &seen().observation.attempts[1].canaries.message);
    let completed =
        last.replacen("\"message\"", "\"type\":\"t\",\"code\":null,\"param\":null,\"message\"", 1);
    assert_eq!(broken(&seen().received(say(503, &completed))), [""; 0]);
}

/// Upstreams that fail in every way.
fn failed(api: Api, stream: bool, way: usize) -> ObservationBuilder {
    let case = if stream { streamed() } else { plain() }.calling(api, api.native_provider());
    match way {
        0 => case.tried(error(500)),
        1 => case.tried(events(&[OVERLOAD])),
        2 => case.tried(events(&[ONE, OVERLOAD])),
        3 => case.tried_until(events(&[ONE]), AttemptEnd::Reset),
        4 => case.tried_in_vain(AttemptEnd::Closed),
        _ => case.tried(say(200, "{}")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_failed_call_that_no_sdk_reports_and_no_text_explains_is_a_required_finding(
        (way, stream, got) in (0..6usize, any::<bool>(), exchange()),
        api in select(vec![Api::OpenaiChat, Api::OpenaiResponses, Api::AnthropicMessages]),
    ) {
        // An upstream streams only to a call that requested a stream.
        let way = if stream { way } else { [0, 4, 5][way % 3] };
        let mut seen = failed(api, stream, way).received(error(500)).observation;
        seen.exchanges[0].outcome = got.outcome;
        // A 204 has no body.
        if let ExchangeOutcome::Answer(answer) = &mut seen.exchanges[0].outcome
            && answer.status == 204
        {
            answer.body = ResponseBody::default();
        }
        let policy = Policy::default();
        let facts = Facts::of(&seen, &seen.exchanges[0], &policy);
        // The policy accepts both for a stream that ends properly.
        let is_open = facts.failures().any(|(_, result)| matches!(result, AttemptOutcome::EndedEarly { .. }));
        let is_explained = facts.response.error().is_some_and(|error| !error.message.is_empty());
        let is_silent = judge::sdk_view(&seen)[0].sdks.iter().all(|sdk| sdk.silent);
        if facts.is_failure() && is_silent && !is_explained && !is_open {
            let findings = judge::judge(&seen, &[], &policy);
            prop_assert!(judge::has_required(&findings), "{:#?}\n{findings:#?}", seen.exchanges[0].outcome);
        }
    }
}
