//! A turn of a deployment, with cached replies.

use std::sync::{Arc, Mutex};

use super::ledger::locked;
use crate::{
    observation::Canaries,
    provider::{self, LazyJson, Prepared, ProviderMessage, RequestedCall},
    scenario::Turn,
};

/// How many different requests are remembered: with and without streaming, for two models.
const WAYS: usize = 4;

/// The 1-based number of the request from which on a prepared reply saves time. Most cases have fewer
/// attempts, and preparing a reply takes as long as two replies.
const PREPARE_FROM: u32 = 3;

/// A turn with its prepared replies.
pub(super) struct DeploymentTurns {
    pub(super) turn: Arc<Turn>,
    ways: Mutex<Vec<Way>>,
}

/// A kind of request for this turn.
struct Way {
    /// The request without its body.
    asked: RequestedCall,
    times: u32,
    prepared: Option<Arc<Prepared>>,
}

impl DeploymentTurns {
    pub(super) fn new(turn: Turn) -> Self {
        Self { turn: Arc::new(turn), ways: Mutex::default() }
    }

    /// Returns the message of the turn without its faults. `canaries` returns the canaries that end with
    /// `stem`.
    pub(super) fn message<'a>(
        &self,
        asked: &RequestedCall,
        stem: &str,
        canaries: impl FnOnce() -> &'a Canaries,
    ) -> ProviderMessage {
        match self.prepared(asked) {
            Some(prepared) if Prepared::suits(stem) => prepared.message(stem),
            _ => provider::message(asked, &self.turn, canaries()),
        }
    }

    fn prepared(&self, asked: &RequestedCall) -> Option<Arc<Prepared>> {
        let mut ways = locked(&self.ways);
        let Some(way) = ways.iter_mut().find(|way| way.asked.is_like(asked)) else {
            if ways.len() == WAYS {
                ways.remove(0);
            }
            let asked = RequestedCall { body: LazyJson::default(), ..asked.clone() };
            ways.push(Way { asked, times: 1, prepared: None });
            return None;
        };
        way.times = way.times.saturating_add(1);
        if way.times == PREPARE_FROM {
            way.prepared = Prepared::of(asked, &self.turn).map(Arc::new);
        }
        way.prepared.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scenario::{Api, Provider, SuccessReply, TurnReply};

    #[test]
    fn a_turn_always_has_the_same_message_except_for_its_canaries() {
        let turn =
            Turn { answer: TurnReply::Reply(SuccessReply::Ok), headers: Default::default(), faults: vec![] };
        let part = DeploymentTurns::new(turn.clone());
        let asked = |model: String, stream| RequestedCall {
            model,
            body: json!({"stream": stream}).into(),
            ..RequestedCall::plain(Provider::Openai, Api::OpenaiChat, stream)
        };
        for n in 1..40 {
            // More kinds of requests than are remembered, some more frequent than others.
            let asked = asked(format!("m{}", n % 7 % 5), n % 3 == 0);
            let canaries = Canaries::with_stem(&format!("abc-main-{n}"));
            assert_eq!(
                part.message(&asked, canaries.stem(), || &canaries),
                provider::message(&asked, &turn, &canaries)
            );
        }
        assert_eq!(locked(&part.ways).len(), WAYS);
    }
}
