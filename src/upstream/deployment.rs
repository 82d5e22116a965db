//! One deployment of a case: its turns and its address.

use std::io;

use super::{
    deployment_port::{OwnPort, PortBehaviour},
    deployment_turns::DeploymentTurns,
};
use crate::scenario::{ConnectionFault, Fault, FaultStage, Transport, Turn};

pub(super) struct Deployment {
    pub(super) name: String,
    parts: Vec<DeploymentTurns>,
    pub(super) transport: Transport,
    /// Its own port, if its faults affect connections before a request is read, or if it does not use plain
    /// HTTP/1.1.
    pub(super) own: Option<OwnPort>,
    /// Whether its host name does not resolve.
    pub(super) unresolvable: bool,
    /// Whether each connection accepts only one request: connections claim turns, so the next request needs a
    /// new connection with its own turn.
    pub(super) one_request_each: bool,
}

impl Deployment {
    pub(super) fn new(name: String, turns: Vec<Turn>, transport: Transport) -> io::Result<Self> {
        let faults = || turns.iter().flat_map(|turn| &turn.faults);
        let unresolvable =
            faults().any(|fault| *fault == Fault::Connection(ConnectionFault::UnresolvableName));
        let one_request_each = turns.iter().any(affects_connections);
        // A fault of the address lasts until the case is healed.
        let faulty = faults().find_map(|fault| match fault {
            Fault::Refuse => Some(PortBehaviour::Refuses),
            Fault::Connection(ConnectionFault::NeverAccepted) => Some(PortBehaviour::NeverAccepts),
            Fault::Connection(ConnectionFault::BacklogFull) => Some(PortBehaviour::Full),
            _ => None,
        });
        let apart = transport != Transport::Plain
            || faults().any(|fault| fault.needs_own_address() && fault.stage() != FaultStage::Address);
        let behaviour = faulty.or(apart.then_some(PortBehaviour::Serves));
        let own = behaviour.map(OwnPort::hold).transpose()?;
        let parts = turns.into_iter().map(DeploymentTurns::new).collect();
        Ok(Self { name, parts, transport, own, unresolvable, one_request_each })
    }

    /// Returns the turn with this 0-based number; the last one repeats.
    pub(super) fn part(&self, n: usize) -> Option<&DeploymentTurns> {
        self.parts.get(n).or(self.parts.last())
    }

    pub(super) fn scheme(&self) -> &'static str {
        match self.transport {
            Transport::Plain => "http",
            Transport::Tls | Transport::Http2 => "https",
        }
    }
}

/// Whether a turn takes effect on a connection before a request is read.
pub(super) fn affects_connections(turn: &Turn) -> bool {
    turn.faults.iter().any(|fault| fault.stage() == FaultStage::Connection)
}
