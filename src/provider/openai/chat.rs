//! OpenAI: `POST /v1/chat/completions`.
//!
//! Sources: <https://platform.openai.com/docs/api-reference/chat>, the header dumps quoted in
//! community.openai.com/t/935514 (limit headers carry Go durations).

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::{
    observation::Canaries,
    provider::{
        ChatExtras,
        canned::fill_value,
        content::{MockToolCall, content_pieces, created, output_tokens, stem, tool_calls},
        message::{MessageBody, json},
        profile,
        request::{RequestedCall, model_asked},
    },
    scenario::{EventForm, ReplyEnd, SuccessReply},
};

pub(crate) fn reply(
    reply: &SuccessReply,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> (&'static str, MessageBody) {
    if asked.stream {
        ("text/event-stream; charset=utf-8", stream(reply, asked, canaries))
    } else {
        json(&completion(reply, asked, canaries))
    }
}

/// The finish reason of a text, in chat and in the older completions.
pub(super) const fn finish_reason(reply: &SuccessReply) -> &'static str {
    match reply.end() {
        ReplyEnd::Whole => "stop",
        ReplyEnd::Limit => "length",
        ReplyEnd::Filter => "content_filter",
    }
}

/// The finish reason of a reply with these tool calls.
fn finish_with(calls: &[MockToolCall], reply: &SuccessReply) -> &'static str {
    match reply.end() {
        ReplyEnd::Whole if !calls.is_empty() => "tool_calls",
        _ => finish_reason(reply),
    }
}

/// A tool call with these arguments, as in a complete message.
fn call(call: &MockToolCall, arguments: String) -> Value {
    let function = json!({"name": call.name, "arguments": arguments});
    json!({"id": format!("call_{}", call.id), "type": "function", "function": function})
}

fn completion(reply: &SuccessReply, asked: &RequestedCall, canaries: &Canaries) -> Value {
    let extras = Extras::of(asked, canaries);
    let (pieces, calls) = (content_pieces(reply, canaries), tool_calls(reply, canaries));
    let (finish, tokens) = (finish_with(&calls, reply), output_tokens(&pieces, &calls));
    let content = if pieces.is_empty() { Value::Null } else { json!(pieces.concat()) };
    let mut message = json!({"role": "assistant", "content": content});
    if !calls.is_empty() {
        let call = |one: &MockToolCall| {
            let mut call = call(one, one.text());
            extras.lay(&extras.data.call, &mut call);
            call
        };
        message["tool_calls"] = calls.iter().map(call).collect();
    }
    message["refusal"] = Value::Null;
    extras.lay(&extras.data.message, &mut message);
    let mut choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": finish});
    extras.lay(&extras.data.choice, &mut choice);
    let mut completion = json!({
        "id": completion_id(canaries),
        "object": "chat.completion",
        "created": created(),
        "model": model_asked(asked),
        "choices": [choice],
        "usage": extras.usage(tokens),
        "system_fingerprint": null,
    });
    extras.lay(&extras.data.reply, &mut completion);
    completion
}

fn stream(reply: &SuccessReply, asked: &RequestedCall, canaries: &Canaries) -> MessageBody {
    let chunks = Chunks::of(asked, canaries);
    let mut events: Vec<Bytes> =
        chunks.extras.data.first_chunk.as_ref().map(|extra| chunks.first(extra)).into_iter().collect();
    let (pieces, calls) = (content_pieces(reply, canaries), tool_calls(reply, canaries));
    let (finish, tokens) = (finish_with(&calls, reply), output_tokens(&pieces, &calls));
    let whole = chunks.extras.data.whole_calls;
    let mut starts = calls.iter().enumerate().map(|(index, one)| {
        let call = call(one, if whole { one.text() } else { String::new() });
        let mut start = json!({ "index": index });
        lay(call.as_object().cloned().unwrap_or_default(), &mut start);
        start
    });
    // Without text, the first call begins in the chunk with the role.
    if pieces.is_empty()
        && let Some(first) = starts.next()
    {
        events.push(chunks.opening(json!({"role": "assistant", "content": null, "tool_calls": [first]})));
    } else {
        events.push(chunks.opening(json!({"role": "assistant", "content": "", "refusal": null})));
        events.extend(pieces.iter().map(|piece| chunks.delta(json!({"content": piece}))));
    }
    for (index, call) in calls.iter().enumerate() {
        if index > 0 || !pieces.is_empty() {
            events.extend(starts.next().map(|start| chunks.delta(json!({"tool_calls": [start]}))));
        }
        let pieces = if whole { &[] } else { &call.pieces[..] };
        events.extend(pieces.iter().map(|piece| {
            chunks.delta(json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
        }));
    }
    events.push(chunks.last(finish, tokens));
    events.extend(chunks.usage(tokens));
    if let Some(first) = events.first_mut() {
        let comments: String =
            chunks.extras.data.comments.iter().map(|text| format!(": {text}\n\n")).collect();
        *first = [comments.as_bytes(), first].concat().into();
    }
    MessageBody::Events { events, terminator: Some(Bytes::from_static(b"data: [DONE]\n\n")) }
}

/// The chunks of one stream. A stream can have ten thousand of them, so the part that all of them share is
/// serialized once.
struct Chunks<'a> {
    extras: Extras<'a>,
    /// The members that precede the choices.
    members: Value,
    /// The serialized start of every chunk, up to the choices: these members and the provider's.
    stem: String,
    /// The members that the provider adds to each choice.
    choice: Map<String, Value>,
    /// The members that the provider adds to each delta.
    delta: Map<String, Value>,
    /// Whether the caller requests the usage: then every chunk has the member, which is null in all but the last.
    with_usage: bool,
}

