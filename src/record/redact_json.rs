//! Redacts JSON in place and byte by byte, so that it works for JSON that is cut off, and no byte moves.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    allowed::{Allowed, TextRule},
    redact_text::{blank, redact_text},
};

/// An object or an array that is open.
struct OpenValue {
    is_object: bool,
    /// Whether the next string is the name of a member.
    at_name: bool,
    /// The name of the member whose value comes next. An array has the name of the member that it is the value of.
    name: Option<String>,
    /// Whether nothing inside may stay.
    opaque: bool,
}

/// Redacts JSON, or a text for people.
pub(super) fn redact_value(bytes: &mut [u8], allowed: &Allowed) {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[' | b'"') => redact_json(bytes, allowed),
        _ => redact_text(bytes, TextRule::CommonWords, allowed, false),
    }
}

/// Replaces what the allow-list does not contain: unknown names, texts, and numbers of unknown members.
fn redact_json(bytes: &mut [u8], allowed: &Allowed) {
    let mut open: Vec<OpenValue> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => {
                let is_object = bytes[at] == b'{';
                let (name, opaque) = position(&open, allowed);
                let name = if is_object { None } else { name.map(str::to_owned) };
                open.push(OpenValue { is_object, at_name: is_object, name, opaque });
                at += 1;
            }
            b'}' | b']' => {
                open.pop();
                at += 1;
            }
            b',' => {
                if let Some(inner) = open.last_mut().filter(|inner| inner.is_object) {
                    inner.at_name = true;
                    inner.name = None;
                }
                at += 1;
            }
            b'"' => {
                let end = string_end(bytes, at);
                let inside = at + 1..end.inside;
                let is_name = open.last().is_some_and(|inner| inner.at_name)
                    && bytes[end.after..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
                if is_name {
                    name(&mut bytes[inside], &mut open, allowed);
                } else {
                    value(&mut bytes[inside], &open, allowed);
                }
                at = end.after;
            }
            byte if byte.is_ascii_whitespace() || byte == b':' => at += 1,
            _ => {
                let ends = |byte: &u8| byte.is_ascii_whitespace() || b"{}[],:\"".contains(byte);
                let length = bytes[at..].iter().position(ends).unwrap_or(bytes.len() - at);
                literal(&mut bytes[at..at + length], &open, allowed);
                at += length;
            }
        }
    }
}

/// The end of the string that begins at `start`, without and with its closing quote.
struct StringEnd {
    inside: usize,
    after: usize,
}

fn string_end(bytes: &[u8], start: usize) -> StringEnd {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return StringEnd { inside: at, after: at + 1 },
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    // The text is cut off inside of the string.
    StringEnd { inside: bytes.len(), after: bytes.len() }
}

/// The member that a value belongs to, and whether nothing in it may stay.
fn position<'o>(open: &'o [OpenValue], allowed: &Allowed) -> (Option<&'o str>, bool) {
    let Some(inner) = open.last() else { return (None, false) };
    let name = inner.name.as_deref();
    (name, inner.opaque || name.is_some_and(|name| allowed.is_opaque(name)))
}

fn name(bytes: &mut [u8], open: &mut [OpenValue], allowed: &Allowed) {
    let Some(inner) = open.last_mut() else { return };
    inner.at_name = false;
    let known = std::str::from_utf8(bytes).ok().filter(|name| !inner.opaque && allowed.knows(name));
    inner.name = known.map(str::to_owned);
    if inner.name.is_none() {
        redact_text(bytes, TextRule::Nothing, allowed, true);
    }
}

fn value(bytes: &mut [u8], open: &[OpenValue], allowed: &Allowed) {
    let (name, opaque) = position(open, allowed);
    // Bedrock carries the events of other providers in base64.
    if name == Some("bytes")
        && let Some(mut inner) = STANDARD.decode(&*bytes).ok().filter(|inner| inner.starts_with(b"{"))
    {
        redact_json(&mut inner, allowed);
        let coded = STANDARD.encode(inner);
        if coded.len() == bytes.len() {
            bytes.copy_from_slice(coded.as_bytes());
            return;
        }
    }
    let rule =
        if opaque { TextRule::Nothing } else { name.map_or(TextRule::Nothing, |name| allowed.rule(name)) };
    redact_text(bytes, rule, allowed, true);
}

