//! Starts and restarts an instance of the proxy under test.

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
    control::{Control, FailedWarmUp},
    error::RunError,
    gateway::{Gateway, TrustedAuthority},
    rendering::KEY_FILE,
    settings::{Attached, RunSettings},
};
use crate::{
    client::Driver,
    event::Event,
    proxy::{Installed, InstanceSettings, ProxyRoute},
};

/// The maximum number of restarts in a run, for all instances together. A response that stops the proxy does so in
/// each case of its scenario, and each of them can cost three restarts.
const MOST_RESTARTS: usize = 60;

/// The maximum total time for restarts in a run.
const MOST_TIME: Duration = Duration::from_secs(30 * 60);

/// How long a proxy that upfault did not start may take to come back.
const RETURN: Duration = Duration::from_secs(60);

/// The number of restarts in a run, and the time they took.
#[derive(Default)]
pub(super) struct Restarts(Mutex<(usize, Duration)>);

impl Restarts {
    /// Counts a restart, or returns why no further one is allowed.
    fn take(&self) -> Result<(), String> {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.0 >= MOST_RESTARTS || spent.1 >= MOST_TIME {
            let took = humantime::format_duration(Duration::from_secs(spent.1.as_secs()));
            return Err(format!("upfault has already restarted it {} times, which took {took}", spent.0));
        }
        spent.0 += 1;
        Ok(())
    }

    /// Adds the duration of a restart.
    fn took(&self, time: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 += time;
    }
}

/// Everything needed to start an instance.
pub(super) struct InstanceSite<'a> {
    /// The settings of the run.
    pub settings: &'a RunSettings,
    /// The installed proxy; `None` if upfault did not install it.
    pub installed: Option<Arc<Installed>>,
    /// The certificate authority that the proxy trusts.
    pub trust: &'a TrustedAuthority,
    /// The routes in the configuration of the instance.
    pub routes: Arc<[ProxyRoute]>,
    /// Settings of the whole instance.
    pub instance: InstanceSettings,
    /// The 1-based number of the instance, and the number of instances.
    pub number: (usize, usize),
    /// Control requests.
    pub control: Control,
    /// The HTTP client.
    pub driver: &'a Driver,
    /// Receives progress messages.
    pub events: &'a UnboundedSender<Event>,
    /// The restarts of the run.
    pub restarts: Arc<Restarts>,
}

impl InstanceSite<'_> {
    /// Starts the instance and warms it up. Also returns the duration of a control request while no case is running.
    ///
    /// # Errors
    ///
    /// If the proxy cannot be started, or a simple request through it fails.
    pub(super) async fn start(&self) -> Result<(Gateway, Duration), RunError> {
        self.launch(self.work_dir()).await
    }

    /// Restarts the instance after `gateway` stopped serving; `n` is the 1-based number of the restart. Returns `None`
    /// if `gateway` serves again: upfault waits for a proxy that it did not start.
    ///
    /// # Errors
    ///
    /// Why the instance could not be restarted, as a message.
    pub(super) async fn start_again(&self, gateway: &Gateway, n: usize) -> Result<Option<Gateway>, String> {
        self.restarts.take()?;
        if let Gateway::Attached(..) = gateway {
            self.say(format!("{} stopped serving: waiting for it to come back", gateway.title()));
            return self.returned(gateway, RETURN).await.map(|()| None);
        }
        self.say(format!("{} stopped serving: restarting it", gateway.title()));
        // In another folder, so that the configuration and the log of the previous process are kept.
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
        if let Gateway::Attached(attached, _) = &gateway {
            self.wait_for(&gateway, attached).await?;
        }
        self.warm(gateway).await
    }

    /// Waits until a proxy that upfault did not start answers: it may need the mocks to start, or be started later.
    async fn wait_for(&self, gateway: &Gateway, attached: &Attached) -> Result<(), RunError> {
        if self.control.probe(gateway, self.driver).await.answered {
            return Ok(());
        }
        let (root, folder) = (attached.root(), &attached.folder);
        self.say(format!("waiting for {root}, which does not answer yet: see {folder}/README.md"));
        let within = attached.definition.ready_within();
        self.returned(gateway, within).await.map_err(|got| RunError::Control {
            proxy: root.to_owned(),
            got,
            tail: String::new(),
            help: format!("check the URL, and start the proxy as {folder}/README.md says"),
        })
    }

    /// Uses every kind of route once. If a simple request fails, stops the proxy.
    async fn warm(&self, gateway: Gateway) -> Result<(Gateway, Duration), RunError> {
        if !matches!(gateway, Gateway::Builtin(_)) {
            self.say("warming up".to_owned());
        }
        let failed = match self.control.warm_up(&gateway, self.driver, &|line| self.say(line)).await {
            Ok(baseline) => return Ok((gateway, baseline)),
            Err(failed) => failed,
        };
        let (tail, log) = (gateway.tail(), gateway.log());
        let help = match &gateway {
            Gateway::Attached(attached, _) => unconfigured(attached, &failed),
            _ => {
                let log = log.unwrap_or_default();
                format!("the complete log is {log}; the configuration is in the same folder")
            }
        };
        gateway.stop().await;
        Err(RunError::Control { proxy: self.settings.proxy.name(), got: failed.got, tail, help })
    }

    async fn returned(&self, gateway: &Gateway, within: Duration) -> Result<(), String> {
        let end = Instant::now() + within;
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while Instant::now() < end {
            tick.tick().await;
            if self.control.probe(gateway, self.driver).await.answered {
                return Ok(());
            }
        }
        Err(format!("it answered no request for {} s", within.as_secs()))
    }

    /// Reports progress, with the number of the instance if there are several.
    fn say(&self, line: String) {
        let (n, of) = self.number;
        let line = if of > 1 { format!("{line} ({n} of {of})") } else { line };
        let _ = self.events.send(Event::ProxyProgress(line));
    }
}

/// The next step if no simple request through a proxy succeeds that upfault did not start.
fn unconfigured(attached: &Attached, failed: &FailedWarmUp) -> String {
    let Attached { rendering, folder, .. } = attached;
    let root = attached.root();
    let key = format!(
        "set UPFAULT_PROXY_KEY to the key that its callers use (the one in its configuration is in {folder}/{KEY_FILE})"
    );
    if matches!(failed.status, Some(401 | 403)) && !failed.reached_a_mock {
        return format!("{root} rejects the key of upfault's requests; {key}");
    }
    let restart = format!(
        "if {folder} was rendered after the proxy was started, restart the proxy; if the proxy has another configuration, start \
         it as {folder}/README.md says"
    );
    if failed.status.is_some_and(|status| status < 500) || failed.reached_a_mock {
        // Some proxies reject a key like any other mistake of a request.
        let or_key = match attached.key.is_some() {
            true => format!("; if it rejects the key, {key}"),
            false => String::new(),
        };
        return format!("{root} does not have the routes in {folder}: {restart}{or_key}");
    }
    format!(
        "no request arrived at the mock providers: check that the proxy can connect to http://{}, where its configuration says \
         they are, or render it with another `--mocks-at HOST:PORT`; {restart}",
        rendering.mocks_at
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_are_limited() {
        let restarts = Restarts::default();
        for _ in 0..MOST_RESTARTS {
            restarts.take().unwrap();
        }
        let why = restarts.take().unwrap_err();
        assert_eq!(why, "upfault has already restarted it 60 times, which took 0s");
        let slow = Restarts::default();
        slow.take().unwrap();
        slow.took(MOST_TIME);
        assert!(slow.take().unwrap_err().contains("took 30m"));
    }
}
