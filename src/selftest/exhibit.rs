//! An exhibit: a list of faults, the request that shows them, and what is claimed of the wire.

use std::time::Duration;

use indexmap::IndexMap;

use super::{
    call::ClientRequest, claim::WireClaim, family::FaultLayer, raw::ConnectionEnd, seen::ClientView,
    written::written,
};
use crate::{
    observation::Identity,
    scenario::{Api, Combination, Fault, SuccessReply, Transport, Turn, TurnReply},
    upstream::Armed,
};

/// One list of faults, and all that must be true of the wire where it strikes.
#[derive(Debug, Clone)]
pub struct Exhibit {
    /// Where it stands in the table.
    pub family: FaultLayer,
    /// What the mock plays on the first attempt.
    pub turn: Turn,
    /// The request.
    pub call: ClientRequest,
    /// What it travels over.
    pub transport: Transport,
    /// What sets it apart from another of the same faults.
    pub note: Option<&'static str>,
    /// Whether the connection is used once more, behind the first reply.
    pub asks_again: bool,
    /// What any client can make of it.
    pub seen: ClientView,
    /// Whether the connection is to end by itself: then its end is waited for, and silence is none.
    pub ends: bool,
    /// What is claimed beyond that.
    pub claims: Vec<WireClaim>,
}

impl Exhibit {
    /// A stream of chat with these faults.
    pub fn stream(family: FaultLayer, faults: impl Into<Vec<Fault>>, seen: ClientView) -> Self {
        Self::of(family, ClientRequest::new(Api::OpenaiChat, true), faults, seen)
    }

    /// A plain answer of chat with these faults.
    pub fn plain(family: FaultLayer, faults: impl Into<Vec<Fault>>, seen: ClientView) -> Self {
        Self::of(family, ClientRequest::new(Api::OpenaiChat, false), faults, seen).note("plain")
    }

    /// Any call with these faults.
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

    /// The connection ends like this.
    pub fn ending(self, ending: ConnectionEnd) -> Self {
        Self { ends: true, ..self }.claim(WireClaim::ends(ending))
    }

    /// The connection stays open.
    pub fn open(self) -> Self {
        self.claim(WireClaim::stays_open())
    }

    /// With one more claim.
    pub fn claim(mut self, claim: WireClaim) -> Self {
        self.claims.push(claim);
        self
    }

    /// With several more.
    pub fn claims(mut self, claims: impl IntoIterator<Item = WireClaim>) -> Self {
        self.claims.extend(claims);
        self
    }

    /// Over another transport than its faults need.
    pub fn over(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// With another answer than a short text.
    pub fn answer(mut self, answer: TurnReply) -> Self {
        self.turn.answer = answer;
        self
    }

    /// Told apart from another of the same faults.
    pub fn note(mut self, note: &'static str) -> Self {
        self.note = Some(note);
        self
    }

    /// With a second request on the same connection.
    pub fn asking_again(mut self) -> Self {
        self.asks_again = true;
        self
    }

    /// The faults as they are written in a file, one behind the other.
    pub fn name(&self) -> String {
        let faults: Vec<_> = self.turn.faults.iter().map(written).collect();
        match self.note {
            Some(note) if faults.is_empty() => note.to_owned(),
            Some(note) => format!("{} ({note})", faults.join(", ")),
            None => faults.join(", "),
        }
    }

    /// Whether a word, or a pattern with `*`, speaks of it.
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

    /// What a mock is to be armed with.
    pub fn armed(&self, identity: Identity, seed: u64) -> Armed {
        let well = Turn { faults: Vec::new(), ..self.turn.clone() };
        let turns = if self.asks_again { vec![self.turn.clone(), well] } else { vec![self.turn.clone()] };
        Armed {
            identity,
            combination: Combination {
                api: self.call.api,
                provider: self.call.provider(),
                stream: self.call.stream,
            },
            deployments: vec![("main".to_owned(), turns)],
            transport: self.transport,
            account: None,
            seed,
        }
    }

    /// The longest that its faults can make it wait, a drip apart.
    pub fn longest_wait(&self) -> Duration {
        self.turn.faults.iter().map(|fault| fault.wait(16)).sum()
    }
}
