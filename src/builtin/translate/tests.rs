//! Both directions, and that each reverses the other.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Translator, reply, request};
use crate::{
    scenario::Api,
    wire::frames::{Carrier, Frame, decode},
};

const CHAT: Api = Api::OpenaiChat;
const MESSAGES: Api = Api::AnthropicMessages;

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn asked(caller: Api, upstream: Api, body: Value) -> Value {
    request(caller, upstream, &object(body)).into()
}

fn replied(caller: Api, upstream: Api, body: &Value) -> Value {
    serde_json::from_slice(&reply(caller, upstream, body.to_string().into())).unwrap()
}

fn translated(caller: Api, upstream: Api, frames: &[Frame]) -> Vec<Frame> {
    let mut translator = Translator::new(caller, upstream, true).unwrap();
    let mut bytes = Vec::new();
    for frame in frames {
        bytes.extend(translator.frame(frame));
    }
    bytes.extend(translator.end());
    decode(Carrier::Sse, &bytes)
}

fn chunks(deltas: &[Value], finish: &str) -> Vec<Frame> {
    let frame = |choices: Value, usage: Value| {
        let data = json!({"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": choices, "usage": usage});
        Frame { event: None, data: data.to_string() }
    };
    let mut frames: Vec<_> = deltas
        .iter()
        .map(|delta| frame(json!([{"index": 0, "delta": delta, "finish_reason": null}]), Value::Null))
        .collect();
    frames.push(frame(json!([{"index": 0, "delta": {}, "finish_reason": finish}]), Value::Null));
    frames.push(frame(json!([]), json!({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7})));
    frames
}

fn shown(frames: &[Frame]) -> String {
    let line = |frame: &Frame| match &frame.event {
        Some(event) => format!("{event}: {}\n", frame.data),
        None => format!("{}\n", frame.data),
    };
    frames.iter().map(line).collect()
}

#[test]
fn a_chats_request_becomes_one_for_messages() {
    let body = json!({
        "model": "alias",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
                {"id": "t2", "type": "function", "function": {"name": "g", "arguments": "{bad"}},
            ]},
            {"role": "tool", "tool_call_id": "t1", "content": "one"},
            {"role": "tool", "tool_call_id": "t2", "content": "two"},
            {"role": "user", "content": [
                {"type": "text", "text": "And this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ]},
        ],
        "max_tokens": 9, "stop": "END", "stream": true, "temperature": null,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": "required",
    });
    insta::assert_snapshot!(
        format!("{:#}", asked(CHAT, MESSAGES, body)).replace("  ", " "),
        @r#"
    {
     "model": "alias",
     "max_tokens": 9,
     "system": "Be brief.",
     "messages": [
      {
       "role": "user",
       "content": "Hi"
      },
      {
       "role": "assistant",
       "content": [
        {
         "type": "tool_use",
         "id": "t1",
         "name": "f",
         "input": {
          "a": 1
         }
        },
        {
         "type": "tool_use",
         "id": "t2",
         "name": "g",
         "input": {}
        }
       ]
      },
      {
       "role": "user",
       "content": [
        {
         "type": "tool_result",
         "tool_use_id": "t1",
         "content": "one"
        },
        {
         "type": "tool_result",
         "tool_use_id": "t2",
         "content": "two"
        }
       ]
      },
      {
       "role": "user",
       "content": [
        {
         "type": "text",
         "text": "And this?"
        },
        {
         "type": "image",
         "source": {
          "type": "base64",
          "media_type": "image/png",
          "data": "AAAA"
         }
        }
       ]
      }
     ],
     "stream": true,
     "stop_sequences": [
      "END"
     ],
     "tools": [
      {
       "name": "f",
       "input_schema": {
        "type": "object"
       }
      }
     ],
     "tool_choice": {
      "type": "any"
     }
    }
    "#
    );
}

#[test]
fn a_request_for_messages_becomes_a_chats_and_comes_back_the_same() {
    let body = json!({
        "model": "alias",
        "max_tokens": 9,
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
            ]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "one"}]},
        ],
        "stream": true,
        "stop_sequences": ["END"],
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": "f"},
    });
    let chat = asked(MESSAGES, CHAT, body.clone());
    assert_eq!(chat["messages"][0], json!({"role": "system", "content": "Be brief."}));
    assert_eq!(chat["stream_options"], json!({"include_usage": true}));
    assert_eq!(chat["max_completion_tokens"], 9);
    assert_eq!(asked(CHAT, MESSAGES, chat), body);
}

