//! The traits of each fault: one table, from which all checks of faults follow.
//!
//! Each row states every trait, and the match has no default: a new fault that lacks a trait does not compile.

use super::{
    below::{ConnectionFault, Http2Fault, TlsFault},
    framing::Http1Fault,
    kind::Fault,
    latency::LatencyPlace,
    message::{ContentEncodingFault, ContentTypeFault, EventStreamFault, MalformedBody},
    point::Point,
};
use FaultNeed as Need;
use ReplyPart as Part;

/// What the mock, the checks of scenario files and the judge know about a fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaultTraits {
    /// The name in scenario files; in a group, the group's name comes first: `http1: trailing_bytes`.
    pub name: &'static str,
    /// The stage at which the mock applies it.
    pub stage: FaultStage,
    /// The point of the response at which it takes effect, if it has one.
    pub at: Option<Point>,
    /// Whether the mock sends nothing of the response after it.
    pub is_final: bool,
    /// The parts of the response that it changes; none if it takes effect before the response or ends it.
    pub changes: &'static [ReplyPart],
    /// What it needs.
    pub needs: &'static [FaultNeed],
    /// Whether a turn can contain it more than once.
    pub repeats: bool,
}

/// The stage at which the mock applies a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultStage {
    /// Before the run: the fault is a property of the deployment's address, and the mock sees no attempt.
    Address,
    /// When a connection arrives, before the mock reads a request.
    Connection,
    /// After the mock has read a request: the fault is a part of the planned response.
    Reply,
}

/// A part of a response that a fault can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplyPart {
    /// The certificate that the server presents.
    Certificate,
    /// The whole response, which is replaced.
    Whole,
    /// The status line.
    Status,
    /// The headers, except those that the other parts need.
    Headers,
    /// How the response marks the end of its body.
    Framing,
    /// The body, which is replaced.
    Body,
    /// The events of a stream: which there are, or their bytes.
    Events,
    /// The coding of the body.
    Coding,
    /// The times at which events are sent.
    Pace,
    /// The times at which bytes are sent, so that events are sent in pieces.
    Pieces,
    /// How the body is split into packets.
    Packets,
    /// What the next request on the connection gets. At a shared address that request may be for another deployment,
    /// since proxies pool connections by address.
    NextReply,
}

/// What a fault needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultNeed {
    /// TLS.
    Tls,
    /// HTTP/2 over TLS.
    Http2,
    /// HTTP/1.1.
    Http1,
    /// A WebSocket session.
    Session,
    /// A response without a session, for this reason.
    NoSession(&'static str),
    /// A response with events.
    Events,
    /// Events that no earlier fault has cut into pieces.
    WholeEvents,
    /// A point before, between or after events.
    BetweenEvents,
    /// A stream of server-sent events.
    Sse,
    /// An AWS event stream.
    AwsEventStream,
    /// A body.
    Body,
    /// A successful response.
    Success,
    /// A successful response whose body is JSON.
    Json,
}

const ENDS: bool = true;
const CONTINUES: bool = false;
const ONCE: bool = false;
const REPEATS: bool = true;

const OF_A_BODY: Need = Need::NoSession("applies to the body of an HTTP response");
const OF_A_STREAM: Need = Need::NoSession("applies to the end of a stream");
const OF_SSE: Need = Need::NoSession("applies to server-sent events");
const EDITS: Need = Need::NoSession("edits the body of an HTTP response");

const HTTP1: &[Need] = &[Need::Http1, OF_A_BODY];
const HTTP1_BODY: &[Need] = &[Need::Http1, Need::Body, OF_A_BODY];
const HTTP2: &[Need] = &[Need::Http2, Need::NoSession("needs HTTP/2")];
const TERMINATED: &[Need] = &[Need::Events, OF_A_STREAM];
const BETWEEN: &[Need] = &[Need::Events, Need::BetweenEvents];
const BETWEEN_SSE: &[Need] = &[Need::Events, Need::BetweenEvents, Need::Sse];
const COMMENT: &[Need] = &[Need::Events, Need::BetweenEvents, Need::Sse, OF_SSE];
const WHOLE_SSE: &[Need] = &[Need::Events, Need::WholeEvents, Need::Sse, OF_SSE];
const AWS: &[Need] = &[
    Need::Events,
    Need::WholeEvents,
    Need::BetweenEvents,
    Need::AwsEventStream,
    Need::NoSession("applies to AWS's event streams"),
];

