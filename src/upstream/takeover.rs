//! The way from an answer to the owner of its connection, and the socket as hyper gets it.

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
    /// FIN.
    Close,
    /// RST.
    Reset,
}

/// What the owner of a connection is to do with it once hyper has let go of it.
pub(super) enum SocketTakeover {
    /// End it, and note that as the end of the attempt.
    Cut(ConnectionCut, Option<AttemptRecorder>),
    /// Write the whole reply, of which hyper has written nothing.
    Perform(Box<RawReply>),
}

/// The handle by which an answer has its connection taken from hyper once all that it wrote has been
/// flushed.
///
/// A body that fails or ends early is no way to do that: hyper would complete the framing, or send
/// a FIN where a RST is wanted.
#[derive(Default)]
pub(super) struct TakeoverHandle {
    wanted: AtomicBool,
    takeover: Mutex<Option<SocketTakeover>>,
    flushed: Notify,
    /// Bytes that were read since the last request was complete.
    unasked: AtomicU64,
    /// The status line that was written last, 0 for none.
    status: AtomicU16,
}

impl TakeoverHandle {
    /// A request has been read to its end.
    pub(super) fn asked(&self) {
        self.unasked.store(0, Ordering::Relaxed);
    }

    /// Bytes of a request that is not complete.
    pub(super) fn unasked(&self) -> u64 {
        self.unasked.load(Ordering::Relaxed)
    }

    /// The status that was written last.
    pub(super) fn status(&self) -> Option<u16> {
        Some(self.status.load(Ordering::Relaxed)).filter(|status| *status > 0)
    }

    /// Looks whether a status line is written. hyper writes one of its own for what it cannot read.
    fn note_status(&self, written: &[u8]) {
        let status = written.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
        if let Some(status) = status.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()) {
            self.status.store(status, Ordering::Relaxed);
        }
    }

    /// Has the connection taken over after the next flush. To be called from within hyper's own poll
    /// (of the service or the body), which ends in a flush of everything written before.
    pub(super) fn take_over(&self, takeover: SocketTakeover) {
        *locked(&self.takeover) = Some(takeover);
        self.wanted.store(true, Ordering::Release);
    }

    /// What is to be done, if something is.
    pub(super) fn taken(&self) -> Option<SocketTakeover> {
        locked(&self.takeover).take()
    }

    /// Ready when the connection is to be taken over and all before it has been flushed.
    pub(super) async fn flushed(&self) {
        self.flushed.notified().await;
    }
}

/// The socket, telling the connection's owner when it has been flushed and is to be taken over.
pub(super) struct TakeoverSocket {
    pub(super) socket: Socket,
    line: Arc<TakeoverHandle>,
    /// Read from the socket already, and not yet by who reads now.
    unread: Bytes,
    /// Bytes written since the client last sent something: it has been given what came before.
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

    /// hyper flushes its socket only when its own buffer is empty, so this is the moment at which
    /// everything before a takeover has been given to the kernel.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.socket).poll_flush(cx);
        if poll.is_ready() && self.line.wanted.load(Ordering::Acquire) {
            self.line.flushed.notify_one();
        }
        poll
    }

    /// Left to the owner where the connection is to be taken over: a FIN now would come before a RST.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.line.wanted.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
