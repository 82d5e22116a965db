//! An exhibit: a list of faults, the request that makes them visible, and claims about the wire.

use std::{sync::Arc, time::Duration};

use indexmap::IndexMap;

use super::{
    call::ClientRequest, claim::WireClaim, family::FaultLayer, seen::ClientView, transcript::ConnectionEnd,
};
use crate::{
    observation::Identity,
    scenario::{Api, Combination, Fault, SuccessReply, Transport, Turn, TurnReply, fault_text},
    upstream::Armed,
};

/// A list of faults, and everything that must be true of the wire if they take effect.
#[derive(Debug, Clone)]
pub struct Exhibit {
    /// Its group in the table.
    pub family: FaultLayer,
    /// The turn that the mock performs for the first attempt.
    pub turn: Turn,
    /// The request.
    pub call: ClientRequest,
    /// The transport.
    pub transport: Transport,
    /// The difference from another exhibit of the same faults.
    pub note: Option<&'static str>,
    /// Whether the client sends a second request on the same connection, after the first reply.
    pub asks_again: bool,
    /// The result that any correct client must report.
    pub seen: ClientView,
    /// Whether the mock ends the connection. Then the client waits for the end, and silence does not count as
    /// one.
    pub ends: bool,
    /// All other claims.
    pub claims: Vec<WireClaim>,
}

impl Exhibit {
    /// Creates an exhibit with a chat stream.
    pub fn stream(family: FaultLayer, faults: impl Into<Vec<Fault>>, seen: ClientView) -> Self {
        Self::of(family, ClientRequest::new(Api::OpenaiChat, true), faults, seen)
    }

    /// Creates an exhibit with a plain chat response.
    pub fn plain(family: FaultLayer, faults: impl Into<Vec<Fault>>, seen: ClientView) -> Self {
        Self::of(family, ClientRequest::new(Api::OpenaiChat, false), faults, seen).note("plain")
    }

    /// Creates an exhibit with any request.
    pub fn of(
        family: FaultLayer,
        call: ClientRequest,
        faults: impl Into<Vec<Fault>>,
        seen: ClientView,
    ) -> Self {
        let faults = faults.into();
        let needs = |fault: &Fault| match fault {
            Fault::Http2(_) => Transport::Http2,
            Fault::Tls(_) => Transport::Tls,
            _ => Transport::Plain,
        };
        let transport = faults.iter().map(needs).max().unwrap_or(Transport::Plain);
        Self {
            family,
            turn: Turn { answer: TurnReply::Reply(SuccessReply::Ok), headers: IndexMap::new(), faults },
            call,
            transport,
            note: None,
            asks_again: false,
            seen,
            ends: false,
            claims: Vec::new(),
        }
    }

    /// Claims that the connection ends in this way.
    pub fn ending(self, ending: ConnectionEnd) -> Self {
        Self { ends: true, ..self }.claim(WireClaim::ends(ending))
    }

    /// Claims that the connection stays open.
    pub fn open(self) -> Self {
        self.claim(WireClaim::stays_open())
    }

    /// Adds a claim.
    pub fn claim(mut self, claim: WireClaim) -> Self {
        self.claims.push(claim);
        self
    }

    /// Adds claims.
    pub fn claims(mut self, claims: impl IntoIterator<Item = WireClaim>) -> Self {
        self.claims.extend(claims);
        self
    }

    /// Uses another transport than the one that its faults require.
    pub fn over(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Uses another answer than a short text.
    pub fn answer(mut self, answer: TurnReply) -> Self {
        self.turn.answer = answer;
        self
    }

    /// Sets the difference from another exhibit of the same faults.
    pub fn note(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    /// Sends a second request on the same connection.
    pub fn asking_again(mut self) -> Self {
        self.asks_again = true;
        self
    }

    /// Returns the faults as written in a scenario file, separated by commas, and the note.
    pub fn name(&self) -> String {
        let faults: Vec<_> = self.turn.faults.iter().map(fault_text).collect();
        match self.note {
            Some(note) if faults.is_empty() => note.to_owned(),
            Some(note) => format!("{} ({note})", faults.join(", ")),
            None => faults.join(", "),
        }
    }

    /// Whether a text, which may contain `*` as a wildcard, occurs in its family and name.
    pub fn matches(&self, word: &str) -> bool {
        let text = format!("{}: {}", self.family, self.name()).to_lowercase();
        let mut at = 0;
        word.to_lowercase().split('*').all(|part| match text[at..].find(part) {
            Some(place) => {
                at += place + part.len();
                true
            }
            None => false,
        })
    }

    /// Returns the case to arm a mock with.
    pub fn armed(&self, identity: Identity, seed: u64) -> Armed {
        let healthy = Turn { faults: Vec::new(), ..self.turn.clone() };
        let turns = if self.asks_again { vec![self.turn.clone(), healthy] } else { vec![self.turn.clone()] };
        Armed {
            providers: indexmap::IndexMap::new(),
            identity,
            combination: Combination {
                api: self.call.api,
                provider: self.call.provider(),
                stream: self.call.stream,
            },
            deployments: Arc::new([("main".to_owned(), turns)].into()),
            transport: self.transport,
            account: None,
            seed,
        }
    }

    /// Returns the longest wait that its faults can cause, without that of a drip.
    pub fn longest_wait(&self) -> Duration {
        self.turn.faults.iter().map(|fault| fault.wait(16)).sum()
    }
}
