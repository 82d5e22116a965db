//! The reply without faults that a faulty reply is compared with, and the plan of the faulty reply.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;

use super::call::ClientRequest;
use crate::{
    fault::{self, FaultContext, Origin, Plan, WireAction},
    observation::{Canaries, Identity},
    provider::{self, Header, MessageBody, ProviderMessage, ReceivedCall, RequestedCall},
    scenario::Turn,
    wire::frames::{self, Carrier},
};

/// The reply of an exhibit without its faults, and the plan with them.
#[derive(Debug, Clone)]
pub struct UnfaultedReply {
    /// The request as the provider reads it.
    pub asked: RequestedCall,
    /// The canaries of the attempt.
    pub canaries: Canaries,
    message: ProviderMessage,
    plan: Plan,
}

impl UnfaultedReply {
    /// Computes the reply to the first attempt of `call` at the deployment `main` of `identity`, which has this turn.
    pub fn new(
        call: &ClientRequest,
        turn: &Turn,
        identity: &Identity,
        address: SocketAddr,
        seed: u64,
    ) -> Self {
        let canaries = identity.canaries("main", 1);
        let sent = call.headers(&identity.key("main"));
        let headers: Vec<_> =
            sent.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
        let (path, body) = (call.path(), call.body());
        let received =
            ReceivedCall { method: call.method(), path: &path, headers: &headers, body: body.as_bytes() };
        let plain = Turn { faults: Vec::new(), ..turn.clone() };
        let (asked, message) = match provider::read(call.provider(), &received, &canaries) {
            Ok(asked) => {
                let message = provider::message(&asked, &plain, &canaries);
                (asked, message)
            }
            Err(refused) => refused,
        };
        let origin = Origin { address, token: &identity.token, deployment: "main", attempt: 1, seed };
        let plan = fault::plan(turn, &FaultContext { asked: &asked, canaries: &canaries, origin });
        Self { asked, canaries, message, plan }
    }

    /// Returns its status.
    pub fn status(&self) -> u16 {
        self.message.status
    }

    /// Returns the value of a header. `name` must be in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.message.header(name)
    }

    /// Returns the events of a stream without its terminator; empty for any other body.
    pub fn events(&self) -> &[Bytes] {
        match &self.message.body {
            MessageBody::Events { events, .. } => events,
            MessageBody::Whole(_) | MessageBody::Chunks(_) => &[],
            MessageBody::Session { .. } => &[],
        }
    }

    /// Returns every frame of a session, in order; empty for any other body.
    pub fn session_frames(&self) -> Vec<Bytes> {
        match &self.message.body {
            MessageBody::Session { opening, events, last, .. } => {
                opening.iter().chain(events).chain([last]).cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Returns the frame that ends the stream; empty if there is none.
    pub fn terminator(&self) -> &[u8] {
        match &self.message.body {
            MessageBody::Events { terminator: Some(terminator), .. } => terminator,
            _ => &[],
        }
    }

    /// Returns the number of complete events in a received body, counted from its beginning.
    pub fn events_in(&self, body: &[u8]) -> usize {
        let Some(carrier) = Carrier::of_reply(Some(self.status()), |name| self.header(name)) else {
            return 0;
        };
        frames::decode(carrier, body).len()
    }

    /// Returns the whole body.
    pub fn body(&self) -> Vec<u8> {
        match &self.message.body {
            MessageBody::Whole(bytes) => bytes.to_vec(),
            MessageBody::Events { .. } => [&self.events().concat(), self.terminator()].concat(),
            MessageBody::Chunks(chunks) => chunks.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect(),
            MessageBody::Session { .. } => self.session_frames().concat(),
        }
    }

    /// Returns the bytes of the first `n` events.
    pub fn first(&self, n: usize) -> Vec<u8> {
        self.events().iter().take(n).flatten().copied().collect()
    }

    /// Returns the plan of the faulty reply, which contains everything that the seed decides.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Returns for each write of the plan the number of body bytes before it and the total wait before it.
    /// The last entry is for the ending.
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

    /// Returns every single wait of the plan.
    pub fn single_waits(&self) -> Vec<Duration> {
        self.plan
            .actions
            .iter()
            .filter_map(|action| if let WireAction::Wait(time) = action { Some(*time) } else { None })
            .collect()
    }
}
