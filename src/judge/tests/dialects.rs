//! Callers and providers with other dialects than OpenAI's. A faithful response breaks no rule, and rules detect what
//! the proxy lost.

use serde_json::Value;

use super::seen::*;
use crate::{
    dialect::{self, StreamEvent},
    judge::{self, AttemptOutcome, CallerResponse, Policy},
    observation::AttemptEnd,
    scenario::{Api, ErrorName, Provider, Turn, TurnReply},
};

const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"one TXT two"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}"#;
const OVERLOADED: &str =
    r#"{"type":"error","error":{"type":"overloaded_error","message":"no MSG"},"request_id":"RID"}"#;
const START: &str = r#"{"type":"message_start","message":{"content":[]}}"#;
const DELTA_ONE: &str =
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"one TXT"}}"#;
const DELTA_TWO: &str =
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" two"}}"#;
const DELTA_END: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{}}"#;
const MESSAGE_STOP: &str = r#"{"type":"message_stop"}"#;

const RESPONSE: &str = r#"{"id":"resp_1","object":"response","status":"completed","error":null,"output":[{"type":"message","content":[{"type":"output_text","text":"one TXT two"}]}]}"#;
const TEXT_ONE: &str = r#"{"type":"response.output_text.delta","delta":"one TXT"}"#;
const TEXT_TWO: &str = r#"{"type":"response.output_text.delta","delta":" two"}"#;
const COMPLETED: &str = r#"{"type":"response.completed","response":{"status":"completed"}}"#;
const NESTED: &str =
    r#"{"type":"error","error":{"type":"server_error","code":"c","message":"no MSG","param":null}}"#;
const FLAT: &str = r#"{"type":"error","code":"c","message":"no MSG","param":null}"#;
const FAILED: &str =
    r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"c","message":"no MSG"}}}"#;

const GEMINI: &str = r#"{"candidates":[{"content":{"parts":[{"text":"one TXT two"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{}}"#;
const GEMINI_ONE: &str = r#"{"candidates":[{"content":{"parts":[{"text":"one TXT"}],"role":"model"}}]}"#;
const GEMINI_TWO: &str =
    r#"{"candidates":[{"content":{"parts":[{"text":" two"}],"role":"model"},"finishReason":"STOP"}]}"#;
const EXHAUSTED: &str =
    r#"{"error":{"code":429,"message":"no MSG","status":"RESOURCE_EXHAUSTED","details":[]}}"#;

const CONVERSE: &str = r#"{"output":{"message":{"role":"assistant","content":[{"text":"one TXT two"}]}},"stopReason":"end_turn","usage":{}}"#;
const THROTTLED: &str = r#"{"message":"no MSG"}"#;

const OLLAMA: &str = r#"{"model":"m","message":{"role":"assistant","content":"one TXT two"},"done":true}"#;
const COHERE: &str = r#"{"id":"1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"one TXT two"}]}}"#;

/// Bodies and events of each dialect, for property tests.
pub(super) const SAMPLES: &[&str] = &[
    MESSAGE,
    OVERLOADED,
    DELTA_ONE,
    DELTA_END,
    MESSAGE_STOP,
    RESPONSE,
    TEXT_ONE,
    COMPLETED,
    NESTED,
    FLAT,
    FAILED,
    GEMINI,
    GEMINI_ONE,
    EXHAUSTED,
    CONVERSE,
    THROTTLED,
    OLLAMA,
    COHERE,
];

fn typed<'d>(data: &[&'d str]) -> Vec<(Option<&'static str>, &'d str)> {
    const NAMES: [&str; 8] = [
        "message_start",
        "content_block_delta",
        "message_delta",
        "message_stop",
        "error",
        "response.output_text.delta",
        "response.completed",
        "response.failed",
    ];
    let name = |data: &str| {
        let value: Value = serde_json::from_str(data).unwrap();
        NAMES.into_iter().find(|name| value["type"] == *name)
    };
    data.iter().map(|data| (name(data), *data)).collect()
}

/// An event stream in which the name of each event is its type.
fn typed_events(data: &[&str]) -> SideReply {
    named_events(&typed(data))
}

fn broken(seen: &ObservationBuilder) -> Vec<String> {
    let findings = judge::judge(&seen.observation, &[], &Policy::default());
    findings.into_iter().map(|finding| finding.rule).collect()
}

