//! The socket of a connection, with endings that HTTP libraries do not offer.

use std::{
    io,
    net::Shutdown,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, ReadBuf},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::server::TlsStream;

use crate::platform::unacknowledged;

/// The time limit for closing a connection, so that a client that does not read cannot block the mock.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// A TCP or TLS stream.
pub(super) enum Socket {
    /// Only TCP.
    Plain(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    /// Ends the connection with a FIN, with TLS after `close_notify`.
    pub(super) async fn close(mut self) {
        // An error here means that the client has already left.
        let _ = timeout(CLOSE_TIMEOUT, self.shutdown()).await;
        self.discard_received();
    }

    /// Ends the connection with only a FIN, without `close_notify`.
    pub(super) fn close_unannounced(self) {
        let _ = socket2::SockRef::from(self.tcp()).shutdown(Shutdown::Write);
        self.discard_received();
    }

    /// Ends the connection with a FIN if it has not been sent yet, and reads what the client still sends for
    /// a short time, because unread bytes would turn the FIN into a RST.
    pub(super) async fn linger(mut self) {
        let _ = timeout(CLOSE_TIMEOUT, async {
            let _ = self.shutdown().await;
            // On the heap, because every connection's task has room for this future.
            let mut unread = vec![0; 4096];
            while self.read(&mut unread).await.is_ok_and(|n| n > 0) {}
        })
        .await;
    }

    /// Ends the connection with a RST, after the peer has received the `written` bytes.
    pub(super) async fn reset(self, written: u64) {
        settle(self.tcp(), written).await;
        let _ = self.tcp().set_zero_linger();
    }

    /// Reads the bytes that have arrived, because unread bytes would turn the FIN of the drop into a RST.
    fn discard_received(&self) {
        let mut unread = [0; 4096];
        while self.tcp().try_read(&mut unread).is_ok_and(|n| n > 0) {}
    }

    /// Resolves when the peer has ended the connection. Ignores everything that it sends before.
    pub(super) async fn until_peer_leaves(mut self) {
        let mut unread = vec![0; 4096];
        while self.read(&mut unread).await.is_ok_and(|n| n > 0) {}
    }
}

/// Marks the bytes that have arrived as seen, so that only others are reported.
pub(super) fn leave_unread(stream: &TcpStream) {
    let _ = stream.try_io(Interest::READABLE, || Err::<(), _>(io::Error::from(io::ErrorKind::WouldBlock)));
}

/// Resolves when the peer has ended a connection without reading from it. Afterwards this handle cannot read
/// anything, because tokio treats the bytes that have arrived as read.
pub(super) async fn left_unread(stream: &TcpStream) {
    loop {
        match stream.ready(Interest::READABLE).await {
            Ok(ready) if !ready.is_read_closed() => {
                leave_unread(stream);
            }
            _ => return,
        }
    }
}

/// Waits until the peer has received the written bytes, because a RST discards bytes that the kernel has not
/// sent yet.
///
/// On loopback a segment reaches the peer's queue during the call that sends it, as long as there is room,
/// and Linux lets the peer read that queue after a RST. The two milliseconds are for systems and clients that
/// do not. Only a large reply can still wait for room. Its queue is watched for at most half a second,
/// because a peer that does not read must not turn a reset into a hang.
async fn settle(stream: &TcpStream, written: u64) {
    const SMALL: u64 = 16 * 1024;
    if written == 0 {
        return;
    }
    let deadline = Instant::now() + CLOSE_TIMEOUT;
    sleep(Duration::from_millis(2)).await;
    // The table contains the connections of the whole machine, so read it rarely.
    let mut pause = Duration::from_millis(5);
    while written > SMALL && Instant::now() < deadline && unacknowledged(stream).is_some_and(|n| n > 0) {
        sleep(pause).await;
        pause = (2 * pause).min(Duration::from_millis(40));
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}
