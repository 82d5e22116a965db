use serde_json::{Value, json};

use crate::{
    observation::{Canaries, Identity},
    provider::{self, Header, MessageBody, ProviderMessage, ReceivedCall, RequestedCall},
    scenario::{Api, ErrorName, EventForm, Provider, SuccessReply},
    wire::frames::{Carrier, Frame, decode},
};

fn canaries() -> Canaries {
    Identity { token: "abc123".into() }.canaries("main", 1)
}

fn asked(stream: bool) -> RequestedCall {
    RequestedCall::plain(Provider::Anthropic, Api::AnthropicMessages, stream)
}

fn body(message: &ProviderMessage) -> Value {
    let MessageBody::Whole(bytes) = &message.body else { panic!("a stream") };
    serde_json::from_slice(bytes).unwrap()
}

/// The frames of a stream, the terminator last; checks that each entry is exactly one frame.
fn frames(message: &ProviderMessage) -> Vec<Frame> {
    let MessageBody::Events { events, terminator } = &message.body else { panic!("no stream") };
    events
        .iter()
        .chain(terminator)
        .map(|event| {
            let mut frames = decode(Carrier::Sse, event);
            assert_eq!(frames.len(), 1, "{event:?}");
            frames.remove(0)
        })
        .collect()
}

fn data(frame: &Frame) -> Value {
    serde_json::from_str(&frame.data).unwrap()
}

#[test]
fn a_plain_response_has_all_members_that_anthropic_sends() {
    let message = provider::reply(&asked(false), &SuccessReply::Ok, &canaries());
    insta::assert_snapshot!(body(&message), @r#"{"id":"msg_abc123-main-1","type":"message","role":"assistant","model":"claude-sonnet-4-20250514","content":[{"type":"text","text":"[1] canary-txt-abc123-main-1 [2] [3] [4] [5]"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":9,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":5,"service_tier":"standard"}}"#);
    let headers: Vec<_> = message.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    insta::assert_snapshot!(headers.join("\n"), @"
    content-type: application/json
    request-id: req_abc123-main-1
    anthropic-organization-id: canary-hdr-abc123-main-1
    server: cloudflare
    cf-ray: 8c0ffee0deadbeef-FRA
    anthropic-ratelimit-requests-limit: 500
    anthropic-ratelimit-requests-remaining: 499
    anthropic-ratelimit-requests-reset: 2023-11-14T22:13:20Z
    anthropic-ratelimit-tokens-limit: 30000
    anthropic-ratelimit-tokens-remaining: 29972
    anthropic-ratelimit-tokens-reset: 2023-11-14T22:13:20Z
    anthropic-ratelimit-input-tokens-limit: 30000
    anthropic-ratelimit-input-tokens-remaining: 29972
    anthropic-ratelimit-input-tokens-reset: 2023-11-14T22:13:20Z
    anthropic-ratelimit-output-tokens-limit: 8000
    anthropic-ratelimit-output-tokens-remaining: 8000
    anthropic-ratelimit-output-tokens-reset: 2023-11-14T22:13:20Z
    ");
}

#[test]
fn a_stream_names_its_events_and_repeats_the_names_in_the_data() {
    let message = provider::reply(&asked(true), &SuccessReply::Chunks(2), &canaries());
    let MessageBody::Events { events, terminator } = &message.body else { panic!("no stream") };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!(
        terminator.as_deref().map(text).unwrap(),
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
    );
    insta::assert_snapshot!(events.iter().map(|event| text(event)).collect::<String>().trim_end(), @r#"
    event: message_start
    data: {"type":"message_start","message":{"id":"msg_abc123-main-1","type":"message","role":"assistant","model":"claude-sonnet-4-20250514","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}}

    event: content_block_start
    data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

    event: ping
    data: {"type":"ping"}

    event: content_block_delta
    data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"[1] canary-txt-abc123-main-1 "}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"[2]"}}

    event: content_block_stop
    data: {"type":"content_block_stop","index":0}

    event: message_delta
    data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":9,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":2}}
    "#);
    for frame in frames(&message) {
        assert_eq!(frame.event.as_deref(), data(&frame)["type"].as_str());
    }
}

