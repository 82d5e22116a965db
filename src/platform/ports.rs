//! Ports that one socket reserves and another one listens on.

use std::io;

use socket2::Socket;

/// Whether a bound socket that does not listen reserves its port for a server in another process. On Linux the server can
/// listen on it if it sets `SO_REUSEADDR`, as servers do. Elsewhere the server's own options decide, so nothing is reserved.
pub(crate) const HOLDS_PORTS: bool = cfg!(target_os = "linux");

/// Lets a second socket of this process listen on the port that `socket` reserves. Both must be prepared in this way, before
/// they are bound. The system does not choose a port that is reserved in this way.
pub(crate) fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    // The BSDs allow two sockets with the same address only with this option. On Linux it would divide the connections.
    #[cfg(all(unix, not(target_os = "linux")))]
    socket.set_reuse_port(true)?;
    Ok(())
}
