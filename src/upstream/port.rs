//! A port at which nobody listens, until somebody does.

use std::{
    io,
    net::{Ipv4Addr, Shutdown, SocketAddr},
    sync::{Arc, Mutex, Weak},
};

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::ledger::locked;

/// Connections that may wait to be accepted: enough for a suite that starts all at once.
const BACKLOG: i32 = 4096;

/// A socket bound to loopback. `port` 0 takes a free one.
fn bound(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // Lets a second socket of ours listen at the port that the first one holds. A port that is
    // chosen by the system never collides with one that is held like this.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}

/// A listener on a loopback port of its own. Must be called in a tokio runtime.
pub(super) fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = bound(port)?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// A port that is held but not listened at: connections to it are refused, and nobody else gets
/// it.
pub(super) struct RefusedPort {
    _holder: Socket,
    port: u16,
    /// Owned by the task that serves it, so that it goes when that ends.
    open: Mutex<Option<(Weak<TcpListener>, CancellationToken)>>,
}

impl RefusedPort {
    pub(super) fn hold() -> io::Result<Self> {
        let holder = bound(0)?;
        let address = holder.local_addr()?.as_socket();
        let port = address.ok_or_else(|| io::Error::other("a socket without an IP address"))?.port();
        Ok(Self { _holder: holder, port, open: Mutex::new(None) })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Begins to listen; `None` where it does already. The listener is to be served until the token
    /// is cancelled, which is a child of `stop`.
    pub(super) fn open(
        &self,
        stop: &CancellationToken,
    ) -> io::Result<Option<(Arc<TcpListener>, CancellationToken)>> {
        let mut open = locked(&self.open);
        if open.is_some() {
            return Ok(None);
        }
        let listener = Arc::new(listen(self.port)?);
        let token = stop.child_token();
        *open = Some((Arc::downgrade(&listener), token.clone()));
        Ok(Some((listener, token)))
    }

    /// Refuses connections again, from now on.
    pub(super) fn shut(&self) {
        if let Some((listener, token)) = locked(&self.open).take() {
            token.cancel();
            // The task that owns the listener drops it a little later; this ends listening at once.
            if let Some(listener) = listener.upgrade() {
                let _ = SockRef::from(&*listener).shutdown(Shutdown::Both);
            }
        }
    }
}
