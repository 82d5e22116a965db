//! Bedrock's responses, parsed as a client parses them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    observation::{Canaries, Identity},
    provider::{self, MessageBody, ProviderMessage, RequestedCall},
    scenario::{Api, ErrorName, EventForm, Provider, SuccessReply},
    wire::{
        eventstream,
        frames::{Carrier, Frame, decode},
    },
};

const APIS: [Api; 2] = [Api::BedrockConverse, Api::BedrockInvoke];

fn canaries() -> Canaries {
    Identity { token: "abc123".into() }.canaries("main", 1)
}

fn asked(api: Api, stream: bool) -> RequestedCall {
    RequestedCall::plain(Provider::Bedrock, api, stream)
}

fn whole(message: &ProviderMessage) -> Value {
    let MessageBody::Whole(bytes) = &message.body else { panic!("a stream") };
    serde_json::from_slice(bytes).unwrap()
}

/// The frames of a stream, and those of its terminator; checks that each entry except the terminator is exactly
/// one message.
fn frames(message: &ProviderMessage) -> (Vec<Frame>, Vec<Frame>) {
    let MessageBody::Events { events, terminator } = &message.body else { panic!("no stream") };
    assert_eq!(message.header("content-type"), Some("application/vnd.amazon.eventstream"));
    let read = |bytes: &[u8]| {
        let mut strict = eventstream::EventStreamDecoder::strict();
        strict.feed(bytes).unwrap();
        assert!(strict.finish().unwrap().is_empty());
        decode(Carrier::Aws, bytes)
    };
    let each = events.iter().map(|event| {
        let mut frames = read(event);
        assert_eq!(frames.len(), 1);
        frames.remove(0)
    });
    (each.collect(), read(terminator.as_ref().unwrap()))
}

fn data(frame: &Frame) -> Value {
    serde_json::from_str(&frame.data).unwrap()
}

