//! Whether the proxy still serves anybody: control requests, and the state of its process.

use std::time::Duration;

use tokio::{sync::Notify, time::Instant};

use super::{
    control::{Control, PROBE},
    gateway::Gateway,
    pace::Pacer,
};
use crate::client::Driver;

/// How often a control request is sent.
const PULSE: Duration = Duration::from_millis(200);

/// A proxy that answers nobody for so long does not serve any more. A slow one answers somebody: no
/// control request, with nothing to wait for, takes so long to get at least a status.
const FROZEN: Duration = Duration::from_secs(10);

/// A proxy's connections close a moment before its process can be seen to have ended.
const MOMENT: Duration = Duration::from_millis(200);

/// How late this process may be before the silence is its own.
const OWN_DELAY: Duration = Duration::from_secs(1);

/// One look at the proxy.
pub enum Beat {
    /// A control request that was sent then was answered.
    Answered(Instant),
    /// It was not: nothing came in time.
    Unanswered,
    /// Its connection was refused or ended without an answer, and so was that of another one.
    Refused,
    /// The machine is so busy that upfault itself does not run on time.
    Late,
    /// The process ended like this: `exited with code 1`.
    Exited(String),
}

/// The time since somebody last got an answer.
pub struct Silence {
    since: Instant,
}

impl Silence {
    /// From now on.
    pub fn new() -> Self {
        Self { since: Instant::now() }
    }

    /// Somebody was served.
    pub fn ends(&mut self) {
        self.since = Instant::now();
    }

    /// Resolves when it has lasted too long for a proxy that serves anybody, with how long that is. A
    /// silence in which upfault itself did not run does not count.
    pub async fn is_too_long(&mut self) -> Duration {
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

/// Looks at the proxy after a while, or as soon as `hurry` says.
pub async fn beat(
    gateway: &Gateway,
    control: &Control,
    driver: &Driver,
    pacer: &Pacer,
    hurry: &Notify,
) -> Beat {
    let asleep = Instant::now();
    tokio::select! {
        () = tokio::time::sleep(PULSE) => {}
        () = hurry.notified() => {}
    }
    if asleep.elapsed() > PULSE + OWN_DELAY {
        return Beat::Late;
    }
    if let Some(how) = gateway.exited() {
        return Beat::Exited(how);
    }
    let mut refused = false;
    loop {
        let began = Instant::now();
        let probe = control.probe(gateway, driver).await;
        if probe.answered {
            pacer.sample(began, probe.took);
            return Beat::Answered(began);
        }
        if let Some(how) = exited_soon(gateway).await {
            return Beat::Exited(how);
        }
        if probe.took >= PROBE {
            pacer.sample(began, probe.took);
            return Beat::Unanswered;
        }
        if std::mem::replace(&mut refused, true) {
            return Beat::Refused;
        }
    }
}

/// How the process ended, if it did so by now or a moment later.
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
    async fn a_silence_is_too_long_ten_seconds_after_the_last_answer() {
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
