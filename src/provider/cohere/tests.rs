//! Cohere's responses, parsed as a client parses them.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    observation::{Canaries, Identity},
    provider::{self, MessageBody, ProviderMessage, RequestedCall},
    scenario::{Api, ErrorName, EventForm, Provider, SuccessReply},
    wire::sse,
};

fn canaries() -> Canaries {
    Identity { token: "abc123".into() }.canaries("main", 1)
}

fn asked(api: Api, stream: bool) -> RequestedCall {
    RequestedCall::plain(Provider::Cohere, api, stream)
}

fn with(api: Api, body: Value) -> RequestedCall {
    RequestedCall { body: body.into(), ..asked(api, false) }
}

fn whole(message: &ProviderMessage) -> Value {
    let MessageBody::Whole(bytes) = &message.body else { panic!("a stream") };
    serde_json::from_slice(bytes).unwrap()
}

/// The events of a stream, and its last event; checks that each entry is exactly one event whose name is its
/// type.
fn events(message: &ProviderMessage) -> (Vec<Value>, Value) {
    let MessageBody::Events { events, terminator } = &message.body else { panic!("no stream") };
    let read = |bytes: &[u8]| -> Vec<Value> {
        let text = std::str::from_utf8(bytes).unwrap();
        let text = text.strip_suffix("data: [DONE]\n\n").unwrap_or(text);
        sse::decode(text.as_bytes())
            .into_iter()
            .map(|event| {
                let data: Value = serde_json::from_str(&event.data).unwrap();
                assert_eq!(data["type"].as_str(), event.event.as_deref());
                data
            })
            .collect()
    };
    let each = events.iter().map(|event| {
        let mut read = read(event);
        assert_eq!(read.len(), 1);
        read.remove(0)
    });
    let terminator = terminator.as_ref().unwrap();
    assert!(terminator.ends_with(b"\n\ndata: [DONE]\n\n"));
    let [last] = &read(terminator)[..] else { panic!("{terminator:?}") };
    (each.collect(), last.clone())
}

#[test]
fn a_plain_response_has_coheres_form() {
    let message = provider::reply(&asked(Api::CohereChat, false), &SuccessReply::Ok, &canaries());
    assert_eq!(message.header("x-debug-trace-id"), Some("req_abc123-main-1"));
    assert_eq!(message.header("x-api-warning"), Some("canary-hdr-abc123-main-1"));
    insta::assert_snapshot!(whole(&message), @r#"{"id":"abc123-main-1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"[1] canary-txt-abc123-main-1 [2] [3] [4] [5]"}]},"usage":{"billed_units":{"input_tokens":9,"output_tokens":5},"tokens":{"input_tokens":9,"output_tokens":5}}}"#);
}

#[test]
fn a_stream_has_coheres_form() {
    let message = provider::reply(&asked(Api::CohereChat, true), &SuccessReply::Chunks(2), &canaries());
    assert_eq!(message.header("content-type"), Some("text/event-stream"));
    let (events, last) = events(&message);
    let lines: Vec<_> = events.iter().chain([&last]).map(Value::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"id":"abc123-main-1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}
    {"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}
    {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"[1] canary-txt-abc123-main-1 "}}}}
    {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"[2]"}}}}
    {"type":"content-end","index":0}
    {"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":9,"output_tokens":2},"tokens":{"input_tokens":9,"output_tokens":2}}}}
    "#);
}

#[test]
fn a_tool_call_is_the_same_in_both_forms() {
    let reply =
        |stream| provider::reply(&asked(Api::CohereChat, stream), &SuccessReply::ToolCall, &canaries());
    let plain = whole(&reply(false));
    let call = &plain["message"]["tool_calls"][0];
    let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
    assert_eq!(arguments, json!({"city": "Paris", "note": canaries().content}));

    let (events, last) = events(&reply(true));
    let of = |kind: &'static str| events.iter().filter(move |event| event["type"] == kind);
    assert_eq!(
        of("tool-plan-delta").next().unwrap()["delta"]["message"],
        json!({"tool_plan": plain["message"]["tool_plan"]})
    );
    let mut streamed = of("tool-call-start").next().unwrap()["delta"]["message"]["tool_calls"].clone();
    let pieces: Vec<_> = of("tool-call-delta")
        .map(|event| event["delta"]["message"]["tool_calls"]["function"]["arguments"].as_str().unwrap())
        .collect();
    assert_eq!(pieces, provider::tool_argument_pieces(&canaries()));
    streamed["function"]["arguments"] = pieces.concat().into();
    assert_eq!(&streamed, call);
    assert_eq!(
        (&plain["finish_reason"], &last["delta"]["finish_reason"]),
        (&json!("TOOL_CALL"), &json!("TOOL_CALL"))
    );
}