/// The decoded payload of a `chunk`.
fn inner(frame: &Frame) -> Value {
    assert_eq!(frame.event.as_deref(), Some("chunk"));
    let bytes = STANDARD.decode(data(frame)["bytes"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn event_of(bytes: &[u8]) -> Frame {
    let mut frames = decode(Carrier::Aws, bytes);
    assert_eq!(frames.len(), 1);
    frames.remove(0)
}

#[test]
fn plain_responses_have_bedrocks_form() {
    let converse = provider::reply(&asked(Api::BedrockConverse, false), &SuccessReply::Ok, &canaries());
    assert_eq!(converse.header("x-amzn-requestid"), Some("req_abc123-main-1"));
    assert_eq!(converse.header("x-amz-id-2"), Some("canary-hdr-abc123-main-1"));
    assert_eq!(converse.header("retry-after"), None);
    insta::assert_snapshot!(whole(&converse), @r#"{"metrics":{"latencyMs":42},"output":{"message":{"content":[{"text":"[1] canary-txt-abc123-main-1 [2] [3] [4] [5]"}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":9,"outputTokens":5,"totalTokens":14}}"#);

    let invoke = provider::reply(&asked(Api::BedrockInvoke, false), &SuccessReply::Ok, &canaries());
    assert_eq!(invoke.header("content-type"), Some("application/json"));
    assert_eq!(invoke.header("x-amzn-bedrock-output-token-count"), Some("5"));
    insta::assert_snapshot!(whole(&invoke), @r#"{"id":"msg_bdrk_abc123-main-1","type":"message","role":"assistant","model":"claude-3-sonnet-20240229","content":[{"type":"text","text":"[1] canary-txt-abc123-main-1 [2] [3] [4] [5]"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":5}}"#);
}

#[test]
fn a_tool_calls_arguments_are_the_same_json_in_every_form() {
    let arguments = json!({"city": "Paris", "note": canaries().content});
    let reply = |api, stream| provider::reply(&asked(api, stream), &SuccessReply::ToolCall, &canaries());

    let converse = whole(&reply(Api::BedrockConverse, false));
    assert_eq!(converse["stopReason"], "tool_use");
    assert_eq!(converse["output"]["message"]["content"][0]["toolUse"]["input"], arguments);
    let (events, end) = frames(&reply(Api::BedrockConverse, true));
    let start = &data(&events[1])["start"]["toolUse"];
    assert_eq!(start["toolUseId"], converse["output"]["message"]["content"][0]["toolUse"]["toolUseId"]);
    let pieces: Vec<_> = events.iter().map(data).collect();
    let streamed: String =
        pieces.iter().filter_map(|data| data["delta"]["toolUse"]["input"].as_str()).collect();
    assert_eq!(serde_json::from_str::<Value>(&streamed).unwrap(), arguments);
    assert_eq!(data(&end[0])["stopReason"], "tool_use");

    let invoke = whole(&reply(Api::BedrockInvoke, false));
    assert_eq!((&invoke["stop_reason"], &invoke["content"][0]["input"]), (&json!("tool_use"), &arguments));
    let (events, _) = frames(&reply(Api::BedrockInvoke, true));
    let pieces: Vec<_> = events.iter().map(inner).collect();
    let streamed: String = pieces.iter().filter_map(|data| data["delta"]["partial_json"].as_str()).collect();
    assert_eq!(serde_json::from_str::<Value>(&streamed).unwrap(), arguments);
    assert_eq!(pieces[1]["content_block"]["id"], invoke["content"][0]["id"]);
}

#[test]
fn converse_streams_end_with_the_stop_reason_and_the_usage() {
    let message = provider::reply(&asked(Api::BedrockConverse, true), &SuccessReply::Chunks(2), &canaries());
    let (events, end) = frames(&message);
    let lines: Vec<_> = events
        .iter()
        .chain(&end)
        .map(|frame| format!("{} {}", frame.event.as_deref().unwrap(), frame.data))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    messageStart {"role":"assistant","p":"abcdefghijklm"}
    contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"[1] canary-txt-abc123-main-1 "},"p":"abcdefghijklm"}
    contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"[2]"},"p":"abcdefghijklm"}
    contentBlockStop {"contentBlockIndex":0,"p":"abcdefghijklm"}
    messageStop {"stopReason":"end_turn","p":"abcdefghijklm"}
    metadata {"metrics":{"latencyMs":42},"usage":{"inputTokens":9,"outputTokens":2,"totalTokens":11},"p":"abcdefghijklm"}
    "#);
}

#[test]
fn invoke_streams_carry_anthropics_events() {
    let message = provider::reply(&asked(Api::BedrockInvoke, true), &SuccessReply::Chunks(2), &canaries());
    assert_eq!(message.header("x-amzn-bedrock-content-type"), Some("application/json"));
    let (events, end) = frames(&message);
    let lines: Vec<_> = events.iter().chain(&end).map(|frame| inner(frame).to_string()).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"type":"message_start","message":{"id":"msg_bdrk_abc123-main-1","type":"message","role":"assistant","model":"claude-3-sonnet-20240229","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}}}
    {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}
    {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"[1] canary-txt-abc123-main-1 "}}
    {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"[2]"}}
    {"type":"content_block_stop","index":0}
    {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}}
    {"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":9,"outputTokenCount":2,"invocationLatency":42,"firstByteLatency":42}}
    "#);
}

#[test]
fn the_body_has_the_models_own_name_without_prefix_and_version() {
    for id in ["anthropic.claude-x-1", "us.anthropic.claude-x-1-v2:0", "claude-x-1", "claude-x-1-v1:0:200k"] {
        let asked = RequestedCall { model: id.into(), ..asked(Api::BedrockInvoke, false) };
        assert_eq!(
            whole(&provider::reply(&asked, &SuccessReply::Ok, &canaries()))["model"],
            "claude-x-1",
            "{id}"
        );
    }
}

