//! A connection's socket, with the endings that HTTP libraries do not offer.

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

/// How long a goodbye may take: a client that does not read must not keep the mock.
pub(super) const GOODBYE: Duration = Duration::from_millis(500);

/// What a connection's bytes go through.
pub(super) enum Socket {
    /// TCP alone.
    Plain(TcpStream),
    /// TLS on TCP.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    /// Ends it by a FIN; of TLS it takes leave first.
    pub(super) async fn close(mut self) {
        // A client that has gone already needs no goodbye.
        let _ = timeout(GOODBYE, self.shutdown()).await;
        self.read_away();
    }

    /// Ends it by a FIN alone.
    pub(super) fn close_unannounced(self) {
        let _ = socket2::SockRef::from(self.tcp()).shutdown(Shutdown::Write);
        self.read_away();
    }

    /// Ends it by a FIN, if that has not been sent yet, and reads away what the client still sends, for a
    /// moment: unread it would make a RST of the FIN.
    pub(super) async fn linger(mut self) {
        let _ = timeout(GOODBYE, async {
            let _ = self.shutdown().await;
            let mut unread = [0; 4096];
            while self.read(&mut unread).await.is_ok_and(|n| n > 0) {}
        })
        .await;
    }

    /// Ends it by a RST, once the peer has been given the `written` bytes.
    pub(super) async fn reset(self, written: u64) {
        settle(self.tcp(), written).await;
        let _ = self.tcp().set_zero_linger();
    }

    /// Bytes that nobody read would turn the FIN of the drop into a RST.
    fn read_away(&self) {
        let mut unread = [0; 4096];
        while self.tcp().try_read(&mut unread).is_ok_and(|n| n > 0) {}
    }

    /// Ready when the peer has ended the connection, whatever it sends before.
    pub(super) async fn left_for_good(mut self) {
        let mut unread = [0; 4096];
        while self.read(&mut unread).await.is_ok_and(|n| n > 0) {}
    }

    /// Ready when the peer has ended the connection; whatever else it sends is kept in `unread`.
    pub(super) async fn left(&mut self, unread: &mut Vec<u8>) {
        // Nobody is read without end only to find out whether he is there.
        const MOST: usize = 64 * 1024;
        while unread.len() < MOST {
            match self.read_buf(unread).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        std::future::pending().await
    }
}

/// Ready when the peer has ended a connection from which nobody reads. Nothing can be read from it
/// by the same handle afterwards: what has come is taken for read.
pub(super) async fn left_unread(stream: &TcpStream) {
    loop {
        match stream.ready(Interest::READABLE).await {
            Ok(ready) if !ready.is_read_closed() => {
                // Whatever there is to read has been seen: wait for the next thing to happen.
                let _ = stream
                    .try_io(Interest::READABLE, || Err::<(), _>(io::Error::from(io::ErrorKind::WouldBlock)));
            }
            _ => return,
        }
    }
}

/// Waits until the peer has been given what was written, as a RST throws away what the kernel
/// still holds for sending.
///
/// On loopback a segment reaches the peer's queue within the call that sends it, as long as there
/// is room, and Linux lets the peer read that queue after a RST. Two milliseconds are for systems
/// and clients that don't. Only a large reply can still wait for room: its queue is watched, for
/// half a second at most, since a peer that does not read must not turn a reset into a hang.
async fn settle(stream: &TcpStream, written: u64) {
    const SMALL: u64 = 16 * 1024;
    if written == 0 {
        return;
    }
    let deadline = Instant::now() + GOODBYE;
    sleep(Duration::from_millis(2)).await;
    while written > SMALL && Instant::now() < deadline && unacknowledged(stream).is_some_and(|n| n > 0) {
        sleep(Duration::from_millis(5)).await;
    }
}

/// Bytes that the peer's kernel has not acknowledged, as Linux tells in `/proc/net/tcp`
/// (proc(5): `local_address rem_address st tx_queue:rx_queue`); `None` where that can't be known.
fn unacknowledged(stream: &TcpStream) -> Option<u64> {
    let (local, peer) = (stream.local_addr().ok()?.port(), stream.peer_addr().ok()?.port());
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace().skip(1);
        let mut port = || u16::from_str_radix(columns.next()?.rsplit(':').next()?, 16).ok();
        if (port()?, port()?) != (local, peer) {
            return None;
        }
        u64::from_str_radix(columns.nth(1)?.split(':').next()?, 16).ok()
    })
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
