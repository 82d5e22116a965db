//! Examples for the rules on success, status and streams.

use serde_json::json;

use super::{every_rule::RuleExample, seen::*};
use crate::{
    judge::{self, Policy},
    observation::{AttemptEnd, ExchangeOutcome, ResponseEnd},
    scenario::{Api, EndingExpect, Fault, FinishExpect, Provider, SuccessReply, Turn, TurnReply},
};

pub(super) fn examples() -> Vec<RuleExample> {
    [success(), status(), stream()].concat()
}

fn success() -> Vec<RuleExample> {
    let ok = || plain().tried(say(200, OK));
    let stream = || streamed().tried(events(GOOD));
    let doubtful = || stream().attempt(|attempt| attempt.sent.doubtful = true);
    let limited = || plain().tried(say(200, LIMITED));
    let ended_by = |word: &str| say(200, &OK.replace("stop", word));
    let filtered = || plain().tried(ended_by("content_filter"));
    let incomplete = |details: &str| {
        let body = format!(
            r#"{{"object":"response","status":"incomplete","incomplete_details":{details},"output":[]}}"#
        );
        let candidate = say(200, r#"{"candidates":[{"finishReason":"SAFETY","index":0}]}"#);
        let called = plain().calling(Api::OpenaiResponses, Provider::Gemini).tried(candidate);
        called.asked(Api::GeminiGenerate).received(say(200, &body))
    };
    vec![
        ("success.delivered", ok().received(say(200, OK)), ok().received(error(502))),
        (
            "success.whole-or-failed",
            doubtful().received(events(GOOD)),
            doubtful().received(events(&[r#"{"choices":[{"index":0,"delta":{"role":"assistant"}}]}"#])),
        ),
        (
            "success.content-intact",
            stream().received(events(GOOD)),
            stream().received(events(&[ONE, STOP, DONE])),
        ),
        ("success.tool-calls-told", called(CALLS), called(&CALLS.replace(r#""tool_calls"}"#, r#""stop"}"#))),
        ("success.limit-told", limited().received(say(200, LIMITED)), limited().received(say(200, OK))),
        (
            "success.filter-told",
            filtered().received(ended_by("content_filter")),
            filtered().received(ended_by("stop")),
        ),
        ("success.reason-told", incomplete(r#"{"reason":"content_filter"}"#), incomplete("null")),
        ("success.terminated", stream().received(events(GOOD)), stream().received(events(&[ONE, TWO, STOP]))),
        ("request.forwarded", ok().received(say(200, OK)), plain().received(error(500))),
    ]
}

/// A chat with a text and two tool calls.
const CALLS: &str = r#"{"choices":[{"index":0,"message":{"content":"one TXT","tool_calls":[
    {"id":"call_1","type":"function","function":{"name":"get_time","arguments":"{\"zone\":\"UTC\"}"}},
    {"id":"call_2","type":"function","function":{"name":"get_weather","arguments":"{}"}}]},
    "finish_reason":"tool_calls"}]}"#;

/// The same content in Anthropic's dialect, with ids of the proxy.
const BLOCKS: &str = r#"{"content":[{"type":"text","text":"one TXT"},
    {"type":"tool_use","id":"toolu_a","name":"get_time","input":{"zone":"UTC"}},
    {"type":"tool_use","id":"toolu_b","name":"get_weather","input":{}}],"stop_reason":"tool_use"}"#;

/// The upstream sends [`CALLS`], and the caller gets this body.
fn called(body: &str) -> ObservationBuilder {
    plain().tried(say(200, CALLS)).received(say(200, body))
}

#[test]
fn a_plain_response_that_is_too_long_to_record_is_not_a_failure() {
    let turn = Turn {
        answer: TurnReply::Reply(SuccessReply::LargeText(1_300_000)),
        headers: Default::default(),
        faults: Vec::new(),
    };
    let beginning = r#"{"choices":[{"message":{"content":"0000000 "#;
    let tried = || {
        plain().tried(say(200, beginning)).attempt(|attempt| {
            attempt.turn = Some(turn.clone());
            attempt.sent.bytes = 1_300_300;
        })
    };
    let got = |beginning: &str, bytes: u64| {
        let mut seen = tried().received(say(200, beginning)).expecting(|e| {
            e.ending = Some(EndingExpect::Success);
            e.finish = Some(FinishExpect::Stop);
        });
        if let ExchangeOutcome::Answer(answer) = &mut seen.observation.exchanges[0].outcome {
            answer.body.bytes = bytes;
        }
        broken(seen)
    };
    assert_eq!(got(beginning, 1_300_300), [""; 0]);
    assert!(!got(beginning, beginning.len() as u64).is_empty(), "half a response");
}

#[test]
fn tool_calls_are_content() {
    let calls = |from: &str, to: &str| {
        assert!(CALLS.contains(from), "{from}");
        broken(called(&CALLS.replace(from, to)))
    };
    let second = CALLS.find(",\n    {\"id\":\"call_2\"").unwrap()..CALLS.find("]},\n").unwrap();
    let intact = ["success.content-intact"];
    assert_eq!(broken(called(&CALLS.replace(&CALLS[second], ""))), intact, "the second call is dropped");
    assert_eq!(calls("get_time", "functions.get_time"), intact);
    assert_eq!(calls("UTC", "CET"), intact);
    assert_eq!(calls("call_2", ""), intact);
    assert_eq!(calls("call_2", "call_1"), intact);
    assert_eq!(
        broken(called(&CALLS.replace("call_1", "x").replace("call_2", "call_1").replace('x', "call_2"))),
        intact
    );
    assert_eq!(calls("one TXT", ""), intact);
    // The same JSON in another order or with other spaces, and ids of the proxy.
    assert!(calls(r#"{\"zone\":\"UTC\"}"#, r#"{ \"zone\": \"UTC\" }"#).is_empty());
    assert!(calls("call_1", "tool_9").is_empty());
}

#[test]
fn tool_calls_are_compared_across_dialects() {
    let translated = |body: &str| {
        let seen = plain().calling(Api::AnthropicMessages, Provider::Openai).tried(say(200, CALLS));
        broken(seen.asked(Api::OpenaiChat).received(say(200, body)))
    };
    assert!(translated(BLOCKS).is_empty());
    assert_eq!(translated(&BLOCKS.replace("tool_use\"}", "end_turn\"}")), ["success.tool-calls-told"]);
    assert_eq!(translated(&BLOCKS.replace("toolu_b", "toolu_a")), ["success.content-intact"]);
    // Gemini has no finish reason for a call, and a chat has one.
    let candidate = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"a","args":{"b":1}}}]},"finishReason":"STOP"}]}"#;
    let chat = |reason: &str| {
        let call = r#"{"id":"c","type":"function","function":{"name":"a","arguments":"{\"b\": 1}"}}"#;
        format!(
            r#"{{"choices":[{{"index":0,"message":{{"content":null,"tool_calls":[{call}]}},"finish_reason":"{reason}"}}]}}"#
        )
    };
    let from_gemini = |body: &str| {
        let seen = plain().calling(Api::OpenaiChat, Provider::Gemini).tried(say(200, candidate));
        broken(seen.asked(Api::GeminiGenerate).received(say(200, body)))
    };
    assert!(from_gemini(&chat("tool_calls")).is_empty());
    assert_eq!(from_gemini(&chat("stop")), ["success.tool-calls-told"]);
    // OpenAI ends a forced call with `stop`.
    let forced = chat("stop");
    assert!(broken(plain().tried(say(200, &forced)).received(say(200, &forced))).is_empty());
}