/// A fault of the address.
fn address(name: &'static str) -> FaultTraits {
    let stage = FaultStage::Address;
    FaultTraits { name, stage, at: None, is_final: ENDS, changes: &[], needs: &[], repeats: ONCE }
}

/// A fault of the connection.
fn connection(
    name: &'static str,
    is_final: bool,
    changes: &'static [Part],
    needs: &'static [Need],
) -> FaultTraits {
    let stage = FaultStage::Connection;
    FaultTraits { name, stage, at: None, is_final, changes, needs, repeats: ONCE }
}

/// A fault that ends the response, or after which nothing of it is readable.
fn end(
    name: &'static str,
    at: Option<Point>,
    changes: &'static [Part],
    needs: &'static [Need],
) -> FaultTraits {
    let stage = FaultStage::Reply;
    FaultTraits { name, stage, at, is_final: ENDS, changes, needs, repeats: ONCE }
}

/// A fault after which the response continues.
fn edit(
    name: &'static str,
    at: Option<Point>,
    changes: &'static [Part],
    needs: &'static [Need],
    repeats: bool,
) -> FaultTraits {
    let stage = FaultStage::Reply;
    FaultTraits { name, stage, at, is_final: CONTINUES, changes, needs, repeats }
}

impl Fault {
    /// Returns its traits.
    pub(crate) fn traits(&self) -> FaultTraits {
        match self {
            Self::Refuse => address("refuse"),
            Self::Connection(fault) => of_connection(fault),
            Self::Tls(fault) => of_tls(*fault),
            Self::Http2(fault) => of_http2(*fault),
            Self::Http1(fault) => of_http1(*fault),
            Self::Hang { at } => end("hang", Some(*at), &[], &[]),
            Self::Stall { at, lasting: None } => end("stall", Some(*at), &[], &[]),
            Self::Stall { at, lasting: Some(_) } => edit("stall", Some(*at), paced(*at), &[], REPEATS),
            Self::Delay { at, .. } => edit("delay", Some(*at), paced(*at), &[], REPEATS),
            Self::Latency(latency) => match latency.before {
                LatencyPlace::FirstByte => edit("latency", None, &[], &[], REPEATS),
                LatencyPlace::EachEvent => edit("latency", None, &[Part::Pace], &[Need::Events], REPEATS),
                LatencyPlace::End => edit("latency", None, &[Part::Pace], &[], REPEATS),
            },
            Self::Drip { .. } => edit("drip", None, &[Part::Pieces], &[], ONCE),
            Self::Split { .. } => edit("split", None, &[Part::Packets], &[Need::Body], ONCE),
            Self::SplitCharacters => {
                edit("split_characters", None, &[Part::Packets], &[Need::Body, OF_A_BODY], ONCE)
            }
            Self::Reset { at } => end("reset", Some(*at), &[], &[]),
            Self::Close { at } => end("close", Some(*at), &[], &[]),
            Self::CloseFrame(frame) => {
                end("close_frame", Some(frame.at), &[], &[Need::Session, Need::BetweenEvents])
            }
            Self::Truncate { at } => end("truncate", Some(*at), &[], &[]),
            Self::DropTerminator => edit("drop_terminator", None, &[Part::Events], TERMINATED, ONCE),
            Self::DuplicateTerminator => {
                edit("duplicate_terminator", None, &[Part::Events], TERMINATED, ONCE)
            }
            Self::ErrorEvent { at, .. } => edit("error_event", Some(*at), &[Part::Events], BETWEEN, ONCE),
            Self::UnknownEvent { at } => edit("unknown_event", Some(*at), &[Part::Events], BETWEEN, REPEATS),
            Self::Comment { at } => edit("comment", Some(*at), &[Part::Events], COMMENT, REPEATS),
            Self::Ping { at } => edit("ping", Some(*at), &[Part::Events], BETWEEN_SSE, REPEATS),
            Self::Crlf => edit("crlf", None, &[Part::Events], WHOLE_SSE, ONCE),
            Self::MultiLineData => edit("multi_line_data", None, &[Part::Events], WHOLE_SSE, ONCE),
            Self::EventStream(fault) => of_event_stream(*fault),
            Self::ContentEncoding(fault) => of_content_encoding(*fault),
            Self::ContentType(fault) => of_content_type(*fault),
            Self::Redirect(_) => end("redirect", None, &[Part::Whole], &[]),
            Self::Malform(fault) => of_malform(*fault),
        }
    }

