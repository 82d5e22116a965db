//! The fault type: one entry of a turn's list of faults.

use std::{fmt, time::Duration};

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    below::{ConnectionFault, Http2Fault, TlsFault},
    framing::Http1Fault,
    latency::Latency,
    message::{ContentEncodingFault, ContentTypeFault, EventStreamFault, MalformedBody},
    point::Point,
    session::CloseFrame,
};
use crate::scenario::{
    duration,
    words::{ErrorName, EventForm},
};

/// One change to what the upstream sends.
///
/// A turn applies its faults in the order of the list. A fault that ends the response must be the last of the
/// list, so the list can contain only one of that kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The upstream does not listen on its port: the kernel refuses the connection (TCP RST to the SYN).
    Refuse,
    /// The TCP connection or the name resolution fails.
    Connection(ConnectionFault),
    /// TLS fails; the deployment then has an `https` URL.
    Tls(TlsFault),
    /// HTTP/2 fails; the deployment then uses HTTP/2 over TLS.
    Http2(Http2Fault),
    /// The response is not a valid HTTP/1.1 message.
    Http1(Http1Fault),
    /// Send nothing more, and keep the connection open.
    Hang {
        /// The point of the response at which sending stops.
        at: Point,
    },
    /// Send nothing for a while, then continue. Without `for`, send nothing more.
    Stall {
        /// The point of the response at which the silence begins.
        at: Point,
        /// The length of the silence, as a duration (`2s`). Default: without end.
        #[serde(default, rename = "for", with = "duration::option", skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        lasting: Option<Duration>,
    },
    /// Wait, then continue. Use `delay` for a wait that the proxy should survive, `stall` for one that it should
    /// report as a failure.
    Delay {
        /// The point of the response at which the wait begins.
        at: Point,
        /// The length of the wait, as a duration (`2s`).
        #[serde(rename = "for", with = "duration")]
        #[cfg_attr(test, schemars(with = "String"))]
        lasting: Duration,
    },
    /// Wait for lengths of time that are drawn from a distribution with the run's seed.
    Latency(Latency),
    /// Send the body at a limited rate.
    Drip {
        /// Body bytes per second; at least 1.
        bytes_per_second: u32,
    },
    /// Send the body in packets of a fixed size, regardless of its events and chunks.
    Split {
        /// Bytes per packet; at least 1.
        bytes: u32,
    },
    /// Split each multi-byte character between two packets.
    SplitCharacters,
    /// Reset the connection (TCP RST).
    Reset {
        /// The point of the response up to which the upstream sends it unchanged.
        at: Point,
    },
    /// Close the connection with a FIN while the HTTP message is incomplete.
    Close {
        /// The point of the response up to which the upstream sends it unchanged.
        at: Point,
    },
    /// End a WebSocket session with a close frame.
    CloseFrame(CloseFrame),
    /// Cut a frame of the body in two: send its first half, then a FIN.
    Truncate {
        /// The frame that follows this point of the response is cut.
        at: Point,
    },
    /// Leave out the frame that ends a stream (`data: [DONE]`); the HTTP message stays complete.
    DropTerminator,
    /// Send the frame that ends a stream twice.
    DuplicateTerminator,
    /// Send an error as an event of the stream, then end the stream without its terminator.
    ErrorEvent {
        /// The error of the provider's catalogue.
        error: ErrorName,
        /// The point of the stream at which the event is sent: `after_headers`, `after_events` or `before_end`.
        at: Point,
        /// The shape of the event, for dialects that have more than one. Default: the shape that was recorded from
        /// the provider.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        form: Option<EventForm>,
    },
    /// Insert an event with an unknown name into the stream.
    UnknownEvent {
        /// The point of the stream at which it is inserted.
        at: Point,
    },
    /// Insert a comment into a stream of server-sent events.
    Comment {
        /// The point of the stream at which it is inserted.
        at: Point,
    },
    /// Insert the dialect's keep-alive event into the stream, or a comment if the dialect has no such event.
    Ping {
        /// The point of the stream at which it is inserted.
        at: Point,
    },
    /// End the lines of server-sent events with CR LF.
    Crlf,
    /// Split the data of each server-sent event into several `data:` lines.
    MultiLineData,
    /// Corrupt the AWS event stream encoding.
    EventStream(EventStreamFault),
    /// Send the body with a Content-Encoding: a valid one, or one that does not match the body.
    ContentEncoding(ContentEncodingFault),
    /// Send a Content-Type that does not match the body.
    ContentType(ContentTypeFault),
    /// Redirect the client with status 301, 302, 303, 307 or 308 and a Location on another host name.
    Redirect(u16),
    /// Replace the body of a successful response with an invalid one, or with one that is hard to parse.
    Malform(MalformedBody),
}

