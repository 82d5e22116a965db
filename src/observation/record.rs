//! The record of one case.

use jiff::Timestamp;
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Arrangement, Attempt, Exchange, ProxyHarm};

/// Everything that upfault observed in one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Observation {
    /// The time at which the record's clock was 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub began: Option<Timestamp>,
    /// The setup: the settings, and the deployments with their turns.
    pub arrangement: Arrangement,
    /// The downstream side, in the order in which requests were sent.
    pub exchanges: Vec<Exchange>,
    /// The upstream side, in the order of arrival.
    pub attempts: Vec<Attempt>,
    /// The effect of the case on the whole proxy; usually none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harm: Option<ProxyHarm>,
}

impl Observation {
    /// Whether the case stopped the proxy, which then had to be restarted.
    pub fn stopped_the_proxy(&self) -> bool {
        self.harm.as_ref().is_some_and(ProxyHarm::stopped_the_proxy)
    }

    /// The largest error of the injected waits in this case, in milliseconds.
    pub fn timer_error_ms(&self) -> f64 {
        self.attempts.iter().map(|attempt| attempt.sent.timer_error_ms).fold(0.0, f64::max)
    }

    /// The attempts that `exchange` of this record caused.
    ///
    /// Steps of a case run one after the other, so the time of arrival identifies the exchange. A request
    /// that the proxy sends after an exchange has ended (a late retry) still belongs to that exchange.
    /// Concurrent exchanges have different deployments or different topics, which distinguish their attempts.
    pub fn attempts_of<'a>(&'a self, exchange: &'a Exchange) -> impl Iterator<Item = &'a Attempt> {
        let together = self.sent_together(exchange);
        let from = together.iter().map(|one| one.sent_ms).fold(exchange.sent_ms, f64::min);
        let next = self
            .exchanges
            .iter()
            .filter(|other| !together.iter().any(|one| std::ptr::eq(one, *other)))
            .map(|other| other.sent_ms)
            .filter(|sent| *sent > from)
            .fold(f64::INFINITY, f64::min);
        let apart = together.len() > 1;
        let chain = self.arrangement.chain(exchange.to.as_deref());
        let identity = &self.arrangement.identity;
        let own_topic = identity.topic_in(&exchange.request_body);
        let is_own = move |attempt: &Attempt| {
            chain.contains(&attempt.deployment.as_str())
                && identity
                    .topic_in(&attempt.body)
                    .is_none_or(|asked| own_topic.is_none_or(|own| asked == own))
        };
        self.attempts.iter().filter(move |attempt| {
            attempt.at_ms >= from && attempt.at_ms < next && (!apart || is_own(attempt))
        })
    }

    /// The exchange that caused `attempt` of this record.
    pub fn exchange_of(&self, attempt: &Attempt) -> Option<&Exchange> {
        let caused = |exchange: &&Exchange| self.attempts_of(exchange).any(|own| std::ptr::eq(own, attempt));
        self.exchanges.iter().find(caused)
    }

    /// `exchange` and those that were sent concurrently with it; empty if it belongs to another record.
    fn sent_together(&self, exchange: &Exchange) -> &[Exchange] {
        let mut groups = self.exchanges.chunk_by(|_, next| next.together);
        groups.find(|group| group.iter().any(|one| std::ptr::eq(one, exchange))).unwrap_or_default()
    }
}