#[test]
fn half_a_call_may_be_dropped_if_the_finish_reason_says_why() {
    let chat = |arguments: &str, reason: &str| {
        let call = json!({"id": "c", "type": "function", "function": {"name": "a", "arguments": arguments}});
        let message = json!({"content": null, "tool_calls": [call]});
        json!({"choices": [{"index": 0, "message": message, "finish_reason": reason}]}).to_string()
    };
    let half = || plain().tried(say(200, &chat("{\"b\":", "length")));
    let none = |reason: &str| {
        json!({"choices": [{"index": 0, "message": {"content": ""}, "finish_reason": reason}]}).to_string()
    };
    assert!(broken(half().received(say(200, &chat("{\"b\":", "length")))).is_empty());
    assert!(broken(half().received(say(200, &none("length")))).is_empty());
    assert_eq!(broken(half().received(say(200, &none("stop")))), ["success.limit-told"]);
    assert_eq!(broken(half().received(say(200, &chat("{\"b\":", "tool_calls")))), ["success.limit-told"]);
    assert_eq!(broken(half().received(error(500))), ["success.delivered"]);
    // A translation without the arguments.
    let block =
        r#"{"content":[{"type":"tool_use","id":"t","name":"a","input":{}}],"stop_reason":"max_tokens"}"#;
    let messages = half().asked(Api::OpenaiChat).set(|it| it.combination.api = Api::AnthropicMessages);
    assert!(broken(messages.received(say(200, block))).is_empty());
}