#[track_caller]
fn holds(seen: &ObservationBuilder) {
    let findings = judge::judge(&seen.observation, &[], &Policy::default());
    assert!(findings.is_empty(), "{findings:#?}");
}

#[track_caller]
fn breaks(seen: &ObservationBuilder, rule: &str) {
    assert!(broken(seen).iter().any(|broken| broken == rule), "{rule}: {:?}", broken(seen));
}

fn anthropic() -> ObservationBuilder {
    plain().calling(Api::AnthropicMessages, Provider::Anthropic)
}

fn anthropic_stream() -> ObservationBuilder {
    streamed().calling(Api::AnthropicMessages, Provider::Anthropic)
}

fn responses_stream() -> ObservationBuilder {
    streamed().calling(Api::OpenaiResponses, Provider::Openai)
}

#[test]
fn an_unchanged_anthropic_response_breaks_no_rule() {
    let good = [START, DELTA_ONE, DELTA_TWO, DELTA_END, MESSAGE_STOP];
    let failing = [START, DELTA_ONE, OVERLOADED];
    holds(&anthropic().tried(say(200, MESSAGE)).received(say(200, MESSAGE)));
    let limits =
        |say: SideReply| say.with("anthropic-ratelimit-requests-limit", "5").with("request-id", "RID");
    holds(&anthropic().tried(limits(say(429, OVERLOADED))).received(limits(say(429, OVERLOADED))));
    breaks(
        &anthropic().tried(limits(say(429, OVERLOADED))).received(say(429, OVERLOADED)),
        "headers.rate-limits",
    );
    holds(&anthropic_stream().tried(typed_events(&good)).received(typed_events(&good)));
    holds(&anthropic_stream().tried(typed_events(&failing)).received(typed_events(&failing)));
}

#[test]
fn losses_in_an_anthropic_response_are_detected() {
    let good = || typed_events(&[START, DELTA_ONE, DELTA_TWO, DELTA_END, MESSAGE_STOP]);
    let unended = typed_events(&[START, DELTA_ONE, DELTA_TWO, DELTA_END]);
    breaks(&anthropic_stream().tried(good()).received(unended), "success.terminated");
    breaks(&anthropic().tried(say(529, OVERLOADED)).received(error(529)), "format.envelope");
    breaks(
        &anthropic().tried(say(400, OVERLOADED)).received(say(400, &ERROR.replace("MSG", "?"))),
        "detail.message-kept",
    );
    let other_type = OVERLOADED.replace("overloaded_error", "api_error");
    breaks(&anthropic().tried(say(503, OVERLOADED)).received(say(503, &other_type)), "detail.type-kept");
    let failing = || anthropic_stream().tried(typed_events(&[START, DELTA_ONE, OVERLOADED]));
    breaks(
        &failing().received(typed_events(&[START, DELTA_ONE, DELTA_END, MESSAGE_STOP])),
        "stream.no-forged-success",
    );
    breaks(&failing().received(typed_events(&[START, DELTA_ONE])), "stream.error-visible");
    // The SDKs ignore a frame without an `event:` line.
    let unnamed = named_events(&[
        (Some("message_start"), START),
        (Some("content_block_delta"), DELTA_ONE),
        (None, OVERLOADED),
    ]);
    breaks(&failing().received(unnamed), "stream.error-visible");
}

#[test]
fn an_anthropic_stream_without_its_last_event_may_be_reported_as_success_or_failure() {
    let open = || typed_events(&[START, DELTA_ONE, DELTA_TWO, DELTA_END]);
    let failure = || typed_events(&[START, DELTA_ONE, DELTA_TWO, OVERLOADED]);
    let whole = || typed_events(&[START, DELTA_ONE, DELTA_TWO, DELTA_END, MESSAGE_STOP]);
    for response in [open(), failure(), whole()] {
        holds(&anthropic_stream().tried(open()).received(response));
    }
    let chat = || streamed().calling(Api::OpenaiChat, Provider::Anthropic).tried(open());
    for response in [events(GOOD), events(&[ONE, TWO, ERROR])] {
        holds(&chat().asked(Api::AnthropicMessages).received(response));
    }
    // A chat stream without `[DONE]` is a success, because many providers omit it.
    let chat = || streamed().tried(events(&[ONE, TWO, STOP]));
    breaks(&chat().received(events(&[ONE, TWO, ERROR])), "success.delivered");
}

