//! The upstream side: one request that reached a mock, and the reply of the mock.

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD};
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Canaries, CodedBody, ReceivedClose, exchange::binary_size};
use crate::{
    scenario::{Api, Fault, Http2Code, Http2Fault, Turn},
    wire::frames::Carrier,
};

/// The number of bytes that are recorded of the body of one request or response.
pub(crate) const MAX_KEPT_BODY: usize = 1024 * 1024;

/// One request that reached an upstream, as the mock recorded it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Attempt {
    /// The deployment of the case.
    pub deployment: String,
    /// The 1-based number of the attempt at this deployment in this case.
    pub n: u32,
    /// When the request arrived, in milliseconds since the case began.
    pub at_ms: f64,
    /// The method, such as `POST`; empty if the mock read no request on the connection.
    pub method: String,
    /// The path below the base path of the deployment: `/v1/chat/completions`.
    pub path: String,
    /// The endpoint with this path; `None` if the provider has no such path.
    pub api: Option<Api>,
    /// The request headers as received, in order, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The request body as text (at most 1 MiB of it, with invalid UTF-8 replaced); for a WebSocket session
    /// the received messages, one per line.
    pub body: String,
    /// The turn that was played; `None` for a request that the mock itself rejected.
    #[cfg_attr(test, schemars(with = "Option<serde_json::Map<String, serde_json::Value>>"))]
    pub turn: Option<Turn>,
    /// The tokens planted in the reply.
    pub canaries: Canaries,
    /// What the mock sent.
    pub sent: SentReply,
    /// How the attempt ended on the mock's side.
    pub end: AttemptEnd,
    /// The end, in milliseconds since the case began; `None` while the attempt is still open.
    pub end_ms: Option<f64>,
}

/// What a mock sent for one attempt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct SentReply {
    /// The status; `None` if the fault happened before the status line.
    pub status: Option<u16>,
    /// The headers as sent, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The part of the body that was written to the connection (at most 1 MiB of it), as text, without the content
    /// coding that its headers declare.
    pub body: String,
    /// Whether `body` is base64, as for binary framings such as AWS's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub base64: bool,
    /// The number of body bytes that were written to the connection, without the content coding.
    pub bytes: u64,
    /// The content coding of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coded: Option<CodedBody>,
    /// The number of complete frames that were written to the connection: events of a stream, or 1 for a
    /// complete plain body.
    pub frames: u32,
    /// If the reply is not a valid HTTP message: the number of body bytes that a client can still read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_after: Option<u64>,
    /// Whether a correct client may either accept or reject the reply.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubtful: bool,
    /// The close frame with which the mock ended a WebSocket session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<ReceivedClose>,
    /// The pauses of at least half a second in the body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<SentPause>,
    /// If the client left during a reply without a wait: how the mock was going to end the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at_once: Option<AttemptEnd>,
    /// The largest error of the injected waits, in milliseconds.
    pub timer_error_ms: f64,
}

/// A pause in a body: nothing was sent for this time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct SentPause {
    /// The number of body bytes that were sent before it.
    pub after_bytes: u64,
    /// Its begin, in milliseconds since the case began.
    pub from_ms: f64,
    /// Its end, or that of the attempt if the client left during the pause; `None` if the attempt is still open.
    pub until_ms: Option<f64>,
}

impl Attempt {
    /// The deployment and the number, as reports write them: `primary#1`.
    pub fn name(&self) -> String {
        format!("{}#{}", self.deployment, self.n)
    }

    /// Whether the mock read a request, and did not only accept a connection.
    pub fn was_asked(&self) -> bool {
        !self.method.is_empty()
    }

    /// Whether the mock said that it has not processed the request, so that any client may send it again at once (RFC 9113
    /// section 8.7).
    pub fn was_refused(&self) -> bool {
        let refuses = |fault: &Fault| match fault {
            Fault::Http2(Http2Fault::RstStream(strike)) => strike.code == Http2Code::RefusedStream,
            _ => false,
        };
        self.sent.status.is_none()
            && self.end == AttemptEnd::StreamReset
            && self.turn.as_ref().is_some_and(|turn| turn.faults.iter().any(refuses))
    }

    /// The endpoint, if the scenario has literal bodies, but none for it: the mock sent the provider's own reply. The list
    /// of models does not count: a request for it is not a call.
    pub fn other_endpoint(&self) -> Option<Api> {
        let turn = self.turn.as_ref()?;
        self.api.filter(|api| *api != Api::OpenaiModels && !turn.answer.is_written_for(*api))
    }

