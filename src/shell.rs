//! Quotes words for a POSIX shell, so that commands that upfault prints can be pasted.

/// A command line in which each of `words` is one argument.
pub(crate) fn command(words: &[impl AsRef<str>]) -> String {
    words.iter().map(|one| word(one.as_ref())).collect::<Vec<_>>().join(" ")
}

/// `text` as one argument, quoted if needed. The result contains no control characters, because a terminal would interpret
/// them. A newline at the end of `text` is lost.
pub(crate) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=,@%+".contains(c);
    if text.chars().any(char::is_control) {
        format!("\"$(printf -- {})\"", single_quoted(&printf_format(text)))
    } else if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        single_quoted(text)
    }
}

/// A format for printf that prints `text`. Control characters are escaped as octal numbers.
pub(crate) fn printf_format(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '%' => out.push_str("%%"),
            '\\' => out.push_str(r"\\"),
            c if c.is_control() => {
                let mut bytes = [0; 4];
                out.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("\\{byte:03o}")));
            }
            c => out.push(c),
        }
    }
    out
}

fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted() {
        let words = ["uv", "pip", "litellm[proxy]==1", "it's", "", "$(rm) `x` \\"];
        assert_eq!(command(&words), r"uv pip 'litellm[proxy]==1' 'it'\''s' '' '$(rm) `x` \'");
        assert_eq!(word("100%\n"), r#""$(printf -- '100%%\012')""#);
    }

    #[cfg(unix)]
    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 50, ..Default::default() })]

        #[test]
        fn a_shell_reads_back_every_word(words in proptest::collection::vec("([^\\x00]{0,12}[^\\x00\n])?", 1..9)) {
            let line = format!("printf '%s\\0' {}", command(&words));
            proptest::prop_assert!(!line.contains(char::is_control));
            let read = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
            let expected: String = words.iter().map(|word| format!("{word}\0")).collect();
            proptest::prop_assert_eq!(String::from_utf8_lossy(&read.stdout), expected);
        }
    }
}
