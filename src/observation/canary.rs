//! The identity of a case, and the tokens with which the details of its errors are traced.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::StepName;

/// The prefix of every provider key.
const KEY: &str = "sk-canary-";

/// The prefix of every model name.
const MODEL: &str = "upfault-";

/// The token that distinguishes the traffic of one case from that of all others.
///
/// It is part of values that every proxy must pass on or map: the model alias, the path of the base URL, the
/// key. It is never in an extra header, which a proxy may drop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Identity {
    /// Twelve letters and digits, unique to the case, and the same for the same seed.
    pub token: String,
}

impl Identity {
    /// The first segment of the path of the base URL that all deployments share. A request below it is for the deployment
    /// whose key or model it contains.
    pub const SHARED_PATH: &str = "any";

    /// A letter or digit for each byte of a hash, for tokens: 32 of them, in lower case.
    pub fn letters(hash: &[u8]) -> String {
        const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        hash.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect()
    }

    /// The model name with which callers address a deployment.
    pub fn model(&self, deployment: &str) -> String {
        format!("{MODEL}{}-{deployment}", self.token)
    }

    /// The first segments of the base URL path of a deployment, without a slash at the start and the end.
    pub fn path(&self, deployment: &str) -> String {
        format!("{}/{deployment}", self.token)
    }

    /// The provider key that the proxy uses for a deployment. The proxy must keep it secret.
    pub fn key(&self, deployment: &str) -> String {
        format!("{KEY}{}-{deployment}", self.token)
    }

    /// What the caller asks about in a request of a run of the case, whose number is 1-based. No other request asks
    /// about it, so that a cache never has a response for it. All topics have the same length, because accounts count
    /// the tokens of a request.
    pub fn topic(&self, step: StepName, run: u32) -> String {
        let n = match step {
            StepName::Step(n) => n,
            StepName::Recovery => 0,
        };
        format!("{} {n:02}{run:02}", self.token)
    }

    /// The topic in the text of a request, if it contains one.
    pub fn topic_in<'t>(&self, text: &'t str) -> Option<&'t str> {
        let start = text.find(&format!("{} ", self.token))?;
        let number = start + self.token.len() + 1;
        let digits = text[number..].bytes().take_while(u8::is_ascii_digit).count();
        (digits >= 4).then(|| &text[start..number + digits])
    }

    /// Whether `text` contains a provider key of any case.
    pub fn contains_key(text: &str) -> bool {
        text.contains(KEY)
    }

    /// The provider keys of any case in a text.
    pub fn keys_in(text: &str) -> impl Iterator<Item = &str> {
        text.match_indices(KEY).map(|(start, _)| {
            let rest = &text[start..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
            rest[..end].trim_end_matches('-')
        })
    }

    /// The token and the deployment in a model name.
    pub fn of_model(model: &str) -> Option<(&str, &str)> {
        model.strip_prefix(MODEL)?.rsplit_once('-')
    }

    /// The token and the deployment in a provider key.
    pub fn of_key(key: &str) -> Option<(&str, &str)> {
        key.strip_prefix(KEY)?.rsplit_once('-')
    }

    /// The tokens that attempt `n` (from 1) of a deployment plants in its reply.
    pub fn canaries(&self, deployment: &str, n: u32) -> Canaries {
        Canaries::with_stem(&self.stem(deployment, n))
    }

    /// The common suffix of these tokens.
    pub fn stem(&self, deployment: &str, n: u32) -> String {
        format!("{}-{deployment}-{n}", self.token)
    }
}

/// The tokens planted in one reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Canaries {
    /// Part of the error message.
    pub message: String,
    /// The value of `error.code`, if a scenario uses it.
    pub code: String,
    /// The value of `error.type`, if a scenario uses it.
    #[serde(rename = "type")]
    pub kind: String,
    /// The value of `error.param`, if a scenario uses it.
    pub param: String,
    /// The value of a header.
    pub header: String,
    /// The request id.
    pub request_id: String,
    /// Part of the text of a successful reply.
    pub content: String,
}

impl Canaries {
    /// The tokens with the suffix `stem`.
    pub fn with_stem(stem: &str) -> Self {
        let token = |kind: &str| [kind, stem].concat();
        Self {
            message: token("canary-msg-"),
            code: token("canary_code_"),
            kind: token("canary_type_"),
            param: token("canary_param_"),
            header: token("canary-hdr-"),
            request_id: token("req_"),
            content: token("canary-txt-"),
        }
    }

