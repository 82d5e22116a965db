//! The record of one case.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Arrangement, Attempt, Exchange};

/// Everything seen in one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// The time of day at which the record's clock stood at 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub began: Option<Timestamp>,
    /// What was set up: the settings, the deployments and what each of them was to do.
    pub arrangement: Arrangement,
    /// The downstream side, in the order in which requests were sent.
    pub exchanges: Vec<Exchange>,
    /// The upstream side, in the order of arrival.
    pub attempts: Vec<Attempt>,
}

impl Observation {
    /// How far injected waits missed their time in this case, at the worst, in milliseconds.
    pub fn timer_error_ms(&self) -> f64 {
        self.attempts.iter().map(|attempt| attempt.sent.timer_error_ms).fold(0.0, f64::max)
    }

    /// The attempts that reached an upstream while `exchange` was the latest one sent.
    ///
    /// Steps of a case run one after the other, so the time of arrival tells which is which; what
    /// a proxy still sends after an exchange ended (a late retry) counts for that exchange.
    pub fn attempts_of<'a>(&'a self, exchange: &'a Exchange) -> impl Iterator<Item = &'a Attempt> {
        let next = self
            .exchanges
            .iter()
            .map(|other| other.sent_ms)
            .filter(|sent| *sent > exchange.sent_ms)
            .fold(f64::INFINITY, f64::min);
        self.attempts.iter().filter(move |attempt| attempt.at_ms >= exchange.sent_ms && attempt.at_ms < next)
    }
}
