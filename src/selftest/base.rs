//! What a fault is held against: the reply as the provider would send it, and the plan of the
//! faulty one.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;

use super::exhibit::Exhibit;
use crate::{
    fault::{self, FaultContext, Origin, Plan, WireAction},
    observation::{Canaries, Identity},
    provider::{self, MessageBody, ProviderMessage, ReceivedCall, RequestedCall},
    scenario::Turn,
    wire::frames::{self, Carrier},
};

/// The reply without any fault, and the plan with them.
#[derive(Debug, Clone)]
pub struct UnfaultedReply {
    /// What was understood of the request.
    pub asked: RequestedCall,
    /// The tokens of the attempt.
    pub canaries: Canaries,
    message: ProviderMessage,
    plan: Plan,
}

impl UnfaultedReply {
    /// Of the first attempt at the deployment `main` of `identity`.
    pub fn new(exhibit: &Exhibit, identity: &Identity, address: SocketAddr, seed: u64) -> Self {
        let call = &exhibit.call;
        let canaries = identity.canaries("main", 1);
        let headers = call.header_map(&identity.key("main"));
        let (path, body) = (call.path(), call.body());
        let received =
            ReceivedCall { method: call.method(), path: &path, headers: &headers, body: body.as_bytes() };
        let plain = Turn { faults: Vec::new(), ..exhibit.turn.clone() };
        let (asked, message) = match provider::read(call.provider(), &received, &canaries) {
            Ok(asked) => {
                let message = provider::message(&asked, &plain, &canaries);
                (asked, message)
            }
            Err(refused) => refused,
        };
        let origin = Origin { address, token: &identity.token, deployment: "main", attempt: 1, seed };
        let plan = fault::plan(&exhibit.turn, &FaultContext { asked: &asked, canaries: &canaries, origin });
        Self { asked, canaries, message, plan }
    }

    /// Its status.
    pub fn status(&self) -> u16 {
        self.message.status
    }

    /// A header of it, its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.message.header(name)
    }

    /// The events of a stream without its terminator; none of a plain body.
    pub fn events(&self) -> &[Bytes] {
        match &self.message.body {
            MessageBody::Events { events, .. } => events,
            MessageBody::Whole(_) => &[],
            MessageBody::Session { .. } => &[],
        }
    }

    /// Every frame of a session, in order; none of anything else.
    pub fn session_frames(&self) -> Vec<Bytes> {
        match &self.message.body {
            MessageBody::Session { opening, events, last, .. } => {
                opening.iter().chain(events).chain([last]).cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    /// The frame that ends the stream; empty where there is none.
    pub fn terminator(&self) -> &[u8] {
        match &self.message.body {
            MessageBody::Events { terminator: Some(terminator), .. } => terminator,
            _ => &[],
        }
    }

    /// How many events stand in a body that came, whole, from its beginning.
    pub fn events_in(&self, body: &[u8]) -> usize {
        let Some(carrier) = Carrier::of_reply(Some(self.status()), |name| self.header(name)) else {
            return 0;
        };
        frames::decode(carrier, body).len()
    }

    /// The whole body.
    pub fn body(&self) -> Vec<u8> {
        match &self.message.body {
            MessageBody::Whole(bytes) => bytes.to_vec(),
            MessageBody::Events { .. } => [&self.events().concat(), self.terminator()].concat(),
            MessageBody::Session { .. } => self.session_frames().concat(),
        }
    }

    /// The first `n` events.
    pub fn first(&self, n: usize) -> Vec<u8> {
        self.events().iter().take(n).flatten().copied().collect()
    }

    /// The plan of the faulty reply: all that the seed decides.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What is waited before each of the plan's writes, from its beginning, with the body's bytes
    /// that stand before it; the last one is the ending's.
    pub fn waits(&self) -> Vec<(usize, Duration)> {
        let (mut sent, mut waited) = (0, Duration::ZERO);
        let mut waits = Vec::new();
        for action in &self.plan.actions {
            match action {
                WireAction::Wait(time) => waited += *time,
                WireAction::Write { bytes, .. } => {
                    waits.push((sent, waited));
                    sent += bytes.len();
                }
                ending if ending.is_ending() => waits.push((sent, waited)),
                _ => {}
            }
        }
        waits
    }

    /// Every wait of the plan by itself.
    pub fn single_waits(&self) -> Vec<Duration> {
        self.plan
            .actions
            .iter()
            .filter_map(|action| if let WireAction::Wait(time) = action { Some(*time) } else { None })
            .collect()
    }
}