#[test]
fn a_message_becomes_a_completion_with_all_that_clients_expect() {
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn", "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 2},
    });
    let completion = replied(CHAT, MESSAGES, &message);
    insta::assert_snapshot!(completion, @r#"{"id":"msg_1","object":"chat.completion","created":0,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#);
    assert_eq!(replied(MESSAGES, CHAT, &completion), message);
}

#[test]
fn a_tool_call_keeps_its_arguments_both_ways() {
    let message = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"city": "Paris"}}],
        "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 2},
    });
    let completion = replied(CHAT, MESSAGES, &message);
    assert_eq!(completion["choices"][0]["message"]["content"], Value::Null);
    assert_eq!(completion["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(replied(MESSAGES, CHAT, &completion), message);
}

#[test]
fn chunks_become_events_of_messages() {
    let deltas =
        [json!({"role": "assistant", "content": ""}), json!({"content": "a"}), json!({"content": "b"})];
    insta::assert_snapshot!(shown(&translated(MESSAGES, CHAT, &chunks(&deltas, "stop"))), @r#"
    message_start: {"type":"message_start","message":{"id":"c","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}}
    content_block_start: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}
    content_block_delta: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}
    content_block_delta: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"b"}}
    content_block_stop: {"type":"content_block_stop","index":0}
    message_delta: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":3,"output_tokens":4}}
    message_stop: {"type":"message_stop"}
    "#);
}

#[test]
fn events_of_messages_become_chunks_again() {
    let call = |index: u64, arguments: &str, id: Value| json!({"tool_calls": [{"index": index, "id": id, "type": "function", "function": {"name": "f", "arguments": arguments}}]});
    let deltas = [
        json!({"role": "assistant", "content": null}),
        call(0, "", json!("t0")),
        call(0, "{}", Value::Null),
        call(1, "{\"a\":", json!("t1")),
        call(1, "1}", Value::Null),
    ];
    let events = translated(MESSAGES, CHAT, &chunks(&deltas, "tool_calls"));
    insta::assert_snapshot!(shown(&translated(CHAT, MESSAGES, &events)), @r#"
    {"id":"c","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]}
    {"id":"c","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t0","type":"function","function":{"name":"f","arguments":""}}]},"logprobs":null,"finish_reason":null}]}
    {"id":"c","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]},"logprobs":null,"finish_reason":null}]}
    {"id":"c","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"t1","type":"function","function":{"name":"f","arguments":""}}]},"logprobs":null,"finish_reason":null}]}
    {"id":"c","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{\"a\":"}}]},"logprobs":null,"finish_reason":null}]}
    {"id":"c","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"1}"}}]},"logprobs":null,"finish_reason":null}]}
    {"id":"c","object":"chat.completion.chunk","created":0,"model":"m","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}]}
    {"id":"c","object":"chat.completion.chunk","created":0,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}
    [DONE]
    "#);
}

proptest! {
    #[test]
    fn every_piece_of_text_is_one_event_there_and_one_chunk_back(pieces in proptest::collection::vec(".{1,8}", 1..6)) {
        let deltas: Vec<Value> = pieces.iter().map(|piece| json!({ "content": piece })).collect();
        let events = translated(MESSAGES, CHAT, &chunks(&deltas, "stop"));
        let back = translated(CHAT, MESSAGES, &events);
        let texts: Vec<String> = back
            .iter()
            .filter_map(|frame| serde_json::from_str::<Value>(&frame.data).ok())
            .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
            .filter(|text| !text.is_empty())
            .collect();
        prop_assert_eq!(texts, pieces);
    }

    #[test]
    fn no_body_and_no_frame_makes_it_panic(data in "[\\[\\]{}\":,a-z0-9]{0,60}", names in proptest::collection::vec("[a-z_]{1,12}", 0..4)) {
        let words = ["content", "messages", "choices", "delta", "tool_calls", "type", "usage", "system", "tools"];
        let value = serde_json::from_str::<Value>(&data).unwrap_or_else(|_| json!(data));
        let body: Value = words.iter().map(|name| ((*name).to_owned(), value.clone())).chain(
            names.iter().map(|name| (name.clone(), json!([value.clone()]))),
        ).collect::<Map<_, _>>().into();
        for (caller, upstream) in [(CHAT, MESSAGES), (MESSAGES, CHAT)] {
            request(caller, upstream, &object(body.clone()));
            reply(caller, upstream, body.to_string().into());
            translated(caller, upstream, &[Frame { event: None, data: body.to_string() }]);
        }
    }
}
