//! The state of the mock servers, and the router that maps a path to its deployment.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
};

use serde::Deserialize;
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{authority::Authority, case::MockCase, fallback::Fallback, locked::locked, strays::StrayLog};
use crate::{
    observation::Identity,
    provider::{Header, find_header},
};

/// What all connections share.
pub(super) struct ServerState {
    pub(super) address: SocketAddr,
    /// The host and port by which proxies reach `address`.
    pub(super) reached_at: String,
    pub(super) runtime: Handle,
    /// The cases by their tokens.
    cases: RwLock<HashMap<String, Arc<MockCase>>>,
    /// The handler of all other paths.
    pub(super) fallback: OnceLock<Fallback>,
    /// Created when it is first needed.
    authority: Mutex<Option<Arc<Authority>>>,
    /// Connections that did not become an attempt.
    pub(super) strays: StrayLog,
    /// Ends all tasks when cancelled.
    pub(super) stop: CancellationToken,
    pub(super) tasks: TaskTracker,
}

impl ServerState {
    /// Must be called in a tokio runtime.
    pub(super) fn new(address: SocketAddr, reached_at: Option<&str>) -> Self {
        Self {
            address,
            reached_at: reached_at.map_or_else(|| address.to_string(), str::to_owned),
            runtime: Handle::current(),
            cases: RwLock::default(),
            fallback: OnceLock::new(),
            authority: Mutex::new(None),
            strays: StrayLog::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    pub(super) fn authority(&self) -> io::Result<Arc<Authority>> {
        let mut made = locked(&self.authority);
        if let Some(authority) = &*made {
            return Ok(authority.clone());
        }
        let authority = Arc::new(Authority::new()?);
        *made = Some(authority.clone());
        Ok(authority)
    }

    /// Returns the deployment that a path belongs to, and the rest of the path below its base.
    pub(super) fn find<'a>(&self, path: &'a str) -> Option<(Arc<MockCase>, usize, &'a str)> {
        let (token, below) = path.strip_prefix('/')?.split_once('/')?;
        // A proxy may treat the base URL as that of a model and append a verb: `…/main:generateContent`.
        let end = below.find(['/', '?', ':']).unwrap_or(below.len());
        let (name, rest) = below.split_at(end);
        let case = self.cases.read().unwrap_or_else(PoisonError::into_inner).get(token)?.clone();
        let deployment = case.deployments.iter().position(|deployment| deployment.name == name)?;
        Some((case, deployment, rest))
    }

    /// Returns the deployment of a WebSocket request by its key. Some proxies build the URL of a WebSocket
    /// from the host of the base URL alone.
    pub(super) fn find_session<'a>(
        &self,
        headers: &[Header<'_>],
        path: &'a str,
    ) -> Option<(Arc<MockCase>, usize, &'a str)> {
        find_header(headers, "upgrade")?;
        let (case, deployment) = self.named(of_key(find_header(headers, "authorization")?)?)?;
        Some((case, deployment, path))
    }

    /// Returns the deployment of a request below the base URL that all deployments share: the one whose key a header
    /// contains, or whose model the body names.
    pub(super) fn find_shared<'a>(
        &self,
        headers: &[Header<'_>],
        body: Option<&[u8]>,
        path: &'a str,
    ) -> Option<(Arc<MockCase>, usize, &'a str)> {
        let rest = below_shared(path)?;
        let by_key = headers.iter().find_map(|header| self.named(of_key(header.value)?));
        let (case, deployment) = by_key.or_else(|| {
            let body: NamedModel<'_> = serde_json::from_slice(body?).ok()?;
            self.named(Identity::of_model(&body.model)?)
        })?;
        Some((case, deployment, rest))
    }

    /// Returns the deployment with this name of the case with this token.
    fn named(&self, (token, name): (&str, &str)) -> Option<(Arc<MockCase>, usize)> {
        let case = self.cases.read().unwrap_or_else(PoisonError::into_inner).get(token)?.clone();
        let deployment = case.deployments.iter().position(|deployment| deployment.name == name)?;
        Some((case, deployment))
    }

    /// Registers a case under its token.
    pub(super) fn admit(&self, case: &Arc<MockCase>) -> io::Result<()> {
        let mut cases = self.cases.write().unwrap_or_else(PoisonError::into_inner);
        match cases.entry(case.identity.token.clone()) {
            Entry::Vacant(entry) => entry.insert(case.clone()),
            Entry::Occupied(entry) => {
                let message = format!("a case with the token {} is already armed", entry.key());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
            }
        };
        Ok(())
    }

    /// Registers cases under their tokens, each in the place of the one that has its token. No request finds neither.
    pub(super) fn admit_instead(&self, new: &[Arc<MockCase>]) {
        let mut cases = self.cases.write().unwrap_or_else(PoisonError::into_inner);
        cases.extend(new.iter().map(|case| (case.identity.token.clone(), case.clone())));
    }

    pub(super) fn disarm(&self, case: &Arc<MockCase>) {
        let mut cases = self.cases.write().unwrap_or_else(PoisonError::into_inner);
        let token = &case.identity.token;
        if cases.get(token).is_some_and(|known| Arc::ptr_eq(known, case)) {
            cases.remove(token);
        }
        drop(cases);
        case.stop.cancel();
    }
}

/// A body that names a model.
#[derive(Deserialize)]
struct NamedModel<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
}

/// The token and the deployment in a header with a key: `KEY` or `Bearer KEY`.
fn of_key(value: &[u8]) -> Option<(&str, &str)> {
    Identity::of_key(std::str::from_utf8(value).ok()?.split_ascii_whitespace().last()?)
}

/// The path below the base URL that all deployments share.
pub(super) fn below_shared(path: &str) -> Option<&str> {
    let rest = path.strip_prefix('/')?.strip_prefix(Identity::SHARED_PATH)?;
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest)
}
