//! The embedded proxy in a separate process, which a defect may stop.

use std::{io, path::PathBuf, str::FromStr, time::Duration};

use serde::Deserialize;
use tokio::net::TcpListener;

use super::{Builtin, EmbeddedProxy};
use crate::{
    proxy::{InstanceSettings, ProxyRoute},
    scenario::{Cooldown, ProxySettings},
};

/// The name that means no defect.
const NONE: &str = "none";

/// The configuration of the process: a JSON file that the runner writes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnProcess {
    /// The key that callers must send.
    pub proxy_key: String,
    /// The PEM file with the certificate authority that it trusts; empty if no upstream uses TLS.
    pub ca: PathBuf,
    /// The name of its defect or variant, or `none`.
    pub defect: String,
    /// After how many failures a deployment goes into cooldown, and for how many seconds.
    pub cooldown: Option<CooldownSeconds>,
    /// Every deployment.
    pub routes: Vec<ProxyRoute>,
}

/// A cooldown, in the format of the templates.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CooldownSeconds {
    /// The number of failures that start it.
    pub after: u32,
    /// How long it lasts, in seconds.
    pub for_s: f64,
}

impl OwnProcess {
    /// Serves on a loopback port until the process ends.
    ///
    /// # Errors
    ///
    /// If the port cannot be bound, the authority cannot be read, or the defect is unknown.
    pub(crate) async fn serve(self, port: u16) -> io::Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let has_ca = !self.ca.as_os_str().is_empty();
        let ca = has_ca.then(|| std::fs::read_to_string(&self.ca)).transpose()?;
        let which = match self.defect.as_str() {
            NONE => EmbeddedProxy::Reference,
            name => EmbeddedProxy::from_str(name).map_err(io::Error::other)?,
        };
        let cooldown = self.cooldown.map(|cooldown| Cooldown {
            after: cooldown.after,
            lasting: Duration::try_from_secs_f64(cooldown.for_s).unwrap_or_default(),
        });
        let settings = ProxySettings { cooldown, ..ProxySettings::default() };
        let settings = InstanceSettings::of(&settings, |_| false);
        let _serving =
            Builtin::start_on(listener, self.proxy_key, self.routes.into(), settings, ca.as_deref(), which)?;
        std::future::pending().await
    }
}