    /// The common suffix of all tokens.
    pub fn stem(&self) -> &str {
        self.request_id.strip_prefix("req_").unwrap_or(&self.request_id)
    }
}

/// A token in a text, of any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlantedToken<'a> {
    /// The kind: `message`, `request id`, `content`, …
    pub kind: &'static str,
    /// The whole token.
    pub token: &'a str,
    /// The suffix, which identifies the attempt that it belongs to.
    pub stem: &'a str,
}

/// The kinds of tokens and their prefixes.
const PREFIXES: [(&str, &str); 7] = [
    ("message", "canary-msg-"),
    ("code", "canary_code_"),
    ("type", "canary_type_"),
    ("param", "canary_param_"),
    ("header", "canary-hdr-"),
    ("request id", "req_"),
    ("content", "canary-txt-"),
];

/// Every token in `text`, of any case and any attempt, in order. Providers also use ids that begin with
/// `req_`; such an id is included only if its rest has the form of a stem.
pub(crate) fn planted(text: &str) -> Vec<PlantedToken<'_>> {
    let mut found: Vec<(usize, PlantedToken<'_>)> = Vec::new();
    for (kind, beginning) in PREFIXES {
        for (at, _) in text.match_indices(beginning) {
            let begin = at + beginning.len();
            if let Some(length) = stem(&text[begin..]) {
                let end = begin + length;
                found.push((at, PlantedToken { kind, token: &text[at..end], stem: &text[begin..end] }));
            }
        }
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, planted)| planted).collect()
}

/// The length of the stem `TOKEN-DEPLOYMENT-N` at the start of `text`; `None` if there is none.
fn stem(text: &str) -> Option<usize> {
    let word = |text: &str| text.bytes().take_while(|b| b.is_ascii_lowercase() || b.is_ascii_digit()).count();
    let mut length = 0;
    for _ in 0..2 {
        let part = word(&text[length..]);
        length += part;
        if part == 0 || !text[length..].starts_with('-') {
            return None;
        }
        length += 1;
    }
    let digits = text[length..].bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0).then_some(length + digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planted_tokens_are_found_anywhere_with_their_kind_and_stem() {
        let one = Identity { token: "abc234".to_owned() }.canaries("primary", 1);
        let ten = Identity { token: "xyz".to_owned() }.canaries("backup", 10);
        let text = format!(
            "{{\"message\":\"no ({}).\",\"id\":\"{}\",\"code\":\"x{}\"}} req_7 canary-msg- req_1-2 {}é",
            one.message, ten.request_id, ten.code, one.content
        );
        let found: Vec<_> = planted(&text).iter().map(|planted| (planted.kind, planted.stem)).collect();
        assert_eq!(
            found,
            [
                ("message", one.stem()),
                ("request id", ten.stem()),
                ("code", ten.stem()),
                ("content", one.stem())
            ]
        );
        for planted in planted(&text) {
            assert!(planted.token.ends_with(planted.stem) && text.contains(planted.token));
        }
    }

    #[test]
    fn the_topic_of_a_request_is_found_in_its_text() {
        let identity = Identity { token: "abc234".to_owned() };
        let topics = [
            (StepName::Step(1), 1),
            (StepName::Step(12), 1),
            (StepName::Step(1), 2),
            (StepName::Recovery, 1),
        ]
        .map(|(step, run)| identity.topic(step, run));
        assert_eq!(topics, ["abc234 0101", "abc234 1201", "abc234 0102", "abc234 0001"]);
        for topic in &topics {
            let text = format!("{{\"prompt\":\"Say {topic}.\"}}");
            assert_eq!(identity.topic_in(&text), Some(topic.as_str()));
        }
        for text in ["Say abc234.", "abc234 .", "upfault-abc234-primary", "Say hello."] {
            assert_eq!(identity.topic_in(text), None, "{text}");
        }
    }

    #[test]
    fn every_token_of_an_attempt_is_found() {
        let canaries = Identity { token: "abc".to_owned() }.canaries("primary", 3);
        let Canaries { message, code, kind, param, header, request_id, content } = &canaries;
        for token in [message, code, kind, param, header, request_id, content] {
            let found = planted(token);
            assert_eq!(found.iter().map(|planted| planted.token).collect::<Vec<_>>(), [token]);
            assert_eq!(found[0].stem, canaries.stem());
        }
    }
}
