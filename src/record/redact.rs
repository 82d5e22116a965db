//! Redacts a recorded response: what the allow-list does not contain is replaced by placeholders, in memory and before
//! anything reaches the disk. No byte of a body moves, so the parts of a body keep their lengths.

use super::{
    allowed::{Allowed, TextRule, is_word},
    redact_aws::redact_event_stream,
    redact_json::redact_value,
    redact_text::{blank, redact_text},
};
use crate::{observation::REQUEST_IDS, wire::frames::Carrier};

/// The placeholder for the id of a request, which the mock fills in.
const REQUEST_ID: &str = "{{canary.request_id}}";

/// The value of a header (its name in lower case) as it may be stored.
pub(super) fn redacted_header(name: &str, value: &str, allowed: &Allowed) -> String {
    if allowed.keeps_header(name) {
        return value.to_owned();
    }
    if REQUEST_IDS.contains(&name) {
        return REQUEST_ID.to_owned();
    }
    let mut bytes = value.as_bytes().to_vec();
    blank(&mut bytes);
    // Every byte is ASCII now.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Redacts a whole body in place. `content_type` says how it is read.
pub(super) fn redact_body(bytes: &mut [u8], content_type: Option<&str>, allowed: &Allowed) {
    let kind = content_type.unwrap_or_default().to_ascii_lowercase();
    match Carrier::of(&kind) {
        Some(Carrier::Sse) => redact_events(bytes, allowed),
        Some(Carrier::Aws) => redact_event_stream(bytes, allowed),
        // One value in each line.
        Some(Carrier::Ndjson) => {
            bytes.split_mut(|byte| *byte == b'\n').for_each(|line| redact_value(line, allowed));
        }
        Some(Carrier::WebSocket) | None => {
            let is_text = kind.is_empty() || kind.contains("json") || kind.starts_with("text/");
            if is_text { redact_value(bytes, allowed) } else { bytes.fill(0) }
        }
    }
}

/// Redacts server-sent events line by line.
fn redact_events(bytes: &mut [u8], allowed: &Allowed) {
    for line in bytes.split_mut(|byte| matches!(byte, b'\n' | b'\r')) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            redact_text(line, TextRule::CommonWords, allowed, false);
            continue;
        };
        let (field, rest) = line.split_at_mut(colon);
        let value = &mut rest[1..];
        let value = if value.first() == Some(&b' ') { &mut value[1..] } else { value };
        match &*field {
            b"data" if value == b"[DONE]" => {}
            b"data" => redact_value(value, allowed),
            b"event" if std::str::from_utf8(value).is_ok_and(is_word) => {}
            b"retry" if value.iter().all(u8::is_ascii_digit) => {}
            b"" => redact_text(value, TextRule::CommonWords, allowed, false),
            b"event" | b"id" | b"retry" => blank(value),
            _ => redact_text(line, TextRule::CommonWords, allowed, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str, content_type: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        redact_body(&mut bytes, Some(content_type), &Allowed::new(&[], &[]));
        assert_eq!(bytes.len(), text.len(), "the length stays");
        String::from_utf8(bytes).expect("it is text")
    }

    #[test]
    fn events_keep_their_names_and_lose_their_content() {
        let stream = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi Bob\"}}\n\n: secret remark\r\nid: 77ab\n\ndata: [DONE]\n\n";
        insta::assert_snapshot!(redacted(stream, "text/event-stream; charset=utf-8").replace('\r', "<CR>"), @r#"
        event: content_block_delta
        data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"Xx Xxx"}}

        : xxxxxx xxxxxx<CR>
        id: 00xx

        data: [DONE]
        "#);
    }

    #[test]
    fn pages_keep_their_common_words() {
        let page =
            "<html>\n<head><title>502 Bad Gateway</title></head>\n<body>edge-acme-17.internal</body></html>";
        insta::assert_snapshot!(redacted(page, "text/html"), @r"
        <html>
        <head><title>502 Bad Gateway</title></head>
        <body>xxxx-xxxx-00.xxxxxxxx</body></html>
        ");
    }

    #[test]
    fn nothing_stays_of_a_body_that_is_not_text() {
        assert_eq!(redacted("RIFF secret", "audio/wav"), "\0".repeat(11));
        assert_eq!(
            redacted("{\"done\":true,\"a\":\"b\"}\n{\"done\"", "application/x-ndjson"),
            "{\"done\":true,\"x\":\"x\"}\n{\"xxxx\""
        );
    }

    #[test]
    fn headers_that_are_not_listed_keep_only_their_shape() {
        let of = |name, value| redacted_header(name, value, &Allowed::new(&[], &[]));
        assert_eq!(of("retry-after", "27"), "27");
        assert_eq!(of("x-ratelimit-limit-tokens", "30000"), "30000");
        assert_eq!(of("openai-organization", "acme-7Q"), "xxxx-0X");
        assert_eq!(of("x-request-id", "req_1"), "{{canary.request_id}}");
        assert_eq!(of("set-cookie", "__cf_bm=aB3; path=/"), "__xx_xx=xX0; xxxx=/");
    }
}
