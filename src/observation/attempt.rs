//! The upstream side: one request that reached a mock, and what the mock did with it.

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Canaries, ReceivedClose, exchange::binary_size};
use crate::{
    scenario::{Api, Turn},
    wire::frames::Carrier,
};

/// One request that reached an upstream, as the mock saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// Which deployment of the case.
    pub deployment: String,
    /// The how-manieth at this deployment in this case, from 1.
    pub n: u32,
    /// Milliseconds since the case began.
    pub at_ms: f64,
    /// `POST`; empty where the connection never got so far that a request was read.
    pub method: String,
    /// Below the deployment's base path: `/v1/chat/completions`.
    pub path: String,
    /// Which endpoint that is; `None` where the provider has no such path.
    pub api: Option<Api>,
    /// As received, names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// The request body as text (at most 1 MiB of it, invalid UTF-8 replaced); in a WebSocket session
    /// the messages that came, one a line.
    pub body: String,
    /// The turn that was played; `None` for a request that the mock itself refused.
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub turn: Option<Turn>,
    /// The tokens planted in the reply.
    pub canaries: Canaries,
    /// What went out.
    pub sent: SentReply,
    /// How it ended on the mock's side.
    pub end: AttemptEnd,
    /// Milliseconds since the case began; `None` while it is still open.
    pub end_ms: Option<f64>,
}

/// What a mock sent for one attempt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SentReply {
    /// `None` where the fault struck before the status line.
    pub status: Option<u16>,
    /// As sent, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as far as it was handed to the connection (at most 1 MiB of it), as text.
    pub body: String,
    /// Whether `body` is base64 of it: for binary framings such as AWS's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub base64: bool,
    /// Body bytes handed to the connection.
    pub bytes: u64,
    /// Whole frames handed to the connection: events of a stream, or 1 for a whole plain body.
    pub frames: u32,
    /// Body bytes after which nothing was readable any more, where the reply was broken as a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_after: Option<u64>,
    /// Whether a sound client could take the reply or refuse it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubtful: bool,
    /// The close frame by which the mock ended a WebSocket session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<ReceivedClose>,
    /// Of a reply whose client left: how the mock was about to end it, if there was no wait in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at_once: Option<AttemptEnd>,
    /// How far injected waits missed their time, at the worst, in milliseconds.
    pub timer_error_ms: f64,
}

impl Attempt {
    /// Whether a request was read, and not only a connection taken.
    pub fn was_asked(&self) -> bool {
        !self.method.is_empty()
    }

    /// How it ended as the mock had planned it. The mock ends a reply without a wait at the moment at which
    /// its client may leave: which of the two comes first is a race, and only the plan is the same each time.
    pub fn end_as_planned(&self) -> AttemptEnd {
        match (self.end, self.sent.ends_at_once) {
            (AttemptEnd::ClientLeft, Some(planned)) => planned,
            (end, _) => end,
        }
    }

    /// The body that was sent, as text: what is no text in it is replaced.
    pub fn said(&self) -> Cow<'_, str> {
        match self.sent.body_bytes() {
            Cow::Borrowed(_) => Cow::Borrowed(&self.sent.body),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }
}

impl AttemptEnd {
    /// The mock ended the reply before it was complete, on purpose.
    pub fn is_cut(self) -> bool {
        matches!(
            self,
            Self::Reset | Self::Closed | Self::StreamReset | Self::GoneAway | Self::HandshakeFailed
        )
    }
}

impl SentReply {
    /// Keeps a body: as text where it is text, else as base64. A character that the end cuts in two
    /// does not make a text binary.
    pub fn set_body(&mut self, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes);
        self.base64 = text.is_err_and(|error| error.error_len().is_some());
        self.body = match text {
            Ok(text) => text.to_owned(),
            Err(_) if self.base64 => BASE64_STANDARD.encode(bytes),
            Err(_) => String::from_utf8_lossy(bytes).into_owned(),
        };
    }

    /// The body's bytes, as far as they were kept.
    pub fn body_bytes(&self) -> Cow<'_, [u8]> {
        if self.base64 {
            BASE64_STANDARD.decode(&self.body).map_or(Cow::Borrowed(&[]), Cow::Owned)
        } else {
            Cow::Borrowed(self.body.as_bytes())
        }
    }

    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `<N bytes of audio/mpeg>` for a body that is nothing to read; `None` for any other.
    pub fn binary_size(&self) -> Option<String> {
        let kind = self.header("content-type");
        binary_size(kind, self.bytes).or_else(|| {
            self.base64.then(|| format!("<{} bytes of {}>", self.bytes, kind.unwrap_or("no content type")))
        })
    }

    /// What its frames are carried in, where it says that it is a stream of them.
    pub fn carrier(&self) -> Option<Carrier> {
        Carrier::of_reply(self.status, |name| self.header(name))
    }
}

/// How an attempt ended on the mock's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// Still open when the case was over.
    Open,
    /// The reply was sent to its end.
    Finished,
    /// The mock cut the connection with a RST.
    Reset,
    /// The mock cut the connection with a FIN.
    Closed,
    /// The mock ended the HTTP/2 stream with RST_STREAM.
    StreamReset,
    /// The mock ended the HTTP/2 connection with GOAWAY.
    GoneAway,
    /// TLS was not agreed on, so that no request could be read.
    HandshakeFailed,
    /// The proxy went away before the mock was done.
    ClientLeft,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Identity;

    #[test]
    fn a_reply_without_a_wait_ended_as_planned_even_if_its_client_left_first() {
        let attempt = |end, ends_at_once| Attempt {
            deployment: "primary".to_owned(),
            n: 1,
            at_ms: 0.0,
            method: "POST".to_owned(),
            path: "/v1/chat/completions".to_owned(),
            api: Some(Api::OpenaiChat),
            headers: Vec::new(),
            body: String::new(),
            turn: None,
            canaries: Identity { token: "abc".to_owned() }.canaries("primary", 1),
            sent: SentReply { ends_at_once, ..SentReply::default() },
            end,
            end_ms: Some(1.0),
        };
        use AttemptEnd::{ClientLeft, Closed, Finished, Reset};
        for (end, at_once, planned) in [
            (ClientLeft, Some(Finished), Finished),
            (ClientLeft, Some(Reset), Reset),
            // It waited, and the client may have left because of that.
            (ClientLeft, None, ClientLeft),
            (Closed, None, Closed),
        ] {
            assert_eq!(attempt(end, at_once).end_as_planned(), planned, "{end:?} {at_once:?}");
        }
    }
}
