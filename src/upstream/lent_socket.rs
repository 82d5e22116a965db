//! A socket that a library uses and that its owner can take back at any time.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{locked::locked, socket::Socket};

/// The library's side. After the owner has taken the socket back, reads never return.
pub(super) struct LentSocket(Arc<Mutex<Held>>);

/// The owner's side.
pub(super) struct SocketOwner(Arc<Mutex<Held>>);

struct Held {
    socket: Option<Socket>,
    written: u64,
    /// Whether the last write waits for room.
    blocked: bool,
}

pub(super) fn lend(socket: Socket) -> (LentSocket, SocketOwner) {
    let held = Arc::new(Mutex::new(Held { socket: Some(socket), written: 0, blocked: false }));
    (LentSocket(held.clone()), SocketOwner(held))
}

impl SocketOwner {
    /// Takes the socket back. Returns it and the number of bytes written to it.
    pub(super) fn take(&self) -> Option<(Socket, u64)> {
        let mut held = locked(&self.0);
        let written = held.written;
        held.socket.take().map(|socket| (socket, written))
    }

    /// Whether the last write still waits for room.
    pub(super) fn is_blocked(&self) -> bool {
        locked(&self.0).blocked
    }
}

impl LentSocket {
    fn write<T>(
        &self,
        write: impl FnOnce(Pin<&mut Socket>) -> Poll<io::Result<T>>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        let held = &mut *locked(&self.0);
        let Some(socket) = &mut held.socket else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let poll = write(Pin::new(socket));
        held.blocked = poll.is_pending();
        if let Poll::Ready(Ok(done)) = &poll {
            held.written += bytes(done) as u64;
        }
        poll
    }
}

impl AsyncRead for LentSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut locked(&self.0).socket {
            Some(socket) => Pin::new(socket).poll_read(cx, buf),
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for LentSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.write(|socket| socket.poll_write(cx, buf), |n| *n)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(|socket| socket.poll_flush(cx), |()| 0)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(|socket| socket.poll_shutdown(cx), |()| 0)
    }
}
