//! The downstream side: one request of the caller and what came back.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    scenario::{Leave, RequestMistake},
    wire::frames::Carrier,
};

/// One request and its response on the downstream side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Exchange {
    /// Which request of the case this is.
    pub step: StepName,
    /// Milliseconds since the case began.
    pub sent_ms: f64,
    /// `POST`.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// As sent.
    pub request_headers: Vec<(String, String)>,
    /// As sent.
    pub request_body: String,
    /// What came back.
    pub outcome: ExchangeOutcome,
    /// Milliseconds since the case began.
    pub end_ms: f64,
    /// That the caller left before the answer was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<CallerLeft>,
    /// The deployment that the caller addressed; the first one where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// That it was sent at the same moment as the exchange before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub together: bool,
    /// What was wrong with the request, on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mistake: Option<RequestMistake>,
}

/// That a caller left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallerLeft {
    /// Milliseconds since the case began.
    pub at_ms: f64,
    /// When it was to leave, and how.
    pub how: Leave,
}

impl Exchange {
    /// How long the exchange took, in milliseconds.
    pub fn duration_ms(&self) -> f64 {
        self.end_ms - self.sent_ms
    }

    /// The caller left, and so was not there for the end. One that only half-closed and was answered
    /// to the end has an answer like any other.
    pub fn abandoned(&self) -> Option<&CallerLeft> {
        let ending = match &self.outcome {
            ExchangeOutcome::Answer(answer) => &answer.ending,
            ExchangeOutcome::NoAnswer { ending } => ending,
        };
        self.left.as_ref().filter(|_| *ending != ResponseEnd::Complete)
    }

    /// The answer, if there was one.
    pub fn answer(&self) -> Option<&Response> {
        match &self.outcome {
            ExchangeOutcome::Answer(answer) => Some(answer),
            ExchangeOutcome::NoAnswer { .. } => None,
        }
    }
}

/// Which request of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    /// The n-th step of the scenario, from 1.
    Step(u32),
    /// The control request after the fault: the upstreams are well again.
    Recovery,
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(n) => write!(f, "step {n}"),
            Self::Recovery => f.write_str("recovery"),
        }
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExchangeOutcome {
    /// At least a status line.
    Answer(Response),
    /// Not even that.
    NoAnswer {
        /// What happened instead.
        ending: ResponseEnd,
    },
}

/// A response, as far as it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// As received, names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// Milliseconds since the case began at which the headers were there.
    pub head_ms: f64,
    /// What came after the headers.
    pub body: ResponseBody,
    /// How it ended.
    pub ending: ResponseEnd,
    /// The close frame that ended a WebSocket session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<ReceivedClose>,
}

/// A close frame (RFC 6455 section 5.5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReceivedClose {
    /// None where the frame was empty.
    pub code: Option<u16>,
    /// What it says, for people.
    pub reason: String,
    /// Whether the caller sent one first, being done, and this is the answer to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answered: bool,
}

impl fmt::Display for ReceivedClose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "{code}")?,
            None => f.write_str("without a code")?,
        }
        if self.reason.is_empty() { Ok(()) } else { write!(f, ", {}", self.reason) }
    }
}

impl Response {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// What its frames are carried in, where it says that it is a stream of them.
    pub fn carrier(&self) -> Option<Carrier> {
        Carrier::of_reply(Some(self.status), |name| self.header(name))
    }

    /// The same; of a success that says nothing of what it is, `expected`.
    pub fn carrier_or(&self, expected: Option<Carrier>) -> Option<Carrier> {
        match self.header("content-type") {
            Some(kind) => Carrier::of(kind),
            None => expected.filter(|_| (200..300).contains(&self.status)),
        }
    }

    /// `<N bytes of audio/mpeg>` for a body that is nothing to read; `None` for any other.
    pub fn binary_size(&self) -> Option<String> {
        binary_size(self.header("content-type"), self.body.bytes).filter(|_| self.body.frames.is_empty())
    }
}

/// `<N bytes of TYPE>` for bytes whose content type says that they are nothing to read.
pub(super) fn binary_size(content_type: Option<&str>, bytes: u64) -> Option<String> {
    let essence = content_type?.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let binary = ["audio/", "image/", "video/"].iter().any(|kind| essence.starts_with(kind))
        || matches!(essence.as_str(), "application/octet-stream" | "application/vnd.amazon.eventstream");
    (binary && bytes > 0).then(|| format!("<{bytes} bytes of {essence}>"))
}

/// The bytes after the headers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResponseBody {
    /// As text; invalid UTF-8 is replaced and `utf8` says so. At most 1 MiB of it is kept.
    pub text: String,
    /// How many bytes came.
    pub bytes: u64,
    /// Whether what came was UTF-8 (a character cut off by the end counts as none).
    pub utf8: bool,
    /// For an event stream, or a WebSocket session: its frames with their times.
    pub frames: Vec<ReceivedFrame>,
    /// What made the rest of an event stream unreadable for every client: a wrong checksum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
}

/// One event of a stream, as the caller got it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReceivedFrame {
    /// Milliseconds since the case began.
    pub at_ms: f64,
    /// The `event:` field, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The `data:` lines, joined by line feeds.
    pub data: String,
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResponseEnd {
    /// The HTTP framing came to its end.
    Complete,
    /// TCP RST.
    Reset,
    /// FIN before the HTTP framing came to its end.
    Closed,
    /// The connection was refused.
    Refused,
    /// upfault's own deadline for the case ran out.
    Deadline,
    /// The caller left, as the scenario says.
    Left,
    /// What came was no HTTP, or something else went wrong.
    Broken(String),
}

impl fmt::Display for ResponseEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("complete"),
            Self::Reset => f.write_str("connection reset (RST)"),
            Self::Closed => f.write_str("connection closed before the end (FIN)"),
            Self::Refused => f.write_str("connection refused"),
            Self::Deadline => f.write_str("nothing more until upfault's deadline"),
            Self::Left => f.write_str("the caller left"),
            Self::Broken(reason) => write!(f, "broken: {reason}"),
        }
    }
}
