//! Placeholders for the tokens that upfault planted itself.

use std::collections::HashSet;

use serde_json::Value;

use crate::observation::{Arrangement, Attempt, Observation, word};

/// Replaces known tokens by placeholders that say what they are: `<canary message primary#1>`.
///
/// Nothing is guessed here: every token comes from the observation itself. What else varies is
/// the business of [`without_volatile`](super::without_volatile).
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    /// Longest token first: `…-primary-10` begins with `…-primary-1`.
    tokens: Vec<Token>,
    /// Whether a token begins with this character, where it is ASCII; most places of a text are
    /// passed over by that alone.
    begins: Beginnings,
}

#[derive(Debug, Clone)]
struct Token {
    text: String,
    placeholder: String,
    /// Whether it counts even as the beginning of a longer word. A secret of somebody's own is hidden wherever
    /// it stands; a token that is longer than one of upfault's is another token.
    anywhere: bool,
}

impl Token {
    /// What follows it, if `text` begins with it.
    fn after<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        let rest = text.strip_prefix(self.text.as_bytes())?;
        (self.anywhere || !word::goes_on(self.text.as_bytes(), rest)).then_some(rest)
    }
}

#[derive(Debug, Clone)]
struct Beginnings([bool; 128]);

impl Default for Beginnings {
    fn default() -> Self {
        Self([false; 128])
    }
}

impl Beginnings {
    fn add(&mut self, token: &str) {
        if let Some(known) = token.bytes().next().and_then(|byte| self.0.get_mut(usize::from(byte))) {
            *known = true;
        }
    }

    /// Whether a token may begin with this; always so for what is not ASCII.
    fn may_be(&self, first: char) -> bool {
        self.0.get(first as usize).copied().unwrap_or(true)
    }
}

impl Redactor {
    /// Secrets alone, for reports: the proxy's own become `<proxy key>`, a deployment's
    /// `<key NAME>`. Canaries stay, because a reader wants to follow them.
    pub fn secrets(arrangement: &Arrangement) -> Self {
        let mut redactor = Self::default();
        redactor.add_secrets(arrangement);
        redactor.sorted()
    }

    /// Everything that carries the case's identity, for snapshots.
    pub fn full(observation: &Observation) -> Self {
        let arrangement = &observation.arrangement;
        let mut redactor = Self::default();
        redactor.add_secrets(arrangement);
        for attempt in &observation.attempts {
            redactor.add_canaries(attempt);
        }
        for deployment in &arrangement.deployments {
            redactor.add(&deployment.model, format!("<model {}>", deployment.name));
        }
        for address in &arrangement.upstream_addresses {
            redactor.add(address, "<upstream>".to_owned());
        }
        redactor.add(&arrangement.identity.token, "<token>".to_owned());
        redactor.sorted()
    }

    /// Secrets alone, each placeholder as long as what it stands for: `<key primary--------->`. What is
    /// told of a text by its length stays true.
    pub fn secrets_in_place(arrangement: &Arrangement) -> Self {
        let mut redactor = Self::default();
        redactor.add_secrets(arrangement);
        for token in &mut redactor.tokens {
            token.placeholder = stretched(&token.placeholder, token.text.len());
        }
        redactor.sorted()
    }

    fn add_secrets(&mut self, arrangement: &Arrangement) {
        for (i, secret) in arrangement.proxy_secrets.iter().enumerate() {
            // The first is the key that callers use; a second one is told apart.
            let placeholder =
                if i == 0 { "<proxy key>".to_owned() } else { format!("<proxy key {}>", i + 1) };
            self.add_token(secret, placeholder, true);
        }
        for deployment in &arrangement.deployments {
            self.add(&deployment.key, format!("<key {}>", deployment.name));
        }
    }

    fn add_canaries(&mut self, attempt: &Attempt) {
        let canaries = &attempt.canaries;
        for (what, token) in [
            ("message", &canaries.message),
            ("code", &canaries.code),
            ("type", &canaries.kind),
            ("param", &canaries.param),
            ("header", &canaries.header),
            ("request id", &canaries.request_id),
            ("content", &canaries.content),
        ] {
            self.add(token, format!("<canary {what} {}#{}>", attempt.deployment, attempt.n));
        }
    }

    fn add(&mut self, token: &str, placeholder: String) {
        self.add_token(token, placeholder, false);
    }

    fn add_token(&mut self, token: &str, placeholder: String, anywhere: bool) {
        if token.is_empty() {
            return;
        }
        // Inside JSON text a token may stand in its escaped form.
        let escaped = Value::from(token).to_string();
        let escaped = &escaped[1..escaped.len() - 1];
        if escaped != token {
            let (text, placeholder) = (escaped.to_owned(), placeholder.clone());
            self.tokens.push(Token { text, placeholder, anywhere });
        }
        self.tokens.push(Token { text: token.to_owned(), placeholder, anywhere });
    }

