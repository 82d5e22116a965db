//! A client that records every read with its time, and how the connection ended.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};
use url::Url;

use super::{
    call::ClientRequest,
    http2,
    reply::{MessageFraming, ParsedReply},
    tls::{self, CertificateRefusal, TrustedCertificates},
};
use crate::scenario::Transport;

/// A time limit that is longer than any reply takes.
const LONG: Duration = Duration::from_secs(5);

/// After this silence no more bytes are expected.
const QUIET: Duration = Duration::from_millis(300);

/// The buffer size of a read, larger than most packets.
const READ: usize = 64 * 1024;

/// Everything that the client received on one connection for one request.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// The reads in order, without TLS.
    pub reads: Vec<Read>,
    /// How the connection ended.
    pub ending: ConnectionEnd,
    /// When it ended, measured from the start of the connection attempt.
    pub ended: Duration,
    /// The bytes parsed as a message.
    pub reply: ParsedReply,
    /// The HTTP/2 frames in order, one word each.
    pub frames: Vec<String>,
    /// The result of a second request on the same connection.
    pub next: Option<Box<Transcript>>,
}

/// The result of one read.
#[derive(Debug, Clone)]
pub struct Read {
    /// The time since the start of the connection attempt.
    pub at: Duration,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// How a connection ended, or that it did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// The name does not resolve.
    NameUnknown,
    /// A RST in response to the SYN.
    Refused,
    /// No response to the SYN.
    ConnectTimedOut,
    /// The client refused the certificate.
    Certificate(CertificateRefusal),
    /// A fatal TLS alert.
    Alert(u8),
    /// A FIN; with TLS after `close_notify`.
    Fin,
    /// A FIN without `close_notify`.
    Truncated,
    /// A RST.
    Reset,
    /// An HTTP/2 RST_STREAM with its code. The connection stays open.
    StreamReset(u32),
    /// An HTTP/2 GOAWAY with its code, followed by a FIN.
    GoneAway(u32),
    /// The connection stayed open.
    Open,
    /// Another error, with the text of the operating system.
    Other(String),
}

/// A request, its destination, and what the client waits for.
#[derive(Debug, Clone)]
pub(super) struct RawRequest<'a> {
    /// The URL.
    pub url: &'a Url,
    /// The transport.
    pub transport: Transport,
    /// The request.
    pub call: &'a ClientRequest,
    /// The API key.
    pub key: &'a str,
    /// The trusted certificates.
    pub trust: &'a TrustedCertificates,
    /// Whether the connection should stay open. Then silence ends the observation.
    pub stays_open: bool,
    /// Whether the connection should be established.
    pub connects: bool,
    /// The total wait that the faults cause.
    pub waits: Duration,
    /// Whether the client sends a second request on the connection.
    pub asks_again: bool,
}

impl RawRequest<'_> {
    /// Returns the time without a byte after which the observation ends.
    pub(super) fn quiet(&self) -> Duration {
        self.waits + if self.stays_open { QUIET } else { LONG }
    }

    fn connect_within(&self) -> Duration {
        if self.connects { LONG } else { 2 * QUIET }
    }
}

impl Transcript {
    fn none(ending: ConnectionEnd, began: Instant) -> Self {
        Self {
            reads: Vec::new(),
            ending,
            ended: began.elapsed(),
            reply: ParsedReply::nothing(),
            frames: Vec::new(),
            next: None,
        }
    }

    /// Returns all received bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.reads.iter().flat_map(|read| read.bytes.iter().copied()).collect()
    }

    /// Returns when the byte with this index arrived.
    pub fn arrival(&self, place: usize) -> Option<Duration> {
        let mut end = 0;
        self.reads.iter().find_map(|read| {
            end += read.bytes.len();
            (place < end).then_some(read.at)
        })
    }

    /// Returns when the byte at this offset of the body arrived.
    pub fn body_arrival(&self, offset: usize) -> Option<Duration> {
        self.arrival(self.reply.place(offset)?)
    }

    /// Returns for each read with bytes of the body the offset in the body at its end.
    pub fn body_cuts(&self) -> Vec<usize> {
        let mut end = 0;
        let mut cuts: Vec<usize> = self
            .reads
            .iter()
            .map(|read| {
                end += read.bytes.len();
                self.reply.offset(end)
            })
            .filter(|cut| *cut > 0)
            .collect();
        cuts.dedup();
        cuts
    }
}

