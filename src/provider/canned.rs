//! Literal responses of a scenario, and the placeholders in them.

use bytes::Bytes;
use serde_json::Value;

use super::{
    header::{HeaderField, header},
    message::{MessageBody, ProviderMessage, TimedChunk},
    profile,
    request::RequestedCall,
};
use crate::{
    observation::Canaries,
    scenario::{Provider, ReplyChunk},
};

/// Fills in `{{canary.message}}`, `.code`, `.type`, `.param`, `.request_id`, `.header` and
/// `.content`; leaves all other text in braces unchanged.
pub(crate) fn fill(text: &str, canaries: &Canaries) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let Some(end) = rest[start + 2..].find("}}") else { break };
        let inner = &rest[start + 2..start + 2 + end];
        if let Some(token) = token(inner.trim(), canaries) {
            out.push_str(&rest[..start]);
            out.push_str(token);
            rest = &rest[start + end + 4..];
        } else {
            // Skips only the first brace: `{{{canary.code}}` still contains a placeholder.
            out.push_str(&rest[..=start]);
            rest = &rest[start + 1..];
        }
    }
    out.push_str(rest);
    out
}

fn token<'a>(name: &str, canaries: &'a Canaries) -> Option<&'a str> {
    Some(match name.strip_prefix("canary.")? {
        "message" => &canaries.message,
        "code" => &canaries.code,
        "type" => &canaries.kind,
        "param" => &canaries.param,
        "request_id" => &canaries.request_id,
        "header" => &canaries.header,
        "content" => &canaries.content,
        _ => return None,
    })
}

pub(super) fn fill_value(value: &Value, canaries: &Canaries) -> Value {
    match value {
        Value::String(text) => Value::String(fill(text, canaries)),
        Value::Array(items) => items.iter().map(|item| fill_value(item, canaries)).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(k, v)| (k.clone(), fill_value(v, canaries))).collect())
        }
        other => other.clone(),
    }
}

/// Returns a literal response of a scenario: a string is sent verbatim, any other value as JSON.
///
/// A string that looks like JSON, HTML or an event stream gets that content type, any other string
/// `text/plain`. An event stream is sent event by event, so that faults can take effect between events.
pub(super) fn literal(
    asked: &RequestedCall,
    status: u16,
    body: Option<&Value>,
    canaries: &Canaries,
) -> ProviderMessage {
    let (content_type, body) = match body {
        None => (None, MessageBody::Whole(Bytes::new())),
        Some(Value::String(text)) => {
            let text = fill(text, canaries);
            match text_type(&text) {
                kind @ "text/event-stream" => (Some(kind), events(&text)),
                kind => (Some(kind), MessageBody::Whole(text.into())),
            }
        }
        Some(value) => {
            let text = fill_value(value, canaries).to_string();
            (Some("application/json"), MessageBody::Whole(text.into()))
        }
    };
    ProviderMessage { status, headers: headers(asked, content_type, canaries), body }
}

/// Returns a literal response whose body is sent in parts. The type of the content is that of the parts joined.
pub(super) fn in_chunks(
    asked: &RequestedCall,
    status: u16,
    chunks: &[ReplyChunk],
    canaries: &Canaries,
) -> ProviderMessage {
    let filled = |chunk: &ReplyChunk| TimedChunk {
        wait: chunk.after.unwrap_or_default(),
        bytes: match &chunk.text {
            Some(text) => fill(text, canaries).into(),
            None => chunk.bytes().into(),
        },
    };
    let chunks: Vec<TimedChunk> = chunks.iter().map(filled).collect();
    let joined: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes.iter().copied()).collect();
    let content_type = std::str::from_utf8(&joined).map_or("application/octet-stream", text_type);
    let headers = headers(asked, Some(content_type), canaries);
    ProviderMessage { status, headers, body: MessageBody::Chunks(chunks) }
}

/// The headers of a literal response, before those of the scenario.
fn headers(
    asked: &RequestedCall,
    content_type: Option<&'static str>,
    canaries: &Canaries,
) -> Vec<HeaderField> {
    let mut headers = Vec::new();
    headers.extend(content_type.map(|kind| header("content-type", kind)));
    let own = &profile::of(asked.provider).headers;
    headers.extend(own_request_ids(asked.provider).map(|name| header(name, fill(&own[name], canaries))));
    headers
}

/// The names of the headers in which the provider sends the id of a request. A literal response contains them too.
pub(crate) fn own_request_ids(provider: Provider) -> impl Iterator<Item = &'static str> {
    let own = profile::of(provider).headers.iter();
    own.filter(|(_, value)| value.contains("canary.request_id")).map(|(name, _)| name.as_str())
}

/// Whether a text begins like a stream of server-sent events.
pub(crate) fn looks_like_events(text: &str) -> bool {
    let start = text.trim_start();
    ["data:", "event:", "id:", "retry:", ":"].iter().any(|field| start.starts_with(field))
}

fn text_type(text: &str) -> &'static str {
    let start = text.trim_start();
    if serde_json::from_str::<serde::de::IgnoredAny>(start).is_ok_and(|_| start.starts_with(['{', '['])) {
        "application/json"
    } else if start.starts_with('<') {
        "text/html"
    } else if looks_like_events(start) {
        "text/event-stream"
    } else {
        "text/plain"
    }
}

