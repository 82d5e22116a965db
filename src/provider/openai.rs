//! OpenAI: `POST /v1/chat/completions`.
//!
//! Sources: <https://platform.openai.com/docs/api-reference/chat>, the header dumps quoted in
//! community.openai.com/t/935514 (limit headers carry Go durations).

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    catalogue::{ErrorForm, ErrorRow, Limits},
    dialect::{catalogue_row, content_pieces, tool_argument_pieces},
    message::{Message, MessageBody},
};
use crate::{
    observation::Canaries,
    scenario::{Api, ErrorName, Malform, Provider, Reply},
};

/// A fixed time, so that the same case gives the same bytes.
const CREATED: u64 = 1_700_000_000;
const CHAT: &str = "/v1/chat/completions";

pub(super) fn reply(reply: &Reply, request: &Value, canaries: &Canaries) -> Message {
    let mut headers = standard_headers(canaries);
    headers.extend(limit_headers(Limits::None));
    let streamed = request["stream"] == true;
    let (content_type, body) = if streamed {
        ("text/event-stream; charset=utf-8", stream(reply, request, canaries))
    } else {
        ("application/json", MessageBody::Whole(completion(reply, request, canaries).to_string().into()))
    };
    headers.insert(0, header("content-type", content_type));
    Message { status: 200, headers, body }
}

fn completion(reply: &Reply, request: &Value, canaries: &Canaries) -> Value {
    let (message, finish, tokens) = match reply {
        Reply::ToolCall => {
            let pieces = tool_argument_pieces(canaries);
            let call = json!({
                "id": call_id(canaries),
                "type": "function",
                "function": {"name": "get_weather", "arguments": pieces.concat()},
            });
            let message =
                json!({"role": "assistant", "content": null, "tool_calls": [call], "refusal": null});
            (message, "tool_calls", pieces.len())
        }
        Reply::Ok | Reply::Chunks(_) => {
            let pieces = content_pieces(reply, canaries);
            let message = json!({"role": "assistant", "content": pieces.concat(), "refusal": null});
            (message, "stop", pieces.len())
        }
    };
    json!({
        "id": completion_id(canaries),
        "object": "chat.completion",
        "created": CREATED,
        "model": model(request),
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}],
        "usage": usage(tokens),
        "system_fingerprint": null,
    })
}

fn stream(reply: &Reply, request: &Value, canaries: &Canaries) -> MessageBody {
    let with_usage = request["stream_options"]["include_usage"] == true;
    // Ten thousand pieces are asked for now and then, so what all chunks share is written once.
    let stem = format!(
        r#"data: {{"id":{},"object":"chat.completion.chunk","created":{CREATED},"model":{},"system_fingerprint":null,"choices":["#,
        json!(completion_id(canaries)),
        json!(model(request)),
    );
    // With include_usage every chunk has the member, null in all but the last.
    let tail = if with_usage { r#"],"usage":null}"# } else { "]}" };
    let chunk = |delta: Value, finish: Option<&str>| {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        Bytes::from(format!("{stem}{choice}{tail}\n\n"))
    };

    let mut events = Vec::new();
    let tokens = match reply {
        Reply::ToolCall => {
            let function = json!({"name": "get_weather", "arguments": ""});
            let call = json!({"index": 0, "id": call_id(canaries), "type": "function", "function": function});
            events.push(chunk(json!({"role": "assistant", "content": null, "tool_calls": [call]}), None));
            let pieces = tool_argument_pieces(canaries);
            events.extend(pieces.iter().map(|piece| {
                chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}), None)
            }));
            events.push(chunk(json!({}), Some("tool_calls")));
            pieces.len()
        }
        Reply::Ok | Reply::Chunks(_) => {
            events.push(chunk(json!({"role": "assistant", "content": "", "refusal": null}), None));
            let pieces = content_pieces(reply, canaries);
            events.extend(pieces.iter().map(|piece| chunk(json!({"content": piece}), None)));
            events.push(chunk(json!({}), Some("stop")));
            pieces.len()
        }
    };
    if with_usage {
        events.push(format!("{stem}],\"usage\":{}}}\n\n", usage(tokens)).into());
    }
    MessageBody::Events { events, terminator: Some(Bytes::from_static(b"data: [DONE]\n\n")) }
}

pub(super) fn error(row: &ErrorRow, canaries: &Canaries, request: &Value) -> Message {
    match row.form {
        ErrorForm::Json => {
            let mut headers = vec![header("content-type", "application/json")];
            headers.extend(standard_headers(canaries));
            if row.limits != Limits::None {
                headers.push(header("retry-after", "7"));
                headers.push(header("retry-after-ms", "7000"));
                headers.extend(limit_headers(row.limits));
            }
            let body = json!({"error": error_object(row, &text(row, canaries, model(request)))});
            Message { status: row.status, headers, body: MessageBody::Whole(body.to_string().into()) }
        }
        ErrorForm::HtmlPage => html_page(row.status, row.text, canaries),
    }
}