/// Sends the request and records everything until the connection ends or falls silent.
pub(super) async fn ask(request: &RawRequest<'_>) -> Transcript {
    let began = Instant::now();
    let tcp = match connect(request).await {
        Ok(tcp) => tcp,
        Err(ending) => return Transcript::none(ending, began),
    };
    if request.transport == Transport::Plain {
        return speak(tcp, request, began).await;
    }
    let host = request.url.host_str().unwrap_or_default();
    let protocol: &[u8] = if request.transport == Transport::Http2 { b"h2" } else { b"http/1.1" };
    match timeout(request.quiet(), tls::connect(tcp, host, request.trust, protocol)).await {
        Err(_) => Transcript::none(ConnectionEnd::Open, began),
        Ok(Err(ending)) => Transcript::none(ending, began),
        Ok(Ok(stream)) if request.transport == Transport::Http2 => http2::ask(stream, request, began).await,
        Ok(Ok(stream)) => speak(stream, request, began).await,
    }
}

async fn connect(request: &RawRequest<'_>) -> Result<TcpStream, ConnectionEnd> {
    let host = request.url.host_str().unwrap_or_default();
    let port = request.url.port_or_known_default().unwrap_or(80);
    // A resolver without a response has not found an address either.
    let found = timeout(4 * QUIET, lookup_host((host, port))).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(Ok(addresses)) => addresses.collect(),
        _ => return Err(ConnectionEnd::NameUnknown),
    };
    // The mocks listen on IPv4 only, whatever the name of this machine resolves to.
    let address = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
    let Some(address) = address else { return Err(ConnectionEnd::NameUnknown) };
    match timeout(request.connect_within(), TcpStream::connect(address)).await {
        Err(_) => Err(ConnectionEnd::ConnectTimedOut),
        Ok(Err(error)) => Err(ending_of(&error)),
        Ok(Ok(tcp)) => {
            let _ = tcp.set_nodelay(true);
            Ok(tcp)
        }
    }
}

/// Sends one or two HTTP/1.1 requests on a connection.
async fn speak(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &RawRequest<'_>,
    began: Instant,
) -> Transcript {
    let mut first = exchange(&mut stream, request, began, request.asks_again).await;
    if request.asks_again && first.ending == ConnectionEnd::Open {
        first.next = Some(Box::new(exchange(&mut stream, request, began, false).await));
    }
    first
}

async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: &RawRequest<'_>,
    began: Instant,
    only_one: bool,
) -> Transcript {
    let bytes = request.call.http1(authority(request.url), target(request.url), request.key);
    let mut reads = Vec::new();
    let mut so_far = Vec::new();
    // A client whose write fails may still have bytes to read.
    let ending = match stream.write_all(&bytes).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => ConnectionEnd::Reset,
        _ => loop {
            let mut buffer = Vec::with_capacity(READ);
            match timeout(request.quiet(), stream.read_buf(&mut buffer)).await {
                Err(_) => break ConnectionEnd::Open,
                Ok(Ok(0)) => break ConnectionEnd::Fin,
                Ok(Ok(_)) => {
                    if only_one {
                        so_far.extend_from_slice(&buffer);
                    }
                    reads.push(Read { at: began.elapsed(), bytes: buffer });
                    if only_one && ParsedReply::read(&so_far, false).framing == MessageFraming::Whole {
                        break ConnectionEnd::Open;
                    }
                }
                Ok(Err(error)) => break ending_of(&error),
            }
        },
    };
    let mut transcript = Transcript { reads, ..Transcript::none(ending, began) };
    let over = matches!(transcript.ending, ConnectionEnd::Fin | ConnectionEnd::Truncated);
    transcript.reply = ParsedReply::read(&transcript.bytes(), over);
    transcript
}

/// Returns `127.0.0.1:PORT`, as in the URL.
pub(super) fn authority(url: &Url) -> &str {
    &url[url::Position::BeforeHost..url::Position::AfterPort]
}

/// Returns the path with the query.
fn target(url: &Url) -> &str {
    &url[url::Position::BeforePath..url::Position::AfterQuery]
}

/// Returns how the connection ended, according to an error of the operating system or of TLS.
pub(super) fn ending_of(error: &io::Error) -> ConnectionEnd {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ConnectionEnd::Refused,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            ConnectionEnd::Reset
        }
        io::ErrorKind::UnexpectedEof => ConnectionEnd::Truncated,
        io::ErrorKind::TimedOut => ConnectionEnd::ConnectTimedOut,
        _ => tls::ending_of(error).unwrap_or_else(|| ConnectionEnd::Other(error.to_string())),
    }
}