impl<'a> Chunks<'a> {
    fn of(asked: &'a RequestedCall, canaries: &'a Canaries) -> Self {
        let extras = Extras::of(asked, canaries);
        let members = json!({
            "id": completion_id(canaries),
            "object": "chat.completion.chunk",
            "created": created(),
            "model": model_asked(asked),
            "system_fingerprint": null,
        });
        let mut common = members.clone();
        extras.lay(&extras.data.chunk, &mut common);
        let choice = extras.filled(&extras.data.choice);
        let delta = extras.filled(&extras.data.delta);
        let with_usage = asked.with_usage;
        Self { extras, members, stem: opened(&common), choice, delta, with_usage }
    }

    fn first(&self, extra: &Map<String, Value>) -> Bytes {
        let mut chunk = self.members.clone();
        chunk["choices"] = json!([]);
        self.extras.lay(extra, &mut chunk);
        format!("data: {chunk}\n\n").into()
    }

    /// The chunk with the role.
    fn opening(&self, delta: Value) -> Bytes {
        let mut members = self.members.clone();
        self.extras.lay(&self.extras.data.chunk, &mut members);
        self.extras.lay(&self.extras.data.opening_chunk, &mut members);
        let usage = self.with_usage.then_some(Value::Null);
        self.chunk(&opened(&members), delta, None, usage.as_ref())
    }

    fn delta(&self, delta: Value) -> Bytes {
        let usage = self.with_usage.then_some(Value::Null);
        self.chunk(&self.stem, delta, None, usage.as_ref())
    }

    /// The chunk with the finish reason.
    fn last(&self, finish: &str, tokens: usize) -> Bytes {
        let mut members = self.members.clone();
        self.extras.lay(&self.extras.data.chunk, &mut members);
        self.extras.lay(&self.extras.data.final_chunk, &mut members);
        let usage = if self.extras.data.usage_in_final {
            Some(self.extras.usage(tokens))
        } else {
            self.with_usage.then_some(Value::Null)
        };
        self.chunk(&opened(&members), json!({}), Some(finish), usage.as_ref())
    }

    fn chunk(&self, stem: &str, mut delta: Value, finish: Option<&str>, usage: Option<&Value>) -> Bytes {
        lay(self.delta.clone(), &mut delta);
        let mut choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        lay(self.choice.clone(), &mut choice);
        let usage = usage.map(|usage| format!(",\"usage\":{usage}")).unwrap_or_default();
        format!("data: {stem},\"choices\":[{choice}]{usage}}}\n\n").into()
    }

    /// The chunk that contains only the usage.
    fn usage(&self, tokens: usize) -> Option<Bytes> {
        let own = self.with_usage && !self.extras.data.usage_in_final;
        let usage = self.extras.usage(tokens);
        own.then(|| format!("data: {},\"choices\":[],\"usage\":{usage}}}\n\n", self.stem).into())
    }
}

/// An object without its closing brace.
fn opened(object: &Value) -> String {
    let mut text = object.to_string();
    text.pop();
    text
}

/// The members that the provider adds, with placeholders filled in.
struct Extras<'a> {
    data: &'static ChatExtras,
    canaries: &'a Canaries,
}

impl<'a> Extras<'a> {
    fn of(asked: &RequestedCall, canaries: &'a Canaries) -> Self {
        Self { data: &profile(asked.provider).chat, canaries }
    }

    fn filled(&self, members: &Map<String, Value>) -> Map<String, Value> {
        members.iter().map(|(name, value)| (name.clone(), fill_value(value, self.canaries))).collect()
    }

    fn lay(&self, members: &Map<String, Value>, object: &mut Value) {
        lay(self.filled(members), object);
    }

    fn usage(&self, tokens: usize) -> Value {
        let mut usage = usage(tokens);
        self.lay(&self.data.usage, &mut usage);
        usage
    }
}

