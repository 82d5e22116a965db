//! The allow-list: what of a recorded response may reach the disk.

use std::{collections::HashSet, sync::OnceLock};

use serde::Deserialize;

use crate::{
    observation::{looks_random, looks_secret},
    provider::catalogue_rows,
    scenario::Provider,
};

/// The allow-list, with the names that a user has added.
#[derive(Debug, Clone)]
pub(super) struct Allowed {
    headers: Vec<String>,
    members: HashSet<String>,
    opaque: HashSet<String>,
    words: HashSet<String>,
    parameters: HashSet<String>,
    texts: HashSet<String>,
    /// Members that a user has named: their texts stay as they are.
    kept: HashSet<String>,
    vocabulary: &'static HashSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllowedFile {
    headers: Vec<String>,
    members: HashSet<String>,
    opaque: HashSet<String>,
    words: HashSet<String>,
    parameters: HashSet<String>,
    texts: HashSet<String>,
    page_words: String,
    parameter_words: String,
}

/// What may stay of the text of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextRule {
    /// All of it.
    Whole,
    /// All of it if it is one word of a vocabulary.
    Word,
    /// All of it if it is one word that consists of common words.
    Parameter,
    /// Its common words.
    CommonWords,
    /// Nothing.
    Nothing,
}

impl Allowed {
    /// The list of the binary, and the names of `headers` and `members` whose values may stay as well.
    pub(super) fn new(headers: &[String], members: &[String]) -> Self {
        let file = file();
        let mut list = Self {
            headers: file.headers,
            members: file.members,
            opaque: file.opaque,
            words: file.words,
            parameters: file.parameters,
            texts: file.texts,
            kept: members.iter().cloned().collect(),
            vocabulary: vocabulary(),
        };
        list.headers.extend(headers.iter().map(|name| name.to_ascii_lowercase()));
        list.opaque.retain(|name| !members.contains(name));
        let with_rules = [&list.words, &list.parameters, &list.texts, &list.opaque];
        list.members.extend(with_rules.into_iter().flatten().cloned());
        list.members.extend(members.iter().cloned());
        list
    }

    /// Whether the value of a header (its name in lower case) may stay.
    pub(super) fn keeps_header(&self, name: &str) -> bool {
        self.headers.iter().any(|known| match known.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == known,
        })
    }

    /// Whether the name of a member may stay.
    pub(super) fn knows(&self, member: &str) -> bool {
        self.members.contains(member)
    }

    /// Whether nothing in a member may stay.
    pub(super) fn is_opaque(&self, member: &str) -> bool {
        self.opaque.contains(member)
    }

    /// What may stay of the text of a member.
    pub(super) fn rule(&self, member: &str) -> TextRule {
        if self.kept.contains(member) {
            TextRule::Whole
        } else if self.words.contains(member) {
            TextRule::Word
        } else if self.parameters.contains(member) {
            TextRule::Parameter
        } else if self.texts.contains(member) {
            TextRule::CommonWords
        } else {
            TextRule::Nothing
        }
    }

    /// Whether a word, in any case, occurs in texts that everybody can read.
    pub(super) fn is_common(&self, word: &str) -> bool {
        self.vocabulary.contains(&word.to_ascii_lowercase())
    }

    /// Whether a text is one word that consists of common words and small numbers: `messages[0].content`, `API_KEY_INVALID`,
    /// `rateLimitExceeded`. What a caller named is not.
    pub(super) fn is_parameter(&self, text: &str) -> bool {
        let is_known = |part: &str| match part.bytes().all(|byte| byte.is_ascii_digit()) {
            true => part.len() <= 3,
            false => self.is_common(part),
        };
        is_word(text) && text.split(|char: char| !char.is_ascii_alphanumeric()).flat_map(humps).all(is_known)
    }
}

/// The words of a name in camel case.
fn humps(name: &str) -> impl Iterator<Item = &str> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let begins = |pair: &[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
        let end = rest.as_bytes().windows(2).position(begins).map_or(rest.len(), |at| at + 1);
        let (hump, after) = rest.split_at(end);
        rest = after;
        (!hump.is_empty()).then_some(hump)
    })
}

/// Whether a text is one word of a vocabulary (`rate_limit_exceeded`), and not an id, a key or an address.
pub(super) fn is_word(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/[]".contains(&byte);
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    (1..=64).contains(&text.len())
        && text.bytes().all(fits)
        && digits <= 4
        && !looks_secret(text)
        && !text.split(['.', '/', '[', ']']).any(looks_random)
}