#[test]
fn each_piece_of_text_is_one_delta_and_the_first_is_the_fourth_frame() {
    for kind in [SuccessReply::Ok, SuccessReply::Chunks(1), SuccessReply::Chunks(37)] {
        let frames = frames(&provider::reply(&asked(true), &kind, &canaries()));
        let pieces: Vec<_> = frames
            .iter()
            .filter(|frame| frame.event.as_deref() == Some("content_block_delta"))
            .map(|frame| data(frame)["delta"]["text"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(pieces, provider::content_pieces(&kind, &canaries()));
        assert_eq!(frames[3].event.as_deref(), Some("content_block_delta"));
        assert_eq!(frames.len(), pieces.len() + 6);
        let whole = provider::reply(&asked(false), &kind, &canaries());
        assert_eq!(body(&whole)["content"][0]["text"], pieces.concat());
    }
}

#[test]
fn a_tool_calls_input_is_the_same_in_both_forms() {
    let frames = frames(&provider::reply(&asked(true), &SuccessReply::ToolCall, &canaries()));
    let block = data(&frames[1])["content_block"].clone();
    assert_eq!(
        block,
        json!({"type": "tool_use", "id": "toolu_abc123-main-1", "name": "get_weather", "input": {}})
    );
    let pieces: Vec<_> = frames
        .iter()
        .filter_map(|frame| data(frame)["delta"]["partial_json"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(pieces, provider::tool_argument_pieces(&canaries()));
    assert_eq!(data(&frames[frames.len() - 2])["delta"]["stop_reason"], "tool_use");

    let whole = body(&provider::reply(&asked(false), &SuccessReply::ToolCall, &canaries()));
    let input: Value = serde_json::from_str(&pieces.concat()).unwrap();
    assert_eq!((&whole["content"][0]["input"], &whole["stop_reason"]), (&input, &json!("tool_use")));
}

#[test]
fn counting_tokens_counts_more_for_a_longer_prompt() {
    let count = |text: &str| {
        let asked = RequestedCall {
            body: json!({"messages": [{"role": "user", "content": text}]}).into(),
            ..RequestedCall::plain(Provider::Anthropic, Api::AnthropicCountTokens, false)
        };
        let body = body(&provider::reply(&asked, &SuccessReply::Ok, &canaries()));
        assert_eq!(body.as_object().unwrap().len(), 1);
        body["input_tokens"].as_u64().unwrap()
    };
    assert!(0 < count("short") && count("short") < count("rather a lot longer than that"));
}

#[test]
fn the_catalogue_is_anthropics() {
    let rows: Vec<_> = ErrorName::COMMON
        .iter()
        .map(|name| {
            let message = provider::error(&asked(false), *name, &canaries());
            let MessageBody::Whole(bytes) = &message.body else { panic!("a stream") };
            let text = std::str::from_utf8(bytes).unwrap();
            assert_eq!(text.matches(&canaries().message).count(), 1, "{name}");
            let short = match serde_json::from_str::<Value>(text) {
                Ok(body) => {
                    assert_eq!(message.header("request-id"), Some("req_abc123-main-1"), "{name}");
                    let envelope = match (&body["type"], &body["request_id"]) {
                        (Value::String(kind), Value::String(id))
                            if kind == "error" && *id == canaries().request_id =>
                        {
                            ""
                        }
                        (Value::Null, Value::Null) => " (no envelope)",
                        other => panic!("{name}: {other:?}"),
                    };
                    let details = body["error"]
                        .get("details")
                        .map_or(String::new(), |details| format!(" details {details}"));
                    format!("{}{details}{envelope}", body["error"]["type"].as_str().unwrap())
                }
                Err(_) => message.header("content-type").unwrap().to_owned(),
            };
            let retry =
                message.header("retry-after").map_or(String::new(), |value| format!(" retry-after {value}"));
            format!("{name} {} {short}{retry}", message.status)
        })
        .collect();
    insta::assert_snapshot!(rows.join("\n"), @"
    invalid_api_key 401 authentication_error
    missing_api_key 401 authentication_error
    permission 403 permission_error
    model_not_found 404 not_found_error
    bad_request 400 invalid_request_error
    context_length 400 invalid_request_error
    content_policy 400 invalid_request_error
    too_large 413 request_too_large (no envelope)
    unprocessable 400 invalid_request_error
    rate_limit 429 rate_limit_error retry-after 7
    token_limit 429 rate_limit_error retry-after 7
    quota 400 invalid_request_error
    internal 500 api_error
    bad_gateway 502 text/html; charset=UTF-8
    unavailable 503 api_error
    gateway_timeout 504 timeout_error
    overloaded 529 overloaded_error details null
    ");
}

#[test]
fn a_used_up_limit_says_when_to_retry() {
    let message = provider::error(&asked(false), ErrorName::TokenLimit, &canaries());
    for (name, value) in [
        ("anthropic-ratelimit-requests-remaining", "499"),
        ("anthropic-ratelimit-tokens-remaining", "407"),
        ("anthropic-ratelimit-input-tokens-remaining", "407"),
        ("anthropic-ratelimit-output-tokens-remaining", "8000"),
        ("anthropic-ratelimit-tokens-reset", "2023-11-14T22:13:27Z"),
        ("retry-after", "7"),
    ] {
        assert_eq!(message.header(name), Some(value), "{name}");
    }
    assert_eq!(message.header("retry-after-ms"), None);
}

#[test]
fn an_error_event_has_the_requested_form() {
    let event = |form| {
        let event = provider::error_event(&asked(true), ErrorName::Overloaded, form, &canaries());
        String::from_utf8(event.to_vec()).unwrap()
    };
    let named = event(None);
    insta::assert_snapshot!(named.trim_end(), @r#"
    event: error
    data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded (canary-msg-abc123-main-1)","details":null},"request_id":"req_abc123-main-1"}
    "#);
    assert!(named.ends_with("}\n\n"));
    let data = named.strip_prefix("event: error\n").unwrap();
    assert_eq!(event(Some(EventForm::Named)), named);
    assert_eq!(event(Some(EventForm::Unnamed)), data);
    assert_eq!(
        event(Some(EventForm::Bare)),
        format!("{}\n", data.strip_prefix("data: ").unwrap().trim_end())
    );
}

#[test]
fn in_a_stream_every_error_has_anthropics_form() {
    for name in ErrorName::COMMON {
        for provider in [Provider::Anthropic, Provider::Vertex, Provider::Openai] {
            let asked = RequestedCall::plain(provider, Api::AnthropicMessages, true);
            let event = provider::error_event(&asked, *name, None, &canaries());
            let [frame] = &decode(Carrier::Sse, &event)[..] else { panic!("{provider} {name}: {event:?}") };
            assert_eq!(frame.event.as_deref(), Some("error"));
            let body = data(frame);
            assert_eq!((&body["type"], &body["request_id"]), (&json!("error"), &json!("req_abc123-main-1")));
            assert!(body["error"]["type"].as_str().is_some_and(|kind| !kind.is_empty()), "{provider} {name}");
            assert!(body["error"]["message"].as_str().is_some_and(|text| text.contains(&canaries().message)));
            assert_eq!(body["error"].get("details"), Some(&Value::Null));
        }
    }
}

#[test]
fn types_of_other_providers_map_to_anthropics_by_status() {
    let word = |status, kind: Option<&str>| {
        let row = provider::ErrorRow {
            status,
            kind: kind.map(str::to_owned),
            ..provider::catalogue_row(Provider::Openai, ErrorName::Internal).clone()
        };
        super::word(&row).to_owned()
    };
    for (status, kind, expected) in [
        (400, Some("invalid_request_error"), "invalid_request_error"),
        (401, Some("invalid_request_error"), "authentication_error"),
        (402, Some("unknown_error"), "billing_error"),
        (403, None, "permission_error"),
        (404, Some("invalid_request_error"), "not_found_error"),
        (409, None, "conflict_error"),
        (413, None, "request_too_large"),
        (422, Some("invalid_request_error"), "invalid_request_error"),
        (429, Some("requests"), "rate_limit_error"),
        (500, Some("server_error"), "api_error"),
        (503, Some("overloaded_error"), "overloaded_error"),
        (504, None, "timeout_error"),
        (520, None, "api_error"),
        (529, None, "overloaded_error"),
    ] {
        assert_eq!(word(status, kind), expected, "{status} {kind:?}");
    }
}

#[test]
fn a_request_needs_a_key_in_either_place_and_then_its_version() {
    let read = |headers: &[(&'static str, &'static str)], body: &[u8]| {
        let header = |(name, value): &(&'static str, &'static str)| Header { name, value: value.as_bytes() };
        let headers: Vec<_> = headers.iter().map(header).collect();
        let received =
            ReceivedCall { method: "POST", path: "/v1/messages?beta=true", headers: &headers, body };
        provider::read(Provider::Anthropic, &received, &canaries())
            .map_err(|(_, refusal)| format!("{} {}", refusal.status, self::body(&refusal)["error"]["type"]))
    };
    let version = ("anthropic-version", "2023-06-01");
    let request = br#"{"model":"claude-x","stream":true}"#;
    for key in [("x-api-key", "sk-ant-1"), ("authorization", "Bearer sk-ant-1")] {
        let asked = read(&[key, version], request).unwrap();
        assert_eq!(asked.key.as_deref(), Some("sk-ant-1"));
        assert_eq!(
            (asked.api, &*asked.model, asked.stream),
            (Some(Api::AnthropicMessages), "claude-x", true)
        );
        assert_eq!(read(&[key], request).unwrap_err(), r#"400 "invalid_request_error""#);
        assert_eq!(read(&[key, version], b"{").unwrap_err(), r#"400 "invalid_request_error""#);
    }
    assert_eq!(read(&[version], request).unwrap_err(), r#"401 "authentication_error""#);
}