#[test]
fn each_input_has_a_vector_in_each_requested_encoding() {
    let body = json!({
        "texts": ["a", "b"],
        "embedding_types": ["float", "int8", "uint8", "binary", "ubinary", "base64", "other", "float"],
        "output_dimension": 16,
    });
    let message = provider::reply(&with(Api::CohereEmbed, body), &SuccessReply::Ok, &canaries());
    let reply = whole(&message);
    assert_eq!(reply["texts"], json!(["a", "b"]));
    let embeddings = reply["embeddings"].as_object().unwrap();
    let lengths: Vec<_> = embeddings
        .iter()
        .map(|(kind, vectors)| {
            assert_eq!(vectors.as_array().unwrap().len(), 2);
            assert_ne!(vectors[0], vectors[1]);
            (kind.as_str(), vectors[0].as_array().map(Vec::len))
        })
        .collect();
    let long = Some(16);
    assert_eq!(
        lengths,
        [
            ("float", long),
            ("int8", long),
            ("uint8", long),
            ("binary", Some(2)),
            ("ubinary", Some(2)),
            ("base64", None)
        ]
    );
    let plain = provider::reply(&with(Api::CohereEmbed, json!({})), &SuccessReply::Ok, &canaries());
    insta::assert_snapshot!(whole(&plain), @r#"{"id":"abc123-main-1","embeddings":{"float":[[-1.0,-0.875,-0.75,-0.625,-0.5,-0.375,-0.25,-0.125]]},"texts":[],"meta":{"api_version":{"version":"2"},"billed_units":{"images":1}},"response_type":"embeddings_by_type"}"#);
}

#[test]
fn documents_are_ranked_in_their_order_up_to_top_n() {
    let body = json!({"query": "q", "documents": ["a", "b", "c"], "top_n": 2});
    let reply = provider::reply(&with(Api::CohereRerank, body), &SuccessReply::Ok, &canaries());
    insta::assert_snapshot!(whole(&reply), @r#"{"id":"abc123-main-1","results":[{"index":0,"relevance_score":1.0},{"index":1,"relevance_score":0.5}],"meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}"#);
}

#[test]
fn every_error_is_a_message_with_an_id() {
    let rows: Vec<_> = ErrorName::COMMON
        .iter()
        .map(|name| {
            let message = provider::error(&asked(Api::CohereChat, false), *name, &canaries());
            let MessageBody::Whole(body) = &message.body else { panic!("{name}") };
            let body = std::str::from_utf8(body).unwrap();
            assert_eq!(body.matches(&canaries().message).count(), 1, "{name}");
            assert!(message.header("retry-after").is_none());
            let members = serde_json::from_str::<Value>(body).map_or("-".into(), |body| {
                body.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
            });
            format!("{name} {} {members}", message.status)
        })
        .collect();
    insta::assert_snapshot!(rows.join("\n"), @"
    invalid_api_key 401 message id
    missing_api_key 401 message id
    permission 403 message id
    model_not_found 404 message id
    bad_request 400 message id
    context_length 400 message id
    content_policy 498 message id
    too_large 413 message id
    unprocessable 422 message id
    rate_limit 429 message id
    token_limit 429 message id
    quota 402 message id
    internal 500 message id
    bad_gateway 502 -
    unavailable 503 message id
    gateway_timeout 504 message id
    overloaded 503 message id
    ");
}

#[test]
fn an_error_in_a_stream_is_the_end_of_its_message() {
    let event = |form| {
        let asked = asked(Api::CohereChat, true);
        let bytes = provider::error_event(&asked, ErrorName::RateLimit, form, &canaries());
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    insta::assert_snapshot!(event(None).trim_end(), @r#"
    event: message-end
    data: {"type":"message-end","delta":{"error":"You are past the per minute request limit, please wait and try again later. (canary-msg-abc123-main-1)","finish_reason":"ERROR"}}
    "#);
    insta::assert_snapshot!(event(Some(EventForm::Unnamed)).trim_end(), @r#"data: {"type":"message-end","delta":{"error":"You are past the per minute request limit, please wait and try again later. (canary-msg-abc123-main-1)","finish_reason":"ERROR"}}"#);
    insta::assert_snapshot!(event(Some(EventForm::Bare)).trim_end(), @r#"{"message":"You are past the per minute request limit, please wait and try again later. (canary-msg-abc123-main-1)","id":"req_abc123-main-1"}"#);
}

/// Arbitrary JSON, as deep as the members of a request.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map("[a-z]{1,4}", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #[test]
    fn a_stream_has_the_same_text_as_the_plain_response(n in 1u16..60) {
        let kind = SuccessReply::Chunks(n);
        let reply = |stream| provider::reply(&asked(Api::CohereChat, stream), &kind, &canaries());
        let (events, last) = events(&reply(true));
        let pieces: Vec<_> = events
            .iter()
            .filter(|event| event["type"] == "content-delta")
            .filter_map(|event| event["delta"]["message"]["content"]["text"].as_str())
            .collect();
        prop_assert_eq!(&pieces, &provider::content_pieces(&kind, &canaries()));
        let plain = whole(&reply(false));
        prop_assert_eq!(&plain["message"]["content"][0]["text"], &Value::from(pieces.concat()));
        prop_assert_eq!(&plain["usage"], &last["delta"]["usage"]);
    }

    #[test]
    fn no_request_makes_it_panic_or_answer_without_end(
        texts in any_json(), types in any_json(), dimension in any_json(), top in any_json(),
    ) {
        let body = json!({
            "texts": texts, "images": types, "inputs": top, "embedding_types": types,
            "output_dimension": dimension, "documents": texts, "top_n": top,
        });
        for api in [Api::CohereChat, Api::CohereEmbed, Api::CohereRerank] {
            let _ = whole(&provider::reply(&with(api, body.clone()), &SuccessReply::Ok, &canaries()));
        }
    }
}
