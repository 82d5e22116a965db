//! Parses Rust source as far as the architecture tests need it: words, their lines, and paths.
//!
//! Comments, strings and character literals are skipped; everything else is split into words and punctuation. That is
//! enough to resolve `crate::`, `super::` and `self::` in nested groups and inline modules.

/// A word or a punctuation character, with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// A complete identifier or number, or one punctuation character.
    pub text: String,
    /// 1-based line number.
    pub line: usize,
}

/// A path. If it begins with `crate`, `self` or `super`, it is resolved to an absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Its segments, without the leading `crate` of a path in this crate.
    pub segments: Vec<String>,
    /// Whether it is a path in this crate.
    pub local: bool,
    /// 1-based line number.
    pub line: usize,
}

/// Splits source code into words and punctuation.
pub fn tokens(source: &str) -> Vec<Token> {
    let bytes = source.as_bytes();
    let at = |i: usize| bytes.get(i).copied().unwrap_or(0);
    let (mut i, mut line) = (0, 1);
    let mut tokens: Vec<Token> = Vec::new();
    while i < bytes.len() {
        let start = i;
        match bytes[i] {
            b'/' if at(i + 1) == b'/' => i += find(&bytes[i..], b"\n"),
            b'/' if at(i + 1) == b'*' => i = end_of_block_comment(bytes, i),
            b'"' => i = end_of_string(bytes, i),
            b'\'' => i = end_of_quote(bytes, i),
            byte if is_word(byte) => {
                while is_word(at(i)) {
                    i += 1;
                }
                let word = &source[start..i];
                if matches!(word, "r" | "br" | "cr") && raw_hashes(bytes, i).is_some() {
                    i = end_of_raw_string(bytes, i);
                } else if matches!(word, "b" | "c") && matches!(at(i), b'"' | b'\'') {
                    // The literal follows.
                } else if word == "r" && at(i) == b'#' {
                    // `r#type` is the word `type`.
                    i += 1;
                } else {
                    tokens.push(Token { text: word.to_owned(), line });
                }
            }
            byte => {
                i += 1;
                if byte.is_ascii_punctuation() {
                    tokens.push(Token { text: char::from(byte).to_string(), line });
                }
            }
        }
        line += bytes[start..i].iter().filter(|byte| **byte == b'\n').count();
    }
    tokens
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// The position of `what`, or the length of `bytes` if it is not found.
fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).unwrap_or(bytes.len())
}

fn end_of_block_comment(bytes: &[u8], start: usize) -> usize {
    let (mut i, mut depth) = (start, 0);
    while i < bytes.len() {
        match &bytes[i..bytes.len().min(i + 2)] {
            b"/*" => (depth, i) = (depth + 1, i + 2),
            b"*/" => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut i = start + 1;
    while i < bytes.len() && bytes[i] != b'"' {
        i += if bytes[i] == b'\\' { 2 } else { 1 };
    }
    (i + 1).min(bytes.len())
}

/// A character literal, or only the quote of a lifetime.
fn end_of_quote(bytes: &[u8], start: usize) -> usize {
    let rest = &bytes[start + 1..];
    if rest.first() == Some(&b'\\') {
        return start + 3 + find(rest.get(2..).unwrap_or_default(), b"'") + 1;
    }
    let width = rest.iter().skip(1).take_while(|byte| (0x80..0xC0).contains(*byte)).count() + 1;
    if rest.get(width) == Some(&b'\'') { start + width + 2 } else { start + 1 }
}

/// The number of `#` before the quote of a raw string that starts here.
fn raw_hashes(bytes: &[u8], start: usize) -> Option<usize> {
    let hashes = bytes[start..].iter().take_while(|byte| **byte == b'#').count();
    (bytes.get(start + hashes) == Some(&b'"')).then_some(hashes)
}

fn end_of_raw_string(bytes: &[u8], start: usize) -> usize {
    let hashes = raw_hashes(bytes, start).unwrap_or(0);
    let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    let body = start + hashes + 1;
    (body + find(&bytes[body..], &end) + end.len()).min(bytes.len())
}

/// Every path in a file whose module is `module` (`["judge", "rules"]` for `src/judge/rules/mod.rs`).
pub fn paths(tokens: &[Token], module: &[String]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut here = module.to_vec();
    // For each open brace: whether it opens an inline module.
    let mut braces = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let text = tokens[i].text.as_str();
        let next = |n: usize| tokens.get(i + n).map_or("", |token| token.text.as_str());
        let before = if i == 0 { "" } else { tokens[i - 1].text.as_str() };
        match text {
            "mod" if is_name(next(1)) && next(2) == "{" => {
                here.push(next(1).to_owned());
                braces.push(true);
                i += 3;
            }
            "{" => {
                braces.push(false);
                i += 1;
            }
            "}" => {
                if braces.pop() == Some(true) {
                    here.pop();
                }
                i += 1;
            }
            // `crate` in `pub(crate)` is not a path, and a word after `::` belongs to a path that was already found.
            _ if is_name(text)
                && !(before == ":" && i >= 2 && tokens[i - 2].text == ":")
                && (before == "use" || (next(1) == ":" && next(2) == ":")) =>
            {
                i = walk(tokens, i, &Path { segments: Vec::new(), local: false, line: 0 }, &here, &mut found);
            }
            _ => i += 1,
        }
    }
    found
}

fn is_name(text: &str) -> bool {
    text.bytes().next().is_some_and(|byte| is_word(byte) && !byte.is_ascii_digit())
}

/// Follows one path, or each path of a group, from token `i`; returns the token after it.
fn walk(tokens: &[Token], mut i: usize, prefix: &Path, here: &[String], found: &mut Vec<Path>) -> usize {
    let text = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    let mut path = prefix.clone();
    let Some(first) = tokens.get(i) else { return i };
    path.line = first.line;
    loop {
        let at_start = path.segments.is_empty() && !path.local;
        match text(i) {
            "{" => {
                i += 1;
                while !matches!(text(i), "}" | "") {
                    i = if text(i) == "," { i + 1 } else { walk(tokens, i, &path, here, found).max(i + 1) };
                }
                return i + 1;
            }
            "crate" => (path.segments, path.local) = (Vec::new(), true),
            "self" if at_start => (path.segments, path.local) = (here.to_vec(), true),
            "self" => {}
            "super" => {
                if at_start {
                    (path.segments, path.local) = (here.to_vec(), true);
                }
                path.segments.pop();
            }
            name if is_name(name) || name == "*" => path.segments.push(name.to_owned()),
            // For example `Vec::<u8>`: the path ends here.
            _ => break,
        }
        if text(i + 1) == ":" && text(i + 2) == ":" {
            i += 3;
        } else {
            i += 1;
            break;
        }
    }
    if text(i) == "as" {
        i += 2;
    }
    found.push(path);
    i
}