fn lay(members: Map<String, Value>, object: &mut Value) {
    if let Value::Object(object) = object {
        object.extend(members);
    }
}

/// Returns an error as an event of a stream that has begun.
pub(crate) fn error_event(error: &Value, form: Option<EventForm>) -> Bytes {
    match form {
        Some(EventForm::Named) => format!("event: error\ndata: {error}\n\n"),
        Some(EventForm::Bare) => format!("{error}\n"),
        _ => format!("data: {error}\n\n"),
    }
    .into()
}

fn usage(completion_tokens: usize) -> Value {
    json!({"prompt_tokens": 9, "completion_tokens": completion_tokens, "total_tokens": 9 + completion_tokens})
}

fn completion_id(canaries: &Canaries) -> String {
    format!("chatcmpl-{}", stem(canaries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        observation::Identity,
        provider::{self, ProviderMessage},
        scenario::{Api, Provider},
    };

    fn asked(body: Value) -> RequestedCall {
        let model = body["model"].as_str().unwrap_or_default().to_owned();
        let stream = body["stream"] == true;
        let with_usage = body["stream_options"]["include_usage"] == true;
        let plain = RequestedCall::plain(Provider::Openai, Api::OpenaiChat, false);
        RequestedCall { model, stream, with_usage, body: body.into(), ..plain }
    }

    fn answered(kind: &SuccessReply, body: Value) -> ProviderMessage {
        provider::reply(&asked(body), kind, &canaries())
    }

    fn canaries() -> Canaries {
        Identity { token: "abc123".into() }.canaries("main", 1)
    }

    /// The chunks of a stream; checks that each is one `data:` event.
    fn chunks(message: &ProviderMessage) -> Vec<Value> {
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
    fn a_plain_response_has_openais_form() {
        let message = answered(&SuccessReply::Ok, json!({"model": "gpt-x"}));
        insta::assert_snapshot!(
            message.text(),
            @r#"{"id":"chatcmpl-abc123-main-1","object":"chat.completion","created":1700000000,"model":"gpt-x","choices":[{"index":0,"message":{"role":"assistant","content":"[1] canary-txt-abc123-main-1 [2] [3] [4] [5]","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14},"system_fingerprint":null}"#
        );
        assert_eq!(message.header("x-request-id"), Some("req_abc123-main-1"));
        assert_eq!(message.header("openai-organization"), Some("canary-hdr-abc123-main-1"));
        assert_eq!(message.header("x-ratelimit-remaining-requests"), Some("499"));
    }

    #[test]
    fn the_request_decides_about_the_stream_and_each_piece_is_one_event() {
        for kind in [
            SuccessReply::Ok,
            SuccessReply::NonAscii,
            SuccessReply::MaxTokens,
            SuccessReply::Chunks(1),
            SuccessReply::Chunks(37),
        ] {
            let request = json!({"model": "a\"b", "stream": true});
            let chunks = chunks(&answered(&kind, request));
            let contents: Vec<_> = chunks
                .iter()
                .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
                .filter(|content| !content.is_empty())
                .collect();
            assert_eq!(contents, provider::content_pieces(&kind, &canaries()));
            assert_eq!(chunks.len(), contents.len() + 2);
            assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
            assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], finish_reason(&kind));
            assert!(chunks.iter().all(|chunk| chunk["model"] == "a\"b" && chunk.get("usage").is_none()));

            let plain = answered(&kind, json!({"model": "m"}));
            let plain: Value = serde_json::from_str(&plain.text()).unwrap();
            assert_eq!(plain["choices"][0]["message"]["content"], contents.concat());
        }
    }

    #[test]
    fn requested_usage_comes_in_a_separate_last_chunk() {
        let request = json!({"stream": true, "stream_options": {"include_usage": true}});
        let chunks = chunks(&answered(&SuccessReply::Ok, request));
        let (last, others) = chunks.split_last().unwrap();
        assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(14)));
        assert!(others.iter().all(|chunk| chunk.get("usage") == Some(&Value::Null)));
    }

    #[test]
    fn a_tool_calls_arguments_are_the_same_json_in_both_forms() {
        let chunks = chunks(&answered(&SuccessReply::ToolCall, json!({"stream": true})));
        let arguments: Vec<_> = chunks
            .iter()
            .filter_map(|chunk| {
                chunk["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str()
            })
            .collect();
        assert!(arguments.len() > 2);
        assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
        let plain: Value =
            serde_json::from_str(&answered(&SuccessReply::ToolCall, json!({})).text()).unwrap();
        let whole = &plain["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"];
        assert_eq!(whole, &arguments.concat());
        let parsed: Value = serde_json::from_str(whole.as_str().unwrap()).unwrap();
        assert_eq!(parsed, json!({"city": "Paris", "note": canaries().content}));
    }
}
