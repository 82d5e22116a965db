//! Reads an event or a complete response by the shape of its JSON, whatever its API. For snapshots: a proxy may answer in
//! another dialect than the requested one, and the snapshot shows that answer too.

use serde_json::Value;

use super::bedrock::exception_type;

/// The text of a content event or of a complete response. For openai/responses also pieces of a tool call's arguments,
/// which are a plain `delta` too.
pub(crate) fn content(value: &Value) -> String {
    let mut text = String::new();
    let mut add = |piece: Option<&Value>| text.push_str(piece.and_then(Value::as_str).unwrap_or_default());
    // openai/chat: choices[].delta.content, choices[].message.content; openai/completions: choices[].text
    for choice in list(value, "choices") {
        add(choice.pointer("/delta/content"));
        add(choice.pointer("/message/content"));
        add(choice.get("text"));
    }
    // gemini/generate: candidates[].content.parts[].text
    for candidate in list(value, "candidates") {
        for part in candidate.get("content").map(|content| list(content, "parts")).unwrap_or_default() {
            add(part.get("text"));
        }
    }
    // openai/responses: delta; anthropic/messages, bedrock/converse: delta.text; cohere/chat: delta.message.content.text
    match value.get("delta") {
        Some(Value::String(piece)) => add(Some(&Value::from(piece.as_str()))),
        Some(delta) => {
            add(delta.get("text"));
            add(delta.pointer("/message/content/text"));
        }
        None => {}
    }
    // anthropic/messages
    for block in list(value, "content") {
        add(block.get("text"));
    }
    // openai/responses: output[].content[].text
    for block in list(value, "output").iter().flat_map(|item| list(item, "content")) {
        add(block.get("text"));
    }
    // bedrock/converse: output.message.content[].text; cohere/chat: message.content[].text
    for message in [value.pointer("/output/message"), value.get("message")].into_iter().flatten() {
        list(message, "content").iter().for_each(|block| add(block.get("text")));
    }
    // ollama/chat, ollama/generate
    if value.get("done").is_some() {
        add(value.pointer("/message/content"));
        add(value.get("response"));
    }
    text
}

/// Whether a stream event contains a tool call or a part of one. Not for openai/responses, whose pieces are content (see
/// [`content`]).
pub(crate) fn has_tool_call(value: &Value) -> bool {
    let in_chat = list(value, "choices").iter().any(|choice| {
        ["delta", "message"]
            .iter()
            .any(|part| choice.pointer(&format!("/{part}/tool_calls")).is_some_and(|calls| !calls.is_null()))
    });
    let in_gemini = list(value, "candidates").iter().any(|candidate| {
        let parts = candidate.get("content").map(|content| list(content, "parts")).unwrap_or_default();
        parts.iter().any(|part| part.get("functionCall").is_some())
    });
    let elsewhere = [
        "/delta/partial_json",
        "/delta/toolUse/input",
        "/delta/message/tool_calls/function/arguments",
        "/message/tool_calls",
    ];
    in_chat || in_gemini || elsewhere.iter().any(|pointer| value.pointer(pointer).is_some())
}

/// Why the content ended, if the event or the response contains a reason.
pub(crate) fn finish_reason(value: &Value) -> Option<String> {
    let of_choice = list(value, "choices").iter().find_map(|choice| choice.get("finish_reason")?.as_str());
    let of_candidate =
        || list(value, "candidates").iter().find_map(|candidate| candidate.get("finishReason")?.as_str());
    let plain = || {
        [
            "/delta/stop_reason",
            "/stop_reason",
            "/stopReason",
            "/promptFeedback/blockReason",
            "/delta/finish_reason",
            "/finish_reason",
            "/done_reason",
        ]
        .iter()
        .find_map(|p| value.pointer(p)?.as_str())
    };
    // openai/responses has no reason; the status of the response takes its place.
    let of_response = || {
        let whole = value.get("object").is_some_and(|object| object == "response");
        value.get("status").and_then(Value::as_str).filter(|_| whole)
    };
    of_choice.or_else(of_candidate).or_else(plain).or_else(of_response).map(str::to_owned)
}

/// The names of the usage counts. The values are left out: they depend on how a proxy counts the tokens of the random text
/// in each case.
pub(crate) fn usage(value: &Value) -> Option<String> {
    if value.get("eval_count").is_some() {
        return Some("eval_count, prompt_eval_count".to_owned());
    }
    let usage = ["/usage", "/usageMetadata", "/response/usage", "/delta/usage"]
        .iter()
        .find_map(|pointer| value.pointer(pointer)?.as_object())?;
    let mut names: Vec<&str> = usage.keys().map(String::as_str).collect();
    names.sort_unstable();
    Some(names.join(", "))
}

/// The number of embeddings and their size, if the response is a list of embeddings.
pub(crate) fn embeddings(value: &Value) -> Option<String> {
    let data = list(value, "data").iter().map(|item| item.get("embedding")).collect::<Option<Vec<_>>>()?;
    let vectors =
        if data.is_empty() { value.pointer("/embeddings/float")?.as_array()?.iter().collect() } else { data };
    let size = match vectors.first()? {
        Value::Array(numbers) => format!("{} numbers", numbers.len()),
        _ => "base64".to_owned(),
    };
    Some(format!("{} of {size}", vectors.len()))
}

/// Whether an event is an error. `kind` is its `type` field or, without one, the name of the SSE event.
pub(crate) fn is_error(value: &Value, kind: Option<&str>) -> bool {
    value.get("error").is_some_and(|error| !error.is_null())
        || kind.is_some_and(|kind| {
            kind == "error" || kind.ends_with(".failed") || exception_type(kind).is_some()
        })
        // Cohere sends an error in the last event of the message.
        || value.pointer("/delta/error").is_some_and(|error| !error.is_null())
        || value.pointer("/delta/finish_reason").and_then(Value::as_str).is_some_and(|r| r.starts_with("ERROR"))
}

/// Whether a value is a chunk of a known dialect, with or without content.
pub(crate) fn is_known_chunk(value: &Value) -> bool {
    ["choices", "candidates", "done"].iter().any(|name| value.get(*name).is_some())
}

/// Whether the counts of a chunk, if it has any, are final. Gemini sends counts in every chunk, and only those in the chunk
/// with the finish reason are final.
pub(crate) fn counts_are_final(value: &Value, has_finish_reason: bool) -> bool {
    value.get("candidates").is_none() || has_finish_reason
}

/// The elements of a JSON array of chunks, which Google sends as a stream unless the request asks for events.
pub(crate) fn chunks(value: &Value) -> Option<&[Value]> {
    let elements = value.as_array()?;
    elements.iter().any(|element| element.get("candidates").is_some()).then_some(elements)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
