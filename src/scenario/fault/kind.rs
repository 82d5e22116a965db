//! A fault, as it stands in a list.

use std::{fmt, time::Duration};

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

/// One edit of how a reply reaches the wire.
///
/// Faults are written as an ordered list; those that end the reply ([`is_final`](Self::is_final))
/// may stand in a list once, as its last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Nobody listens: the connection is refused (TCP RST to the SYN).
    Refuse,
    /// The connection itself goes wrong.
    Connection(ConnectionFault),
    /// TLS goes wrong; the deployment is then reached by `https`.
    Tls(TlsFault),
    /// HTTP/2 goes wrong; the deployment then speaks it, over TLS.
    Http2(Http2Fault),
    /// The reply is no proper HTTP/1.1.
    Http1(Http1Fault),
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
    /// Waits whose lengths are drawn from a distribution, by the seed of the run.
    Latency(Latency),
    /// Send the body at this speed.
    Drip {
        /// Body bytes in each second; at least 1.
        bytes_per_second: u32,
    },
    /// Send the body in packets of so many bytes, whatever its events and chunks are.
    Split {
        /// Bytes in each packet; at least 1.
        bytes: u32,
    },
    /// Send each character of several bytes in two packets, cut inside it.
    SplitCharacters,
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
    /// End a WebSocket session by a close frame.
    CloseFrame(CloseFrame),
    /// Cut the frame at this point in two: its first half is sent, then a FIN.
    Truncate {
        /// The frame that is cut is the one that follows this point.
        at: Point,
    },
    /// Leave out the frame that ends a stream (`data: [DONE]`); the HTTP framing stays intact.
    DropTerminator,
    /// Send the frame that ends a stream twice.
    DuplicateTerminator,
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
    /// Put an event of a name that nobody knows into the stream.
    UnknownEvent {
        /// Where it stands.
        at: Point,
    },
    /// Put a comment into a stream of server-sent events.
    Comment {
        /// Where it stands.
        at: Point,
    },
    /// Put the dialect's keep-alive event into the stream, or a comment where it has none.
    Ping {
        /// Where it stands.
        at: Point,
    },
    /// End the lines of server-sent events by CR LF.
    Crlf,
    /// Spread the data of each server-sent event over several `data:` lines.
    MultiLineData,
    /// A message of AWS's event stream encoding is wrong.
    EventStream(EventStreamFault),
    /// Say another Content-Encoding than the body has.
    ContentEncoding(ContentEncodingFault),
    /// Say another Content-Type than the body has.
    ContentType(ContentTypeFault),
    /// Send the client elsewhere: 301, 302, 303, 307 or 308, with a Location at another name.
    Redirect(u16),
    /// Replace the body of a successful reply by something that is no answer, or hard to read.
    Malform(MalformedBody),
}

/// When it is decided that a fault strikes, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultStage {
    /// Before the run: it is a property of the deployment's address, and no attempt is ever seen.
    Address,
    /// When a connection comes in, before a request is read.
    Connection,
    /// When a request has been read: it is a part of the plan of its reply.
    Reply,
}

