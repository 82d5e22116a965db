//! A turn of a deployment, with cached replies.

use std::sync::{Arc, Mutex};

use super::{locked::locked, prepared_reply::PreparedReply};
use crate::{
    provider::{LazyJson, Prepared, RequestedCall},
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
    prepared: Option<Arc<PreparedReply>>,
}

impl DeploymentTurns {
    pub(super) fn new(turn: Turn) -> Self {
        Self { turn: Arc::new(turn), ways: Mutex::default() }
    }

    /// Returns the reply of the turn without its faults, for canaries that end with `stem`, if it was prepared.
    pub(super) fn prepared(&self, asked: &RequestedCall, stem: &str) -> Option<Arc<PreparedReply>> {
        if !Prepared::suits(stem) {
            return None;
        }
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
            way.prepared = Prepared::of(asked, &self.turn).map(PreparedReply::new).map(Arc::new);
        }
        way.prepared.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        observation::Canaries,
        provider,
        scenario::{Api, Provider, SuccessReply, TurnReply},
    };

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
            let Some(prepared) = part.prepared(&asked, canaries.stem()) else { continue };
            assert_eq!(
                prepared.message().message(canaries.stem()),
                provider::message(&asked, &turn, &canaries)
            );
        }
        assert_eq!(locked(&part.ways).len(), WAYS);
    }
}