impl Fault {
    /// The longest time by which it can delay a response of `events` events, as far as that is known without
    /// the response; for `drip` it is not.
    pub fn wait(&self, events: u32) -> Duration {
        match self {
            Self::Connection(ConnectionFault::SlowAccept(time)) => *time,
            Self::Latency(latency) => latency.longest(events),
            Self::Split { .. } | Self::SplitCharacters => SPLIT,
            _ => self.pause().unwrap_or_default(),
        }
    }

    /// How long the provider sends nothing before it goes on; `None` if it is not silent, or does not go on.
    pub fn pause(&self) -> Option<Duration> {
        match self {
            Self::Delay { lasting, .. } => Some(*lasting),
            Self::Stall { lasting, .. } => *lasting,
            _ => None,
        }
    }
}

/// The longest time that a split may take: a few hundred packets with a pause of one millisecond after each,
/// which can become 20 ms on a busy machine.
const SPLIT: Duration = Duration::from_secs(6);

/// Writes the fault and its values: `http1 unknown_status 799`. With `#`, the name is the one in scenario files, with a
/// colon after its group: `http1: unknown_status 799`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let traits = self.traits();
        match traits.name.split_once(": ").filter(|_| !f.alternate()) {
            Some((group, name)) => write!(f, "{group} {name}")?,
            None => f.write_str(traits.name)?,
        }
        match self {
            Self::Stall { lasting: Some(d), .. } | Self::Delay { lasting: d, .. } => {
                write!(f, " for {}", humantime::format_duration(*d))?;
            }
            Self::Drip { bytes_per_second } => write!(f, " {bytes_per_second} bytes/s")?,
            Self::Split { bytes: 1 } => f.write_str(" into packets of 1 byte")?,
            Self::Split { bytes } => write!(f, " into packets of {bytes} bytes")?,
            Self::ErrorEvent { error, .. } | Self::Malform(MalformedBody::Error(error)) => {
                write!(f, " {error}")?;
            }
            Self::Malform(MalformedBody::DeepNesting(n) | MalformedBody::VeryLarge(n))
            | Self::Http1(Http1Fault::OversizedHeader(n)) => write!(f, " {n}")?,
            Self::Connection(ConnectionFault::SlowAccept(time)) => {
                write!(f, " {}", humantime::format_duration(*time))?;
            }
            Self::Tls(TlsFault::Alert(alert)) => write!(f, " {}", alert.as_str())?,
            Self::Http2(Http2Fault::RstStream(strike) | Http2Fault::Goaway(strike)) => {
                write!(f, " {}", strike.code.as_str())?;
            }
            Self::Http1(Http1Fault::UnknownStatus(status) | Http1Fault::Interim(status))
            | Self::Redirect(status) => write!(f, " {status}")?,
            Self::Latency(latency) => write!(f, " {latency}")?,
            Self::CloseFrame(frame) => match frame.code {
                Some(code) => write!(f, " {code}")?,
                None => f.write_str(" without a code")?,
            },
            _ => {}
        }
        match traits.at {
            Some(point) => write!(f, " {point}"),
            None => Ok(()),
        }
    }
}
