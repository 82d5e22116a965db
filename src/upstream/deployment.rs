//! One deployment of a case: what it plays, and where it is found.

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
    /// Where its faults strike before a request is read, or where it does not speak plain HTTP/1.1.
    pub(super) own: Option<OwnPort>,
    /// Nobody can resolve its host's name.
    pub(super) nameless: bool,
    /// Its connections play turns, so each takes one request: the next is to find its own turn.
    pub(super) one_each: bool,
}

impl Deployment {
    pub(super) fn new(name: String, turns: Vec<Turn>, transport: Transport) -> io::Result<Self> {
        let faults = || turns.iter().flat_map(|turn| &turn.faults);
        let nameless = faults().any(|fault| *fault == Fault::Connection(ConnectionFault::UnresolvableName));
        let one_each = turns.iter().any(is_played_by_connections);
        // What is true of an address is true for as long as it is ill.
        let ill = faults().find_map(|fault| match fault {
            Fault::Refuse => Some(PortBehaviour::Refuses),
            Fault::Connection(ConnectionFault::NeverAccepted) => Some(PortBehaviour::NeverAccepts),
            Fault::Connection(ConnectionFault::BacklogFull) => Some(PortBehaviour::Full),
            _ => None,
        });
        let apart = transport != Transport::Plain
            || faults().any(|fault| fault.needs_own_address() && fault.stage() != FaultStage::Address);
        let manner = ill.or(apart.then_some(PortBehaviour::Serves));
        let own = manner.map(OwnPort::hold).transpose()?;
        let parts = turns.into_iter().map(DeploymentTurns::new).collect();
        Ok(Self { name, parts, transport, own, nameless, one_each })
    }

    /// The so-manieth turn, from 0; the last one repeats.
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

/// Whether a turn strikes when a connection comes in, before a request is read.
pub(super) fn is_played_by_connections(turn: &Turn) -> bool {
    turn.faults.iter().any(|fault| fault.stage() == FaultStage::Connection)
}