    /// The name in scenario files, without the name inside its group: `reset`, `http1`.
    pub fn name(&self) -> &'static str {
        let name = self.traits().name;
        name.split_once(": ").map_or(name, |(group, _)| group)
    }

    /// The point of the response at which it takes effect, if it has one.
    pub fn at(&self) -> Option<Point> {
        self.traits().at
    }

    /// Whether the mock sends nothing of the response after it.
    pub fn is_final(&self) -> bool {
        self.traits().is_final
    }

    /// The stage at which the mock applies it.
    pub fn stage(&self) -> FaultStage {
        self.traits().stage
    }

    /// Whether no response is ever sent.
    pub(crate) fn prevents_replies(&self) -> bool {
        self.is_final() && self.stage() != FaultStage::Reply
    }

    /// Whether a deployment with it needs its own address: it takes effect before a request shows which deployment the
    /// request is for, or it makes the connection unusable for the next request.
    pub fn needs_own_address(&self) -> bool {
        self.stage() != FaultStage::Reply || self.changes(ReplyPart::NextReply)
    }

    /// Whether it changes this part of the response.
    pub(crate) fn changes(&self, part: ReplyPart) -> bool {
        self.traits().changes.contains(&part)
    }

    /// Whether it needs this.
    pub(crate) fn needs(&self, need: FaultNeed) -> bool {
        self.traits().needs.contains(&need)
    }
}

/// What a wait at this point changes. A wait before the headers changes nothing of the response.
fn paced(at: Point) -> &'static [Part] {
    match at {
        Point::BeforeHeaders => &[],
        Point::AfterBytes(_) => &[Part::Pieces],
        Point::AfterHeaders | Point::AfterEvents(_) | Point::BeforeEnd => &[Part::Pace],
        Point::AfterContent | Point::InsideToolCall | Point::AfterToolArguments => &[Part::Pace],
    }
}

fn of_connection(fault: &ConnectionFault) -> FaultTraits {
    use ConnectionFault as Of;
    match fault {
        Of::UnresolvableName => address("connection: unresolvable_name"),
        Of::NeverAccepted => address("connection: never_accepted"),
        Of::BacklogFull => address("connection: backlog_full"),
        Of::AcceptedSilent => connection("connection: accepted_silent", ENDS, &[], &[]),
        Of::AcceptedClosed => connection("connection: accepted_closed", ENDS, &[], &[]),
        Of::ResetAtOnce => connection("connection: reset_at_once", ENDS, &[], &[]),
        Of::SlowAccept(_) => connection("connection: slow_accept", CONTINUES, &[], &[]),
        Of::ClosedWhenReused => {
            let needs = &[Need::Http1, Need::NoSession("needs a connection that is reused")];
            end("connection: closed_when_reused", None, &[Part::NextReply], needs)
        }
    }
}

fn of_tls(fault: TlsFault) -> FaultTraits {
    use TlsFault as Of;
    // A client that accepts the certificate nevertheless gets the response.
    let certificate = |name| connection(name, CONTINUES, &[Part::Certificate], &[Need::Tls]);
    match fault {
        Of::ExpiredCertificate => certificate("tls: expired_certificate"),
        Of::WrongName => certificate("tls: wrong_name"),
        Of::SelfSigned => certificate("tls: self_signed"),
        Of::UnknownCa => certificate("tls: unknown_ca"),
        Of::HandshakeStall => connection("tls: handshake_stall", ENDS, &[], &[Need::Tls]),
        Of::Alert(_) => connection("tls: alert", ENDS, &[], &[Need::Tls]),
        Of::NoCloseNotify => {
            let needs = &[Need::Tls, Need::Http1, Need::NoSession("applies to the end of an HTTP response")];
            end("tls: no_close_notify", None, &[Part::Framing], needs)
        }
    }
}

fn of_http2(fault: Http2Fault) -> FaultTraits {
    use Http2Fault as Of;
    match fault {
        Of::SettingsStall => connection("http2: settings_stall", ENDS, &[], HTTP2),
        Of::FlowControlStall => connection("http2: flow_control_stall", ENDS, &[], HTTP2),
        Of::RstStream(strike) => end("http2: rst_stream", Some(strike.at), &[], HTTP2),
        Of::Goaway(strike) => end("http2: goaway", Some(strike.at), &[], HTTP2),
    }
}

