//! Concurrent requests.

use super::seen::{OK, plain, say};
use crate::observation::AttemptEnd;

#[test]
fn attempts_of_concurrent_exchanges_are_assigned_by_deployment() {
    let record = plain()
        .with_deployment("backup")
        .tried(say(200, OK))
        .tried_at("backup", say(200, OK), AttemptEnd::Finished)
        .received(say(200, OK))
        .together("backup", say(200, OK))
        .tried(say(200, OK))
        .received(say(200, OK))
        .observation;
    let of = |n: usize| -> Vec<(&str, u32)> {
        let exchange = &record.exchanges[n];
        record.attempts_of(exchange).map(|attempt| (attempt.deployment.as_str(), attempt.n)).collect()
    };
    assert_eq!(of(0), [("primary", 1)]);
    assert_eq!(of(1), [("backup", 1)]);
    assert_eq!(of(2), [("primary", 2)]);
    for (attempt, exchange) in record.attempts.iter().zip(&record.exchanges) {
        assert_eq!(record.exchange_of(attempt), Some(exchange));
    }
}
