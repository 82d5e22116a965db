//! The downstream side: one request of the caller and its response.

use std::fmt;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CodedBody;
use crate::{
    scenario::{Leave, RequestMistake},
    wire::frames::Carrier,
};

/// One request and its response on the downstream side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Exchange {
    /// The request of the case.
    pub step: StepName,
    /// When the request was sent, in milliseconds since the case began.
    pub sent_ms: f64,
    /// The method, such as `POST`.
    pub method: String,
    /// The complete URL.
    pub url: String,
    /// The request headers as sent.
    pub request_headers: Vec<(String, String)>,
    /// The request body as sent.
    pub request_body: String,
    /// The response, or what happened instead.
    pub outcome: ExchangeOutcome,
    /// When the exchange ended, in milliseconds since the case began.
    pub end_ms: f64,
    /// Set if the caller left before the end of the response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<CallerLeft>,
    /// The deployment that the caller addressed; the first one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Whether the request was sent concurrently with that of the exchange before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub together: bool,
    /// How the request is intentionally invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mistake: Option<RequestMistake>,
}

/// When and how a caller left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct CallerLeft {
    /// When the caller left, in milliseconds since the case began.
    pub at_ms: f64,
    /// The instruction of the scenario: when and how to leave.
    pub how: Leave,
}

impl Exchange {
    /// How long the exchange took, in milliseconds.
    pub fn duration_ms(&self) -> f64 {
        self.end_ms - self.sent_ms
    }

    /// How the caller left, if it did not receive the complete response. A caller that only half-closed the
    /// connection and received everything does not count.
    pub fn abandoned(&self) -> Option<&CallerLeft> {
        let ending = match &self.outcome {
            ExchangeOutcome::Answer(answer) => &answer.ending,
            ExchangeOutcome::NoAnswer { ending } => ending,
        };
        self.left.as_ref().filter(|_| *ending != ResponseEnd::Complete)
    }

    /// The response, if there was one.
    pub fn answer(&self) -> Option<&Response> {
        match &self.outcome {
            ExchangeOutcome::Answer(answer) => Some(answer),
            ExchangeOutcome::NoAnswer { .. } => None,
        }
    }
}

/// A request of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    /// The step of the scenario with this 1-based number.
    Step(u32),
    /// The control request after the fault, when the upstreams are healed.
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

/// The result of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExchangeOutcome {
    /// The caller received at least a status line.
    Answer(Response),
    /// The caller did not receive a status line.
    NoAnswer {
        /// What happened instead.
        ending: ResponseEnd,
    },
}

/// A response, as far as it was received.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers as received, in order, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// When the headers were complete, in milliseconds since the case began.
    pub head_ms: f64,
    /// The body.
    pub body: ResponseBody,
    /// How the response ended.
    pub ending: ResponseEnd,
    /// The close frame that ended a WebSocket session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<ReceivedClose>,
}

/// A close frame (RFC 6455 section 5.5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct ReceivedClose {
    /// The close code; `None` if the frame was empty.
    pub code: Option<u16>,
    /// The reason as text.
    pub reason: String,
    /// Whether this frame answers a close frame of the caller, which was done with the session.
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
    /// The first header with this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The framing of the response, if its headers say that it is a stream of frames.
    pub fn carrier(&self) -> Option<Carrier> {
        Carrier::of_reply(Some(self.status), |name| self.header(name))
    }

    /// The framing of the response; `expected` for a 2xx response without a content type.
    pub fn carrier_or(&self, expected: Option<Carrier>) -> Option<Carrier> {
        match self.header("content-type") {
            Some(kind) => Carrier::of(kind),
            None => expected.filter(|_| (200..300).contains(&self.status)),
        }
    }

    /// `<N bytes of audio/mpeg>` for a binary body; `None` for a text.
    pub fn binary_size(&self) -> Option<String> {
        binary_size(self.header("content-type"), self.body.bytes).filter(|_| self.body.frames.is_empty())
    }
}

/// `<N bytes of TYPE>` for bytes with a binary content type.
pub(super) fn binary_size(content_type: Option<&str>, bytes: u64) -> Option<String> {
    let essence = content_type?.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let binary = ["audio/", "image/", "video/"].iter().any(|kind| essence.starts_with(kind))
        || matches!(essence.as_str(), "application/octet-stream" | "application/vnd.amazon.eventstream");
    (binary && bytes > 0).then(|| format!("<{bytes} bytes of {essence}>"))
}

/// The body of a response.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct ResponseBody {
    /// The body as text, at most 1 MiB of it. Invalid UTF-8 is replaced; `utf8` is then false.
    pub text: String,
    /// The number of bytes that were received, after decoding.
    pub bytes: u64,
    /// Whether the body is valid UTF-8. A character that is cut off at the end makes it invalid.
    pub utf8: bool,
    /// The frames of an event stream or a WebSocket session, with their times.
    pub frames: Vec<ReceivedFrame>,
    /// The error that makes the rest of an event stream unreadable for every client, such as a wrong
    /// checksum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// The coding of the body. Everything else here describes the body after it was decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coded: Option<CodedBody>,
}

impl ResponseBody {
    /// Why a client that decodes the body as its `Content-Encoding` says cannot read it.
    pub fn undecodable(&self) -> Option<&str> {
        self.coded.as_ref()?.error.as_deref()
    }
}

/// One event of a stream, as the caller received it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct ReceivedFrame {
    /// When it was received, in milliseconds since the case began.
    pub at_ms: f64,
    /// The `event:` field, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// The `data:` lines, joined by line feeds.
    pub data: String,
}

/// How a response ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ResponseEnd {
    /// The HTTP message ended completely.
    Complete,
    /// The connection was reset (TCP RST).
    Reset,
    /// The connection was closed (FIN) before the HTTP message was complete.
    Closed,
    /// The connection was refused.
    Refused,
    /// upfault's own deadline for the case expired.
    Deadline,
    /// The caller left, as the scenario requires.
    Left,
    /// The bytes were not valid HTTP, or another error occurred.
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