pub(super) fn error_event(row: &ErrorRow, canaries: &Canaries) -> Bytes {
    let body = json!({"error": error_object(row, &text(row, canaries, "gpt-4o-mini"))});
    format!("data: {body}\n\n").into()
}

pub(super) fn malformed(malform: Malform, canaries: &Canaries) -> Message {
    let body = match malform {
        Malform::NotJson => Bytes::from(format!("upstream said: {} (this is not JSON)", canaries.message)),
        Malform::Empty => Bytes::new(),
        Malform::Null => Bytes::from_static(b"null"),
        Malform::Html => return html_page(200, "Just a moment...", canaries),
        Malform::CutJson => {
            let mut text = completion(&Reply::Ok, &Value::Null, canaries).to_string();
            // All of it is ASCII, so every place is between two characters.
            text.truncate(text.len() / 2);
            text.into()
        }
        Malform::Error(name) => {
            let mut message = error(catalogue_row(Provider::Openai, name), canaries, &Value::Null);
            message.status = 200;
            return message;
        }
    };
    let mut headers = vec![header("content-type", "application/json")];
    headers.extend(standard_headers(canaries));
    Message { status: 200, headers, body: MessageBody::Whole(body) }
}

pub(super) fn route(method: &str, path: &str) -> Result<Api, Message> {
    let path = path.split('?').next().unwrap_or(path);
    let (status, message) = match (path, method) {
        (CHAT, "POST") => return Ok(Api::OpenaiChat),
        (CHAT, _) => (405, format!("Not allowed to {method} on {path}.")),
        _ => (404, format!("Invalid URL ({method} {path})")),
    };
    Err(refusal(status, &message, None))
}

pub(super) fn admit(authorization: Option<&str>, body: &[u8], canaries: &Canaries) -> Result<Value, Message> {
    let key = authorization.and_then(|value| {
        let (scheme, key) = value.trim().split_once(' ')?;
        (scheme.eq_ignore_ascii_case("bearer") && !key.trim().is_empty()).then_some(key)
    });
    if key.is_none() {
        let row = catalogue_row(Provider::Openai, ErrorName::MissingApiKey);
        return Err(error(row, canaries, &Value::Null));
    }
    match serde_json::from_slice(body) {
        Ok(request @ Value::Object(_)) => Ok(request),
        _ => Err(refusal(
            400,
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your \
             HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)",
            Some(canaries),
        )),
    }
}

/// What OpenAI says to a request that never reaches a model. Texts are recalled.
fn refusal(status: u16, message: &str, canaries: Option<&Canaries>) -> Message {
    let body =
        json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": null}});
    let mut headers = vec![header("content-type", "application/json")];
    if let Some(canaries) = canaries {
        headers.extend(standard_headers(canaries));
    }
    if status == 405 {
        headers.push(header("allow", "POST"));
    }
    Message { status, headers, body: MessageBody::Whole(body.to_string().into()) }
}

/// A page of the network in front of the provider: it has none of the provider's headers.
fn html_page(status: u16, title: &str, canaries: &Canaries) -> Message {
    let page = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n\
         <center>{}</center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n",
        canaries.message
    );
    let headers = vec![
        header("content-type", "text/html; charset=UTF-8"),
        header("server", "cloudflare"),
        header("cf-ray", "8c0ffee0deadbeef-FRA"),
    ];
    Message { status, headers, body: MessageBody::Whole(page.into()) }
}

fn text(row: &ErrorRow, canaries: &Canaries, model: &str) -> String {
    format!("{} ({})", row.text.replace("{model}", model), canaries.message)
}

fn error_object(row: &ErrorRow, message: &str) -> Value {
    json!({"message": message, "type": row.kind, "param": row.param, "code": row.code})
}

fn standard_headers(canaries: &Canaries) -> Vec<(String, String)> {
    vec![
        header("x-request-id", &canaries.request_id),
        header("openai-organization", &canaries.header),
        header("openai-processing-ms", "42"),
        header("openai-version", "2020-10-01"),
    ]
}

