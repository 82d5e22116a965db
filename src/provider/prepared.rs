//! Responses that differ between attempts only in their canaries.

use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    dialect,
    header::{HeaderField, Name},
    message::{MessageBody, ProviderMessage},
    request::RequestedCall,
};
use crate::{observation::Canaries, scenario::Turn};

/// A turn's response to equivalent requests, with holes for the stem of the canaries.
///
/// The dialects need no support for it: a response is created twice, with two stems, and can be prepared if filling
/// the holes of one with the stem of the other gives the other. This is not the case if a checksum or an encoding
/// covers a canary; then the response is not prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prepared {
    status: u16,
    headers: Vec<(Name, HeaderValue)>,
    /// The whole body.
    body: Template,
    /// The frames of the body.
    frames: Frames,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Frames {
    Whole,
    /// The end of each event, and whether the last event is the terminator.
    Events {
        ends: Vec<Mark>,
        terminated: bool,
    },
}

/// Stems of different lengths, so that a serialized length differs too. Requests and scenarios do not contain
/// these texts by chance.
const STEMS: [&str; 2] = ["0e5b7c-stem-of-upfault-1", "7a90f2d4-stem-of-upfault-65536"];

impl Prepared {
    /// Prepares the response of `turn` to `asked`; returns `None` if it depends on more than the stem.
    pub(crate) fn of(asked: &RequestedCall, turn: &Turn) -> Option<Self> {
        let asked = RequestedCall { body: asked.body.not_accessed()?, ..asked.clone() };
        let [message, other] = STEMS.map(|stem| dialect::message(&asked, turn, &Canaries::with_stem(stem)));
        let prepared = Self::from_message(message)?;
        (!asked.body.was_accessed() && prepared.message(STEMS[1]) == other).then_some(prepared)
    }

    /// Whether canaries with this stem are serialized unchanged in every format.
    pub(crate) fn suits(stem: &str) -> bool {
        stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    }

    /// Returns the response with canaries that end in `stem`, which must [suit](Self::suits).
    pub(crate) fn message(&self, stem: &str) -> ProviderMessage {
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), value.filled(stem)));
        let bytes = Bytes::from(self.body.filled(stem));
        let body = match &self.frames {
            Frames::Whole => MessageBody::Whole(bytes),
            Frames::Events { ends, terminated } => {
                let mut start = 0;
                let mut events: Vec<Bytes> = Vec::with_capacity(ends.len());
                for end in ends {
                    let end = end.filled(stem);
                    events.push(bytes.slice(start..end));
                    start = end;
                }
                let terminator = if *terminated { events.pop() } else { None };
                MessageBody::Events { events, terminator }
            }
        };
        ProviderMessage { status: self.status, headers: headers.collect(), body }
    }

    fn from_message(message: ProviderMessage) -> Option<Self> {
        let mut body = Template::default();
        let frames = match message.body {
            MessageBody::Whole(bytes) => {
                body.push(&bytes, STEMS[0]);
                Some(Frames::Whole)
            }
            MessageBody::Events { events, terminator } => {
                let terminated = terminator.is_some();
                let ends = events.iter().chain(&terminator).map(|event| body.push(event, STEMS[0])).collect();
                Some(Frames::Events { ends, terminated })
            }
            // A template has no place for waits.
            MessageBody::Chunks(_) => None,
            // Sessions are rare, and each of their frames contains its length.
            MessageBody::Session { .. } => None,
        };
        let frames = frames?;
        let header = |(name, value): HeaderField| (name, HeaderValue::of(value));
        let headers = message.headers.into_iter().map(header).collect();
        Some(Self { status: message.status, headers, body, frames })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HeaderValue {
    /// The same in every response.
    Fixed(ByteString),
    Filled(Template),
}

impl HeaderValue {
    fn of(value: ByteString) -> Self {
        let template = Template::of(value.as_bytes(), STEMS[0]);
        if template.holes.is_empty() { Self::Fixed(value) } else { Self::Filled(template) }
    }

    fn filled(&self, stem: &str) -> ByteString {
        match self {
            Self::Fixed(value) => value.clone(),
            // A text whose holes are filled with text is valid UTF-8.
            Self::Filled(template) => String::from_utf8(template.filled(stem)).unwrap_or_default().into(),
        }
    }
}

/// Bytes with holes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Template {
    /// The bytes between the holes.
    text: Vec<u8>,
    /// The positions of the holes in `text`.
    holes: Vec<usize>,
}

/// A place in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    offset: usize,
    /// The number of holes before it.
    holes: usize,
}

impl Mark {
    /// The position after the holes are filled.
    fn filled(self, stem: &str) -> usize {
        self.offset + self.holes * stem.len()
    }
}

