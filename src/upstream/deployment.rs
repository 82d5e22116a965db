//! One deployment of a case: its name and its address.

use std::io;

use super::deployment_port::{OwnPort, PortBehaviour};
use crate::scenario::{ConnectionFault, Fault, FaultStage, Provider, Transport, Turn};

pub(super) struct Deployment {
    pub(super) name: String,
    /// The provider that the mock simulates.
    pub(super) provider: Provider,
    pub(super) transport: Transport,
    /// Its own port, if its faults affect connections before a request is read, if its replies are large, or if it does
    /// not use plain HTTP/1.1.
    pub(super) own: Option<OwnPort>,
    /// Whether its host name does not resolve.
    pub(super) unresolvable: bool,
    /// Whether each connection accepts only one request: connections claim turns, so the next request needs a
    /// new connection with its own turn.
    pub(super) one_request_each: bool,
}

impl Deployment {
    /// `ports` provides the port if the deployment needs its own.
    pub(super) fn new(
        name: String,
        provider: Provider,
        turns: &[Turn],
        transport: Transport,
        ports: &mut OwnPorts,
    ) -> io::Result<Self> {
        let unresolvable = is_unresolvable(turns);
        let one_request_each = turns.iter().any(affects_connections);
        let own = own_port(turns, transport)
            .map(|behaviour| OwnPort::hold(behaviour, ports.next()?))
            .transpose()?;
        Ok(Self { name, provider, transport, own, unresolvable, one_request_each })
    }

    pub(super) fn scheme(&self) -> &'static str {
        scheme(self.transport)
    }
}

/// Which ports the deployments of a case get that need their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnPorts {
    /// Free ones, which the system chooses.
    Free,
    /// The ones after this port, in the order of the deployments, so that they are known before the case is armed.
    After(u16),
}

impl OwnPorts {
    /// Returns the port of the next deployment; 0 means a free one.
    ///
    /// # Errors
    /// If there is no higher port.
    pub(super) fn next(&mut self) -> io::Result<u16> {
        let Self::After(last) = self else { return Ok(0) };
        *last = last.checked_add(1).ok_or_else(|| io::Error::other("there is no port after 65535"))?;
        Ok(*last)
    }
}

/// What the own port of a deployment does; `None` if the deployment does not need one.
pub(super) fn own_port(turns: &[Turn], transport: Transport) -> Option<PortBehaviour> {
    let faults = || turns.iter().flat_map(|turn| &turn.faults);
    // A fault of the address lasts until the case is healed.
    let faulty = faults().find_map(|fault| match fault {
        Fault::Refuse => Some(PortBehaviour::Refuses),
        Fault::Connection(ConnectionFault::NeverAccepted) => Some(PortBehaviour::NeverAccepts),
        Fault::Connection(ConnectionFault::BacklogFull) => Some(PortBehaviour::Full),
        _ => None,
    });
    // Clients with full buffers can be left with a connection that fails its next request
    // (https://github.com/aio-libs/aiohttp/issues/12953). At a shared address that may be another case's.
    let apart = transport != Transport::Plain
        || turns.iter().any(Turn::is_large)
        || faults().any(|fault| fault.needs_own_address() && fault.stage() != FaultStage::Address);
    faulty.or(apart.then_some(PortBehaviour::Serves))
}

/// Whether the deployment's host name must not resolve.
pub(super) fn is_unresolvable(turns: &[Turn]) -> bool {
    let mut faults = turns.iter().flat_map(|turn| &turn.faults);
    faults.any(|fault| *fault == Fault::Connection(ConnectionFault::UnresolvableName))
}

/// The scheme of a deployment's URL.
pub(super) fn scheme(transport: Transport) -> &'static str {
    match transport {
        Transport::Plain => "http",
        Transport::Tls | Transport::Http2 => "https",
    }
}

/// Whether a turn takes effect on a connection before a request is read.
pub(super) fn affects_connections(turn: &Turn) -> bool {
    turn.faults.iter().any(|fault| fault.stage() == FaultStage::Connection)
}