fn limit_headers(used_up: Limits) -> Vec<(String, String)> {
    let (requests, requests_reset) = if used_up == Limits::Requests { ("0", "7s") } else { ("499", "120ms") };
    let (tokens, tokens_reset) = if used_up == Limits::Tokens { ("407", "7s") } else { ("29972", "56ms") };
    vec![
        header("x-ratelimit-limit-requests", "500"),
        header("x-ratelimit-limit-tokens", "30000"),
        header("x-ratelimit-remaining-requests", requests),
        header("x-ratelimit-remaining-tokens", tokens),
        header("x-ratelimit-reset-requests", requests_reset),
        header("x-ratelimit-reset-tokens", tokens_reset),
    ]
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn usage(completion_tokens: usize) -> Value {
    json!({"prompt_tokens": 9, "completion_tokens": completion_tokens, "total_tokens": 9 + completion_tokens})
}

/// The model that was asked for, echoed back.
fn model(request: &Value) -> &str {
    request["model"].as_str().unwrap_or("gpt-4o-mini")
}

fn completion_id(canaries: &Canaries) -> String {
    format!("chatcmpl-{}", stem(canaries))
}

fn call_id(canaries: &Canaries) -> String {
    format!("call_{}", stem(canaries))
}

fn stem(canaries: &Canaries) -> &str {
    canaries.request_id.strip_prefix("req_").unwrap_or(&canaries.request_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        observation::Identity,
        provider,
        scenario::{Combination, ErrorName},
    };

    const COMBINATION: Combination =
        Combination { api: Api::OpenaiChat, provider: Provider::Openai, stream: false };

    fn canaries() -> Canaries {
        Identity { token: "abc123".into() }.canaries("main", 1)
    }

    fn text(message: &Message) -> String {
        match &message.body {
            MessageBody::Whole(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            MessageBody::Events { .. } => panic!("a stream"),
        }
    }

    /// The chunks of a stream, each checked to be one `data:` event.
    fn chunks(message: &Message) -> Vec<Value> {
        let MessageBody::Events { events, terminator } = &message.body else { panic!("no stream") };
        assert_eq!(terminator.as_deref(), Some(&b"data: [DONE]\n\n"[..]));
        events
            .iter()
            .map(|event| {
                let event = std::str::from_utf8(event).unwrap();
                let data = event.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
                serde_json::from_str(data).unwrap()
            })
            .collect()
    }

    #[test]
    fn a_plain_reply_reads_like_openais() {
        let message = reply(&Reply::Ok, &json!({"model": "gpt-x"}), &canaries());
        insta::assert_snapshot!(
            text(&message),
            @r#"{"id":"chatcmpl-abc123-main-1","object":"chat.completion","created":1700000000,"model":"gpt-x","choices":[{"index":0,"message":{"role":"assistant","content":"[1] canary-txt-abc123-main-1 [2] [3] [4] [5]","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14},"system_fingerprint":null}"#
        );
        assert_eq!(message.header("x-request-id"), Some("req_abc123-main-1"));
        assert_eq!(message.header("openai-organization"), Some("canary-hdr-abc123-main-1"));
        assert_eq!(message.header("x-ratelimit-remaining-requests"), Some("499"));
    }

    #[test]
    fn the_request_decides_about_the_stream_and_each_piece_is_one_event() {
        for kind in [Reply::Ok, Reply::Chunks(1), Reply::Chunks(37)] {
            let request = json!({"model": "a\"b", "stream": true});
            let chunks = chunks(&provider::reply(COMBINATION, &kind, &request, &canaries()));
            let contents: Vec<_> = chunks
                .iter()
                .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
                .filter(|content| !content.is_empty())
                .collect();
            assert_eq!(contents, provider::content_pieces(&kind, &canaries()));
            assert_eq!(chunks.len(), contents.len() + 2);
            assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
            assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "stop");
            assert!(chunks.iter().all(|chunk| chunk["model"] == "a\"b" && chunk.get("usage").is_none()));

            let plain = provider::reply(COMBINATION, &kind, &json!({"model": "m"}), &canaries());
            let plain: Value = serde_json::from_str(&text(&plain)).unwrap();
            assert_eq!(plain["choices"][0]["message"]["content"], contents.concat());
        }
    }

    #[test]
    fn usage_comes_in_a_last_chunk_of_its_own_when_it_is_asked_for() {
        let request = json!({"stream": true, "stream_options": {"include_usage": true}});
        let chunks = chunks(&reply(&Reply::Ok, &request, &canaries()));
        let (last, others) = chunks.split_last().unwrap();
        assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(14)));
        assert!(others.iter().all(|chunk| chunk.get("usage") == Some(&Value::Null)));
    }

    #[test]
    fn a_tool_calls_arguments_are_the_same_json_in_both_forms() {
        let chunks = chunks(&reply(&Reply::ToolCall, &json!({"stream": true}), &canaries()));
        let arguments: Vec<_> = chunks
            .iter()
            .filter_map(|chunk| {
                chunk["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str()
            })
            .collect();
        assert!(arguments.len() > 2);
        assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
        let plain: Value =
            serde_json::from_str(&text(&reply(&Reply::ToolCall, &Value::Null, &canaries()))).unwrap();
        let whole = &plain["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"];
        assert_eq!(whole, &arguments.concat());
        let parsed: Value = serde_json::from_str(whole.as_str().unwrap()).unwrap();
        assert_eq!(parsed, json!({"city": "Paris", "note": canaries().content}));
    }

    #[test]
    fn the_catalogue_reads_like_openais() {
        let rows: Vec<_> = ErrorName::ALL
            .iter()
            .map(|name| {
                let message = provider::error(Provider::Openai, *name, &canaries(), &json!({"model": "m"}));
                let body = text(&message);
                assert_eq!(body.matches(&canaries().message).count(), 1, "{name}");
                let short = match serde_json::from_str::<Value>(&body) {
                    Ok(body) => format!(
                        "{} {} {}",
                        body["error"]["type"], body["error"]["code"], body["error"]["param"]
                    ),
                    Err(_) => message.header("content-type").unwrap().to_owned(),
                };
                let retry = message
                    .header("retry-after")
                    .map_or(String::new(), |value| format!(" retry-after {value}"));
                format!("{name} {} {short}{retry}", message.status)
            })
            .collect();
        insta::assert_snapshot!(rows.join("\n"), @r#"
        invalid_api_key 401 "invalid_request_error" "invalid_api_key" null
        missing_api_key 401 "invalid_request_error" null null
        permission 403 "request_forbidden" "unsupported_country_region_territory" null
        model_not_found 404 "invalid_request_error" "model_not_found" null
        bad_request 400 "invalid_request_error" "unsupported_parameter" "max_tokens"
        context_length 400 "invalid_request_error" "context_length_exceeded" "messages"
        content_policy 400 "invalid_request_error" "invalid_prompt" null
        too_large 413 "invalid_request_error" null null
        unprocessable 422 "invalid_request_error" null null
        rate_limit 429 "requests" "rate_limit_exceeded" null retry-after 7
        token_limit 429 "tokens" "rate_limit_exceeded" null retry-after 7
        quota 429 "insufficient_quota" "insufficient_quota" null
        internal 500 "server_error" null null
        bad_gateway 502 text/html; charset=UTF-8
        unavailable 503 "server_error" null null
        gateway_timeout 504 text/html; charset=UTF-8
        overloaded 503 "service_unavailable_error" "server_is_overloaded" null
        "#);
    }

    #[test]
    fn an_error_event_is_the_error_object_as_data() {
        let event = provider::error_event(Provider::Openai, ErrorName::Overloaded, &canaries());
        let event = std::str::from_utf8(&event).unwrap();
        assert!(event.ends_with("}\n\n"));
        insta::assert_snapshot!(
            event.trim_end(),
            @r#"data: {"error":{"message":"The engine is currently overloaded, please try again later. (canary-msg-abc123-main-1)","type":"service_unavailable_error","param":null,"code":"server_is_overloaded"}}"#
        );
    }

    #[test]
    fn used_up_limits_say_when_they_are_filled_again() {
        let headers = |name| provider::error(Provider::Openai, name, &canaries(), &Value::Null);
        let requests = headers(ErrorName::RateLimit);
        assert_eq!(requests.header("x-ratelimit-remaining-requests"), Some("0"));
        assert_eq!(requests.header("x-ratelimit-reset-requests"), Some("7s"));
        assert_eq!(requests.header("retry-after-ms"), Some("7000"));
        assert_eq!(headers(ErrorName::TokenLimit).header("x-ratelimit-reset-tokens"), Some("7s"));
        assert_eq!(headers(ErrorName::Quota).header("retry-after"), None);
    }

    #[test]
    fn malformed_replies_are_no_answers() {
        for malform in [Malform::NotJson, Malform::Empty, Malform::Html, Malform::CutJson] {
            let message = provider::malformed(Provider::Openai, malform, &canaries());
            assert_eq!(message.status, 200);
            assert!(serde_json::from_str::<Value>(&text(&message)).is_err(), "{malform}");
        }
        let error = provider::malformed(Provider::Openai, Malform::Error(ErrorName::Quota), &canaries());
        assert_eq!(error.status, 200);
        assert!(text(&error).contains("insufficient_quota"));
    }

    #[test]
    fn unknown_paths_and_methods_get_openais_own_words() {
        assert_eq!(
            provider::route(Provider::Openai, "POST", "/v1/chat/completions?x=1"),
            Ok(Api::OpenaiChat)
        );
        let unknown = provider::route(Provider::Openai, "POST", "/v1/nothing").unwrap_err();
        assert_eq!(unknown.status, 404);
        assert!(text(&unknown).contains("Invalid URL (POST /v1/nothing)"));
        let method = provider::route(Provider::Openai, "GET", "/v1/chat/completions").unwrap_err();
        assert_eq!((method.status, method.header("allow")), (405, Some("POST")));
    }
}