#[test]
fn a_responses_stream_may_repeat_its_error_only_in_its_closing_event() {
    let failing = |forms: &[&'static str]| typed_events(&[&[TEXT_ONE], forms].concat());
    for form in [&[NESTED][..], &[FLAT], &[FAILED], &[NESTED, FAILED]] {
        holds(&responses_stream().tried(failing(form)).received(failing(form)));
        // The upstream's form does not matter.
        let chat = streamed()
            .calling(Api::OpenaiChat, Provider::Openai)
            .tried(failing(form))
            .asked(Api::OpenaiResponses)
            .received(events(&[ONE, &ERROR.replace("kind", "server_error")]));
        holds(&chat);
    }
    breaks(
        &responses_stream().tried(failing(&[NESTED])).received(failing(&[NESTED, NESTED])),
        "stream.one-error-event",
    );
    breaks(&responses_stream().tried(failing(&[NESTED])).received(events(&[ERROR])), "stream.content-intact");
    breaks(
        &responses_stream().tried(failing(&[FAILED])).received(failing(&[COMPLETED])),
        "stream.no-forged-success",
    );
}

#[test]
fn a_responses_stream_is_complete_only_with_its_completed_event() {
    let good = || typed_events(&[TEXT_ONE, TEXT_TWO, COMPLETED]);
    holds(&responses_stream().tried(good()).received(good()));
    holds(
        &plain()
            .calling(Api::OpenaiResponses, Provider::Openai)
            .tried(say(200, RESPONSE))
            .received(say(200, RESPONSE)),
    );
    breaks(
        &responses_stream().tried(good()).received(typed_events(&[TEXT_ONE, TEXT_TWO])),
        "success.delivered",
    );
    breaks(&responses_stream().tried(typed_events(&[TEXT_ONE])).received(good()), "stream.no-forged-success");
}

#[test]
fn a_faithful_translation_of_gemini_breaks_no_rule() {
    let gemini = |seen: ObservationBuilder| seen.calling(Api::OpenaiChat, Provider::Gemini);
    let asked = |said: SideReply| gemini(streamed()).tried(said).asked(Api::GeminiGenerate);
    holds(&gemini(plain()).tried(say(200, GEMINI)).asked(Api::GeminiGenerate).received(say(200, OK)));
    holds(&asked(events(&[GEMINI_ONE, GEMINI_TWO])).received(events(GOOD)));
    // Without `alt=sse` the stream is one array.
    let array = |elements: &[&str]| say(200, &format!("[{}]", elements.join("\n,\n")));
    holds(&asked(array(&[GEMINI_ONE, GEMINI_TWO])).received(events(GOOD)));
    holds(&asked(array(&[GEMINI_ONE, EXHAUSTED])).received(events(&[ONE, ERROR])));
    breaks(&asked(array(&[GEMINI_ONE, EXHAUSTED])).received(events(GOOD)), "stream.no-forged-success");
    let cut = streamed()
        .calling(Api::OpenaiChat, Provider::Gemini)
        .tried_until(say(200, &format!("[{GEMINI_ONE}\n,\n{{\"cand")), AttemptEnd::Closed)
        .asked(Api::GeminiGenerate);
    breaks(&cut.received(events(GOOD)), "stream.no-forged-success");
    // OpenAI's error object has no members for those of Google's.
    let failed = |body: &str| gemini(plain()).tried(say(429, body)).asked(Api::GeminiGenerate);
    holds(&failed(EXHAUSTED).received(error(429)));
    breaks(&failed(EXHAUSTED).received(error(500)), "status.rate-limit");
}

#[test]
fn a_gemini_error_for_a_gemini_caller_must_keep_its_form_and_type() {
    let gemini = || plain().calling(Api::GeminiGenerate, Provider::Gemini);
    holds(&gemini().tried(say(429, EXHAUSTED)).received(say(429, EXHAUSTED)));
    breaks(&gemini().tried(say(429, EXHAUSTED)).received(error(429)), "format.envelope");
    let other = EXHAUSTED.replace("RESOURCE_EXHAUSTED", "UNKNOWN");
    breaks(&gemini().tried(say(429, EXHAUSTED)).received(say(429, &other)), "detail.type-kept");
}

#[test]
fn a_key_that_is_rejected_with_400_may_be_reported_by_its_meaning() {
    let rejected = || {
        let mut seen = plain().calling(Api::OpenaiChat, Provider::Gemini).tried(say(400, EXHAUSTED));
        let turn = Turn {
            answer: TurnReply::Error(ErrorName::InvalidApiKey),
            headers: indexmap::IndexMap::new(),
            faults: Vec::new(),
        };
        seen.observation.attempts[0].turn = Some(turn);
        seen.asked(Api::GeminiGenerate)
    };
    for status in [400, 401, 403, 502] {
        holds(&rejected().received(error(status)));
    }
    for status in [404, 429] {
        breaks(&rejected().received(error(status)), "status.credentials");
    }
}

#[test]
fn a_faithful_translation_of_bedrock_breaks_no_rule() {
    let bedrock = |said: SideReply| {
        plain().calling(Api::OpenaiChat, Provider::Bedrock).tried(said).asked(Api::BedrockConverse)
    };
    let throttled = || say(429, THROTTLED).with("x-amzn-errortype", "ThrottlingException:http://x");
    holds(&bedrock(say(200, CONVERSE)).received(say(200, OK)));
    holds(&bedrock(throttled()).received(error(429)));
    let own = || plain().calling(Api::BedrockConverse, Provider::Bedrock);
    holds(&own().tried(throttled()).received(throttled()));
    breaks(&own().tried(throttled()).received(say(429, THROTTLED)), "format.envelope");
    // In a stream the same type begins with a small letter.
    let reported = |kind: &str| say(429, THROTTLED).with("x-amzn-errortype", kind);
    holds(&own().tried(throttled()).received(reported("throttlingException")));
    breaks(&own().tried(throttled()).received(reported("ValidationException")), "detail.type-kept");
}

#[test]
fn an_aws_event_is_parsed_by_its_name() {
    let read = |name, data| dialect::event(Api::BedrockConverse, Some(name), data);
    assert_eq!(read("contentBlockDelta", r#"{"delta":{"text":"a"}}"#), StreamEvent::piece("a"));
    assert_eq!(read("messageStop", r#"{"stopReason":"end_turn"}"#), StreamEvent::finish("end_turn"));
    let StreamEvent::Error(error) = read("exception:throttlingException", r#"{"message":"slow"}"#) else {
        panic!("no error")
    };
    assert_eq!((error.message.as_str(), &error.kind), ("slow", &"throttlingException".into()));
    let StreamEvent::Error(error) = read("error:InternalError", "it broke") else { panic!("no error") };
    assert_eq!(error.message, "it broke");
    assert!(matches!(read("mystery", "{}"), StreamEvent::Odd(_)));
    let chunk = r#"{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0=","p":"ab"}"#;
    assert_eq!(dialect::event(Api::BedrockInvoke, Some("chunk"), chunk), StreamEvent::Done);
}

#[test]
fn ollama_lines_and_cohere_events_are_parsed() {
    let ollama = |data| dialect::event(Api::OllamaChat, None, data);
    assert_eq!(ollama(r#"{"message":{"content":"a"},"done":false}"#), StreamEvent::piece("a"));
    assert_eq!(
        ollama(r#"{"message":{"content":""},"done":true,"done_reason":"length"}"#),
        StreamEvent::finish("length")
    );
    assert!(matches!(ollama(r#"{"error":"no"}"#), StreamEvent::Error(error) if error.message == "no"));
    let cohere = |data| dialect::event(Api::CohereChat, None, data);
    assert_eq!(
        cohere(r#"{"type":"content-delta","delta":{"message":{"content":{"text":"a"}}}}"#),
        StreamEvent::piece("a")
    );
    assert_eq!(
        cohere(r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}"#),
        StreamEvent::finish("COMPLETE")
    );
    let failed = cohere(r#"{"type":"message-end","delta":{"finish_reason":"ERROR","error":"no"}}"#);
    assert!(matches!(failed, StreamEvent::Error(error) if error.message == "no"));
}

#[test]
fn every_form_of_error_object_is_parsed() {
    for (body, message, kind) in [
        (r#"{"object":"error","message":"no","type":"invalid_model","code":"1500"}"#, "no", "invalid_model"),
        (r#"{"object":"error","message":{"detail":[]},"type":"t"}"#, r#"{"detail":[]}"#, "t"),
        (r#"{"detail":"Unauthorized"}"#, "Unauthorized", "null"),
        (r#"{"status":403,"title":"Forbidden","detail":"no"}"#, "no", "Forbidden"),
        (r#"{"code":"Client","error":"no"}"#, "no", "null"),
        (r#"{"error":"no","error_type":"overloaded"}"#, "no", "overloaded"),
        (r#"{"Message":"no"}"#, "no", "null"),
        (r#"{"message":"no","id":"1"}"#, "no", "null"),
        (r#"[{"error":{"code":503,"message":"no","status":"UNAVAILABLE"}}]"#, "no", "UNAVAILABLE"),
    ] {
        let error = dialect::any_error(&serde_json::from_str(body).unwrap(), None).expect(body);
        assert_eq!((error.message.as_str(), dialect::text(&error.kind).as_str()), (message, kind), "{body}");
    }
}

#[test]
fn a_success_that_is_not_text_is_compared_by_its_content() {
    let embedding = |vector: &str| {
        say(
            200,
            &format!(
                r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":{vector}}}]}}"#
            ),
        )
    };
    let call = || plain().calling(Api::OpenaiEmbeddings, Provider::Openai);
    // 0.1 and 1 as little-endian floats, and as numbers that a program converted from them.
    let (coded, written) = (r#""zczMPQAAgD8=""#, "[0.10000000149011612,1.0]");
    holds(&call().tried(embedding(coded)).received(embedding(written)));
    breaks(&call().tried(embedding(coded)).received(embedding("[0.2,1.0]")), "success.content-intact");
    breaks(&call().tried(embedding(coded)).received(say(200, OK)), "success.delivered");
    let ranking =
        |score: &str| say(200, &format!(r#"{{"results":[{{"index":0,"relevance_score":{score}}}]}}"#));
    let rerank = || plain().calling(Api::CohereRerank, Provider::Cohere).tried(ranking("1.0"));
    holds(&rerank().received(ranking("1")));
    breaks(&rerank().received(ranking("0.9")), "success.content-intact");
    // The proxy decides under which names it lists models.
    let models = |name: &str| say(200, &format!(r#"{{"object":"list","data":[{{"id":"{name}"}}]}}"#));
    let list = || plain().calling(Api::OpenaiModels, Provider::Openai).tried(models("gpt-5"));
    holds(&list().received(models("openai/gpt-5")));
    breaks(&list().received(say(200, r#"{"data":[{}]}"#)), "success.delivered");
    let sound = |text: &str| say(200, text).with("content-type", "audio/mpeg");
    let speech = || plain().calling(Api::OpenaiSpeech, Provider::Openai).tried(sound("ID3 TXT"));
    holds(&speech().received(sound("ID3 TXT")));
    breaks(&speech().received(sound("ID3")), "success.content-intact");
    breaks(&speech().received(say(200, "{}")), "success.delivered");
}

#[test]
fn tool_call_arguments_may_be_an_object_or_text() {
    let object = r#"{"content":[{"type":"tool_use","id":"t","name":"f","input":{"a":1,"b":"TXT"}}],"stop_reason":"tool_use"}"#;
    let text = r#"{"choices":[{"message":{"content":null,"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"b\": \"TXT\", \"a\": 1}"}}]},"finish_reason":"tool_calls"}]}"#;
    let call = plain().calling(Api::OpenaiChat, Provider::Anthropic).tried(say(200, object));
    holds(&call.asked(Api::AnthropicMessages).received(say(200, text)));
}

#[test]
fn the_finish_reason_error_is_an_upstream_failure() {
    let chunk = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}"#;
    let seen = streamed().calling(Api::OpenaiChat, Provider::Openrouter).tried(events(&[ONE, chunk, DONE]));
    breaks(&seen.clone().received(events(GOOD)), "stream.no-forged-success");
    let passed_on = seen.received(events(&[ONE, chunk, DONE]));
    let observation = &passed_on.observation;
    let result = AttemptOutcome::of(&observation.attempts[0], observation.arrangement.combination);
    assert!(matches!(result, AttemptOutcome::ErrorEvent { .. }), "{result:?}");
    assert!(
        matches!(CallerResponse::of(&observation.exchanges[0], Api::OpenaiChat), CallerResponse::Stream(stream) if !stream.looks_finished() && !stream.shows_failure())
    );
    holds(&passed_on);
}
