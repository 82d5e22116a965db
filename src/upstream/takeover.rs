//! Lets a reply take its connection over from hyper, and wraps the socket for hyper.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
};

use super::{
    ledger::{AttemptRecorder, locked},
    raw::RawReply,
    socket::Socket,
};

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionCut {
    /// With a FIN.
    Close,
    /// With a RST.
    Reset,
}

/// What the owner of a connection does after it has taken the connection over from hyper.
pub(super) enum SocketTakeover {
    /// Cut it, and record that as the end of the attempt.
    Cut(ConnectionCut, Option<AttemptRecorder>),
    /// Write the whole reply. hyper has written nothing of it.
    Perform(Box<RawReply>),
}

/// The handle with which a reply takes its connection over from hyper, after everything that hyper has
/// written is flushed.
///
/// A body that fails or ends early would not have this effect: hyper would complete the framing, or send a
/// FIN instead of a RST.
#[derive(Default)]
pub(super) struct TakeoverHandle {
    wanted: AtomicBool,
    takeover: Mutex<Option<SocketTakeover>>,
    flushed: Notify,
    /// The number of bytes read since the last complete request.
    unasked: AtomicU64,
    /// The status that was written last; 0 for none.
    status: AtomicU16,
}

impl TakeoverHandle {
    /// Records that a request has been read to its end.
    pub(super) fn asked(&self) {
        self.unasked.store(0, Ordering::Relaxed);
    }

    /// Returns the number of bytes of an incomplete request.
    pub(super) fn unasked(&self) -> u64 {
        self.unasked.load(Ordering::Relaxed)
    }

    /// Returns the status that was written last.
    pub(super) fn status(&self) -> Option<u16> {
        Some(self.status.load(Ordering::Relaxed)).filter(|status| *status > 0)
    }

    /// Records the status if the bytes begin with a status line. hyper writes its own for requests that it
    /// cannot read.
    fn note_status(&self, written: &[u8]) {
        let status = written.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
        if let Some(status) = status.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()) {
            self.status.store(status, Ordering::Relaxed);
        }
    }

    /// Requests a takeover after the next flush. Must be called from within hyper's own poll (of the service
    /// or the body), which ends with a flush of everything written before.
    pub(super) fn take_over(&self, takeover: SocketTakeover) {
        *locked(&self.takeover) = Some(takeover);
        self.wanted.store(true, Ordering::Release);
    }

    /// Returns the requested takeover, if any.
    pub(super) fn taken(&self) -> Option<SocketTakeover> {
        locked(&self.takeover).take()
    }

    /// Resolves when a takeover is requested and everything before it has been flushed.
    pub(super) async fn flushed(&self) {
        self.flushed.notified().await;
    }
}

/// The socket for hyper. It notifies the owner of the connection when a takeover is requested and everything
/// is flushed.
pub(super) struct TakeoverSocket {
    pub(super) socket: Socket,
    line: Arc<TakeoverHandle>,
    /// Bytes that were read from the socket before hyper got it.
    unread: Bytes,
    /// The number of bytes written since the client last sent something. The client has received everything
    /// before that.
    pub(super) written: u64,
}

impl TakeoverSocket {
    pub(super) fn new(socket: Socket, line: Arc<TakeoverHandle>, unread: Bytes, written: u64) -> Self {
        Self { socket, line, unread, written }
    }

    fn count(&mut self, poll: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(n)) = &poll {
            self.written += *n as u64;
        }
        poll
    }
}

impl AsyncRead for TakeoverSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let now = self.unread.len().min(buf.remaining());
            buf.put_slice(&self.unread.split_to(now));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.socket).poll_read(cx, buf);
        let read = (buf.filled().len() - before) as u64;
        self.line.unasked.fetch_add(read, Ordering::Relaxed);
        if read > 0 {
            self.written = 0;
        }
        poll
    }
}

impl AsyncWrite for TakeoverSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.line.note_status(buf);
        let poll = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.count(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.count(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// hyper flushes its socket only when its own buffer is empty. So after this the kernel has everything
    /// before a takeover.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.socket).poll_flush(cx);
        if poll.is_ready() && self.line.wanted.load(Ordering::Acquire) {
            self.line.flushed.notify_one();
        }
        poll
    }

    /// Does nothing if a takeover is requested: a FIN now would come before the RST.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.line.wanted.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
