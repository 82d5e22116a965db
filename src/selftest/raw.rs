//! A client that records every read with its time, and how the connection ended.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};

use super::{
    http2,
    raw_request::{QUIET, RawRequest, authority, target},
    reply::{MessageFraming, ParsedReply},
    tls,
    transcript::{ConnectionEnd, Read, Transcript, ending_of},
};
use crate::scenario::Transport;

/// The buffer size of a read, larger than most packets.
const READ: usize = 64 * 1024;

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
