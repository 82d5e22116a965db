//! Replaces the secrets of an observation before it is stored, without changing how it is judged.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::Redactor;
use crate::{
    observation::{Observation, SentReply},
    wire::{eventstream, frames::Carrier},
};

/// The observation with a placeholder of the same length in place of each secret. The length matters because rules
/// compare byte counts: how much was sent, where it was cut, and whether the recorded body is complete.
///
/// Returns `None` if a secret cannot be replaced safely, for example because it equals a keyword of the record. Such an
/// observation is omitted, so that the secret is not shown.
pub(crate) fn without_secrets(observation: &Observation) -> Option<Observation> {
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

/// A body that is stored as base64, where a search of its text would not find secrets. `None` if it is not valid base64.
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
