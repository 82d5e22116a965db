//! The embedded proxy in a process of its own, which a defect may stop.

use std::{io, path::PathBuf, str::FromStr, time::Duration};

use serde::Deserialize;
use tokio::net::TcpListener;

use super::{Builtin, Defect};
use crate::{
    proxy::{InstanceSettings, ProxyRoute},
    scenario::Cooldown,
};

/// What such a process is started with: a file of JSON that the runner writes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnProcess {
    /// The key that callers must send.
    pub proxy_key: String,
    /// The authority that it trusts: a file of PEM.
    pub ca: PathBuf,
    /// What it does wrong.
    pub defect: String,
    /// After how many failures a deployment is in cooldown, and for how many seconds.
    pub cooldown: Option<CooldownSeconds>,
    /// Every deployment.
    pub routes: Vec<ProxyRoute>,
}

/// A cooldown as templates write it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CooldownSeconds {
    /// How many failures begin it.
    pub after: u32,
    /// How long it lasts, in seconds.
    pub for_s: f64,
}

impl OwnProcess {
    /// Serves on a port of loopback until the process is ended.
    ///
    /// # Errors
    ///
    /// Where the port cannot be bound, the authority cannot be read, or the defect is unknown.
    pub async fn serve(self, port: u16) -> io::Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let ca = std::fs::read_to_string(&self.ca)?;
        let defect = Defect::from_str(&self.defect).map_err(io::Error::other)?;
        let cooldown = self.cooldown.map(|cooldown| Cooldown {
            after: cooldown.after,
            lasting: Duration::try_from_secs_f64(cooldown.for_s).unwrap_or_default(),
        });
        let settings = InstanceSettings { cooldown, ..InstanceSettings::default() };
        let _serving =
            Builtin::start_on(listener, self.proxy_key, self.routes, settings, Some(&ca), Some(defect))?;
        std::future::pending().await
    }
}
