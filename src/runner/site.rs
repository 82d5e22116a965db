//! One instance of the proxy under test: how it is started, and started again.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::mpsc::UnboundedSender,
    time::{Instant, MissedTickBehavior},
};

use super::{
    control::Control,
    error::RunError,
    gateway::{Gateway, Trust},
    settings::RunSettings,
};
use crate::{
    client::Driver,
    event::Event,
    proxy::{Installed, InstanceSettings, Route},
};

/// How often the instances of one run are started again, all of them together. One response that stops
/// the proxy does so in each case of its scenario, and costs up to three restarts in each.
const MOST_RESTARTS: usize = 60;

/// So much time may go into starting instances again.
const MOST_TIME: Duration = Duration::from_secs(30 * 60);

/// How long a proxy that somebody else runs may take to come back.
const RETURN: Duration = Duration::from_secs(60);

/// What the restarts of one run have cost.
#[derive(Default)]
pub struct Restarts(Mutex<(usize, Duration)>);

impl Restarts {
    /// Counts one more, or says why there is none.
    fn take(&self) -> Result<(), String> {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.0 >= MOST_RESTARTS || spent.1 >= MOST_TIME {
            let took = humantime::format_duration(Duration::from_secs(spent.1.as_secs()));
            return Err(format!("it was started again {} times already, which took {took}", spent.0));
        }
        spent.0 += 1;
        Ok(())
    }

    /// Adds how long one took.
    fn took(&self, time: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 += time;
    }
}

/// Everything that starting one instance needs.
pub struct Site<'a> {
    /// What the run was asked to do.
    pub settings: &'a RunSettings,
    /// The proxy as it is installed; `None` for one that is not installed by us.
    pub installed: Option<Arc<Installed>>,
    /// The authority that the proxy trusts.
    pub trust: &'a Trust,
    /// Every deployment that the instance is to know.
    pub routes: Vec<Route>,
    /// What holds for all of them.
    pub instance: InstanceSettings,
    /// 1-based number of the instance, and how many there are.
    pub number: (usize, usize),
    /// Requests of upfault's own.
    pub control: Control,
    /// The downstream side.
    pub driver: &'a Driver,
    /// Where progress goes.
    pub events: &'a UnboundedSender<Event>,
    /// How often instances may be started again.
    pub restarts: Arc<Restarts>,
}

impl Site<'_> {
    /// Starts the instance and warms it up. Returns what a control request takes while nothing else
    /// goes on.
    ///
    /// # Errors
    ///
    /// Where the proxy cannot be started, or a plain request does not come through it.
    pub async fn start(&self) -> Result<(Gateway, Duration), RunError> {
        self.launch(self.work_dir()).await
    }

    /// Starts the instance again, the n-th time (from 1), since `gateway` stopped serving. Nothing is
    /// returned where that one serves again: a proxy that somebody else runs is given time to come back.
    ///
    /// # Errors
    ///
    /// Why there is no proxy any more, in words.
    pub async fn start_again(&self, gateway: &Gateway, n: usize) -> Result<Option<Gateway>, String> {
        self.restarts.take()?;
        if let Gateway::Remote(_) = gateway {
            self.say(format!("{} stopped serving: waiting for it to come back", gateway.title()));
            return self.returned(gateway).await.map(|()| None);
        }
        self.say(format!("{} stopped serving: starting it again", gateway.title()));
        // A folder of its own, so that the configuration and the log of the one before stay.
        let work_dir = self.work_dir().join(format!("restart-{n}"));
        let began = Instant::now();
        let started = self.launch(work_dir).await;
        self.restarts.took(began.elapsed());
        started.map(|(gateway, _)| Some(gateway)).map_err(|error| error.to_string())
    }

    fn work_dir(&self) -> PathBuf {
        self.settings.work_dir.join(format!("instance-{}", self.number.0))
    }

    async fn launch(&self, work_dir: PathBuf) -> Result<(Gateway, Duration), RunError> {
        let Self { settings, installed, trust, routes, instance, .. } = self;
        let progress = |line: String| self.say(line);
        let gateway = Gateway::start(
            &settings.proxy,
            installed.as_deref(),
            routes.clone(),
            instance.clone(),
            trust,
            work_dir,
            &progress,
        )
        .await?;
        self.warm(gateway).await
    }

    /// Uses every kind of route once; a proxy through which a plain request does not come is stopped.
    async fn warm(&self, gateway: Gateway) -> Result<(Gateway, Duration), RunError> {
        if !matches!(gateway, Gateway::Builtin(_)) {
            self.say("warming up".to_owned());
        }
        let told = match self.control.warm_up(&gateway, self.driver, &|line| self.say(line)).await {
            Ok(baseline) => return Ok((gateway, baseline)),
            Err(told) => told,
        };
        let (tail, log) = (gateway.tail(), gateway.log());
        gateway.stop().await;
        let help = match log {
            Some(log) => format!("the whole log is {log}; the proxy's configuration is in the same folder"),
            None => {
                "is it running? It needs the configuration that `upfault proxy render NAME --listen ADDR` prints \
                 for the same cases, with the same ADDR and seed"
                    .to_owned()
            }
        };
        Err(RunError::Control { proxy: self.settings.proxy.name(), told, tail, help })
    }

    async fn returned(&self, gateway: &Gateway) -> Result<(), String> {
        let end = Instant::now() + RETURN;
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < end {
            tick.tick().await;
            if self.control.probe(gateway, self.driver).await.answered {
                return Ok(());
            }
        }
        Err(format!("it answered nothing for {} s", RETURN.as_secs()))
    }

    /// A line of progress; where several instances start at once it says whose it is.
    fn say(&self, line: String) {
        let (n, of) = self.number;
        let line = if of > 1 { format!("{line} ({n} of {of})") } else { line };
        let _ = self.events.send(Event::ProxyProgress(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_run_out() {
        let restarts = Restarts::default();
        for _ in 0..MOST_RESTARTS {
            restarts.take().unwrap();
        }
        let why = restarts.take().unwrap_err();
        assert_eq!(why, "it was started again 60 times already, which took 0s");
        let slow = Restarts::default();
        slow.take().unwrap();
        slow.took(MOST_TIME);
        assert!(slow.take().unwrap_err().contains("took 30m"));
    }
}