    fn sorted(mut self) -> Self {
        let mut seen = HashSet::new();
        self.tokens.retain(|token| seen.insert(token.text.clone()));
        self.tokens.iter().for_each(|token| self.begins.add(&token.text));
        self.tokens.sort_by(|a, b| b.text.len().cmp(&a.text.len()).then_with(|| a.text.cmp(&b.text)));
        self
    }

    /// `text` with every token replaced, in one pass: a placeholder is never looked into again.
    pub fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        'next: while let Some(first) = rest.chars().next() {
            let tokens = if self.begins.may_be(first) { &self.tokens[..] } else { &[] };
            for token in tokens {
                if let Some(after) = token.after(rest.as_bytes()) {
                    out.push_str(&token.placeholder);
                    rest = &rest[rest.len() - after.len()..];
                    continue 'next;
                }
            }
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
        out
    }

    /// Bytes with every token replaced.
    pub fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        'next: while let Some((first, more)) = rest.split_first() {
            for token in &self.tokens {
                if let Some(after) = token.after(rest) {
                    out.extend_from_slice(token.placeholder.as_bytes());
                    rest = after;
                    continue 'next;
                }
            }
            out.push(*first);
            rest = more;
        }
        out
    }

    /// Every string of `value`, with every token replaced; names of members are left alone.
    pub fn values(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.values(item)).collect(),
            Value::Object(members) => Value::Object(
                members.iter().map(|(name, value)| (name.clone(), self.values(value))).collect(),
            ),
            other => other.clone(),
        }
    }

    /// Every string and every member name of `value`, with every token replaced.
    pub fn json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.json(item)).collect(),
            Value::Object(members) => Value::Object(
                members.iter().map(|(name, value)| (self.text(name), self.json(value))).collect(),
            ),
            other => other.clone(),
        }
    }
}

/// A placeholder made as long as its token; where that is shorter, nothing but its length is told.
fn stretched(placeholder: &str, length: usize) -> String {
    match length.checked_sub(placeholder.len()) {
        Some(more) => format!("{}{}>", placeholder.trim_end_matches('>'), "-".repeat(more)),
        None if length > 2 => format!("<{}>", "*".repeat(length - 2)),
        None => "*".repeat(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::normalise::tests::sample;

    #[test]
    fn the_tenth_attempt_is_not_taken_for_the_first_with_a_nought_behind_it() {
        let mut observation = sample();
        let mut tenth = observation.attempts[0].clone();
        tenth.n = 10;
        tenth.canaries = observation.arrangement.identity.canaries("primary", 10);
        let token = tenth.canaries.message.clone();
        observation.attempts.push(tenth);
        assert_eq!(Redactor::full(&observation).text(&token), "<canary message primary#10>");
    }

    #[test]
    fn a_longer_word_is_another_token_and_a_secret_is_hidden_in_any() {
        let observation = sample();
        let redactor = Redactor::full(&observation);
        let address = &observation.arrangement.upstream_addresses[0];
        let model = &observation.arrangement.deployments[0].model;
        assert_eq!(
            redactor.text(&format!("{address} {address}1 {model} {model}2")),
            format!("<upstream> {address}1 <model primary> upfault-<token>-primary2")
        );
        assert_eq!(redactor.text("xsk-proxy-51c0ffeex"), "x<proxy key>x");
        assert_eq!(redactor.bytes(b"xsk-proxy-51c0ffeex"), b"x<proxy key>x");
    }

    #[test]
    fn a_report_keeps_canaries_and_hides_secrets() {
        let observation = sample();
        let arrangement = &observation.arrangement;
        let redactor = Redactor::secrets(arrangement);
        let canary = &observation.attempts[0].canaries.message;
        let text = format!("{canary} {} {}", arrangement.deployments[0].key, arrangement.proxy_secrets[0]);
        assert_eq!(redactor.text(&text), format!("{canary} <key primary> <proxy key>"));
    }

    #[test]
    fn a_token_is_found_in_member_names_and_in_its_escaped_form() {
        let mut observation = sample();
        observation.arrangement.proxy_secrets = vec!["pa\"ss".to_owned()];
        let redactor = Redactor::secrets(&observation.arrangement);
        assert_eq!(
            redactor.json(&serde_json::json!({"pa\"ss": [1]})),
            serde_json::json!({"<proxy key>": [1]})
        );
        assert_eq!(redactor.text(r#"{"a":"pa\"ss"}"#), r#"{"a":"<proxy key>"}"#);
    }
}
