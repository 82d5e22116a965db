//! Values as Python prints them: `{'error': {'message': "It's bad", 'code': None}}`.

use serde_json::{Map, Number, Value};

/// The deepest nesting that is read.
const DEEPEST: usize = 64;

/// The value at the start of a text, and the rest of the text. Reads dicts with keys that are texts, lists, tuples, texts,
/// numbers, `None`, `True` and `False`, and JSON too. `None` if the text does not start with such a value.
pub(super) fn value(text: &str) -> Option<(Value, &str)> {
    let mut reader = Reader { rest: text };
    let value = reader.value(0)?;
    Some((value, reader.rest))
}

struct Reader<'t> {
    rest: &'t str,
}

impl Reader<'_> {
    fn skip(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        for (word, value) in [
            ("None", Value::Null),
            ("null", Value::Null),
            ("True", Value::Bool(true)),
            ("true", Value::Bool(true)),
            ("False", Value::Bool(false)),
            ("false", Value::Bool(false)),
        ] {
            if self.skip(word) {
                return Some(value);
            }
        }
        if self.skip("{") {
            return self.members(depth);
        }
        for (open, close) in [("[", "]"), ("(", ")")] {
            if self.skip(open) {
                return self.items(close, depth);
            }
        }
        match self.rest.chars().next()? {
            '\'' | '"' => self.text().map(Value::String),
            'b' if self.rest[1..].starts_with(['\'', '"']) => {
                self.rest = &self.rest[1..];
                self.text().map(Value::String)
            }
            _ => self.number(),
        }
    }

    fn members(&mut self, depth: usize) -> Option<Value> {
        let mut members = Map::new();
        while !self.skip("}") {
            self.rest = self.rest.trim_start();
            let key = self.text()?;
            if !self.skip(":") {
                return None;
            }
            members.insert(key, self.value(depth + 1)?);
            if !self.skip(",") && !self.rest.trim_start().starts_with('}') {
                return None;
            }
        }
        Some(Value::Object(members))
    }

    fn items(&mut self, close: &str, depth: usize) -> Option<Value> {
        let mut items = Vec::new();
        while !self.skip(close) {
            items.push(self.value(depth + 1)?);
            if !self.skip(",") && !self.rest.trim_start().starts_with(close) {
                return None;
            }
        }
        Some(Value::Array(items))
    }

    fn text(&mut self) -> Option<String> {
        let quote = self.rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let mut text = String::new();
        let mut chars = self.rest[1..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                c if c == quote => {
                    self.rest = &self.rest[1 + at + 1..];
                    return Some(text);
                }
                '\\' => match chars.next()?.1 {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    'x' => text.push(code(&mut chars, 2)?),
                    'u' => text.push(code(&mut chars, 4)?),
                    'U' => text.push(code(&mut chars, 8)?),
                    other => text.push(other),
                },
                c => text.push(c),
            }
        }
        None
    }

    fn number(&mut self) -> Option<Value> {
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let number: Number = self.rest[..end].parse().ok()?;
        self.rest = &self.rest[end..];
        Some(Value::Number(number))
    }
}

/// The character with a code of this many hexadecimal digits. Half of a surrogate pair becomes U+FFFD.
fn code(chars: &mut std::str::CharIndices<'_>, digits: usize) -> Option<char> {
    let text: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
    let code = u32::from_str_radix(&text, 16).ok().filter(|_| text.len() == digits)?;
    Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_python_prints_is_read() {
        let text = r#"{'error': {'message': "It's \x41\n", 'code': None, 'n': -1.5, 'list': [1, True], 'pair': ('a',)}} rest"#;
        let expected = json!({"error": {"message": "It's A\n", "code": null, "n": -1.5, "list": [1, true], "pair": ["a"]}});
        assert_eq!(value(text), Some((expected, " rest")));
        assert_eq!(
            value(r#"{"a": null, "b": [true]}"#).map(|found| found.0),
            Some(json!({"a": null, "b": [true]}))
        );
        assert_eq!(value("b'x'").map(|found| found.0), Some(json!("x")));
        for broken in ["{'a': ", "{'a' 1}", "{1: 2}", "'abc", "", "<html>", "{'a': 1 'b': 2}", "'\\x4'"] {
            assert_eq!(value(broken), None, "{broken}");
        }
        assert_eq!(value(&"[".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-{}\\[\\]()'\",:\\\\0-9a-zNTFé ]{0,40}") {
            let _ = value(&text);
        }

        #[test]
        fn json_is_read_as_json(members in prop::collection::btree_map("[a-z]{1,3}", any::<String>(), 0..4)) {
            let json = Value::Object(members.into_iter().map(|(name, text)| (name, Value::from(text))).collect());
            let text = json.to_string();
            // JSON escapes control characters as Python does, except for two short forms.
            if !text.contains(r"\b") && !text.contains(r"\f") {
                prop_assert_eq!(value(&text), Some((json, "")));
            }
        }
    }
}
