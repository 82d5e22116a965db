//! A client that hides nothing: every read with its time, and how the connection ended.

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

/// Longer than any reply takes that is on its way.
const LONG: Duration = Duration::from_secs(5);

/// Silence that is taken for the end of what comes.
const QUIET: Duration = Duration::from_millis(300);

/// Bytes of one read: more than most packets have.
const READ: usize = 64 * 1024;

/// Everything that came over one connection for one request.
#[derive(Debug, Clone)]
pub struct Transcript {
    /// What was read, without TLS, read by read.
    pub reads: Vec<Read>,
    /// How it ended.
    pub ending: ConnectionEnd,
    /// When: from the moment at which the connection was asked for.
    pub ended: Duration,
    /// What it comes to as a message.
    pub reply: ParsedReply,
    /// The frames of HTTP/2, one word each, in order.
    pub frames: Vec<String>,
    /// What came of a second request on the same connection.
    pub next: Option<Box<Transcript>>,
}

/// What one read gave.
#[derive(Debug, Clone)]
pub struct Read {
    /// From the moment at which the connection was asked for.
    pub at: Duration,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// How a connection ended, or did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// The name has no address.
    NameUnknown,
    /// RST to the SYN.
    Refused,
    /// The SYN got no answer.
    ConnectTimedOut,
    /// The certificate is one that nobody should take.
    Certificate(CertificateRefusal),
    /// A fatal alert of TLS.
    Alert(u8),
    /// FIN; of TLS behind `close_notify`.
    Fin,
    /// FIN without `close_notify`.
    Truncated,
    /// RST.
    Reset,
    /// HTTP/2's RST_STREAM with its code; the connection lives on.
    StreamReset(u32),
    /// HTTP/2's GOAWAY with its code, and a FIN behind it.
    GoneAway(u32),
    /// Nothing ended it.
    Open,
    /// Something else, in the system's words.
    Other(String),
}

/// Where a request goes, and what is waited for.
#[derive(Debug, Clone)]
pub struct RawRequest<'a> {
    /// The URL.
    pub url: &'a Url,
    /// What it travels over.
    pub transport: Transport,
    /// The request.
    pub call: &'a ClientRequest,
    /// The key that it shows.
    pub key: &'a str,
    /// Whose certificates are taken.
    pub trust: &'a TrustedCertificates,
    /// Whether the connection is to stay open: silence then ends the watch.
    pub stays_open: bool,
    /// Whether there is to be a connection at all.
    pub connects: bool,
    /// Waits that are to be sat out.
    pub waits: Duration,
    /// Whether the connection is used once more.
    pub asks_again: bool,
}

impl RawRequest<'_> {
    /// After so long without a byte nothing more is expected.
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

    /// All bytes that came.
    pub fn bytes(&self) -> Vec<u8> {
        self.reads.iter().flat_map(|read| read.bytes.iter().copied()).collect()
    }

    /// When the byte at this place came.
    pub fn arrival(&self, place: usize) -> Option<Duration> {
        let mut end = 0;
        self.reads.iter().find_map(|read| {
            end += read.bytes.len();
            (place < end).then_some(read.at)
        })
    }

    /// When the body's byte at this offset came.
    pub fn body_arrival(&self, offset: usize) -> Option<Duration> {
        self.arrival(self.reply.place(offset)?)
    }

    /// After how many bytes of the body a read ended, for each read that brought some.
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

/// Sends the request and records what comes, until the connection ends or falls silent.
pub async fn ask(request: &RawRequest<'_>) -> Transcript {
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
    // A resolver that gets no answer has found no address either.
    let found = timeout(4 * QUIET, lookup_host((host, port))).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(Ok(addresses)) => addresses.collect(),
        _ => return Err(ConnectionEnd::NameUnknown),
    };
    // The mocks have no IPv6, whatever the name of this machine resolves to.
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

/// Speaks HTTP/1.1 over a connection, once or twice.
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
    // Whoever was cut off while he wrote may still find something to read.
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

/// `127.0.0.1:PORT`, as it stands in the URL.
pub(super) fn authority(url: &Url) -> &str {
    &url[url::Position::BeforeHost..url::Position::AfterPort]
}

/// The path with the query.
fn target(url: &Url) -> &str {
    &url[url::Position::BeforePath..url::Position::AfterQuery]
}

/// What an error of the system, or of TLS, says of how the connection ended.
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