#[test]
fn every_choice_and_the_text_of_a_refusal_arrive() {
    let refused =
        r#"{"choices":[{"index":0,"message":{"content":null,"refusal":"no TXT"},"finish_reason":"stop"}]}"#;
    let refusal = |body: &str| broken(plain().tried(say(200, refused)).received(say(200, body)));
    assert!(refusal(refused).is_empty());
    assert_eq!(refusal(&refused.replace(r#""no TXT""#, "null")), ["success.content-intact"]);
    let two = OK.replace("}]}", r#"},{"index":1,"message":{"content":"two"},"finish_reason":"stop"}]}"#);
    assert!(broken(plain().tried(say(200, &two)).received(say(200, &two))).is_empty());
    assert_eq!(broken(plain().tried(say(200, &two)).received(say(200, OK))), ["success.content-intact"]);
}

#[test]
fn reasoning_arrives_at_a_caller_of_the_same_dialect() {
    let whole = r#"{"content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"TXT"}],"stop_reason":"end_turn"}"#;
    let without = r#"{"content":[{"type":"text","text":"TXT"}],"stop_reason":"end_turn"}"#;
    let messages = || plain().calling(Api::AnthropicMessages, Provider::Anthropic).tried(say(200, whole));
    assert!(broken(messages().received(say(200, whole))).is_empty());
    assert_eq!(broken(messages().received(say(200, without))), ["success.content-intact"]);
    let chat = messages().set(|it| it.combination.api = Api::OpenaiChat);
    let text = r#"{"choices":[{"index":0,"message":{"content":"TXT"},"finish_reason":"stop"}]}"#;
    assert!(broken(chat.received(say(200, text))).is_empty());
}

/// The rules that a case breaks.
fn broken(seen: ObservationBuilder) -> Vec<String> {
    let findings = judge::judge(&seen.observation, &[], &Policy::default());
    findings.into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn an_answer_that_the_limit_cut_off_needs_a_finish_reason() {
    let limited = || plain().tried(say(200, LIMITED));
    assert_eq!(
        broken(limited().received(say(200, &OK.replace(r#""stop""#, "null")))),
        ["success.limit-told"]
    );
    // A normal end is not a matter of the limit, whatever is missing.
    assert!(
        broken(plain().tried(say(200, OK)).received(say(200, &OK.replace(r#""stop""#, "null")))).is_empty()
    );
}

#[test]
fn a_filter_can_be_reported_by_an_error_or_as_incomplete_but_not_as_the_token_limit() {
    let ended_by = |word: &str| say(200, &OK.replace("stop", word));
    let filtered = || plain().tried(ended_by("content_filter"));
    for word in ["content_filter", "refusal", "SAFETY"] {
        assert!(broken(filtered().received(ended_by(word))).is_empty(), "{word}");
    }
    assert!(broken(filtered().received(error(400))).is_empty());
    let withheld = r#"{"choices":[{"index":0,"message":{"content":""},"finish_reason":"content_filter"}]}"#;
    assert!(broken(filtered().received(say(200, withheld))).is_empty());
    assert_eq!(broken(filtered().received(ended_by("length"))), ["success.filter-told"]);
    assert_eq!(broken(filtered().received(ended_by("incomplete"))), ["success.reason-told"]);
    // In a stream.
    let stopped = |word: &str| events(&[ONE, TWO, &STOP.replace("stop", word), DONE]);
    let streamed = || streamed().tried(stopped("content_filter"));
    assert!(broken(streamed().received(stopped("content_filter"))).is_empty());
    assert_eq!(broken(streamed().received(stopped("stop"))), ["success.filter-told"]);
    // Cohere's dialect has no reason for it.
    let whole =
        r#"{"message":{"content":[{"type":"text","text":"one TXT two"}]},"finish_reason":"COMPLETE"}"#;
    let cohere = plain().calling(Api::CohereChat, Provider::Openai).tried(ended_by("content_filter"));
    assert!(broken(cohere.asked(Api::OpenaiChat).received(say(200, whole))).is_empty());
}

fn status() -> Vec<RuleExample> {
    let failed = |upstream, reported| plain().tried(error(upstream)).received(error(reported));
    let silent = || plain().tried_in_vain(AttemptEnd::ClientLeft);
    let refused = || {
        plain().set(|arrangement| {
            arrangement.deployments[0].turns = vec![Turn {
                answer: crate::scenario::TurnReply::Reply(crate::scenario::SuccessReply::Ok),
                headers: indexmap::IndexMap::new(),
                faults: vec![Fault::Refuse],
            }];
        })
    };
    let cut = || plain().tried_until(say(200, "{\"cho"), AttemptEnd::Closed);
    vec![
        (
            "status.answered",
            failed(400, 400),
            plain().tried(error(400)).received_nothing(ResponseEnd::Closed),
        ),
        ("status.credentials-apart", failed(403, 502), failed(403, 401)),
        ("status.failure-not-success", failed(400, 400), failed(400, 200)),
        ("status.mirrored", failed(404, 404), failed(404, 400)),
        ("status.class-kept", failed(500, 502), failed(413, 500)),
        ("status.rate-limit", failed(429, 429), failed(429, 503)),
        ("status.credentials", failed(401, 502), failed(401, 429)),
        ("status.timeout", silent().received(error(504)), silent().received(error(500))),
        ("status.unreachable", refused().received(error(502)), refused().received(error(500))),
        ("status.broken-reply", cut().received(error(502)), cut().received(error(400))),
        ("status.overloaded", failed(529, 503), failed(529, 500)),
    ]
}

fn stream() -> Vec<RuleExample> {
    let refused = || streamed().tried(error(503));
    let cut = || streamed().tried_until(events(&[ONE, TWO]), AttemptEnd::Closed);
    let broken = || streamed().tried(events(&[ONE, TWO, ERROR]));
    vec![
        ("stream.error-status", refused().received(error(503)), refused().received(events(&[ERROR]))),
        (
            "stream.no-forged-success",
            cut().received(events(&[ONE, TWO, ERROR])),
            cut().received(events(GOOD)),
        ),
        (
            "stream.error-visible",
            cut().received_until(events(&[ONE, TWO]), ResponseEnd::Reset),
            cut().received(events(&[ONE, TWO])),
        ),
        (
            "stream.content-intact",
            broken().received(events(&[ONE, TWO, ERROR])),
            broken().received(events(&[ONE, ERROR])),
        ),
        (
            "stream.one-error-event",
            broken().received(events(&[ONE, TWO, ERROR, DONE])),
            broken().received(events(&[ONE, TWO, ERROR, ERROR])),
        ),
        (
            "stream.ends-after-error",
            broken().received(events(&[ONE, TWO, ERROR]).lasting(1900.0)),
            broken().received(events(&[ONE, TWO, ERROR]).lasting(2100.0)),
        ),
        (
            "stream.error-detail",
            broken().received(events(&[ONE, TWO, ERROR])),
            broken().received(events(&[ONE, TWO, r#"{"error":{"message":"Internal error"}}"#])),
        ),
    ]
}