fn of_http1(fault: Http1Fault) -> FaultTraits {
    use Http1Fault as Of;
    let header = |name| edit(name, None, &[Part::Headers], HTTP1, ONCE);
    let framing = |name| edit(name, None, &[Part::Framing], HTTP1_BODY, ONCE);
    let spoiling = |name| edit(name, None, &[Part::Framing, Part::NextReply], HTTP1_BODY, ONCE);
    let body_without =
        |name| edit(name, None, &[Part::Status, Part::Framing, Part::NextReply], HTTP1_BODY, ONCE);
    match fault {
        Of::GarbageStatusLine => {
            edit("http1: garbage_status_line", None, &[Part::Status, Part::Framing], HTTP1, ONCE)
        }
        Of::UnknownStatus(_) => edit("http1: unknown_status", None, &[Part::Status], HTTP1, ONCE),
        Of::Interim(_) => edit("http1: interim", None, &[], HTTP1, REPEATS),
        Of::OversizedHeader(_) => header("http1: oversized_header"),
        Of::FoldedHeader => header("http1: folded_header"),
        Of::DuplicatedHeader => header("http1: duplicated_header"),
        Of::ConflictingContentLength => spoiling("http1: conflicting_content_length"),
        Of::ShortContentLength => spoiling("http1: short_content_length"),
        Of::LongContentLength => end("http1: long_content_length", None, &[Part::Framing], HTTP1_BODY),
        Of::ChunkedNotSent => framing("http1: chunked_not_sent"),
        Of::UnknownTransferEncoding => framing("http1: unknown_transfer_encoding"),
        Of::BadChunkSize { at } => end("http1: bad_chunk_size", Some(at), &[Part::Framing], HTTP1_BODY),
        Of::MissingLastChunk => end("http1: missing_last_chunk", None, &[Part::Framing], HTTP1_BODY),
        Of::TrailingBytes => spoiling("http1: trailing_bytes"),
        Of::BodyOn204 => body_without("http1: body_on_204"),
        Of::BodyOn304 => body_without("http1: body_on_304"),
    }
}

fn of_event_stream(fault: EventStreamFault) -> FaultTraits {
    use EventStreamFault as Of;
    let broken = |name| edit(name, Some(fault.at()), &[Part::Events], AWS, REPEATS);
    match fault {
        Of::BadPreludeCrc { .. } => broken("event_stream: bad_prelude_crc"),
        Of::BadMessageCrc { .. } => broken("event_stream: bad_message_crc"),
        Of::UnknownMessage { .. } => broken("event_stream: unknown_message"),
    }
}

fn of_content_encoding(fault: ContentEncodingFault) -> FaultTraits {
    use ContentEncodingFault as Of;
    let coding = |name| edit(name, None, &[Part::Coding], &[Need::Body, EDITS], ONCE);
    match fault {
        Of::Gzip => coding("content_encoding: gzip"),
        Of::Deflate => coding("content_encoding: deflate"),
        Of::Br => coding("content_encoding: br"),
        Of::Zstd => coding("content_encoding: zstd"),
        Of::GzipNotSent => coding("content_encoding: gzip_not_sent"),
        Of::DoubleGzip => coding("content_encoding: double_gzip"),
        Of::CutGzip => coding("content_encoding: cut_gzip"),
    }
}

fn of_content_type(fault: ContentTypeFault) -> FaultTraits {
    use ContentTypeFault as Of;
    let header = |name| edit(name, None, &[Part::Headers], &[EDITS], ONCE);
    match fault {
        Of::Wrong => header("content_type: wrong"),
        Of::WrongCharset => header("content_type: wrong_charset"),
        Of::Missing => header("content_type: missing"),
    }
}

fn of_malform(fault: MalformedBody) -> FaultTraits {
    use MalformedBody as Of;
    let replaced = |name| edit(name, None, &[Part::Body], &[Need::Success, EDITS], ONCE);
    let edited = |name| edit(name, None, &[Part::Body], &[Need::Success, Need::Json, EDITS], ONCE);
    match fault {
        Of::NotJson => replaced("malform: not_json"),
        Of::Empty => replaced("malform: empty"),
        Of::Null => replaced("malform: null"),
        Of::Html => replaced("malform: html"),
        Of::CutJson => replaced("malform: cut_json"),
        Of::Error(_) => replaced("malform: error"),
        Of::InvalidUtf8 => edited("malform: invalid_utf8"),
        Of::ByteOrderMark => edited("malform: byte_order_mark"),
        Of::DeepNesting(_) => edited("malform: deep_nesting"),
        Of::VeryLarge(_) => edited("malform: very_large"),
    }
}
