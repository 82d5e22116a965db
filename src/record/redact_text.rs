//! Replaces text by placeholders of the same length: letters become `x`, digits become `0`, everything else stays.

use super::allowed::{Allowed, TextRule, is_word, separates};

/// Replaces what `rule` does not allow. `escaped` says whether the bytes are the inside of a JSON string, where a backslash
/// begins an escape.
pub(super) fn redact_text(bytes: &mut [u8], rule: TextRule, allowed: &Allowed, escaped: bool) {
    match rule {
        TextRule::Whole => {}
        TextRule::Word if std::str::from_utf8(bytes).is_ok_and(is_word) => {}
        TextRule::Parameter if std::str::from_utf8(bytes).is_ok_and(|text| allowed.is_parameter(text)) => {}
        TextRule::Word | TextRule::Parameter | TextRule::Nothing => blank_text(bytes, escaped),
        TextRule::CommonWords => common_words(bytes, allowed, escaped),
    }
}

/// Replaces every letter, every digit and every byte of a character that is not ASCII.
pub(super) fn blank(bytes: &mut [u8]) {
    for byte in bytes {
        *byte = match *byte {
            b'a'..=b'z' | 0x80.. => b'x',
            b'A'..=b'Z' => b'X',
            b'0'..=b'9' => b'0',
            other => other,
        };
    }
}

/// Like [`blank`]; keeps the escapes of a JSON string valid.
fn blank_text(bytes: &mut [u8], escaped: bool) {
    let mut at = 0;
    while at < bytes.len() {
        let length = if escaped { escape(&mut bytes[at..]) } else { 0 };
        if length == 0 {
            blank(&mut bytes[at..=at]);
        }
        at += length.max(1);
    }
}

/// The length of the escape at the beginning (RFC 8259 section 7); 0 if there is none. An escaped character that is not a
/// control character is replaced. A backslash before any other byte does not make that byte part of an escape.
fn escape(bytes: &mut [u8]) -> usize {
    match bytes {
        [b'\\', b'u', digits @ ..] => {
            let length = digits.len().min(4);
            digits[..length].copy_from_slice(&b"0078"[..length]);
            2 + length
        }
        [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
        [b'\\', ..] => 1,
        _ => 0,
    }
}

fn common_words(bytes: &mut [u8], allowed: &Allowed, escaped: bool) {
    let mut at = 0;
    let mut after_number = false;
    while at < bytes.len() {
        let length = if escaped { escape(&mut bytes[at..]) } else { 0 };
        if length > 0 || separates(bytes[at]) {
            at += length.max(1);
            continue;
        }
        let word = bytes[at..].iter().position(|byte| separates(*byte)).unwrap_or(bytes.len() - at);
        let range = at..at + word;
        // Several numbers in a row can be one that identifies a person.
        let next = bytes[range.end..].iter().find(|byte| !separates(**byte));
        let is_alone = !after_number && !next.is_some_and(u8::is_ascii_digit);
        after_number = bytes[at].is_ascii_digit();
        let kept = std::str::from_utf8(&bytes[range.clone()]).is_ok_and(|word| {
            let word = word.trim_matches('.');
            word.is_empty() || allowed.is_common(word) || (is_alone && is_small_number(word))
        });
        if !kept {
            blank(&mut bytes[range.clone()]);
        }
        at = range.end;
    }
}

/// A number of at most three digits, with decimals and a unit of time if there is one: `7`, `20s`, `1.5s`.
fn is_small_number(word: &str) -> bool {
    let number = word.strip_suffix("ms").or_else(|| word.strip_suffix(['s', 'm', 'h'])).unwrap_or(word);
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    !whole.is_empty() && digits(whole) && digits(decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(text: &str, rule: TextRule) -> String {
        let mut bytes = text.as_bytes().to_vec();
        redact_text(&mut bytes, rule, &Allowed::new(&[], &[]), true);
        assert_eq!(bytes.len(), text.len(), "the length stays");
        String::from_utf8(bytes).expect("it is text")
    }

    #[test]
    fn of_an_error_text_the_common_words_stay() {
        insta::assert_snapshot!(
            redacted("Rate limit reached for acme-gpt in organization org-Ab12 on tokens per min. Limit 300, retry in 1.5s.", TextRule::CommonWords),
            @"Rate limit reached for xxxx-xxx in organization xxx-Xx00 on tokens per min. Limit 300, retry in 1.5s."
        );
        insta::assert_snapshot!(
            redacted(r#"Incorrect API key provided: sk-pr**cdef.\nHola \"alice@example.org\" \u00e9t\u00e9 4111111111111111"#, TextRule::CommonWords),
            @r#"Incorrect API key provided: xx-xx**xxxx.\nXxxx \"xxxxx@xxxxxxx.xxx\" \u0078t\u0078 0000000000000000"#
        );
    }

    #[test]
    fn several_numbers_in_a_row_do_not_stay() {
        assert_eq!(redacted("call +49 171 234 567", TextRule::CommonWords), "call +00 000 000 000");
        assert_eq!(redacted("Limit 3, Used 3", TextRule::CommonWords), "Limit 3, Used 3");
        assert_eq!(redacted("4111-1111, 10.0.0.1", TextRule::CommonWords), "0000-0000, 00.0.0.0");
    }

    #[test]
    fn a_text_without_a_rule_keeps_only_its_shape() {
        assert_eq!(redacted("Hello, Zo\u{eb} 7!", TextRule::Nothing), "Xxxxx, Xxxx 0!");
        assert_eq!(redacted(r"a\n\u00e", TextRule::Nothing), r"x\n\u007");
        assert_eq!(redacted(r"C:\Users\Alice \z\/", TextRule::Nothing), r"X:\Xxxxx\Xxxxx \x\/");
        assert_eq!(redacted("a\\\u{e9}b", TextRule::Nothing), "x\\xxx");
        assert_eq!(redacted(r"error in C:\Users\Alice", TextRule::CommonWords), r"error in X:\Users\Xxxxx");
        assert_eq!(redacted("rate_limit", TextRule::Word), "rate_limit");
        assert_eq!(redacted("messages[0].content", TextRule::Parameter), "messages[0].content");
        assert_eq!(redacted("alice", TextRule::Parameter), "xxxxx");
        assert_eq!(redacted("rate limit", TextRule::Word), "xxxx xxxxx");
        assert_eq!(redacted("anything", TextRule::Whole), "anything");
    }
}
