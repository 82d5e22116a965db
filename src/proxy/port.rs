//! A port for a process that wants to be told one.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

use socket2::{Domain, Socket, Type};

/// A free loopback port, kept for the process that will listen on it.
///
/// A proxy takes many seconds to listen, and in the meantime the kernel would hand a port that was
/// merely free to the next socket that asks for any. On Linux a bound socket that does not listen
/// keeps it, and shares it with a listener that sets `SO_REUSEADDR`, as servers do. For the rare one
/// that does not, and elsewhere, the port is only known to have been free.
#[derive(Debug)]
pub(super) struct Reserved {
    port: u16,
    _held: Option<Socket>,
}

impl Reserved {
    /// Finds a port; `hold` is whether it is kept where that is possible.
    pub(super) fn new(hold: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let hold = hold && cfg!(target_os = "linux");
        if hold {
            socket.set_reuse_address(true)?;
        }
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let port = socket
            .local_addr()?
            .as_socket()
            .map(|address| address.port())
            .ok_or_else(|| io::Error::other("the socket has no address"))?;
        Ok(Self { port, _held: hold.then_some(socket) })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

/// Whether somebody has the port.
pub(super) fn is_taken(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_port_can_be_listened_on_by_a_server() {
        let reserved = Reserved::new(true).unwrap();
        // std sets SO_REUSEADDR on Unix, as servers do.
        TcpListener::bind((Ipv4Addr::LOCALHOST, reserved.port())).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_kept_port_is_given_to_nobody_who_does_not_share_it() {
        let reserved = Reserved::new(true).unwrap();
        let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, reserved.port()));
        assert_eq!(other.bind(&address.into()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(!is_taken(reserved.port()), "a server could listen");
    }
}
