//! A deployment's own port, which is reserved for it and has its faults until the case is healed.

use std::{
    io,
    net::{Ipv4Addr, Shutdown, SocketAddr},
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::locked::locked;
use crate::platform::{OperatingSystem, share_port};

/// The number of connections that may wait to be accepted. It is enough for a suite that starts all cases at
/// once.
const BACKLOG: i32 = 4096;

/// The number of connections that upfault opens to fill a queue. With a backlog of 0, Linux lets one in. The
/// others keep trying to connect, and fill places that another system may have.
const FILLERS: usize = 4;

/// How long the first of them may take to connect. On loopback it connects immediately.
const CONNECT_WITHIN: Duration = Duration::from_millis(100);

/// What a port does with connections until the case is healed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PortBehaviour {
    /// It accepts them. The faults take effect later.
    Serves,
    /// Nothing listens, so the kernel refuses them.
    Refuses,
    /// The kernel establishes them, but the mock never accepts them.
    NeverAccepts,
    /// The kernel establishes none, because the queue of connections that wait to be accepted is full.
    Full,
}

/// Returns a socket bound to loopback. With `port` 0 the system chooses a free one.
fn bound(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    share_port(&socket)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}

/// Returns a listener on a loopback port. Must be called in a tokio runtime.
pub(super) fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = bound(port)?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// A port that is reserved as long as this value exists.
pub(super) struct OwnPort {
    pub(super) behaviour: PortBehaviour,
    /// The socket that reserves the port. It listens unless the port refuses connections.
    holder: Socket,
    port: u16,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The connections of upfault in the queue.
    fillers: Vec<Socket>,
    /// The listener while the port accepts connections. The task that serves it owns it, so it is closed when
    /// that task ends.
    open: Option<(Weak<TcpListener>, CancellationToken)>,
}

impl OwnPort {
    /// Reserves `port`, or a free one if it is 0.
    ///
    /// # Errors
    /// If the port is in use, or if the operating system cannot do this.
    pub(super) fn hold(behaviour: PortBehaviour, port: u16) -> io::Result<Self> {
        // The runner skips such cases; a client of `serve` can arm one.
        if behaviour == PortBehaviour::Full && OperatingSystem::HERE != OperatingSystem::Linux {
            let reason = "a full queue of connections is possible only on Linux";
            return Err(io::Error::new(io::ErrorKind::Unsupported, reason));
        }
        let holder = bound(port)?;
        let address = holder.local_addr()?.as_socket();
        let port = address.ok_or_else(|| io::Error::other("a socket without an IP address"))?.port();
        let fillers = match behaviour {
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
        Ok(Self { behaviour, holder, port, state: Mutex::new(State { fillers, open: None }) })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Starts to accept connections. Returns `None` if the port already does. The caller must serve the
    /// listener until the token, a child of `stop`, is cancelled. Must be called in a tokio runtime.
    pub(super) fn open(
        &self,
        stop: &CancellationToken,
    ) -> io::Result<Option<(Arc<TcpListener>, CancellationToken)>> {
        let mut state = locked(&self.state);
        if state.open.is_some() {
            return Ok(None);
        }
        let listener = match self.behaviour {
            PortBehaviour::Refuses => listen(self.port)?,
            PortBehaviour::Serves => TcpListener::from_std(self.holder.try_clone()?.into())?,
            PortBehaviour::NeverAccepts | PortBehaviour::Full => {
                state.fillers.clear();
                self.holder.listen(BACKLOG)?;
                // Drop the connections that came before, so that their requests do not count as attempts
                // after healing.
                while self.holder.accept().is_ok() {}
                TcpListener::from_std(self.holder.try_clone()?.into())?
            }
        };
        let listener = Arc::new(listener);
        let token = stop.child_token();
        state.open = Some((Arc::downgrade(&listener), token.clone()));
        Ok(Some((listener, token)))
    }

    /// Applies the port's fault again. A port without one continues to serve.
    ///
    /// If no socket is available to fill the queue, one connection can still be established.
    pub(super) fn shut(&self) {
        let mut state = locked(&self.state);
        if self.behaviour == PortBehaviour::Serves {
            return;
        }
        let Some((listener, token)) = state.open.take() else { return };
        token.cancel();
        match self.behaviour {
            // The task that owns the listener drops it a little later. This stops listening immediately.
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

/// Opens connections that wait at this port to be accepted, and others that try to get into the queue.
fn fill(port: u16) -> io::Result<Vec<Socket>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into();
    (0..FILLERS)
        .map(|n| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            if n == 0 {
                match socket.connect_timeout(&address, CONNECT_WITHIN) {
                    // Another client has taken the last place in the queue, which has the same effect.
                    Err(error) if error.kind() != io::ErrorKind::TimedOut => return Err(error),
                    _ => {}
                }
            } else {
                socket.set_nonblocking(true)?;
                // The connection only has to be in progress.
                let _ = socket.connect(&address);
            }
            Ok(socket)
        })
        .collect()
}