impl Template {
    /// Returns the bytes with a hole for each `stem` in them.
    pub(crate) fn of(bytes: &[u8], stem: &str) -> Self {
        let mut template = Self::default();
        template.push(bytes, stem);
        template
    }

    /// Appends bytes, with a hole for each `stem` in them; returns the position after them.
    fn push(&mut self, mut bytes: &[u8], stem: &str) -> Mark {
        while let Some(at) = find(bytes, stem.as_bytes()) {
            self.text.extend_from_slice(&bytes[..at]);
            self.holes.push(self.text.len());
            bytes = &bytes[at + stem.len()..];
        }
        self.text.extend_from_slice(bytes);
        Mark { offset: self.text.len(), holes: self.holes.len() }
    }

    /// Returns the bytes with the holes filled.
    pub(crate) fn filled(&self, stem: &str) -> Vec<u8> {
        let mut filled = Vec::new();
        self.fill(stem, &mut filled);
        filled
    }

    /// Appends the bytes with the holes filled.
    pub(crate) fn fill(&self, stem: &str, out: &mut Vec<u8>) {
        out.reserve_exact(self.text.len() + self.holes.len() * stem.len());
        let mut start = 0;
        for hole in &self.holes {
            out.extend_from_slice(&self.text[Range { start, end: *hole }]);
            out.extend_from_slice(stem.as_bytes());
            start = *hole;
        }
        out.extend_from_slice(&self.text[start..]);
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use serde_json::json;

    use super::*;
    use crate::{
        provider::LazyJson,
        scenario::{Api, ErrorName, Provider, SuccessReply, TurnReply},
    };

    /// A request whose body was parsed from text, as in production.
    fn asked(provider: Provider, api: Api, stream: bool) -> RequestedCall {
        let plain = RequestedCall::plain(provider, api, stream);
        let text = json!({"model": plain.model, "stream": stream, "input": "x"}).to_string();
        let (body, _) = LazyJson::read(text.as_bytes()).unwrap();
        RequestedCall { body, ..plain }
    }

    fn turn(answer: TurnReply) -> Turn {
        Turn { answer, headers: IndexMap::new(), faults: Vec::new() }
    }

    #[test]
    fn a_prepared_response_equals_the_one_that_is_created_directly() {
        let canaries = Canaries::with_stem("abc123-main-17");
        let others = [
            TurnReply::Error(ErrorName::RateLimit),
            TurnReply::Error(ErrorName::BadGateway),
            TurnReply::Literal {
                status: 418,
                body: Some(json!("data: {{canary.code}}\n\ndata: 2\n\n")),
                bodies: Default::default(),
                chunks: Vec::new(),
            },
        ];
        let answers: Vec<_> =
            SuccessReply::EXAMPLES.into_iter().map(TurnReply::Reply).chain(others).collect();
        let mut prepared = 0;
        for provider in Provider::ALL {
            for api in Api::ALL {
                for (answer, stream) in answers.iter().flat_map(|answer| [(answer, false), (answer, true)]) {
                    let (asked, turn) = (asked(*provider, *api, stream), turn(answer.clone()));
                    let Some(reply) = Prepared::of(&asked, &turn) else { continue };
                    prepared += 1;
                    assert_eq!(
                        reply.message(canaries.stem()),
                        dialect::message(&asked, &turn, &canaries),
                        "{provider} {api} {answer:?} {stream}"
                    );
                }
            }
        }
        assert!(prepared > 1000, "{prepared}");
    }

    #[test]
    fn chat_is_prepared_for_any_prompt() {
        for stream in [false, true] {
            let asked = asked(Provider::Openai, Api::OpenaiChat, stream);
            assert!(Prepared::of(&asked, &turn(TurnReply::Reply(SuccessReply::Ok))).is_some());
        }
    }

    #[test]
    fn a_response_that_depends_on_the_body_or_has_checksums_is_not_prepared() {
        let ok = turn(TurnReply::Reply(SuccessReply::Ok));
        let embeddings = asked(Provider::Openai, Api::OpenaiEmbeddings, false);
        assert_eq!(Prepared::of(&embeddings, &ok), None);
        assert!(!embeddings.body.was_accessed(), "preparing does not access the body of the request");
        assert_eq!(Prepared::of(&asked(Provider::Bedrock, Api::BedrockConverse, true), &ok), None);
    }

    #[test]
    fn a_stem_that_json_or_a_url_would_escape_does_not_suit() {
        for (stem, suits) in
            [("a1-main-2", true), ("a1-my_own-2", true), ("a1-\"-2", false), ("a1-ä-2", false)]
        {
            assert_eq!(Prepared::suits(stem), suits, "{stem}");
        }
    }
}
