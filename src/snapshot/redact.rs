//! Replaces the tokens that upfault planted by placeholders.

use std::collections::HashSet;

use serde_json::Value;

use crate::observation::{Arrangement, Attempt, Observation, word};

/// Replaces known tokens by placeholders that describe them: `<canary message primary#1>`.
///
/// It replaces only tokens that the observation itself lists. [`without_volatile`](super::without_volatile) replaces
/// other text that varies between runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redactor {
    /// The longest token comes first, because `…-primary-10` starts with `…-primary-1`.
    tokens: Vec<Token>,
    /// The ASCII characters with which tokens start. They let a search skip most positions of a text.
    first_characters: FirstCharacters,
}

#[derive(Debug, Clone)]
struct Token {
    text: String,
    placeholder: String,
    /// Whether to replace it inside a longer word too. A secret that the user chose is hidden everywhere. A longer word
    /// that starts with a token of upfault is a different token.
    anywhere: bool,
}

impl Token {
    /// The rest of `text` if `text` starts with this token.
    fn after<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        let rest = text.strip_prefix(self.text.as_bytes())?;
        (self.anywhere || !word::goes_on(self.text.as_bytes(), rest)).then_some(rest)
    }

    /// The rest of `text` if `text` starts with the part of a secret that an excerpt contains: its start before `…`, or,
    /// if `after_gap`, its end after `…`.
    fn after_part<'t>(&self, text: &'t str, after_gap: bool) -> Option<&'t str> {
        if !self.anywhere {
            return None;
        }
        let start = text.bytes().zip(self.text.bytes()).take_while(|(a, b)| a == b).count();
        let cut = text.get(start..).filter(|rest| start >= SHORTEST_PART && rest.starts_with(GAP));
        let ends = (SHORTEST_PART..self.text.len()).rev();
        let mut ends = ends.filter_map(|n| text.strip_prefix(self.text.get(self.text.len() - n..)?));
        cut.or_else(|| if after_gap { ends.next() } else { None })
    }
}

/// Marks where an excerpt leaves out text.
const GAP: char = '…';

/// A shorter part of a secret says nothing about it.
const SHORTEST_PART: usize = 4;

#[derive(Debug, Clone)]
struct FirstCharacters([bool; 128]);

impl Default for FirstCharacters {
    fn default() -> Self {
        Self([false; 128])
    }
}

impl FirstCharacters {
    fn add(&mut self, token: &str) {
        if let Some(known) = token.bytes().next().and_then(|byte| self.0.get_mut(usize::from(byte))) {
            *known = true;
        }
    }

    /// Whether a token may start with this character; always true for characters outside ASCII.
    fn may_start(&self, first: char) -> bool {
        self.0.get(first as usize).copied().unwrap_or(true)
    }
}

impl Redactor {
    /// Replaces only secrets, for reports: the key of the proxy becomes `<proxy key>`, the key of a deployment becomes
    /// `<key NAME>`. Canaries are kept, so that a reader can trace them.
    pub(crate) fn secrets(arrangement: &Arrangement) -> Self {
        let mut redactor = Self::default();
        redactor.add_secrets(arrangement);
        redactor.sorted()
    }

    /// Replaces every token that depends on the identity of the case, for snapshots.
    pub(crate) fn full(observation: &Observation) -> Self {
        let arrangement = &observation.arrangement;
        let mut redactor = Self::default();
        redactor.add_secrets(arrangement);
        // A proxy may choose among the deployments of a group at random.
        for member in &arrangement.proxy.group {
            redactor.add(&arrangement.identity.path(member), "<token>/group".to_owned());
        }
        let (mut of_group, group) = (0, &arrangement.proxy.group);
        for attempt in &observation.attempts {
            if group.contains(&attempt.deployment) {
                of_group += 1;
                redactor.add_canaries(attempt, &format!("group#{of_group}"));
            } else {
                redactor.add_canaries(attempt, &attempt.name());
            }
        }
        for deployment in &arrangement.deployments {
            redactor.add(&deployment.model, format!("<model {}>", deployment.name));
        }
        for address in &arrangement.upstream_addresses {
            redactor.add(address, "<upstream>".to_owned());
        }
        for address in &arrangement.foreign_addresses {
            redactor.add(address, "<upstream of another case>".to_owned());
        }
        redactor.add(&arrangement.identity.token, "<token>".to_owned());
        redactor.sorted()
    }

    /// Replaces only secrets, by placeholders of the same length: `<key primary--------->`. Recorded lengths of texts stay
    /// correct.
    pub(crate) fn secrets_in_place(arrangement: &Arrangement) -> Self {
        let mut redactor = Self::default();
        redactor.add_secrets(arrangement);
        for token in &mut redactor.tokens {
            token.placeholder = stretched(&token.placeholder, token.text.len());
        }
        redactor.sorted()
    }