/// Whether a byte separates words of a text for people.
pub(super) fn separates(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"<>=\"'()[]{},;:!?/&#|*`\\".contains(&byte)
}

fn file() -> AllowedFile {
    let parsed = serde_saphyr::from_str(include_str!("allowed.yaml"));
    // The file is embedded in the binary, and a test parses it.
    parsed.unwrap_or_else(|error| unreachable!("the allow-list does not load: {error}"))
}

/// The words of the catalogue's texts, without those that contain a digit, of pages and of parameters, in lower case.
fn vocabulary() -> &'static HashSet<String> {
    static WORDS: OnceLock<HashSet<String>> = OnceLock::new();
    WORDS.get_or_init(|| {
        let texts = Provider::all().into_iter().flat_map(catalogue_rows);
        let mut words: HashSet<String> = HashSet::new();
        let mut add = |text: &str| {
            let split = text.split(|char: char| u8::try_from(char).is_ok_and(separates));
            let words_of = split.map(|word| word.trim_matches('.').to_ascii_lowercase());
            words.extend(words_of.filter(|word| {
                !word.is_empty() && !word.bytes().any(|byte| byte.is_ascii_digit()) && word.is_ascii()
            }));
        };
        for (_, row) in texts {
            // What is between braces is filled in with what a request contains.
            for (n, part) in row.message.split(['{', '}']).enumerate() {
                if n % 2 == 0 {
                    add(part);
                }
            }
        }
        let file = file();
        let more = file.page_words.split_whitespace().chain(file.parameter_words.split_whitespace());
        words.extend(more.map(str::to_owned));
        words
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_vocabulary_is_not_an_id() {
        for word in
            ["rate_limit_exceeded", "ThrottlingException", "RESOURCE_EXHAUSTED", "messages[0].content", "429"]
        {
            assert!(is_word(word), "{word}");
        }
        for other in [
            "",
            "two words",
            "a@b.example",
            "sk-proj-abc",
            "pplx-abcdefghij",
            "org-abc",
            "10.0.0.1",
            "0123456789",
            "kqXvBzWnRtYpLmHdkqXvBz",
            "4111111111111111",
            "caf\u{e9}",
        ] {
            assert!(!is_word(other), "{other}");
        }
    }

    #[test]
    fn words_of_the_catalogue_are_common_and_names_are_not() {
        let list = Allowed::new(&[], &[]);
        for word in ["Rate", "limit", "overloaded", "html", "nginx"] {
            assert!(list.is_common(word), "{word}");
        }
        for word in ["alice", "acme", "org-abc", ""] {
            assert!(!list.is_common(word), "{word}");
        }
    }

    #[test]
    fn parameters_and_reasons_of_providers_stay_and_names_of_callers_do_not() {
        let list = Allowed::new(&[], &[]);
        for known in [
            "model",
            "messages[0].content",
            "messages.[1].tool_calls",
            "tools[12].function.parameters",
            "max_tokens",
            "max_completion_tokens",
            "max_output_tokens",
            "response_format",
            "reasoning_effort",
            "stream_options.include_usage",
            "temperature",
            "top_p",
            "n",
            "content_filter",
            "API_KEY_INVALID",
            "IAM_PERMISSION_DENIED",
            "ACCESS_TOKEN_TYPE_UNSUPPORTED",
            "rateLimitExceeded",
            "SERVICE_DISABLED",
        ] {
            assert!(list.is_parameter(known), "{known}");
        }
        for other in ["alice", "metadata.alice", "Alice_Smith", "pplx-abcdefghij", "two words", "max_4711"] {
            assert!(!list.is_parameter(other), "{other}");
        }
        assert_eq!((list.rule("param"), list.rule("reason")), (TextRule::Parameter, TextRule::Parameter));
    }

    #[test]
    fn a_user_can_add_names() {
        let list = Allowed::new(&["X-Own".to_owned()], &["model".to_owned(), "input".to_owned()]);
        assert!(list.keeps_header("x-own") && list.keeps_header("x-ratelimit-limit-tokens"));
        assert!(!list.keeps_header("x-request-id"));
        assert_eq!((list.rule("model"), list.is_opaque("input")), (TextRule::Whole, false));
        assert_eq!(Allowed::new(&[], &[]).rule("model"), TextRule::Nothing);
    }
}
