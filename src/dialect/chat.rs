//! `openai/chat` and its predecessor, `openai/completions`.

use serde_json::{Value, json};

use super::{
    error::nested,
    error_form::ErrorForm,
    parsed::{ChunkContent, Completion, StreamEvent},
    request_body::{PROMPT, RequestBody, messages},
    row::{ApiRow, ResponseReader, SampleEvent, StreamRow},
    tool_call::tool_call_parts,
};

pub(super) static CHAT: ApiRow = ApiRow {
    path: "/v1/chat/completions",
    stream_path: None,
    headers: &[],
    request: || RequestBody::json(json!({"messages": messages()})),
    response: ResponseReader::Json(completion),
    errors: ErrorForm::Openai,
    stream: Some(STREAM),
};

pub(super) static COMPLETIONS: ApiRow = ApiRow {
    path: "/v1/completions",
    stream_path: None,
    headers: &[],
    request: || RequestBody::json(json!({ "prompt": PROMPT })),
    response: ResponseReader::Json(legacy),
    errors: ErrorForm::Openai,
    stream: Some(StreamRow {
        finish: &[SampleEvent(
            None,
            r#"{"id":"cmpl-0","object":"text_completion","created":0,"model":"unknown","choices":[{"index":0,"text":"","finish_reason":"stop"}]}"#,
        )],
        ..STREAM
    }),
};

const STREAM: StreamRow = StreamRow {
    event: |_, data| event(data),
    finish: &[SampleEvent(
        None,
        r#"{"id":"chatcmpl-0","object":"chat.completion.chunk","created":0,"model":"unknown","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    )],
    terminator: Some(SampleEvent(None, "[DONE]")),
    awaited_terminator: Some("[DONE]"),
    ..StreamRow::SSE
};

/// Parses the data of one event of a stream.
pub(super) fn event(data: &str) -> StreamEvent {
    if data.trim() == "[DONE]" {
        return StreamEvent::Done;
    }
    let Ok(value) = serde_json::from_str::<Value>(data) else {
        return StreamEvent::Odd(data.to_owned());
    };
    if let Some(error) = nested(&value) {
        return StreamEvent::Error(error);
    }
    let Some(choices) = value.get("choices").and_then(Value::as_array) else {
        return StreamEvent::Odd(data.to_owned());
    };
    let first = choices.iter().find(|choice| index(choice) == 0);
    let mut content = match first {
        Some(choice) => ChunkContent::of(said(choice), &value),
        None => ChunkContent::default(),
    };
    content.other_choices = others(choices);
    StreamEvent::chunk(content, first.and_then(finish))
}

/// Parses a complete response of `openai/chat`; `None` if `value` is not one.
fn completion(value: &Value) -> Option<Completion> {
    let choices = value.get("choices")?.as_array()?;
    let choice = choices.first()?;
    choice.get("message")?.is_object().then(|| {
        let content =
            ChunkContent { other_choices: others(choices), ..ChunkContent::of(said(choice), value) };
        Completion::whole(content, finish(choice))
    })
}

/// Parses a complete response of `openai/completions`; `None` if `value` is not one.
fn legacy(value: &Value) -> Option<Completion> {
    let choices = value.get("choices")?.as_array()?;
    let choice = choices.first()?;
    choice.get("text")?.as_str()?;
    let content = ChunkContent { other_choices: others(choices), ..ChunkContent::text(said(choice)) };
    Some(Completion::whole(content, finish(choice)))
}

fn index(choice: &Value) -> u64 {
    choice.get("index").and_then(Value::as_u64).unwrap_or(0)
}

/// The text of a choice, or of a part of it: the content and a refusal in a chat, the text of the older completions.
fn said(choice: &Value) -> String {
    let members =
        ["/delta/content", "/delta/refusal", "/message/content", "/message/refusal", "/text"].into_iter();
    members.filter_map(|member| choice.pointer(member)?.as_str()).collect()
}

/// The texts and the arguments of all choices but the first.
fn others(choices: &[Value]) -> Vec<(u64, String)> {
    let others = choices.iter().filter(|choice| index(choice) > 0);
    others
        .map(|choice| {
            let calls = tool_call_parts(&json!({ "choices": [choice] }));
            let arguments: String = calls.into_iter().map(|call| call.arguments).collect();
            (index(choice), said(choice) + &arguments)
        })
        .collect()
}

fn finish(choice: &Value) -> Option<String> {
    choice.get("finish_reason").and_then(Value::as_str).map(str::to_owned)
}