/// A number, `true`, `false` or `null`, or bytes that are not JSON.
fn literal(bytes: &mut [u8], open: &[OpenValue], allowed: &Allowed) {
    if matches!(&*bytes, b"true" | b"false" | b"null") {
        return;
    }
    let (name, opaque) = position(open, allowed);
    let is_number = bytes.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte));
    match is_number {
        true if !opaque && name.is_some() => {}
        // A number must not begin with a zero.
        true => bytes.iter_mut().filter(|byte| byte.is_ascii_digit()).for_each(|byte| *byte = b'1'),
        false => blank(bytes),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn redacted(text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        redact_json(&mut bytes, &Allowed::new(&[], &[]));
        assert_eq!(bytes.len(), text.len(), "the length stays");
        String::from_utf8(bytes).expect("it is text")
    }

    #[test]
    fn what_is_not_listed_is_replaced() {
        insta::assert_snapshot!(
            redacted(r#"{"id":"chatcmpl-9xQ","model":"ft:gpt:acme","choices":[{"index":0,"message":{"role":"assistant","content":"Dear Alice, 7 \"é\""},"finish_reason":"stop"}],"usage":{"total_tokens":31},"acme_account":4711,"ok":true}"#),
            @r#"{"id":"xxxxxxxx-0xX","model":"xx:xxx:xxxx","choices":[{"index":0,"message":{"role":"assistant","content":"Xxxx Xxxxx, 0 \"xx\""},"finish_reason":"stop"}],"usage":{"total_tokens":31},"xxxx_xxxxxxx":1111,"xx":true}"#
        );
        insta::assert_snapshot!(
            redacted(r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_01Ab"}"#),
            @r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"xxx_00Xx"}"#
        );
    }

    #[test]
    fn nothing_stays_in_what_a_caller_sent() {
        insta::assert_snapshot!(
            redacted(r#"{"content":[{"type":"tool_use","name":"pay","input":{"index":4111111111111111,"type":"visa","status":["new"]}}],"logprobs":{"content":[{"bytes":[104,105]}]}}"#),
            @r#"{"content":[{"type":"tool_use","name":"xxx","input":{"xxxxx":1111111111111111,"xxxx":"xxxx","xxxxxx":["xxx"]}}],"logprobs":{"xxxxxxx":[{"xxxxx":[111,111]}]}}"#
        );
    }

    #[test]
    fn json_that_is_cut_off_or_wrong_loses_its_texts_too() {
        for (text, expected) in [
            (r#"{"content":"secre"#, r#"{"content":"xxxxx"#),
            (r#"{"content":"secre\"#, r#"{"content":"xxxxx\"#),
            (r#"{"secret"#, r#"{"xxxxxx"#),
            (r#""secret":1}"#, r#""xxxxxx":1}"#),
            (r#"{"code":secret}"#, r#"{"code":xxxxxx}"#),
            (r#"{"code" "secret key"}"#, r#"{"xxxx" "xxxxxx xxx"}"#),
            (r#"}]{"content":["a"}"#, r#"}]{"content":["x"}"#),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }

    #[test]
    fn events_in_base64_are_redacted_inside() {
        let inner = STANDARD.encode(r#"{"type":"content_block_delta","delta":{"text":"Hello"}}"#);
        let text = redacted(&json!({ "bytes": inner, "p": "abc" }).to_string());
        let value: Value = serde_json::from_str(&text).expect("it is JSON");
        let inner = STANDARD.decode(value["bytes"].as_str().expect("a text")).expect("base64");
        assert_eq!(inner, br#"{"type":"content_block_delta","delta":{"text":"Xxxxx"}}"#);
        assert_eq!(value["p"], "xxx");
    }

    proptest::proptest! {
        #[test]
        fn redacted_json_is_json_of_the_same_length_and_redacting_twice_changes_nothing(
            texts in proptest::collection::vec(".{0,12}", 4), number in proptest::prelude::any::<i64>(),
        ) {
            let value = json!({ "content": texts[0], texts[1].as_str(): number, "a": [texts[2], null, 1.5e3], "error": {"message": texts[3]} });
            let once = redacted(&value.to_string());
            proptest::prop_assert!(serde_json::from_str::<Value>(&once).is_ok(), "{}", once);
            proptest::prop_assert_eq!(redacted(&once), once);
        }
    }
}
