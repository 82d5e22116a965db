//! A response in a synthetic observation.

use super::seen::ERROR;
use crate::{observation::SentReply, wire::sse};

/// A response of an upstream or of the proxy. `MSG`, `TXT` and `RID` are placeholders for the canaries of the attempt;
/// in a response of the proxy, of the first attempt at `primary`, or with the prefix `backup.`, at `backup`.
#[derive(Debug, Clone)]
pub(crate) struct SideReply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Milliseconds from the last frame to the end.
    pub(super) lasting: f64,
}

/// A response with a JSON body.
pub(crate) fn say(status: u16, body: &str) -> SideReply {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    SideReply { status, headers, body: body.into(), lasting: 1.0 }
}

pub(crate) fn error(status: u16) -> SideReply {
    say(status, ERROR)
}

/// An event stream with status 200.
pub(crate) fn events(events: &[&str]) -> SideReply {
    let unnamed: Vec<(Option<&str>, &str)> = events.iter().map(|data| (None, *data)).collect();
    named_events(&unnamed)
}

/// An event stream with status 200. An event can have a name.
pub(crate) fn named_events(events: &[(Option<&str>, &str)]) -> SideReply {
    let body = events.iter().map(|(name, data)| sse::encode(*name, data)).collect::<String>().into();
    let headers = vec![("content-type".to_owned(), "text/event-stream".to_owned())];
    SideReply { status: 200, headers, body, lasting: 1.0 }
}

impl SideReply {
    /// A placeholder for a response that is replaced later.
    pub(crate) fn nothing() -> Self {
        say(0, "")
    }

    /// A response with these headers and bytes.
    pub(crate) fn raw(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        Self { status, headers, body, lasting: 1.0 }
    }

    /// Exactly what an upstream sent.
    pub(crate) fn exactly(sent: &SentReply) -> Self {
        let body = sent.body_bytes().into_owned();
        Self { status: sent.status.unwrap_or(0), headers: sent.headers.clone(), body, lasting: 1.0 }
    }

    /// Sets a header, replacing those with the same name.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Removes all headers with this name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self
    }

    /// Sets the time from the last frame to the end, in milliseconds.
    pub(crate) fn lasting(self, ms: f64) -> Self {
        Self { lasting: ms, ..self }
    }
}
