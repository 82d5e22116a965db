//! The times of a fault.

use std::time::Duration;

use super::{
    below::ConnectionFault,
    kind::Fault,
    latency::{Latency, LatencyShape},
};

impl Fault {
    /// Returns every time in it that is written as a duration; a `drip` has a speed instead.
    pub(crate) fn times_mut(&mut self) -> Vec<&mut Duration> {
        match self {
            Self::Stall { lasting: Some(time), .. }
            | Self::Delay { lasting: time, .. }
            | Self::Connection(ConnectionFault::SlowAccept(time)) => vec![time],
            Self::Latency(Latency { time, .. }) => match time {
                LatencyShape::Fixed(time) => vec![time],
                LatencyShape::Uniform { from, to } => vec![from, to],
                LatencyShape::Normal { mean, deviation } => vec![mean, deviation],
                LatencyShape::List(list) => list.iter_mut().collect(),
            },
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::Fault;

    /// A new fault with a time must not be left out.
    #[test]
    fn every_time_of_a_fault_is_found() {
        for text in [
            "{stall: {at: before_headers, for: 3s}}",
            "{delay: {at: before_headers, for: 3s}}",
            "{connection: {slow_accept: 3s}}",
            "{latency: {time: {fixed: 3s}}}",
            "{latency: {time: {uniform: {from: 3s, to: 3s}}}}",
            "{latency: {time: {normal: {mean: 3s, deviation: 3s}}}}",
            "{latency: {time: {list: [3s, 3s, 3s]}}}",
        ] {
            let mut fault: Fault = serde_saphyr::from_str(text).unwrap();
            assert_eq!(fault.times_mut().len(), text.matches("3s").count(), "{text}");
        }
    }
}