#[test]
fn every_error_names_its_type_in_the_header() {
    let rows: Vec<_> = ErrorName::COMMON
        .iter()
        .map(|name| {
            let message = provider::error(&asked(Api::BedrockConverse, false), *name, &canaries());
            let MessageBody::Whole(body) = &message.body else { panic!("{name}") };
            let body = std::str::from_utf8(body).unwrap();
            assert_eq!(body.matches(&canaries().message).count(), 1, "{name}");
            let kind = message.header("x-amzn-errortype").unwrap_or("-");
            let (kind, namespace) = kind.split_once(':').unwrap_or((kind, "-"));
            assert!(["-", "http://internal.amazon.com/coral/com.amazon.bedrock/"].contains(&namespace));
            assert!(message.header("retry-after").is_none());
            format!("{name} {} {kind} {}", message.status, message.header("content-type").unwrap())
        })
        .collect();
    insta::assert_snapshot!(rows.join("\n"), @"
    invalid_api_key 403 UnrecognizedClientException application/json
    missing_api_key 403 MissingAuthenticationTokenException application/json
    permission 403 AccessDeniedException application/json
    model_not_found 400 ValidationException application/json
    bad_request 400 ValidationException application/json
    context_length 400 ValidationException application/json
    content_policy 200 - application/json
    too_large 413 RequestEntityTooLargeException application/json
    unprocessable 424 ModelErrorException application/json
    rate_limit 429 ThrottlingException application/json
    token_limit 429 ThrottlingException application/json
    quota 400 ServiceQuotaExceededException application/json
    internal 500 InternalServerException application/json
    bad_gateway 502 - text/html; charset=UTF-8
    unavailable 503 ServiceUnavailableException application/json
    gateway_timeout 408 ModelTimeoutException application/json
    overloaded 529 overloaded_error application/json
    ");
}

#[test]
fn a_guardrail_looks_like_a_success_in_all_four_operations() {
    let blocked = |api, stream| {
        let message = provider::error(&asked(api, stream), ErrorName::ContentPolicy, &canaries());
        assert_eq!(message.status, 200);
        assert_eq!(message.header("x-amzn-requestid"), Some("req_abc123-main-1"));
        message
    };
    let token = canaries().message;
    let converse = whole(&blocked(Api::BedrockConverse, false));
    assert_eq!(converse["stopReason"], "guardrail_intervened");
    assert!(converse["output"]["message"]["content"][0]["text"].as_str().unwrap().contains(&token));
    let (events, end) = frames(&blocked(Api::BedrockConverse, true));
    assert_eq!(data(&end[0])["stopReason"], "guardrail_intervened");
    assert!(events.iter().any(|frame| frame.data.contains(&token)));

    let invoke = whole(&blocked(Api::BedrockInvoke, false));
    assert_eq!(invoke["amazon-bedrock-guardrailAction"], "INTERVENED");
    assert!(invoke["content"][0]["text"].as_str().unwrap().contains(&token));
    let stream = blocked(Api::BedrockInvoke, true);
    assert_eq!(stream.header("x-amzn-bedrock-content-type"), Some("application/json"));
    let (events, end) = frames(&stream);
    assert_eq!(inner(&end[0])["amazon-bedrock-guardrailAction"], "INTERVENED");
    assert!(events.iter().any(|frame| inner(frame).to_string().contains(&token)));
}

#[test]
fn an_error_in_a_stream_is_an_exception_that_the_operation_declares() {
    let names = |api| {
        let rows: Vec<_> = ErrorName::COMMON
            .iter()
            .filter(|name| **name != ErrorName::ContentPolicy)
            .map(|name| {
                let frame = event_of(&provider::error_event(&asked(api, true), *name, None, &canaries()));
                assert!(data(&frame)["message"].as_str().unwrap().contains(&canaries().message));
                format!("{name} {}", frame.event.unwrap().strip_prefix("exception:").unwrap())
            })
            .collect();
        rows.join("\n")
    };
    insta::assert_snapshot!(names(Api::BedrockConverse), @"
    invalid_api_key validationException
    missing_api_key validationException
    permission validationException
    model_not_found validationException
    bad_request validationException
    context_length validationException
    too_large validationException
    unprocessable modelStreamErrorException
    rate_limit throttlingException
    token_limit throttlingException
    quota validationException
    internal internalServerException
    bad_gateway internalServerException
    unavailable serviceUnavailableException
    gateway_timeout modelStreamErrorException
    overloaded serviceUnavailableException
    ");
    let (converse, invoke) = (names(Api::BedrockConverse), names(Api::BedrockInvoke));
    let differing: Vec<_> = invoke.lines().filter(|line| !converse.contains(line)).collect();
    assert_eq!(differing, ["gateway_timeout modelTimeoutException"]);

    let model = provider::error_event(
        &asked(Api::BedrockConverse, true),
        ErrorName::Unprocessable,
        None,
        &canaries(),
    );
    assert_eq!(data(&event_of(&model))["originalStatusCode"], 424);
}

#[test]
fn a_guardrail_that_intervenes_completes_the_stream() {
    for api in APIS {
        let bytes = provider::error_event(&asked(api, true), ErrorName::ContentPolicy, None, &canaries());
        let frames = decode(Carrier::Aws, &bytes);
        assert!(frames.iter().all(|frame| !frame.event.as_deref().unwrap().starts_with("exception")));
        let names: Vec<_> = match api {
            Api::BedrockConverse => frames.iter().map(|frame| frame.event.clone().unwrap()).collect(),
            _ => frames.iter().map(|frame| inner(frame)["type"].as_str().unwrap().to_owned()).collect(),
        };
        let expected = match api {
            Api::BedrockConverse => ["contentBlockDelta", "contentBlockStop", "messageStop", "metadata"],
            _ => ["content_block_delta", "content_block_stop", "message_delta", "message_stop"],
        };
        assert_eq!(names, expected);
    }
}

#[test]
fn the_low_level_form_has_its_text_in_a_header() {
    let form = Some(EventForm::LowLevel);
    for name in ErrorName::COMMON {
        let asked = asked(Api::BedrockConverse, true);
        let frame = event_of(&provider::error_event(&asked, *name, form, &canaries()));
        let row = provider::catalogue_row(Provider::Bedrock, *name);
        let code = row.kind.as_deref().unwrap_or("InternalFailure");
        assert_eq!(frame.event, Some(format!("error:{code}")));
        assert!(data(&frame)["message"].as_str().unwrap().contains(&canaries().message));
    }
}

proptest! {
    #[test]
    fn a_stream_has_the_same_text_as_the_plain_response(n in 1u16..60, model in "[ -~é]{1,40}") {
        let kind = SuccessReply::Chunks(n);
        for api in APIS {
            let reply = |stream| {
                let asked = RequestedCall { model: model.clone(), ..asked(api, stream) };
                provider::reply(&asked, &kind, &canaries())
            };
            let (events, _) = frames(&reply(true));
            let plain = whole(&reply(false));
            let pieces: Vec<_> = events
                .iter()
                .filter_map(|frame| match api {
                    Api::BedrockConverse => data(frame)["delta"]["text"].as_str().map(str::to_owned),
                    _ => inner(frame)["delta"]["text"].as_str().map(str::to_owned),
                })
                .collect();
            prop_assert_eq!(&pieces, &provider::content_pieces(&kind, &canaries()));
            let text = match api {
                Api::BedrockConverse => &plain["output"]["message"]["content"][0]["text"],
                _ => &plain["content"][0]["text"],
            };
            prop_assert_eq!(text, &Value::from(pieces.concat()));
        }
    }
}
