//! Reserves a port for another process.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

use socket2::{Domain, Socket, Type};

use crate::platform::{HOLDS_PORTS, share_port};

/// A free loopback port, reserved for the process that will listen on it.
///
/// A proxy may need many seconds until it listens. Meanwhile the kernel could give a port that is only free
/// to any other socket, so a bound socket that does not listen reserves it, if the system allows that
/// ([`HOLDS_PORTS`]). For the rare server that does not set `SO_REUSEADDR`, and on other systems, the port is not
/// reserved, only free at the time of the check.
#[derive(Debug)]
pub(super) struct Reserved {
    port: u16,
    _held: Option<Socket>,
}

impl Reserved {
    /// Finds a free port and reserves it if `hold` is true and the system supports it.
    pub(super) fn new(hold: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let hold = hold && HOLDS_PORTS;
        if hold {
            share_port(&socket)?;
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

/// Free ports with names, reserved until a process listens on them.
#[derive(Debug)]
pub(super) struct ReservedPorts {
    held: BTreeMap<String, Reserved>,
}

impl ReservedPorts {
    /// Finds a free port for each name. See [`Reserved::new`].
    pub(super) fn new(names: &[String], hold: bool) -> io::Result<Self> {
        let reserve = |name: &String| Ok((name.clone(), Reserved::new(hold)?));
        Ok(Self { held: names.iter().map(reserve).collect::<io::Result<_>>()? })
    }

    pub(super) fn numbers(&self) -> BTreeMap<String, u16> {
        self.held.iter().map(|(name, reserved)| (name.clone(), reserved.port())).collect()
    }
}

/// Whether another process listens on the port.
pub(super) fn is_taken(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_can_listen_on_a_reserved_port() {
        let reserved = Reserved::new(true).unwrap();
        // std sets SO_REUSEADDR on Unix, as servers do.
        TcpListener::bind((Ipv4Addr::LOCALHOST, reserved.port())).unwrap();
    }

    #[test]
    fn ports_with_names_differ() {
        let names = ["metrics", "admin"].map(str::to_owned);
        let numbers = ReservedPorts::new(&names, true).unwrap().numbers();
        assert_eq!(numbers.keys().collect::<Vec<_>>(), ["admin", "metrics"]);
        assert_ne!(numbers["admin"], numbers["metrics"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_without_reuseaddr_cannot_bind_a_reserved_port() {
        let reserved = Reserved::new(true).unwrap();
        let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, reserved.port()));
        assert_eq!(other.bind(&address.into()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert!(!is_taken(reserved.port()), "a server could listen");
    }
}