/// Whether a literal body can only come from endpoints of one dialect: JSON or an event stream, and not a page or a
/// text of the network in front of them.
pub(crate) fn is_of_a_dialect(body: &Value) -> bool {
    match body {
        Value::String(text) => !matches!(text_type(text), "text/html" | "text/plain"),
        Value::Object(_) | Value::Array(_) => true,
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Splits a stream after each empty line (LF or CRLF line ends); the text after the last empty line is an event
/// too.
fn events(text: &str) -> MessageBody {
    let mut events = Vec::new();
    let mut event = String::new();
    for line in text.split_inclusive('\n') {
        event.push_str(line);
        if matches!(line, "\n" | "\r\n") {
            events.push(Bytes::from(std::mem::take(&mut event)));
        }
    }
    if !event.is_empty() {
        events.push(event.into());
    }
    let terminator = events.pop_if(|last| last.trim_ascii() == b"data: [DONE]");
    MessageBody::Events { events, terminator }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Identity;

    fn asked() -> RequestedCall {
        RequestedCall::nothing(Provider::Openai)
    }

    fn canaries() -> Canaries {
        Identity { token: "abc123".into() }.canaries("main", 1)
    }

    #[test]
    fn placeholders_are_filled_and_other_braces_are_kept() {
        let text = "{{canary.code}} {{ canary.type }} {{{canary.param}} {{other}} {{canary.none}} {{";
        insta::assert_snapshot!(
            fill(text, &canaries()),
            @"canary_code_abc123-main-1 canary_type_abc123-main-1 {canary_param_abc123-main-1 {{other}} {{canary.none}} {{"
        );
    }

    #[test]
    fn json_is_filled_inside_its_strings() {
        let body = serde_json::json!({"error": {"message": "no: {{canary.message}}", "list": ["{{canary.code}}", 1]}});
        let message = literal(&asked(), 418, Some(&body), &canaries());
        assert_eq!(message.header("content-type"), Some("application/json"));
        let MessageBody::Whole(bytes) = message.body else { panic!("not whole") };
        insta::assert_snapshot!(
            String::from_utf8_lossy(&bytes),
            @r#"{"error":{"message":"no: canary-msg-abc123-main-1","list":["canary_code_abc123-main-1",1]}}"#
        );
    }

    #[test]
    fn a_text_gets_the_content_type_that_it_looks_like() {
        for (text, kind) in [
            ("plain", "text/plain"),
            ("", "text/plain"),
            ("{\"a\":1}", "application/json"),
            ("{not json", "text/plain"),
            (" <html>", "text/html"),
            ("data: x\n\n", "text/event-stream"),
        ] {
            assert_eq!(
                literal(&asked(), 200, Some(&text.into()), &canaries()).header("content-type"),
                Some(kind),
                "{text}"
            );
        }
        assert_eq!(literal(&asked(), 204, None, &canaries()).header("content-type"), None);
    }

    #[test]
    fn a_body_is_sent_only_at_its_endpoint() {
        use crate::scenario::{Api, Turn, TurnReply};
        let bodies = [(Api::OpenaiChat, Value::from("{{canary.content}}"))].into_iter().collect();
        let turn = |status, bodies| Turn {
            answer: TurnReply::Literal { status, body: None, bodies, chunks: Vec::new() },
            headers: [("content-type", "text/x"), ("x-own", "1")]
                .map(|(name, value)| (name.to_owned(), Some(value.to_owned())))
                .into(),
            faults: vec![],
        };
        let sent = |api, turn: &Turn| {
            let message = crate::provider::message(
                &RequestedCall::plain(Provider::Openai, api, false),
                turn,
                &canaries(),
            );
            assert_eq!(message.header("x-own"), Some("1"));
            let kind = message.header("content-type").map(str::to_owned);
            (message.status, kind, message.text())
        };
        let kind = |kind: &str| Some(kind.to_owned());
        let success = turn(201, bodies);
        assert_eq!(sent(Api::OpenaiChat, &success), (201, kind("text/x"), canaries().content));
        let (status, own, text) = sent(Api::OpenaiResponses, &success);
        assert_eq!((status, own), (201, kind("application/json")));
        assert!(text.contains("output_text") && text.contains(&canaries().content), "{text}");
        // An error with the same status, also if the catalogue has none.
        for (status, code) in
            [(429, "rate_limit_exceeded"), (418, "invalid_request_error"), (599, "server_error")]
        {
            let bodies = [(Api::OpenaiChat, "x".into()), (Api::OpenaiResponses, Value::Null)].into();
            let (got, own, text) = sent(Api::OpenaiResponses, &turn(status, bodies));
            assert_eq!((got, own), (status, kind("application/json")));
            assert!(text.contains(code) && text.contains(&canaries().message), "{text}");
        }
    }

    #[test]
    fn an_event_stream_is_split_into_its_events() {
        let message =
            literal(&asked(), 200, Some(&"data: 1\n\ndata: 2\r\n\r\ndata: [DONE]\n\n".into()), &canaries());
        let MessageBody::Events { events, terminator } = message.body else { panic!("no events") };
        assert_eq!(events, ["data: 1\n\n", "data: 2\r\n\r\n"]);
        assert_eq!(terminator.as_deref(), Some(&b"data: [DONE]\n\n"[..]));
    }
}
