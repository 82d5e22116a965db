//! How long the upstreams of a scenario are silent, compared with the timeout of a proxy.

use std::time::Duration;

use super::{
    fault::{ConnectionFault, Fault, Http2Fault, TlsFault},
    model::Scenario,
};

impl Scenario {
    /// Whether a proxy with this timeout gives up the upstreams that a proxy with the scenario's own timeout gives up, and
    /// no others. `None` is a proxy that never gives up. A caller that leaves does not wait for a timeout.
    pub(crate) fn has_same_silences_with(&self, timeout: Option<Duration>) -> bool {
        let exceeds = |silence, timeout: Option<Duration>| timeout.is_some_and(|timeout| silence >= timeout);
        let faults = self.deployments.values().flatten().flat_map(|turn| &turn.faults);
        self.steps.iter().any(|step| step.leave.is_some())
            || faults
                .map(Fault::silence)
                .all(|silence| exceeds(silence, Some(self.proxy.timeout)) == exceeds(silence, timeout))
    }
}

impl Scenario {
    /// Whether a proxy with this timeout has to give up an upstream: a case that takes as long as the timeout.
    pub(crate) fn outlasts(&self, timeout: Duration) -> bool {
        let faults = self.deployments.values().flatten().flat_map(|turn| &turn.faults);
        self.steps.iter().all(|step| step.leave.is_none())
            && faults.map(Fault::silence).any(|silence| silence >= timeout)
    }
}

impl Fault {
    /// The longest time for which an upstream with this fault sends nothing; [`Duration::MAX`] if it never sends anything
    /// again.
    fn silence(&self) -> Duration {
        match self {
            Self::Hang { .. }
            | Self::Stall { lasting: None, .. }
            | Self::Connection(
                ConnectionFault::NeverAccepted
                | ConnectionFault::BacklogFull
                | ConnectionFault::AcceptedSilent,
            )
            | Self::Tls(TlsFault::HandshakeStall)
            | Self::Http2(Http2Fault::SettingsStall | Http2Fault::FlowControlStall) => Duration::MAX,
            // Unlike [`Fault::wait`], this is a single wait, not the sum of the waits before all events.
            Self::Latency(latency) => latency.time.longest(),
            fault => fault.wait(1),
        }
    }
}
