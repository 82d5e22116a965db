//! The listener that serves every case, and the way from a path to its deployment.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use http::{
    header::{AUTHORIZATION, UPGRADE},
    request::Parts,
};
use tokio::{net::TcpListener, runtime::Handle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    authority::Authority,
    case::{Armed, ArmedCase, MockCase},
    connection,
    connection_turn::DeploymentPort,
    deployment_port::{self, PortBehaviour},
    fallback::Fallback,
    ledger::locked,
    ledger_budget::{LedgerBounds, LedgerMode},
    strays::StrayLog,
};
use crate::{
    observation::{Identity, Stray},
    scenario::Transport,
};

/// The mock providers: one listener on a loopback port for all deployments that need none of their own.
///
/// [`shutdown`](Self::shutdown) waits until every connection is gone. Dropping it ends them too,
/// without waiting.
pub struct Upstream {
    pub(super) shared: Arc<ServerState>,
}

pub(super) struct ServerState {
    pub(super) address: SocketAddr,
    pub(super) runtime: Handle,
    /// By token.
    cases: RwLock<HashMap<String, Arc<MockCase>>>,
    /// For every other path.
    pub(super) fallback: OnceLock<Fallback>,
    /// Made when it is first needed.
    authority: Mutex<Option<Arc<Authority>>>,
    /// Who came and asked for nothing.
    pub(super) strays: StrayLog,
    /// Ends everything.
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Upstream {
    /// Binds a free port on 127.0.0.1 and serves it.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> io::Result<Self> {
        Self::serve(deployment_port::listen(0)?)
    }

