//! The honest proxy in every dialect.

use std::time::Duration;

use serde_json::{Value, json};

use super::{dialect_streams::streams, stage::*};
use crate::{
    scenario::{Api, Provider},
    wire::frames::{Carrier, decode},
};

pub(super) fn behind(provider: Provider, scripts: impl Into<Vec<Script>>) -> Setup {
    Setup { provider, ..Setup::new(scripts) }
}

pub(super) fn native(api: Api, scripts: impl Into<Vec<Script>>) -> Setup {
    behind(api.native_provider(), scripts)
}

pub(super) fn path(api: Api, stream: bool) -> String {
    crate::dialect::row(api).path(stream).replace("{model}", "main")
}

pub(super) fn request(stream: bool) -> String {
    json!({"model": "main", "stream": stream}).to_string()
}

/// A response of each API whose requests are JSON.
const ANSWERS: [(Api, &str); 16] = [
    (Api::OpenaiResponses, r#"{"id":"resp_1","output":[],"error":null}"#),
    (Api::OpenaiCompletions, r#"{"choices":[{"index":0,"text":"hi"}]}"#),
    (Api::OpenaiEmbeddings, r#"{"data":[]}"#),
    (Api::OpenaiImages, r#"{"created":1,"data":[]}"#),
    (Api::OpenaiModerations, r#"{"id":"modr_1","results":[]}"#),
    (Api::OpenaiBatches, r#"{"id":"batch_1","object":"batch","errors":null}"#),
    (Api::AnthropicMessages, r#"{"id":"msg_1","type":"message","content":[]}"#),
    (Api::AnthropicCountTokens, r#"{"input_tokens":3}"#),
    (Api::GeminiGenerate, r#"{"candidates":[{"finishReason":"STOP"}]}"#),
    (Api::BedrockConverse, r#"{"output":{"message":{"content":[]}},"stopReason":"end_turn"}"#),
    (Api::BedrockInvoke, r#"{"content":[],"stop_reason":"end_turn"}"#),
    (Api::CohereChat, r#"{"id":"c","message":{"role":"assistant"}}"#),
    (Api::CohereEmbed, r#"{"id":"c","embeddings":{"float":[]}}"#),
    (Api::CohereRerank, r#"{"id":"c","results":[]}"#),
    (Api::OllamaChat, r#"{"message":{"content":"hi"},"done":true}"#),
    (Api::OllamaGenerate, r#"{"response":"hi","done":true}"#),
];

#[tokio::test]
async fn a_success_passes_through_in_every_dialect() {
    for (api, answer) in ANSWERS {
        let query = if api == Api::OpenaiBatches { "?model=main" } else { "" };
        let stage = native(api, [json_reply(answer)]).start(None).await;
        let got = stage.post(&format!("{}{query}", path(api, false)), &request(false)).await;
        assert_eq!((got.status, got.text.as_str()), (200, answer), "{api}");
        let seen = stage.main.request(0);
        let (head, body) = seen.split_once("\r\n\r\n").unwrap();
        let expected = crate::dialect::row(api).path(false).replace("{model}", "upstream-main");
        assert!(head.starts_with(&format!("POST /main{expected} ")), "{api}: {head}");
        assert_eq!(body, r#"{"model":"upstream-main","stream":false}"#, "{api}");
        assert!(head.contains("sk-secret-main") && !head.contains(stage.proxy.proxy_key()), "{api}: {head}");
    }
}

fn json_reply(body: &str) -> Script {
    json(200, "", body)
}

#[tokio::test]
async fn the_key_is_read_from_the_place_where_each_sdk_sends_it() {
    let stage = native(Api::AnthropicCountTokens, [json_reply(r#"{"input_tokens":3}"#)]).start(None).await;
    let url = format!("{}{}", stage.proxy.root(), path(Api::AnthropicCountTokens, false));
    for name in ["x-api-key", "x-goog-api-key", "api-key"] {
        let request = reqwest_client().post(&url).header(name, stage.proxy.proxy_key()).body(request(false));
        assert_eq!(take(request).await.status, 200, "{name}");
    }
    let url = format!("{url}?key={}", stage.proxy.proxy_key());
    assert_eq!(take(reqwest_client().post(url).body(request(false))).await.status, 200);
    let seen = stage.main.request(3);
    assert!(!seen.contains(stage.proxy.proxy_key()), "{seen}");
}

#[tokio::test]
async fn apis_without_a_model_are_routed_by_the_query_and_forms_by_their_field() {
    let stage = Setup::new([json_reply(r#"{"object":"list","data":[]}"#)]).start(None).await;
    let url = format!("{}/v1/models?model=main&limit=3", stage.proxy.root());
    let got = take(reqwest_client().get(url).bearer_auth(stage.proxy.proxy_key())).await;
    assert_eq!(got.status, 200, "{}", got.text);
    assert!(stage.main.request(0).starts_with("GET /main/v1/models?limit=3 HTTP/1.1\r\n"));

    let stage = Setup::new([json_reply(r#"{"text":"hello"}"#)]).start(None).await;
    let url = format!("{}/v1/audio/transcriptions", stage.proxy.root());
    let form = "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nmain\r\n--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nmain\r\n--b--\r\n";
    let request = reqwest_client()
        .post(url)
        .bearer_auth(stage.proxy.proxy_key())
        .header("content-type", "multipart/form-data; boundary=b")
        .body(form);
    let got = take(request).await;
    assert_eq!((got.status, got.text.as_str()), (200, r#"{"text":"hello"}"#));
    let seen = stage.main.request(0);
    assert!(seen.ends_with(&form.replacen("main", "upstream-main", 1)), "{seen}");
    assert!(seen.contains("content-type: multipart/form-data; boundary=b\r\n"), "{seen}");
}

#[tokio::test]
async fn audio_keeps_its_type_and_its_bytes() {
    let script = vec![
        ScriptStep::Send("HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: 4\r\n\r\n".into()),
        ScriptStep::Bytes(vec![0xff, 0xf3, 0, 0x80]),
    ];
    let stage = Setup::new([script]).start(None).await;
    let got = stage.post("/v1/audio/speech", &request(false)).await;
    assert_eq!((got.status, got.header("content-type")), (200, Some("audio/mpeg")));
    assert_eq!(got.bytes, [0xff, 0xf3, 0, 0x80]);
}

/// An error in the form of each dialect.
const ERRORS: [(Api, &str); 5] = [
    (
        Api::AnthropicMessages,
        r#"{"type":"error","error":{"details":null,"type":"overloaded_error","message":"canary"},"request_id":"req_1"}"#,
    ),
    (
        Api::GeminiGenerate,
        r#"{"error":{"code":503,"message":"canary","status":"UNAVAILABLE","details":[{"a":1}]}}"#,
    ),
    (Api::BedrockConverse, r#"{"message":"canary"}"#),
    (Api::CohereChat, r#"{"message":"canary","id":"i"}"#),
    (Api::OllamaChat, r#"{"error":"canary"}"#),
];

#[tokio::test]
async fn an_error_in_the_dialects_own_form_keeps_status_body_and_headers() {
    for (api, body) in ERRORS {
        for stream in [false, true] {
            let headers = "retry-after: 9\r\nrequest-id: r\r\nanthropic-ratelimit-requests-limit: 3\r\nx-amzn-errortype: ThrottlingException\r\nset-cookie: a\r\n";
            let stage = native(api, [json(529, headers, body)]).start(None).await;
            let got = stage.post(&path(api, stream), &request(stream)).await;
            assert_eq!((got.status, got.text.as_str()), (529, body), "{api}");
            assert_eq!(
                (got.header("retry-after"), got.header("anthropic-ratelimit-requests-limit")),
                (Some("9"), Some("3"))
            );
            assert_eq!((got.header("request-id"), got.header("set-cookie")), (Some("r"), None), "{api}");
            let aws = got.header("x-amzn-errortype");
            assert_eq!(aws, (api == Api::BedrockConverse).then_some("ThrottlingException"), "{api}");
            assert_eq!(stage.main.attempts(), 1);
        }
    }
}

#[tokio::test]
async fn the_proxys_own_errors_and_foreign_bodies_have_the_callers_form() {
    let type_and_text = |api: Api, got: &CallerResult| -> (String, String) {
        let body: Value = serde_json::from_str(&got.text).unwrap();
        let text =
            |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        match api {
            Api::AnthropicMessages => (text("/error/type"), text("/error/message")),
            Api::GeminiGenerate => (text("/error/status"), text("/error/message")),
            Api::BedrockConverse => {
                (got.header("x-amzn-errortype").unwrap_or_default().to_owned(), text("/message"))
            }
            Api::CohereChat => (String::new(), text("/message")),
            _ => (String::new(), text("/error")),
        }
    };
    let rows = [
        (Api::AnthropicMessages, ["overloaded_error", "timeout_error", "api_error", "authentication_error"]),
        (Api::GeminiGenerate, ["UNAVAILABLE", "DEADLINE_EXCEEDED", "UNAVAILABLE", "UNAUTHENTICATED"]),
        (
            Api::BedrockConverse,
            [
                "ServiceUnavailableException",
                "ModelTimeoutException",
                "ServiceUnavailableException",
                "AccessDeniedException",
            ],
        ),
        (Api::CohereChat, [""; 4]),
        (Api::OllamaChat, [""; 4]),
    ];
    for (api, types) in rows {
        let page = json(503, "", "<html><h1>503 canary</h1></html>");
        for (setup, status, expected, says) in [
            (native(api, [page]), 503, types[0], "503 canary"),
            (
                Setup { timeout_s: 0.1, ..native(api, [vec![ScriptStep::Hang]]) },
                504,
                types[1],
                "The upstream did not answer within 100ms.",
            ),
            (
                Setup { refuse: true, ..native(api, [vec![]]) },
                502,
                types[2],
                "The upstream could not be reached.",
            ),
            (
                native(api, [json(200, "", "")]),
                502,
                types[2],
                "The upstream answered 200 with an empty body.",
            ),
        ] {
            let got = setup.start(None).await.post(&path(api, false), &request(false)).await;
            assert_eq!(got.status, status, "{api}: {}", got.text);
            assert_eq!(type_and_text(api, &got), (expected.to_owned(), says.to_owned()), "{api}");
        }
        let stage = native(api, [vec![]]).start(None).await;
        let url = format!("{}{}", stage.proxy.root(), path(api, false));
        let got = take(reqwest_client().post(url).body("{}")).await;
        assert_eq!((got.status, type_and_text(api, &got).0.as_str()), (401, types[3]), "{api}");
    }
}

#[tokio::test]
async fn a_chat_in_front_of_anthropic_gets_completions_and_errors_of_openais_form() {
    let chat = |scripts: Vec<Script>, stream| Setup { stream, ..behind(Provider::Anthropic, scripts) };
    let reply = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}"#;
    let (got, stage) = chat(vec![json(200, "request-id: req_9\r\n", reply)], false).run(None).await;
    assert_eq!((got.status, got.header("x-request-id")), (200, Some("req_9")));
    let body: Value = serde_json::from_str(&got.text).unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "Hi");
    let seen = stage.main.request(0);
    assert!(
        seen.starts_with("POST /main/v1/messages ") && seen.contains("anthropic-version: 2023-06-01\r\n")
    );
    assert!(seen.ends_with(r#"{"model":"upstream-main","max_tokens":4096,"messages":[]}"#), "{seen}");

    for stream in [false, true] {
        let headers = "retry-after: 9\r\nrequest-id: req_9\r\n";
        let (got, _stage) = chat(vec![json(529, headers, ERRORS[0].1)], stream).run(None).await;
        assert_eq!(
            (got.status, got.header("retry-after"), got.header("x-request-id")),
            (529, Some("9"), Some("req_9"))
        );
        let expected = json!({"message": "canary", "type": "overloaded_error", "param": null, "code": null});
        assert_eq!(got.error(), expected);
    }

    let start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m\",\"usage\":{}}}\n\n";
    let ping = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
    let text = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n";
    let error = format!("event: error\ndata: {}\n\n", ERRORS[0].1);
    let (got, _stage) = chat(vec![events(&[start, ping, text, &error], Last::End)], true).run(None).await;
    let frames = decode(Carrier::Sse, got.text.as_bytes());
    assert_eq!((got.status, frames.len()), (200, 3), "{}", got.text);
    let last: Value = serde_json::from_str(&frames[2].data).unwrap();
    assert_eq!(
        (&last["error"]["message"], &last["error"]["type"]),
        (&json!("canary"), &json!("overloaded_error"))
    );

    let (got, _stage) = chat(vec![events(&[start, text], Last::Close)], true).run(None).await;
    assert!(got.text.contains("stream_interrupted") && !got.text.contains("[DONE]"), "{}", got.text);
    let [(_, _, finish, end)] = [streams()[2]];
    let (got, _stage) = chat(vec![events(&[start, text, finish, end], Last::End)], true).run(None).await;
    assert!(got.text.contains(r#""finish_reason":"stop""#) && got.text.ends_with(DONE), "{}", got.text);
}

#[tokio::test]
async fn messages_in_front_of_openai_get_messages_and_errors_of_anthropics_form() {
    let api = Api::AnthropicMessages;
    let stage = Setup::new([ok()]).start(None).await;
    let got = stage.post(&path(api, false), &request(false)).await;
    let body: Value = serde_json::from_str(&got.text).unwrap();
    assert_eq!((got.status, &body["content"][0]["text"]), (200, &json!("hi")), "{}", got.text);
    assert!(stage.main.request(0).starts_with("POST /main/v1/chat/completions "));

    let headers = "retry-after: 9\r\nx-request-id: req_9\r\n";
    let stage = Setup::new([error(429, headers, "rate_limit_exceeded")]).start(None).await;
    let got = stage.post(&path(api, true), &request(true)).await;
    assert_eq!(
        (got.status, got.header("retry-after"), got.header("request-id")),
        (429, Some("9"), Some("req_9"))
    );
    assert_eq!(
        got.text,
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"canary rate_limit_exceeded","details":{"error_code":"rate_limit_exceeded"}},"request_id":"req_9"}"#
    );

    let stage = Setup::new([events(&[ROLE, ONE, STOP, DONE], Last::End)]).start(None).await;
    let got = stage.post(&path(api, true), &request(true)).await;
    let names: Vec<_> =
        decode(Carrier::Sse, got.text.as_bytes()).into_iter().filter_map(|frame| frame.event).collect();
    assert_eq!(
        names,
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    let stage = Setup::new([events(&[ROLE, ONE, ERROR], Last::End)]).start(None).await;
    let got = stage.post(&path(api, true), &request(true)).await;
    let last = decode(Carrier::Sse, got.text.as_bytes()).pop().unwrap();
    let data: Value = serde_json::from_str(&last.data).unwrap();
    assert_eq!(last.event.as_deref(), Some("error"));
    assert_eq!(data["error"]["message"], "canary mid");
    assert_eq!(data["error"]["type"], "rate_limit_error");
}

#[tokio::test]
async fn a_pair_that_is_not_served_is_rejected_and_never_sent_upstream() {
    let stage = behind(Provider::Gemini, [ok()]).start(None).await;
    let got = stage.send().await;
    assert_eq!((got.status, &got.error()["code"]), (404, &json!("model_not_found")));
    assert!(got.took < Duration::from_secs(5) && stage.main.attempts() == 0);
}
