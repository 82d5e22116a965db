//! The formats of streamed bodies, and the frame, which is the same for all of them.

use serde_json::json;

use super::eventstream;

/// The format of a streamed body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// `text/event-stream`
    Sse,
    /// `application/x-ndjson`: one JSON value per line.
    Ndjson,
    /// `application/vnd.amazon.eventstream`
    Aws,
    /// A WebSocket, after status 101.
    WebSocket,
}

impl Carrier {
    /// The format of a response, by its status and the headers `upgrade` and `content-type`.
    pub fn of_reply<'a>(status: Option<u16>, header: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let upgrade = header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
        if status == Some(101) {
            return upgrade.then_some(Self::WebSocket);
        }
        header("content-type").and_then(Self::of)
    }

    /// The format for a Content-Type; `None` if the body is not a stream of frames.
    pub fn of(content_type: &str) -> Option<Self> {
        match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "text/event-stream" => Some(Self::Sse),
            "application/x-ndjson" => Some(Self::Ndjson),
            "application/vnd.amazon.eventstream" => Some(Self::Aws),
            _ => None,
        }
    }

    /// The content type of the format; empty for a WebSocket, which the status indicates.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream",
            Self::Ndjson => "application/x-ndjson",
            Self::Aws => "application/vnd.amazon.eventstream",
            Self::WebSocket => "",
        }
    }
}

/// One frame of a streamed body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// SSE: the `event:` field. AWS: `:event-type`, or `exception:NAME`, or `error:CODE`.
    pub event: Option<String>,
    /// SSE: the `data:` lines, joined by line feeds. Otherwise the frame's payload as text. An AWS message of type
    /// `error` has no payload; its data is `{"message": …}` with its `:error-message`.
    pub data: String,
}

impl From<eventstream::EventStreamMessage> for Frame {
    fn from(message: eventstream::EventStreamMessage) -> Self {
        let text = |name| message.text(name).unwrap_or_default();
        match message.text(":message-type") {
            Some("exception") => Self {
                event: Some(format!("exception:{}", text(":exception-type"))),
                data: String::from_utf8_lossy(&message.payload).into_owned(),
            },
            Some("error") => Self {
                event: Some(format!("error:{}", text(":error-code"))),
                data: json!({"message": text(":error-message")}).to_string(),
            },
            _ => Self {
                event: message.text(":event-type").map(str::to_owned),
                data: String::from_utf8_lossy(&message.payload).into_owned(),
            },
        }
    }
}