    /// What a report says about a reply to an [`other_endpoint`](Self::other_endpoint).
    pub fn own_reply_note(&self) -> Option<String> {
        self.turn.as_ref()?.answer.own_reply_note(self.other_endpoint()?)
    }

    /// The end that the mock had planned.
    ///
    /// The mock ends a reply without a wait at about the time at which its client leaves. Which of the two
    /// comes first is a race; only the plan is the same in each run.
    pub fn end_as_planned(&self) -> AttemptEnd {
        match (self.end, self.sent.ends_at_once) {
            (AttemptEnd::ClientLeft, Some(planned)) => planned,
            (end, _) => end,
        }
    }

    /// The body that the mock sent, as text, with invalid UTF-8 replaced.
    pub fn said(&self) -> Cow<'_, str> {
        match self.sent.body_bytes() {
            Cow::Borrowed(_) => Cow::Borrowed(&self.sent.body),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }
}

impl AttemptEnd {
    /// Whether the mock intentionally ended the reply before it was complete.
    pub fn is_cut(self) -> bool {
        matches!(
            self,
            Self::Reset | Self::Closed | Self::StreamReset | Self::GoneAway | Self::HandshakeFailed
        )
    }
}

impl SentReply {
    /// Stores a body: as text if it is UTF-8, otherwise as base64. A body that ends inside a character still
    /// counts as text.
    pub fn set_body(&mut self, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes);
        self.base64 = text.is_err_and(|error| error.error_len().is_some());
        self.body = match text {
            Ok(text) => text.to_owned(),
            Err(_) if self.base64 => BASE64_STANDARD.encode(bytes),
            Err(_) => String::from_utf8_lossy(bytes).into_owned(),
        };
    }

    /// Decodes the body that was written, as a client does, and stores it.
    pub(crate) fn set_written_body(&mut self, written: &[u8]) {
        let (body, coded) = CodedBody::decode(self.header("content-encoding"), written);
        if coded.is_some() {
            // Only the beginning of a very long body is kept.
            self.bytes = body.len() as u64 + self.bytes.saturating_sub(written.len() as u64);
        }
        self.set_body(&body);
        self.coded = coded;
    }

    /// The number of body bytes that were written to the connection, as they were coded.
    pub fn written_bytes(&self) -> u64 {
        self.coded.as_ref().map_or(self.bytes, |coded| coded.bytes)
    }

    /// The stored bytes of the body.
    pub fn body_bytes(&self) -> Cow<'_, [u8]> {
        if self.base64 {
            BASE64_STANDARD.decode(&self.body).map_or(Cow::Borrowed(&[]), Cow::Owned)
        } else {
            Cow::Borrowed(self.body.as_bytes())
        }
    }

    /// The reply as far as it was sent before a pause.
    pub fn before(&self, pause: &SentPause) -> Self {
        let mut before = self.clone();
        let body = self.body_bytes();
        let end = usize::try_from(pause.after_bytes).unwrap_or(usize::MAX).min(body.len());
        before.set_body(&body[..end]);
        before.bytes = pause.after_bytes;
        before
    }

    /// The first header with this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `<N bytes of audio/mpeg>` for a binary body; `None` for a text.
    pub fn binary_size(&self) -> Option<String> {
        let kind = self.header("content-type");
        binary_size(kind, self.bytes).or_else(|| {
            self.base64.then(|| format!("<{} bytes of {}>", self.bytes, kind.unwrap_or("no content type")))
        })
    }

    /// The framing of the reply, if its headers say that it is a stream of frames.
    pub fn carrier(&self) -> Option<Carrier> {
        Carrier::of_reply(self.status, |name| self.header(name))
    }
}

/// How an attempt ended on the mock's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// The attempt was still open when the case ended.
    Open,
    /// The mock sent the complete reply.
    Finished,
    /// The mock cut the connection with a RST.
    Reset,
    /// The mock cut the connection with a FIN.
    Closed,
    /// The mock ended the HTTP/2 stream with RST_STREAM.
    StreamReset,
    /// The mock ended the HTTP/2 connection with GOAWAY.
    GoneAway,
    /// The TLS handshake failed, so that no request was read.
    HandshakeFailed,
    /// The proxy left before the mock was done.
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
            // The mock waited, and the client may have left because of that.
            (ClientLeft, None, ClientLeft),
            (Closed, None, Closed),
        ] {
            assert_eq!(attempt(end, at_once).end_as_planned(), planned, "{end:?} {at_once:?}");
        }
    }
}
