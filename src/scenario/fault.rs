//! The faults that a scenario can name, and the points at which they strike.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    duration,
    words::{ErrorName, EventForm},
};

/// One edit of how a reply reaches the wire.
///
/// Faults are written as an ordered list; `reset`, `close`, `truncate`, `hang` and a `stall`
/// without `for` end the reply, so at most one of them may stand in a list, and it stands last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Nobody listens: the connection is refused (TCP RST to the SYN).
    Refuse,
    /// Say nothing more, for ever; the connection stays open.
    Hang {
        /// Where the reply stops.
        at: Point,
    },
    /// Say nothing for a while (or, without `for`, for ever), then go on.
    Stall {
        /// Where the silence begins.
        at: Point,
        /// How long it lasts; for ever where it is left out.
        #[serde(default, rename = "for", with = "duration::option", skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        lasting: Option<Duration>,
    },
    /// Wait, then go on. A delay is meant to be survived, a stall is meant to hurt.
    Delay {
        /// Where the wait is put.
        at: Point,
        /// How long it lasts.
        #[serde(rename = "for", with = "duration")]
        #[schemars(with = "String")]
        lasting: Duration,
    },
    /// Send the body at this speed.
    Drip {
        /// Body bytes in each second; at least 1.
        bytes_per_second: u32,
    },
    /// End the connection with a TCP RST.
    Reset {
        /// What is still sent before it.
        at: Point,
    },
    /// End the connection with a FIN, the HTTP framing left incomplete.
    Close {
        /// What is still sent before it.
        at: Point,
    },
    /// Cut the frame at this point in two: its first half is sent, then a FIN.
    Truncate {
        /// The frame that is cut is the one that follows this point.
        at: Point,
    },
    /// Leave out the frame that ends a stream (`data: [DONE]`); the HTTP framing stays intact.
    DropTerminator,
    /// Send an error as an event of the stream, then end it without its terminator.
    ErrorEvent {
        /// Which error of the provider's catalogue.
        error: ErrorName,
        /// What is sent before it; only `after_headers`, `after_events` and `before_end` make sense.
        at: Point,
        /// Its shape, where the dialect knows more than one; the recorded one where left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        form: Option<EventForm>,
    },
    /// Replace the body of a successful reply by something that is no answer.
    Malform(Malform),
}

/// What stands in place of a 200's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Malform {
    /// `application/json` that is not JSON.
    NotJson,
    /// No bytes at all.
    Empty,
    /// The JSON value `null`.
    Null,
    /// An HTML page.
    Html,
    /// JSON cut off half-way, with a Content-Length that fits.
    CutJson,
    /// An error object of the provider's catalogue, under status 200.
    Error(ErrorName),
}

/// A place in a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Point {
    /// Before the status line.
    BeforeHeaders,
    /// After the headers, before the first byte of the body.
    AfterHeaders,
    /// After so many events of a stream.
    AfterEvents(u32),
    /// After so many bytes of the body.
    AfterBytes(u64),
    /// Before the last frame: the terminator of a stream, the last byte of a plain body.
    BeforeEnd,
}

impl Fault {
    /// The name as it is written in a file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Hang { .. } => "hang",
            Self::Stall { .. } => "stall",
            Self::Delay { .. } => "delay",
            Self::Drip { .. } => "drip",
            Self::Reset { .. } => "reset",
            Self::Close { .. } => "close",
            Self::Truncate { .. } => "truncate",
            Self::DropTerminator => "drop_terminator",
            Self::ErrorEvent { .. } => "error_event",
            Self::Malform(_) => "malform",
        }
    }

    /// Where it strikes, for the faults that have a place.
    pub fn at(&self) -> Option<Point> {
        match self {
            Self::Hang { at }
            | Self::Stall { at, .. }
            | Self::Delay { at, .. }
            | Self::Reset { at }
            | Self::Close { at }
            | Self::Truncate { at }
            | Self::ErrorEvent { at, .. } => Some(*at),
            Self::Refuse | Self::Drip { .. } | Self::DropTerminator | Self::Malform(_) => None,
        }
    }

    /// Nothing of the reply comes after it.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Refuse
                | Self::Hang { .. }
                | Self::Stall { lasting: None, .. }
                | Self::Reset { .. }
                | Self::Close { .. }
                | Self::Truncate { .. }
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Stall { lasting: Some(d), .. } | Self::Delay { lasting: d, .. } => {
                write!(f, " for {}", humantime::format_duration(*d))?;
            }
            Self::Drip { bytes_per_second } => write!(f, " {bytes_per_second} bytes/s")?,
            Self::ErrorEvent { error, .. } => write!(f, " {error}")?,
            Self::Malform(malform) => write!(f, " {malform}")?,
            _ => {}
        }
        match self.at() {
            Some(point) => write!(f, " {point}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Malform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("not_json"),
            Self::Empty => f.write_str("empty"),
            Self::Null => f.write_str("null"),
            Self::Html => f.write_str("html"),
            Self::CutJson => f.write_str("cut_json"),
            Self::Error(error) => write!(f, "error {error}"),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeHeaders => f.write_str("before headers"),
            Self::AfterHeaders => f.write_str("after headers"),
            Self::AfterEvents(1) => f.write_str("after 1 event"),
            Self::AfterEvents(n) => write!(f, "after {n} events"),
            Self::AfterBytes(1) => f.write_str("after 1 byte"),
            Self::AfterBytes(n) => write!(f, "after {n} bytes"),
            Self::BeforeEnd => f.write_str("before the end"),
        }
    }
}
