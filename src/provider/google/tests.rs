use serde_json::{Value, json};

use crate::{
    observation::{Canaries, Identity},
    provider::{self, Header, MessageBody, ProviderMessage, ReceivedCall, RequestedCall},
    scenario::{Api, ErrorName, EventForm, Provider, SuccessReply},
    wire::frames::{Carrier, decode},
};

fn canaries() -> Canaries {
    Identity { token: "abc123".into() }.canaries("main", 1)
}

fn plain() -> RequestedCall {
    RequestedCall::plain(Provider::Gemini, Api::GeminiGenerate, false)
}

fn events() -> RequestedCall {
    RequestedCall::plain(Provider::Gemini, Api::GeminiGenerate, true)
}

fn array() -> RequestedCall {
    RequestedCall { query: String::new(), ..events() }
}

fn parsed(message: &ProviderMessage) -> Value {
    serde_json::from_str(&message.text()).unwrap()
}

#[test]
fn a_plain_response_has_all_members_that_gemini_sends() {
    let message = provider::reply(&plain(), &SuccessReply::Ok, &canaries());
    insta::assert_snapshot!(parsed(&message), @r#"{"candidates":[{"content":{"parts":[{"text":"[1] canary-txt-abc123-main-1 [2] [3] [4] [5]"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":5,"totalTokenCount":14,"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}]},"modelVersion":"gemini-2.5-flash","responseId":"req_abc123-main-1"}"#);
    let headers: Vec<_> = message.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    insta::assert_snapshot!(headers.join("\n"), @r#"
    content-type: application/json; charset=UTF-8
    server: scaffolding on HTTPServer2
    server-timing: gfet4t7; dur=42; desc="canary-hdr-abc123-main-1"
    vary: Origin, X-Origin, Referer
    alt-svc: h3=":443"; ma=2592000
    "#);
    assert!(message.text().starts_with("{\n  \"candidates\": ["));
}

#[test]
fn a_stream_of_events_ends_its_lines_with_crlf_and_its_last_chunk_says_why_it_ends() {
    let message = provider::reply(&events(), &SuccessReply::Chunks(2), &canaries());
    assert_eq!(message.header("content-type"), Some("text/event-stream"));
    let text = message.text();
    assert_eq!(text.matches("\r\n\r\n").count(), 3);
    assert_eq!(text.replace("\r\n", "").matches('\n').count(), 0);
    insta::assert_snapshot!(text.replace("\r\n", "␍␊\n").trim_end(), @r#"
    data: {"candidates":[{"content":{"parts":[{"text":"[1] canary-txt-abc123-main-1 "}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9},"modelVersion":"gemini-2.5-flash","responseId":"req_abc123-main-1"}␍␊
    ␍␊
    data: {"candidates":[{"content":{"parts":[{"text":"[2]"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9},"modelVersion":"gemini-2.5-flash","responseId":"req_abc123-main-1"}␍␊
    ␍␊
    data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":2,"totalTokenCount":11,"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}]},"modelVersion":"gemini-2.5-flash","responseId":"req_abc123-main-1"}␍␊
    ␍␊
    "#);
}

#[test]
fn without_alt_sse_a_stream_is_one_json_array() {
    let message = provider::reply(&array(), &SuccessReply::Chunks(2), &canaries());
    assert_eq!(message.header("content-type"), Some("application/json; charset=UTF-8"));
    let MessageBody::Events { events, terminator } = &message.body else { panic!("no stream") };
    assert!(events[0].starts_with(b"[{") && events[1].starts_with(b",\r\n{"));
    assert!(terminator.as_ref().unwrap().ends_with(b"}\r\n]"));
    let chunks = parsed(&message);
    let last = &chunks[2];
    assert_eq!(
        (chunks.as_array().unwrap().len(), &last["candidates"][0]["finishReason"]),
        (3, &json!("STOP"))
    );
    assert_eq!(last["usageMetadata"]["totalTokenCount"], 11);
}

#[test]
fn each_piece_of_text_is_one_chunk_in_both_forms_of_a_stream() {
    for kind in [SuccessReply::Ok, SuccessReply::Chunks(1), SuccessReply::Chunks(37)] {
        let whole = parsed(&provider::reply(&plain(), &kind, &canaries()));
        let from_array = parsed(&provider::reply(&array(), &kind, &canaries()));
        let sse = provider::reply(&events(), &kind, &canaries()).text();
        let from_events: Value = decode(Carrier::Sse, sse.as_bytes())
            .iter()
            .map(|frame| serde_json::from_str::<Value>(&frame.data).unwrap())
            .collect();
        assert_eq!(from_array, from_events);
        let part = |reply: &Value| {
            reply["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap().to_owned()
        };
        let mut pieces: Vec<_> = from_array.as_array().unwrap().iter().map(part).collect();
        assert_eq!(pieces.pop().as_deref(), Some(""));
        assert_eq!(pieces, provider::content_pieces(&kind, &canaries()));
        assert_eq!(part(&whole), pieces.concat());
    }
}

#[test]
fn a_function_call_comes_in_one_part() {
    let call = json!({"name": "get_weather", "args": {"city": "Paris", "note": canaries().content}});
    let whole = parsed(&provider::reply(&plain(), &SuccessReply::ToolCall, &canaries()));
    let chunks = parsed(&provider::reply(&array(), &SuccessReply::ToolCall, &canaries()));
    for reply in [&whole, &chunks[0]] {
        assert_eq!(reply["candidates"][0]["content"]["parts"][0]["functionCall"], call);
    }
    assert_eq!(chunks.as_array().unwrap().len(), 2);
}

/// The name, status, status word, kinds of details and retry delay of each error.
fn catalogue(provider: Provider, api: Api) -> String {
    let asked = RequestedCall::plain(provider, api, false);
    let rows = ErrorName::COMMON.iter().map(|name| {
        let message = provider::error(&asked, *name, &canaries());
        let text = message.text();
        assert_eq!(text.matches(&canaries().message).count(), 1, "{name}");
        assert_eq!(message.header("retry-after"), None, "{name}");
        let Ok(body) = serde_json::from_str::<Value>(&text) else {
            return format!("{name} {} {}", message.status, message.header("content-type").unwrap());
        };
        let word = match (
            &body["promptFeedback"]["blockReason"],
            &body["error"]["status"],
            &body["error"]["type"],
        ) {
            (Value::String(reason), _, _) => format!("blocked {reason}"),
            (_, Value::String(status), _) => {
                assert_eq!(body["error"]["code"], message.status, "{name}");
                status.clone()
            }
            (_, _, kind) => format!("anthropic {}", kind.as_str().unwrap()),
        };
        let details = body["error"]["details"].as_array().into_iter().flatten().map(|detail| {
            let kind = detail["@type"].as_str().unwrap().rsplit('.').next().unwrap();
            let more = detail["reason"].as_str().or(detail["retryDelay"].as_str());
            more.map_or(format!(" {kind}"), |more| format!(" {kind}={more}"))
        });
        format!("{name} {} {word}{}", message.status, details.collect::<String>())
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_catalogue_is_geminis() {
    insta::assert_snapshot!(catalogue(Provider::Gemini, Api::GeminiGenerate), @"
    invalid_api_key 400 INVALID_ARGUMENT ErrorInfo=API_KEY_INVALID LocalizedMessage
    missing_api_key 403 PERMISSION_DENIED
    permission 403 PERMISSION_DENIED
    model_not_found 404 NOT_FOUND
    bad_request 400 INVALID_ARGUMENT BadRequest
    context_length 400 INVALID_ARGUMENT
    content_policy 200 blocked PROHIBITED_CONTENT
    too_large 400 INVALID_ARGUMENT
    unprocessable 400 FAILED_PRECONDITION
    rate_limit 429 RESOURCE_EXHAUSTED QuotaFailure Help RetryInfo=7s
    token_limit 429 RESOURCE_EXHAUSTED QuotaFailure Help RetryInfo=7s
    quota 402 RESOURCE_EXHAUSTED
    internal 500 INTERNAL
    bad_gateway 502 text/html; charset=UTF-8
    unavailable 503 UNAVAILABLE
    gateway_timeout 504 DEADLINE_EXCEEDED
    overloaded 503 UNAVAILABLE
    ");
}

#[test]
fn the_catalogue_is_vertex_ais() {
    insta::assert_snapshot!(catalogue(Provider::Vertex, Api::GeminiGenerate), @"
    invalid_api_key 401 UNAUTHENTICATED ErrorInfo=ACCESS_TOKEN_TYPE_UNSUPPORTED
    missing_api_key 401 UNAUTHENTICATED ErrorInfo=CREDENTIALS_MISSING
    permission 403 PERMISSION_DENIED ErrorInfo=IAM_PERMISSION_DENIED
    model_not_found 404 NOT_FOUND
    bad_request 400 INVALID_ARGUMENT
    context_length 400 INVALID_ARGUMENT
    content_policy 200 blocked PROHIBITED_CONTENT
    too_large 400 INVALID_ARGUMENT
    unprocessable 400 FAILED_PRECONDITION
    rate_limit 429 RESOURCE_EXHAUSTED
    token_limit 429 RESOURCE_EXHAUSTED
    quota 403 PERMISSION_DENIED ErrorInfo=BILLING_DISABLED
    internal 500 INTERNAL
    bad_gateway 502 text/html; charset=UTF-8
    unavailable 503 UNAVAILABLE
    gateway_timeout 504 DEADLINE_EXCEEDED
    overloaded 503 UNAVAILABLE
    ");
}

#[test]
fn at_vertex_ai_claudes_errors_have_anthropics_form_and_the_front_ends_googles() {
    insta::assert_snapshot!(catalogue(Provider::Vertex, Api::AnthropicMessages), @"
    invalid_api_key 401 UNAUTHENTICATED ErrorInfo=ACCESS_TOKEN_TYPE_UNSUPPORTED
    missing_api_key 401 UNAUTHENTICATED ErrorInfo=CREDENTIALS_MISSING
    permission 403 PERMISSION_DENIED ErrorInfo=IAM_PERMISSION_DENIED
    model_not_found 404 NOT_FOUND
    bad_request 400 anthropic invalid_request_error
    context_length 400 anthropic invalid_request_error
    content_policy 400 anthropic invalid_request_error
    too_large 413 anthropic request_too_large
    unprocessable 400 anthropic invalid_request_error
    rate_limit 429 RESOURCE_EXHAUSTED
    token_limit 429 RESOURCE_EXHAUSTED
    quota 403 PERMISSION_DENIED ErrorInfo=BILLING_DISABLED
    internal 500 anthropic api_error
    bad_gateway 502 text/html; charset=UTF-8
    unavailable 503 UNAVAILABLE
    gateway_timeout 504 DEADLINE_EXCEEDED
    overloaded 529 anthropic overloaded_error
    ");
}

#[test]
fn an_errors_format_follows_from_the_requested_format() {
    let sent = |asked: &RequestedCall| {
        let message = provider::error(asked, ErrorName::Overloaded, &canaries());
        (message.header("content-type").unwrap().to_owned(), parsed(&message))
    };
    let (kind, body) = sent(&plain());
    assert_eq!((&*kind, &body["error"]["code"]), ("application/json; charset=UTF-8", &json!(503)));
    // Plain JSON under the stream's content type.
    assert_eq!(sent(&events()), ("text/event-stream".to_owned(), body.clone()));
    assert_eq!(sent(&array()), (kind.clone(), json!([body])));
    let compatible = RequestedCall::plain(Provider::Gemini, Api::OpenaiChat, false);
    assert_eq!(sent(&compatible).1[0]["error"]["status"], "UNAVAILABLE");
}

#[test]
fn a_refused_prompt_is_a_response_without_candidates() {
    let blocked = |asked: &RequestedCall| provider::error(asked, ErrorName::ContentPolicy, &canaries());
    let body = parsed(&blocked(&plain()));
    assert_eq!(
        (&body["promptFeedback"]["blockReason"], body.get("candidates")),
        (&json!("PROHIBITED_CONTENT"), None)
    );
    let stream = blocked(&events()).text();
    let frames = decode(Carrier::Sse, stream.as_bytes());
    assert_eq!(serde_json::from_str::<Value>(&frames[0].data).unwrap(), body);
    assert_eq!(parsed(&blocked(&array())), json!([body]));

    // In a stream that has begun, the response is cut off instead.
    let event = provider::error_event(&events(), ErrorName::ContentPolicy, None, &canaries());
    let chunk: Value = serde_json::from_str(&decode(Carrier::Sse, &event)[0].data).unwrap();
    assert_eq!(chunk["candidates"][0]["finishReason"], "PROHIBITED_CONTENT");
}

#[test]
fn an_error_event_is_one_more_frame_of_its_stream() {
    let event = |asked: &RequestedCall, form| {
        let event = provider::error_event(asked, ErrorName::Overloaded, form, &canaries());
        String::from_utf8(event.to_vec()).unwrap()
    };
    let sse = event(&events(), None);
    assert!(sse.ends_with("}}\r\n\r\n"));
    insta::assert_snapshot!(sse.trim_end(), @r#"data: {"error":{"code":503,"message":"The model is overloaded. Please try again later. (canary-msg-abc123-main-1)","status":"UNAVAILABLE"}}"#);
    for name in ErrorName::COMMON.iter().filter(|name| **name != ErrorName::ContentPolicy) {
        let event = provider::error_event(&events(), *name, None, &canaries());
        let chunk: Value = serde_json::from_str(&decode(Carrier::Sse, &event)[0].data).unwrap();
        assert!(chunk["error"]["status"].is_string() && chunk["error"]["code"].is_u64(), "{name}: {chunk}");
    }
    let bare = event(&events(), Some(EventForm::Bare));
    assert!(bare.starts_with("{\n  \"error\": {\n    \"code\": 503,"), "{bare}");

    let MessageBody::Events { events, .. } = provider::reply(&array(), &SuccessReply::Ok, &canaries()).body
    else {
        panic!("no stream")
    };
    let cut = format!("{}{}", String::from_utf8_lossy(&events[0]), event(&array(), None));
    assert_eq!(serde_json::from_str::<Value>(&cut).unwrap()[1]["error"]["status"], "UNAVAILABLE");
}

#[test]
fn every_path_that_sdks_and_proxies_build_is_known() {
    let headers = &[Header { name: "authorization", value: b"Bearer k" }];
    let asked = |provider, path: &str| {
        let received = ReceivedCall { method: "POST", path, headers, body: b"{}" };
        let asked =
            provider::read(provider, &received, &canaries()).map_err(|(_, refusal)| refusal.text()).unwrap();
        format!("{} {} {}", asked.api.unwrap(), if asked.stream { "stream" } else { "plain" }, asked.model)
    };
    for (path, expected) in [
        ("/v1beta/models/gemini-x:generateContent", "gemini/generate plain gemini-x"),
        ("/v1/models/gemini-x:streamGenerateContent?alt=sse", "gemini/generate stream gemini-x"),
        ("/models/gemini-x:streamGenerateContent?alt=sse", "gemini/generate stream gemini-x"),
        (":generateContent", "gemini/generate plain "),
        (":streamGenerateContent?alt=sse", "gemini/generate stream "),
        ("/v1beta/openai/chat/completions", "openai/chat plain "),
    ] {
        assert_eq!(asked(Provider::Gemini, path), expected, "{path}");
    }
    let at = "/v1/projects/p/locations/us-central1";
    for (path, expected) in [
        ("/publishers/google/models/gemini-x:generateContent", "gemini/generate plain gemini-x"),
        (
            "/publishers/google/models/gemini-x:streamGenerateContent?alt=sse",
            "gemini/generate stream gemini-x",
        ),
        ("/publishers/anthropic/models/claude-x@1:rawPredict", "anthropic/messages plain claude-x@1"),
        ("/publishers/anthropic/models/claude-x@1:streamRawPredict", "anthropic/messages stream claude-x@1"),
        ("/publishers/anthropic/models/count-tokens:rawPredict", "anthropic/count_tokens plain "),
        ("/publishers/mistralai/models/mistral-x:streamRawPredict", "openai/chat stream mistral-x"),
        ("/endpoints/4965075652664360960:generateContent", "gemini/generate plain 4965075652664360960"),
        ("/endpoints/openapi/chat/completions", "openai/chat plain "),
    ] {
        assert_eq!(asked(Provider::Vertex, &format!("{at}{path}")), expected, "{path}");
    }
}

#[test]
fn a_key_is_taken_from_the_header_or_the_query() {
    let body = br#"{"contents":[]}"#;
    let read = |name: Option<&'static str>, path| {
        let header = name.map(|name| Header { name, value: b"AIza-1" });
        let received = ReceivedCall { method: "POST", path, headers: header.as_slice(), body };
        provider::read(Provider::Gemini, &received, &canaries())
            .map(|asked| asked.key.unwrap())
            .map_err(|(_, refusal)| refusal.status)
    };
    let path = "/v1beta/models/m:generateContent";
    assert_eq!(read(Some("x-goog-api-key"), path), Ok("AIza-1".to_owned()));
    assert_eq!(
        read(None, "/v1beta/models/m:streamGenerateContent?alt=sse&key=AIza-2"),
        Ok("AIza-2".to_owned())
    );
    assert_eq!(read(None, path), Err(403));
}
