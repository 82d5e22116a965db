//! What the raw client received on a connection, and how the connection ended.

use std::{fmt, io, time::Duration};

use rustls::{AlertDescription, Error};
use tokio::time::Instant;

use super::reply::ParsedReply;

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

/// Why the client refused a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateRefusal {
    /// It has expired.
    Expired,
    /// It is for another name.
    WrongName,
    /// It is self-signed.
    SelfSigned,
    /// Its issuer is unknown.
    UnknownIssuer,
    /// Another reason.
    Other(String),
}

impl fmt::Display for CertificateRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired => f.write_str("expired certificate"),
            Self::WrongName => f.write_str("certificate for another name"),
            Self::SelfSigned => f.write_str("self-signed certificate"),
            Self::UnknownIssuer => f.write_str("certificate of an unknown issuer"),
            Self::Other(words) => write!(f, "certificate refused: {words}"),
        }
    }
}

impl Transcript {
    pub(super) fn none(ending: ConnectionEnd, began: Instant) -> Self {
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

/// Returns how the connection ended, according to an error of the operating system or of TLS.
pub(super) fn ending_of(error: &io::Error) -> ConnectionEnd {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ConnectionEnd::Refused,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            ConnectionEnd::Reset
        }
        io::ErrorKind::UnexpectedEof => ConnectionEnd::Truncated,
        io::ErrorKind::TimedOut => ConnectionEnd::ConnectTimedOut,
        _ => tls_ending(error).unwrap_or_else(|| ConnectionEnd::Other(error.to_string())),
    }
}

/// Returns how the connection ended, if the error comes from rustls.
fn tls_ending(error: &io::Error) -> Option<ConnectionEnd> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::AlertReceived(AlertDescription::CloseNotify) => Some(ConnectionEnd::Fin),
        Error::AlertReceived(alert) => Some(ConnectionEnd::Alert(u8::from(*alert))),
        other => Some(ConnectionEnd::Other(other.to_string())),
    }
}
