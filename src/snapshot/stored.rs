//! An observation as it may be stored: its secrets are placeholders, and it is judged as it was.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::Redactor;
use crate::{
    observation::{Observation, SentReply},
    wire::{eventstream, frames::Carrier},
};

/// The observation with a placeholder for each secret, as long as the secret was: how much was sent, where
/// it broke off and whether it is on record whole is told in bytes, and rules go by that.
///
/// Nothing where it cannot be done without doubt, for example because a secret is one of the record's own
/// words: it is left out rather than shown.
pub fn without_secrets(observation: &Observation) -> Option<Observation> {
    let redactor = Redactor::secrets_in_place(&observation.arrangement);
    let mut observation = observation.clone();
    for attempt in observation.attempts.iter_mut().filter(|attempt| attempt.sent.base64) {
        if let Some(body) = encoded(&redactor, &attempt.sent) {
            attempt.sent.body = body;
        }
    }
    let value = serde_json::to_value(&observation).ok()?;
    serde_json::from_value(redactor.values(&value)).ok()
}

/// A body that is kept as base64, in which no text is found.
fn encoded(redactor: &Redactor, sent: &SentReply) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(&sent.body).ok()?;
    let mut changed = redactor.bytes(&bytes);
    if sent.carrier() == Some(Carrier::Aws) {
        eventstream::reseal(&bytes, &mut changed);
    }
    Some(BASE64_STANDARD.encode(changed))
}

#[cfg(test)]
mod tests;
