//! The text of a file that people saved from a terminal or a log.

use std::sync::LazyLock;

use regex::Regex;

/// A sequence that sets colours or moves the cursor (ECMA-48 section 5.4).
static CONTROL: LazyLock<Regex> = LazyLock::new(|| {
    // The pattern is a constant, and a test uses it.
    Regex::new(r"\x1b\[[0-9;?]*[ -/]*[@-~]").unwrap_or_else(|error| unreachable!("{error}"))
});

/// The text in `bytes`: UTF-8, or UTF-16 with a byte order mark, as PowerShell saves it. Removes byte order marks and the
/// control sequences and characters of a terminal. Invalid bytes become U+FFFD.
pub(crate) fn plain_text(bytes: &[u8]) -> String {
    let units = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => units(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => units(rest, u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    let text = CONTROL.replace_all(text.trim_start_matches('\u{feff}'), "");
    text.replace(|c: char| c.is_control() && !matches!(c, '\r' | '\n' | '\t'), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_terminals_and_of_other_systems_are_read() {
        let text = "HTTP/2 503\r\n\r\nzu spät";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(plain_text(text.as_bytes()), text);
        assert_eq!(plain_text(&[&[0xff, 0xfe], &little[..]].concat()), text);
        assert_eq!(plain_text(&[&[0xfe, 0xff], &big[..]].concat()), text);
        assert_eq!(plain_text("\u{feff}a \u{1b}[92mb\u{1b}[0m".as_bytes()), "a b");
        assert_eq!(plain_text(b"retry-after: \x017\x07\r\n\t"), "retry-after: 7\r\n\t");
        assert_eq!(plain_text(b"a\xff"), "a\u{fffd}");
    }
}