    /// Binds this address and serves it: for a proxy whose configuration was made beforehand.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start_at(address: SocketAddr) -> io::Result<Self> {
        Self::serve(tokio::net::TcpListener::bind(address).await?)
    }

    fn serve(listener: tokio::net::TcpListener) -> io::Result<Self> {
        let listener = Arc::new(listener);
        let shared = Arc::new(ServerState {
            address: listener.local_addr()?,
            runtime: Handle::current(),
            cases: RwLock::default(),
            fallback: OnceLock::new(),
            authority: Mutex::new(None),
            strays: StrayLog::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        shared.accept(listener, shared.stop.clone(), None);
        Ok(Self { shared })
    }

    /// Where the deployments are found that have no port of their own.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// The certificate of the authority that has signed those of the deployments which are reached by
    /// TLS, as PEM: what a client must trust. Every `Upstream` makes its own.
    ///
    /// # Errors
    /// When there is no randomness for its key.
    pub fn ca_pem(&self) -> io::Result<String> {
        self.shared.authority().map(|authority| authority.pem.clone())
    }

    /// Answers for a case until the handle is dropped.
    ///
    /// # Errors
    /// When a port for a deployment that needs its own cannot be had, or when the case's token is in
    /// use.
    pub fn arm(&self, armed: Armed) -> io::Result<ArmedCase> {
        self.enter(armed, LedgerMode::Everything)
    }

    /// The same with a ledger that keeps no more than this: for cases whose clients nobody waits for.
    ///
    /// # Errors
    /// As [`arm`](Self::arm).
    pub fn arm_within(&self, armed: Armed, bounds: LedgerBounds) -> io::Result<ArmedCase> {
        self.enter(armed, LedgerMode::Within(bounds))
    }

    /// The same without a memory: no ledger, every attempt is the first, and so is every turn. For
    /// what stands open to any number of clients for any time.
    ///
    /// # Errors
    /// As [`arm`](Self::arm).
    pub fn arm_stateless(&self, armed: Armed) -> io::Result<ArmedCase> {
        self.enter(armed, LedgerMode::Nothing)
    }

    /// Has somebody else answer requests under paths that belong to no case. Only the first call
    /// counts.
    pub fn fall_back_to(&self, fallback: Fallback) {
        let _ = self.shared.fallback.set(fallback);
    }

    fn enter(&self, armed: Armed, keep: LedgerMode) -> io::Result<ArmedCase> {
        if armed.transport != Transport::Plain {
            // Where there is none, that is to be told here and not by every connection.
            self.shared.authority()?;
        }
        let case = Arc::new(MockCase::new(armed, keep, self.shared.stop.child_token())?);
        self.admit(&case)?;
        let armed = ArmedCase::new(case.clone(), self.shared.clone());
        self.shared.open_serving(&case)?;
        Ok(armed)
    }

    /// Makes a case known by its token.
    fn admit(&self, case: &Arc<MockCase>) -> io::Result<()> {
        let mut cases = self.shared.cases.write().unwrap_or_else(PoisonError::into_inner);
        match cases.entry(case.identity.token.clone()) {
            Entry::Vacant(entry) => entry.insert(case.clone()),
            Entry::Occupied(entry) => {
                let message = format!("a case with the token {} is armed already", entry.key());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
            }
        };
        Ok(())
    }

    /// Visits that became no attempt, the newest last: garbage, halves of requests, paths of nobody. A
    /// thousand are kept.
    pub fn strays(&self) -> Vec<Stray> {
        self.shared.strays.of(None)
    }

    /// Ends every connection and the listener, and returns when they are gone.
    pub async fn shutdown(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

impl ServerState {
    pub(super) fn authority(&self) -> io::Result<Arc<Authority>> {
        let mut made = locked(&self.authority);
        if let Some(authority) = &*made {
            return Ok(authority.clone());
        }
        let authority = Arc::new(Authority::new()?);
        *made = Some(authority.clone());
        Ok(authority)
    }

    /// Has the ports of a case's deployments serve that are not ill.
    fn open_serving(self: &Arc<Self>, case: &Arc<MockCase>) -> io::Result<()> {
        self.open_those(case, |manner| manner == PortBehaviour::Serves)
    }

    /// Has every port of a case's deployments serve.
    pub(super) fn open(self: &Arc<Self>, case: &Arc<MockCase>) -> io::Result<()> {
        self.open_those(case, |_| true)
    }

    fn open_those(
        self: &Arc<Self>,
        case: &Arc<MockCase>,
        wanted: impl Fn(PortBehaviour) -> bool,
    ) -> io::Result<()> {
        let _runtime = self.runtime.enter();
        for (index, deployment) in case.deployments.iter().enumerate() {
            let Some(own) = deployment.own.as_ref().filter(|own| wanted(own.manner)) else { continue };
            if let Some((listener, stop)) = own.open(&case.stop)? {
                let door = DeploymentPort { case: case.clone(), deployment: index };
                self.accept(listener, stop, Some(Arc::new(door)));
            }
        }
        Ok(())
    }

    /// Serves a listener until `stop` is cancelled; a deployment's own has a door.
    fn accept(
        self: &Arc<Self>,
        listener: Arc<TcpListener>,
        stop: CancellationToken,
        door: Option<Arc<DeploymentPort>>,
    ) {
        let shared = self.clone();
        let accepting = async move {
            while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
                match accepted {
                    Ok((stream, _)) => {
                        let serving = connection::serve(stream, shared.clone(), door.clone(), stop.clone());
                        shared.tasks.spawn_on(serving, &shared.runtime);
                    }
                    // A client that left before it was accepted, or no file descriptor left: the
                    // latter passes when a connection ends, and must not become a busy loop.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        self.tasks.spawn_on(accepting, &self.runtime);
    }

    /// The deployment that a path means, with what of the path stands below its base.
    pub(super) fn find<'a>(&self, path: &'a str) -> Option<(Arc<MockCase>, usize, &'a str)> {
        let (token, below) = path.strip_prefix('/')?.split_once('/')?;
        // A proxy may take a base URL for a model's and append the verb: `…/main:generateContent`.
        let end = below.find(['/', '?', ':']).unwrap_or(below.len());
        let (name, rest) = below.split_at(end);
        let case = self.cases.read().unwrap_or_else(PoisonError::into_inner).get(token)?.clone();
        let deployment = case.deployments.iter().position(|deployment| deployment.name == name)?;
        Some((case, deployment, rest))
    }

    /// The deployment that a request for a WebSocket means by its key. Some proxies build the URL of a
    /// WebSocket anew and keep of a base URL nothing but its host.
    pub(super) fn find_session<'a>(
        &self,
        parts: &Parts,
        path: &'a str,
    ) -> Option<(Arc<MockCase>, usize, &'a str)> {
        parts.headers.get(UPGRADE)?;
        let key = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.split_ascii_whitespace().last()?;
        let (token, name) = Identity::of_key(key)?;
        let case = self.cases.read().unwrap_or_else(PoisonError::into_inner).get(token)?.clone();
        let deployment = case.deployments.iter().position(|deployment| deployment.name == name)?;
        Some((case, deployment, path))
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
