//! Ollama: `POST /api/chat` and `POST /api/generate`.
//!
//! A stream has one JSON object per line; the last one contains `"done": true`.
//!
//! Sources: <https://docs.ollama.com/api>, the types of Ollama's Python SDK 0.6.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::{
    observation::Canaries,
    provider::{
        content::{MockToolCall, content_pieces, output_tokens, tool_calls},
        message::{MessageBody, json},
        request::{RequestedCall, model_asked},
    },
    scenario::{ReplyEnd, SuccessReply},
};

/// The differences between the lines of the two endpoints.
pub(crate) struct Endpoint {
    /// The member that contains a piece of text.
    text: fn(&str) -> (&'static str, Value),
    /// The lines of a tool call: one member for each line.
    call: fn(&MockToolCall) -> Vec<(&'static str, Value)>,
    /// The member that a response without streaming contains in place of all lines.
    whole: fn(&str, &[MockToolCall]) -> (&'static str, Value),
    /// Members that only the last line has.
    last: fn() -> Value,
}

/// `/api/chat`
pub(crate) const CHAT: Endpoint = Endpoint {
    text: message,
    call: |call| vec![called("", std::slice::from_ref(call))],
    whole: called,
    last: || json!({}),
};

/// `/api/generate`
pub(crate) const GENERATE: Endpoint = Endpoint {
    text: |text| ("response", json!(text)),
    call: |call| call_as_text(call).into_iter().map(|piece| ("response", json!(piece))).collect(),
    whole: |text, calls| {
        let calls: String = calls.iter().flat_map(call_as_text).collect();
        ("response", json!(format!("{text}{calls}")))
    },
    // The tokens so far, from which the next request can continue.
    last: || json!({"context": [1, 2, 3]}),
};

pub(crate) fn reply(
    endpoint: &Endpoint,
    reply: &SuccessReply,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> (&'static str, MessageBody) {
    let pieces = content_pieces(reply, canaries);
    // Arguments are an object, so a call that was cut off is not sent.
    let calls: Vec<_> = tool_calls(reply, canaries).into_iter().filter(|call| !call.is_cut).collect();
    if !asked.stream {
        let member = (endpoint.whole)(&pieces.concat(), &calls);
        return json(&ended(endpoint, reply, asked, member, output_tokens(&pieces, &calls)));
    }
    let texts = pieces.iter().map(|piece| (endpoint.text)(piece));
    let lines = texts.chain(calls.iter().flat_map(endpoint.call));
    let mut events: Vec<_> = lines.map(|member| line(&begun(asked, member, false))).collect();
    if events.is_empty() {
        events.push(line(&begun(asked, (endpoint.text)(""), false)));
    }
    let last = ended(endpoint, reply, asked, (endpoint.text)(""), events.len());
    ("application/x-ndjson", MessageBody::Events { events, terminator: Some(line(&last)) })
}

/// Returns an error in a stream that has begun, in place of a line of content.
pub(crate) fn error_line(error: &Value) -> Bytes {
    line(error)
}

fn line(value: &Value) -> Bytes {
    format!("{value}\n").into()
}

/// The members of every line.
fn begun(asked: &RequestedCall, (name, member): (&'static str, Value), done: bool) -> Value {
    let mut members = Map::new();
    members.insert("model".into(), json!(model_asked(asked)));
    members.insert("created_at".into(), json!("2023-11-14T22:13:20Z"));
    members.insert(name.into(), member);
    members.insert("done".into(), json!(done));
    Value::Object(members)
}

/// The last line of a stream, or the complete response without streaming; durations are in nanoseconds.
fn ended(
    endpoint: &Endpoint,
    reply: &SuccessReply,
    asked: &RequestedCall,
    member: (&'static str, Value),
    tokens: usize,
) -> Value {
    let mut line = begun(asked, member, true);
    let totals = json!({
        "done_reason": if reply.end() == ReplyEnd::Limit { "length" } else { "stop" },
        "total_duration": 4_000_000,
        "load_duration": 1_000_000,
        "prompt_eval_count": 9,
        "prompt_eval_duration": 1_000_000,
        "eval_count": tokens,
        "eval_duration": 2_000_000,
    });
    if let Value::Object(members) = &mut line {
        for more in [totals, (endpoint.last)()] {
            members.extend(more.as_object().cloned().unwrap_or_default());
        }
    }
    line
}

fn message(text: &str) -> (&'static str, Value) {
    ("message", json!({"role": "assistant", "content": text}))
}

/// A message with complete tool calls: their arguments are objects, so they cannot be split into pieces.
fn called(text: &str, calls: &[MockToolCall]) -> (&'static str, Value) {
    let mut message = json!({"role": "assistant", "content": text});
    if !calls.is_empty() {
        let call =
            |call: &MockToolCall| json!({"function": {"name": call.name, "arguments": call.arguments()}});
        message["tool_calls"] = calls.iter().map(call).collect();
    }
    ("message", message)
}

/// `/api/generate` has no tools: a model that reads about them in its prompt answers with JSON.
fn call_as_text(call: &MockToolCall) -> Vec<String> {
    let mut pieces = call.pieces.clone();
    if let Some(first) = pieces.first_mut() {
        first.insert_str(0, &format!(r#"{{"name":"{}","arguments":"#, call.name));
    }
    if let Some(last) = pieces.last_mut() {
        last.push('}');
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        observation::Identity,
        provider::{self, ProviderMessage, tool_argument_pieces},
        scenario::{Api, ErrorName, Provider},
    };

    fn canaries() -> Canaries {
        Identity { token: "abc123".into() }.canaries("main", 1)
    }

    fn answered(api: Api, kind: &SuccessReply, stream: bool) -> ProviderMessage {
        provider::reply(&RequestedCall::plain(Provider::Ollama, api, stream), kind, &canaries())
    }

    fn whole(api: Api, kind: &SuccessReply) -> Value {
        let message = answered(api, kind, false);
        assert_eq!(message.header("content-type"), Some("application/json"));
        let MessageBody::Whole(bytes) = message.body else { panic!("a stream") };
        serde_json::from_slice(&bytes).unwrap()
    }

    /// The lines of a stream, and the line that ends it; checks that each entry is exactly one line.
    fn lines(api: Api, kind: &SuccessReply) -> (Vec<Value>, Value) {
        let message = answered(api, kind, true);
        assert_eq!(message.header("content-type"), Some("application/x-ndjson"));
        let MessageBody::Events { events, terminator } = message.body else { panic!("no stream") };
        let parsed = |line: &Bytes| {
            assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
            serde_json::from_slice(line).unwrap()
        };
        (events.iter().map(parsed).collect(), parsed(&terminator.unwrap()))
    }

    #[test]
    fn a_plain_chat_has_ollamas_form() {
        insta::assert_snapshot!(
            whole(Api::OllamaChat, &SuccessReply::Ok),
            @r#"{"model":"llama3.1","created_at":"2023-11-14T22:13:20Z","message":{"role":"assistant","content":"[1] canary-txt-abc123-main-1 [2] [3] [4] [5]"},"done":true,"done_reason":"stop","total_duration":4000000,"load_duration":1000000,"prompt_eval_count":9,"prompt_eval_duration":1000000,"eval_count":5,"eval_duration":2000000}"#
        );
    }

    #[test]
    fn each_piece_is_one_line_and_the_last_line_says_done() {
        for (api, text) in [(Api::OllamaChat, "/message/content"), (Api::OllamaGenerate, "/response")] {
            for kind in [
                SuccessReply::Ok,
                SuccessReply::NonAscii,
                SuccessReply::MaxTokens,
                SuccessReply::Chunks(1),
                SuccessReply::Chunks(37),
            ] {
                let (lines, last) = lines(api, &kind);
                let texts: Vec<_> =
                    lines.iter().map(|line| line.pointer(text).unwrap().as_str().unwrap()).collect();
                assert_eq!(texts, content_pieces(&kind, &canaries()));
                assert!(lines.iter().all(|line| line["done"] == false && line.get("done_reason").is_none()));
                assert_eq!((&last["done"], last.pointer(text)), (&json!(true), Some(&json!(""))));
                assert_eq!(last["eval_count"], texts.len());
                assert_eq!(whole(api, &kind).pointer(text), Some(&json!(texts.concat())));
            }
        }
    }

    #[test]
    fn a_chats_tool_call_is_one_line_with_its_arguments_as_an_object() {
        let (lines, _) = lines(Api::OllamaChat, &SuccessReply::ToolCall);
        let call = &whole(Api::OllamaChat, &SuccessReply::ToolCall)["message"];
        assert_eq!((lines.len(), &lines[0]["message"]), (1, call));
        let arguments = &call["tool_calls"][0]["function"]["arguments"];
        assert_eq!(arguments, &json!({"city": "Paris", "note": canaries().content}));
    }

    #[test]
    fn generate_sends_a_tool_call_as_json_text_in_pieces() {
        let (lines, _) = lines(Api::OllamaGenerate, &SuccessReply::ToolCall);
        assert_eq!(lines.len(), tool_argument_pieces(&canaries()).len());
        let text: String = lines.iter().map(|line| line["response"].as_str().unwrap()).collect();
        assert_eq!(whole(Api::OllamaGenerate, &SuccessReply::ToolCall)["response"], text);
        let call: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&call["name"], &call["arguments"]["city"]), (&json!("get_weather"), &json!("Paris")));
    }

    #[test]
    fn every_error_in_a_stream_is_a_separate_line() {
        let asked = RequestedCall::plain(Provider::Ollama, Api::OllamaChat, true);
        for name in ErrorName::COMMON {
            let line = provider::error_event(&asked, *name, None, &canaries());
            let line = std::str::from_utf8(&line).unwrap();
            let error: Value = serde_json::from_str(line.strip_suffix('\n').unwrap()).unwrap();
            assert_eq!(error.as_object().unwrap().len(), 1, "{name}");
            assert_eq!(error["error"].as_str().unwrap().matches(&canaries().message).count(), 1, "{name}");
        }
    }
}
