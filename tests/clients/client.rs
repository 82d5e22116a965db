//! The independent clients, and which of them are installed.

use std::{collections::HashMap, path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use super::{curl, hyper_client, script::Script};

/// The timeout of a client.
pub const TIME_OUT: Duration = Duration::from_millis(2500);

/// One request.
#[derive(Debug, Clone, Serialize)]
pub struct Ask {
    /// The index of the exhibit.
    pub id: usize,
    /// The URL for the POST request.
    pub url: String,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: String,
}

/// What a client observed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Got {
    /// The status, if the client reported one.
    pub status: Option<u16>,
    /// The number of body bytes that the client returned.
    pub bytes: u64,
    /// The error that the client reported.
    pub error: Option<String>,
    /// Whether the client timed out.
    #[serde(default)]
    pub timed_out: bool,
}

/// A client that shares no code with the client of the selftest.
pub enum Client {
    Curl,
    Hyper,
    Script(Script),
}

impl Client {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Hyper => "hyper",
            Self::Script(script) => script.name,
        }
    }

    /// Sends all requests concurrently.
    pub async fn ask(&self, asks: Vec<Ask>, ca: &Path) -> HashMap<usize, Got> {
        match self {
            Self::Curl => curl::ask(asks, ca).await,
            Self::Hyper => hyper_client::ask(asks, ca).await,
            Self::Script(script) => script.ask(asks, ca).await,
        }
    }
}

/// The installed clients. `UPFAULT_CLIENTS` lists the clients that must be installed; `UPFAULT_PYTHON` is a Python with
/// httpx.
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a test reads its own environment")]
pub async fn installed() -> Vec<Client> {
    let wanted = std::env::var("UPFAULT_CLIENTS").unwrap_or_default();
    let python = std::env::var("UPFAULT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut clients = vec![Client::Hyper];
    if curl::is_here().await {
        clients.push(Client::Curl);
    }
    for script in [Script::httpx(&python), Script::undici()] {
        if script.is_here().await {
            clients.push(Client::Script(script));
        }
    }
    for name in ["curl", "hyper", "httpx", "undici"] {
        if clients.iter().all(|client| client.name() != name) {
            assert!(!wanted.split(',').any(|one| one.trim() == name), "{name} must be installed, but is not");
            eprintln!("{name} is not installed: skipped");
        }
    }
    clients
}
