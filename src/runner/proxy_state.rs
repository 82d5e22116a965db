//! Checks whether the proxy still serves: with control requests, and by the state of its process.

use std::time::Duration;

use tokio::{sync::Notify, time::Instant};

use super::{
    control::{Control, PROBE},
    gateway::Gateway,
    pace::{Pacer, SLOW},
};
use crate::client::Driver;

/// The interval between control requests.
const PULSE: Duration = Duration::from_millis(200);

/// A proxy that answers no request for this long is frozen. A proxy that is only slow would have answered a control
/// request, for which its upstream does not wait.
const FROZEN: Duration = Duration::from_secs(10);

/// How long the end of a process can be visible later than the end of its connections.
const MOMENT: Duration = Duration::from_millis(200);

/// If this process is late by more than this, the machine is the cause of a silence.
const OWN_DELAY: Duration = Duration::from_secs(1);

/// The result of one check.
pub(super) enum ProxyState {
    /// The proxy answered a control request that was sent at this time.
    Answered(Instant),
    /// The proxy did not answer in time.
    Unanswered,
    /// Two control requests in a row failed: the connection was refused or closed without a response.
    Refused,
    /// The machine is so busy that upfault itself is late.
    Late,
    /// The process ended: `exited with code 1`.
    Exited(String),
}

/// The time since the last response of the proxy.
pub(super) struct Silence {
    since: Instant,
}

impl Silence {
    /// Starts now.
    pub(super) fn new() -> Self {
        Self { since: Instant::now() }
    }

    /// Records a response.
    pub(super) fn ends(&mut self) {
        self.since = Instant::now();
    }

    /// Resolves when the silence has lasted so long that the proxy must be frozen, and returns that duration. A
    /// silence during which upfault itself did not run does not count. Cancel-safe.
    pub(super) async fn is_too_long(&mut self) -> Duration {
        loop {
            let deadline = self.since + FROZEN;
            tokio::time::sleep_until(deadline).await;
            if deadline.elapsed() < OWN_DELAY {
                return FROZEN;
            }
            self.ends();
        }
    }
}

/// Checks the proxy after an interval, or when `hurry` is notified.
pub(super) async fn beat(
    gateway: &Gateway,
    control: &Control,
    driver: &Driver,
    pacer: &Pacer,
    hurry: &Notify,
) -> ProxyState {
    let asleep = Instant::now();
    let due = asleep + PULSE;
    pacer.expect(due);
    tokio::select! {
        () = tokio::time::sleep(PULSE) => {}
        () = hurry.notified() => {}
    }
    let late = due.elapsed();
    if late > SLOW {
        pacer.stalled(due, late);
    }
    if late > OWN_DELAY {
        return ProxyState::Late;
    }
    if let Some(how) = gateway.exited() {
        return ProxyState::Exited(how);
    }
    let mut refused = false;
    loop {
        let began = Instant::now();
        pacer.expect(began);
        let probe = control.probe(gateway, driver).await;
        if probe.answered {
            pacer.sample(began, probe.took);
            return ProxyState::Answered(began);
        }
        if let Some(how) = exited_soon(gateway).await {
            return ProxyState::Exited(how);
        }
        if probe.took >= PROBE {
            pacer.sample(began, probe.took);
            return ProxyState::Unanswered;
        }
        if std::mem::replace(&mut refused, true) {
            return ProxyState::Refused;
        }
    }
}

/// How the process ended, if it has ended or does so within [`MOMENT`].
async fn exited_soon(gateway: &Gateway) -> Option<String> {
    let end = Instant::now() + MOMENT;
    loop {
        match gateway.exited() {
            None if Instant::now() < end => tokio::time::sleep(Duration::from_millis(10)).await,
            exited => return exited,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silence_is_too_long_ten_seconds_after_the_last_response() {
        let began = Instant::now();
        let mut silence = Silence::new();
        tokio::time::advance(FROZEN - Duration::from_secs(1)).await;
        silence.ends();
        assert_eq!(silence.is_too_long().await, FROZEN);
        assert_eq!(began.elapsed().as_secs(), (FROZEN * 2).as_secs() - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silence_in_which_this_process_slept_does_not_count() {
        let mut silence = Silence::new();
        tokio::time::advance(FROZEN * 3).await;
        let woken = Instant::now();
        silence.is_too_long().await;
        assert_eq!(woken.elapsed().as_secs(), FROZEN.as_secs());
    }
}
