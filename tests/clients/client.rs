//! The clients, and which of them are installed here.

use std::{collections::HashMap, path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use super::{curl, hyper_client, script::Script};

/// After so long a client gives up.
pub const TIME_OUT: Duration = Duration::from_millis(2500);

/// One request.
#[derive(Debug, Clone, Serialize)]
pub struct Ask {
    /// Whose exhibit it is.
    pub id: usize,
    /// Where it goes, by POST.
    pub url: String,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: String,
}

/// What a client made of the reply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Got {
    /// The status, if it told one.
    pub status: Option<u16>,
    /// Bytes of the body that it handed out.
    pub bytes: u64,
    /// What it complained of.
    pub error: Option<String>,
    /// Its own time-out ended it.
    #[serde(default)]
    pub timed_out: bool,
}

/// A client that has nothing in common with the selftest's own.
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

    /// Asks everything at once.
    pub async fn ask(&self, asks: Vec<Ask>, ca: &Path) -> HashMap<usize, Got> {
        match self {
            Self::Curl => curl::ask(asks, ca).await,
            Self::Hyper => hyper_client::ask(asks, ca).await,
            Self::Script(script) => script.ask(asks, ca).await,
        }
    }
}

/// Those that are here. `UPFAULT_CLIENTS` names those that must be; `UPFAULT_PYTHON` a Python that has
/// httpx.
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a test is its own surroundings")]
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
            assert!(!wanted.split(',').any(|one| one.trim() == name), "{name} must be here and is not");
            eprintln!("{name} is not installed here: it was not asked");
        }
    }
    clients
}