    fn add_secrets(&mut self, arrangement: &Arrangement) {
        for (i, secret) in arrangement.proxy_secrets.iter().enumerate() {
            // The first one is the key that callers use; further ones are numbered.
            let placeholder =
                if i == 0 { "<proxy key>".to_owned() } else { format!("<proxy key {}>", i + 1) };
            self.add_token(secret, placeholder, true);
        }
        for deployment in &arrangement.deployments {
            self.add(&deployment.key, format!("<key {}>", deployment.name));
        }
    }

    fn add_canaries(&mut self, attempt: &Attempt, name: &str) {
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
            self.add(token, format!("<canary {what} {name}>"));
        }
        // Ids in a reply contain the stem, which counts the attempts of all repetitions of a case.
        self.add(canaries.stem(), format!("<token {name}>"));
    }

    fn add(&mut self, token: &str, placeholder: String) {
        self.add_token(token, placeholder, false);
    }

    fn add_token(&mut self, token: &str, placeholder: String, anywhere: bool) {
        if token.is_empty() {
            return;
        }
        // JSON text may contain the token in escaped form.
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
        self.tokens.iter().for_each(|token| self.first_characters.add(&token.text));
        self.tokens.sort_by(|a, b| b.text.len().cmp(&a.text.len()).then_with(|| a.text.cmp(&b.text)));
        self
    }

    /// Replaces every token in `text` in one pass: placeholders are not searched again.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let is_excerpt = text.contains(GAP);
        'next: while let Some(first) = rest.chars().next() {
            let after_gap = is_excerpt && out.ends_with(GAP);
            let parts = if is_excerpt { &self.tokens[..] } else { &[] };
            let tokens = if self.first_characters.may_start(first) { &self.tokens[..] } else { &[] };
            for token in tokens {
                if let Some(after) = token.after(rest.as_bytes()) {
                    out.push_str(&token.placeholder);
                    rest = &rest[rest.len() - after.len()..];
                    continue 'next;
                }
            }
            for token in parts {
                if let Some(after) = token.after_part(rest, after_gap) {
                    out.push_str(&token.placeholder);
                    rest = after;
                    continue 'next;
                }
            }
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
        out
    }

    /// Replaces every token in `bytes`.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
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

    /// Replaces every token in the strings of `value`; member names do not change.
    pub(crate) fn values(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.values(item)).collect(),
            Value::Object(members) => Value::Object(
                members.iter().map(|(name, value)| (name.clone(), self.values(value))).collect(),
            ),
            other => other.clone(),
        }
    }

    /// Replaces every token in the strings and the member names of `value`.
    pub(crate) fn json(&self, value: &Value) -> Value {
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

/// Extends a placeholder to `length` bytes. If the placeholder is longer than that, the result is asterisks.
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
    fn the_tenth_attempt_is_not_taken_for_the_first_one_followed_by_a_zero() {
        let mut observation = sample();
        let mut tenth = observation.attempts[0].clone();
        tenth.n = 10;
        tenth.canaries = observation.arrangement.identity.canaries("primary", 10);
        let token = tenth.canaries.message.clone();
        observation.attempts.push(tenth);
        assert_eq!(Redactor::full(&observation).text(&token), "<canary message primary#10>");
    }

    #[test]
    fn an_id_in_a_reply_is_numbered_by_its_attempt_whatever_the_stem_counts() {
        let mut observation = sample();
        let identity = observation.arrangement.identity.clone();
        observation.attempts[0].canaries = identity.canaries("primary", 3);
        let id = format!("chatcmpl-{}", identity.stem("primary", 3));
        assert_eq!(Redactor::full(&observation).text(&id), "chatcmpl-<token primary#1>");
    }

    #[test]
    fn a_longer_word_is_a_different_token_but_a_secret_is_hidden_inside_any_word() {
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
    fn a_secret_of_which_an_excerpt_contains_only_a_part_is_hidden() {
        let redactor = Redactor::secrets(&sample().arrangement);
        for (excerpt, hidden) in [
            ("the key sk-proxy-51c0…", "the key <proxy key>…"),
            ("…xy-51c0ffee is wrong", "…<proxy key> is wrong"),
            ("…sk-proxy-51c0ffee sk-proxy…", "…<proxy key> <proxy key>…"),
            // Without a gap, it is another word.
            ("sk-proxy-51c0 and …", "sk-proxy-51c0 and …"),
            ("sk-…", "sk-…"),
        ] {
            assert_eq!(redactor.text(excerpt), hidden);
        }
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
