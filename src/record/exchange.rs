//! A request that passed the recorder and its response, in memory.

use std::time::Duration;

use bytes::Bytes;

use crate::{
    dialect::{self, StreamEvent},
    scenario::{Api, Provider},
    wire::frames::{self, Carrier},
};

/// One request with its response.
#[derive(Debug, Clone)]
pub(crate) struct PassedExchange {
    /// The HTTP method.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The provider that answered.
    pub provider: Provider,
    /// The endpoint that was called; `None` if the provider has no such path.
    pub api: Option<Api>,
    /// Whether the request asked for a stream.
    pub stream: bool,
    /// The parts of the request that must not reach the disk: keys and tokens.
    pub secrets: Vec<String>,
    /// What the upstream sent; `None` if the connection ended before its status line.
    pub reply: Option<PassedReply>,
    /// The time from the request until the status line, or until the end if there was none.
    pub first: Duration,
    /// How the response ended.
    pub end: PassedEnd,
    /// The time from the last byte until the end.
    pub silence: Duration,
}

#[cfg(test)]
impl PassedExchange {
    /// A call of OpenAI's chat that ended like this before a response.
    pub(crate) fn without_reply(end: PassedEnd) -> Self {
        Self {
            method: "POST".to_owned(),
            path: "/v1/chat/completions".to_owned(),
            provider: Provider::Openai,
            api: Some(Api::OpenaiChat),
            stream: false,
            secrets: Vec::new(),
            reply: None,
            first: Duration::ZERO,
            end,
            silence: Duration::ZERO,
        }
    }
}

/// A response as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct PassedReply {
    /// The status code.
    pub status: u16,
    /// The headers in order, with names in lower case, without those of the connection.
    pub headers: Vec<(String, String)>,
    /// The parts of the body, each with the time since the part before it (or since the status line).
    pub parts: Vec<(Duration, Bytes)>,
}

/// How a response ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PassedEnd {
    /// It was complete.
    Complete,
    /// The upstream refused the connection.
    Refused,
    /// The upstream reset the connection.
    Reset,
    /// The upstream closed the connection too early.
    Closed,
    /// The client left before the end, so what the upstream would have sent is unknown.
    ClientLeft,
    /// There is no response that a mock could repeat, with the reason.
    NotRepeatable(String),
}

impl PassedReply {
    /// The value of the first header with this name (in lower case).
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The whole body.
    pub(super) fn body(&self) -> Vec<u8> {
        self.parts.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect()
    }

    /// The format of its events; `None` for a plain body.
    pub(super) fn carrier(&self) -> Option<Carrier> {
        self.header("content-type").and_then(Carrier::of)
    }
}

impl PassedExchange {
    /// The status, if there was a response.
    pub(crate) fn status(&self) -> Option<u16> {
        self.reply.as_ref().map(|reply| reply.status)
    }

    /// Whether the provider failed: an error status, an error in the stream, or no proper end.
    pub(crate) fn has_failed(&self) -> bool {
        let Some(reply) = self.reply.as_ref().filter(|_| self.end == PassedEnd::Complete) else {
            return true;
        };
        reply.status >= 400 || self.has_error_event(reply)
    }

    fn has_error_event(&self, reply: &PassedReply) -> bool {
        let (Some(api), Some(carrier)) = (self.api, reply.carrier()) else { return false };
        frames::decode(carrier, &reply.body()).iter().any(|frame| {
            matches!(dialect::event(api, frame.event.as_deref(), &frame.data), StreamEvent::Error(_))
        })
    }
}
