//! Text from the wire that cannot influence what displays it.

/// Whether a character is not shown, or changes how others are shown: control characters, marks for right-to-left text,
/// characters without width, line separators, tags.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{180e}' | '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` with every unsafe character as an escape sequence: `\u{202e}`.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => out.extend(c.escape_default()),
            c if is_unsafe(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_change_the_display_become_visible() {
        assert_eq!(escaped("a\u{202e}b\u{1b}[31m\n\u{200b}é😀"), "a\\u{202e}b\\u{1b}[31m\\n\\u{200b}é😀");
    }
}
