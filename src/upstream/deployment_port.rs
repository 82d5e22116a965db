//! A deployment's own port: held for it, and ill in its own way until it is healed.

use std::{
    io,
    net::{Ipv4Addr, Shutdown, SocketAddr},
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::ledger::locked;

/// Connections that may wait to be accepted: enough for a suite that starts all at once.
const BACKLOG: i32 = 4096;

/// Connections of our own that fill a queue. Linux lets one in with a backlog of 0; those that find no
/// place knock again and again, and take one that another system may have.
const FILLERS: usize = 4;

/// How long the first of them may take to find its place. On loopback it has it at once.
const KNOCK: Duration = Duration::from_millis(100);

/// What a port does to connections as long as its deployment is ill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PortBehaviour {
    /// It serves them: only what comes after goes wrong.
    Serves,
    /// Nobody listens.
    Refuses,
    /// The kernel takes them, and nobody accepts them.
    NeverAccepts,
    /// The kernel takes none: too many wait to be accepted.
    Full,
}

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

/// A port that nobody else gets as long as this is there.
pub(super) struct OwnPort {
    pub(super) manner: PortBehaviour,
    /// Listens, unless the port refuses connections.
    holder: Socket,
    port: u16,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Connections of our own in the queue of those that wait.
    fillers: Vec<Socket>,
    /// Owned by the task that serves it, so that it goes when that ends.
    open: Option<(Weak<TcpListener>, CancellationToken)>,
}

impl OwnPort {
    pub(super) fn hold(manner: PortBehaviour) -> io::Result<Self> {
        let holder = bound(0)?;
        let address = holder.local_addr()?.as_socket();
        let port = address.ok_or_else(|| io::Error::other("a socket without an IP address"))?.port();
        let fillers = match manner {
            PortBehaviour::Refuses => Vec::new(),
            PortBehaviour::Serves | PortBehaviour::NeverAccepts => {
                holder.listen(BACKLOG)?;
                Vec::new()
            }
            PortBehaviour::Full => {
                holder.listen(0)?;
                fill(port)?
            }
        };
        Ok(Self { manner, holder, port, state: Mutex::new(State { fillers, open: None }) })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Begins to accept; `None` where it does already. The listener is to be served until the token
    /// is cancelled, which is a child of `stop`. Must be called in a tokio runtime.
    pub(super) fn open(
        &self,
        stop: &CancellationToken,
    ) -> io::Result<Option<(Arc<TcpListener>, CancellationToken)>> {
        let mut state = locked(&self.state);
        if state.open.is_some() {
            return Ok(None);
        }
        let listener = match self.manner {
            PortBehaviour::Refuses => listen(self.port)?,
            PortBehaviour::Serves => TcpListener::from_std(self.holder.try_clone()?.into())?,
            PortBehaviour::NeverAccepts | PortBehaviour::Full => {
                state.fillers.clear();
                self.holder.listen(BACKLOG)?;
                // Those who came before are too late: what they sent is none of the time after.
                while self.holder.accept().is_ok() {}
                TcpListener::from_std(self.holder.try_clone()?.into())?
            }
        };
        let listener = Arc::new(listener);
        let token = stop.child_token();
        state.open = Some((Arc::downgrade(&listener), token.clone()));
        Ok(Some((listener, token)))
    }

    /// Is ill again, from now on. One that serves goes on.
    ///
    /// Where there is no socket left to fill a queue with, it stays open to a connection.
    pub(super) fn shut(&self) {
        let mut state = locked(&self.state);
        if self.manner == PortBehaviour::Serves {
            return;
        }
        let Some((listener, token)) = state.open.take() else { return };
        token.cancel();
        match self.manner {
            // The task that owns the listener drops it a little later; this ends listening at once.
            PortBehaviour::Refuses => {
                if let Some(listener) = listener.upgrade() {
                    let _ = SockRef::from(&*listener).shutdown(Shutdown::Both);
                }
            }
            PortBehaviour::Full => {
                let _ = self.holder.listen(0);
                state.fillers = fill(self.port).unwrap_or_default();
            }
            PortBehaviour::Serves | PortBehaviour::NeverAccepts => {}
        }
    }
}

/// Connections that wait at this port to be accepted, and further ones that wait for their turn.
fn fill(port: u16) -> io::Result<Vec<Socket>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into();
    (0..FILLERS)
        .map(|n| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            if n == 0 {
                match socket.connect_timeout(&address, KNOCK) {
                    // Somebody else has the last place, which is as good.
                    Err(error) if error.kind() != io::ErrorKind::TimedOut => return Err(error),
                    _ => {}
                }
            } else {
                socket.set_nonblocking(true)?;
                // It is under way, which is all that is wanted.
                let _ = socket.connect(&address);
            }
            Ok(socket)
        })
        .collect()
}