impl Fault {
    /// The name as it is written in a file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Connection(_) => "connection",
            Self::Tls(_) => "tls",
            Self::Http2(_) => "http2",
            Self::Http1(_) => "http1",
            Self::Hang { .. } => "hang",
            Self::Stall { .. } => "stall",
            Self::Delay { .. } => "delay",
            Self::Latency(_) => "latency",
            Self::Drip { .. } => "drip",
            Self::Split { .. } => "split",
            Self::SplitCharacters => "split_characters",
            Self::Reset { .. } => "reset",
            Self::Close { .. } => "close",
            Self::CloseFrame(_) => "close_frame",
            Self::Truncate { .. } => "truncate",
            Self::DropTerminator => "drop_terminator",
            Self::DuplicateTerminator => "duplicate_terminator",
            Self::ErrorEvent { .. } => "error_event",
            Self::UnknownEvent { .. } => "unknown_event",
            Self::Comment { .. } => "comment",
            Self::Ping { .. } => "ping",
            Self::Crlf => "crlf",
            Self::MultiLineData => "multi_line_data",
            Self::EventStream(_) => "event_stream",
            Self::ContentEncoding(_) => "content_encoding",
            Self::ContentType(_) => "content_type",
            Self::Redirect(_) => "redirect",
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
            | Self::ErrorEvent { at, .. }
            | Self::UnknownEvent { at }
            | Self::Comment { at }
            | Self::Ping { at }
            | Self::Http1(Http1Fault::BadChunkSize { at }) => Some(*at),
            Self::CloseFrame(frame) => Some(frame.at),
            Self::EventStream(fault) => Some(fault.at()),
            Self::Http2(Http2Fault::RstStream(strike) | Http2Fault::Goaway(strike)) => Some(strike.at),
            _ => None,
        }
    }

    /// Nothing of the reply comes after it.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Refuse
            | Self::Hang { .. }
            | Self::Stall { lasting: None, .. }
            | Self::Reset { .. }
            | Self::Close { .. }
            | Self::CloseFrame(_)
            | Self::Truncate { .. }
            | Self::Redirect(_)
            | Self::Http2(_) => true,
            Self::Connection(fault) => !matches!(fault, ConnectionFault::SlowAccept(_)),
            // A client that takes the certificate all the same gets the reply.
            Self::Tls(fault) => !fault.is_certificate(),
            Self::Http1(fault) => fault.is_final(),
            _ => false,
        }
    }

    /// When it is decided that it strikes.
    pub fn stage(&self) -> FaultStage {
        match self {
            Self::Refuse
            | Self::Connection(
                ConnectionFault::UnresolvableName
                | ConnectionFault::NeverAccepted
                | ConnectionFault::BacklogFull,
            ) => FaultStage::Address,
            Self::Connection(
                ConnectionFault::AcceptedSilent
                | ConnectionFault::AcceptedClosed
                | ConnectionFault::ResetAtOnce
                | ConnectionFault::SlowAccept(_),
            )
            | Self::Http2(Http2Fault::SettingsStall | Http2Fault::FlowControlStall) => FaultStage::Connection,
            Self::Tls(fault) if *fault != TlsFault::NoCloseNotify => FaultStage::Connection,
            _ => FaultStage::Reply,
        }
    }

    /// Whether a deployment with it must have an address of its own: it strikes before a request has
    /// said whose it is, or it spoils the connection for the request behind it. At a shared address that
    /// request may be another's, since proxies keep connections by address.
    pub fn needs_own_address(&self) -> bool {
        match self {
            Self::Connection(ConnectionFault::ClosedWhenReused) => true,
            Self::Http1(fault) => fault.spoils_connection(),
            other => other.stage() != FaultStage::Reply,
        }
    }

    /// The most that it can make a reply late, where that is known without the reply; a drip's is not.
    pub fn wait(&self, events: u32) -> Duration {
        match self {
            Self::Delay { lasting, .. } | Self::Stall { lasting: Some(lasting), .. } => *lasting,
            Self::Connection(ConnectionFault::SlowAccept(time)) => *time,
            Self::Latency(latency) => latency.longest(events),
            Self::Split { .. } | Self::SplitCharacters => SPLIT,
            _ => Duration::ZERO,
        }
    }
}

/// What a split may take: a few hundred packets with a pause of a millisecond behind each, of which
/// a busy machine makes twenty.
const SPLIT: Duration = Duration::from_secs(6);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Stall { lasting: Some(d), .. } | Self::Delay { lasting: d, .. } => {
                write!(f, " for {}", humantime::format_duration(*d))?;
            }
            Self::Drip { bytes_per_second } => write!(f, " {bytes_per_second} bytes/s")?,
            Self::Split { bytes: 1 } => f.write_str(" into packets of 1 byte")?,
            Self::Split { bytes } => write!(f, " into packets of {bytes} bytes")?,
            Self::ErrorEvent { error, .. } => write!(f, " {error}")?,
            Self::Malform(fault) => write!(f, " {fault}")?,
            Self::Connection(fault) => write!(f, " {fault}")?,
            Self::Tls(fault) => write!(f, " {fault}")?,
            Self::Http2(fault) => write!(f, " {fault}")?,
            Self::Http1(fault) => write!(f, " {fault}")?,
            Self::Latency(latency) => write!(f, " {latency}")?,
            Self::EventStream(fault) => write!(f, " {fault}")?,
            Self::ContentEncoding(fault) => write!(f, " {fault}")?,
            Self::ContentType(fault) => write!(f, " {fault}")?,
            Self::Redirect(status) => write!(f, " {status}")?,
            Self::CloseFrame(frame) => match frame.code {
                Some(code) => write!(f, " {code}")?,
                None => f.write_str(" without a code")?,
            },
            _ => {}
        }
        match self.at() {
            Some(point) => write!(f, " {point}"),
            None => Ok(()),
        }
    }
}
