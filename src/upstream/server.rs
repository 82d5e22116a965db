//! The listener that serves every case, and the router that maps a path to its deployment.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use tokio::{net::TcpListener, runtime::Handle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    authority::Authority,
    case::{Armed, ArmedCase, MockCase},
    connection,
    connection_turn::DeploymentPort,
    deployment::OwnPorts,
    deployment_port::{self, PortBehaviour},
    fallback::Fallback,
    ledger_budget::{LedgerBounds, LedgerMode},
    locked::locked,
    strays::StrayLog,
};
use crate::{
    observation::{Identity, Stray},
    provider::{Header, find_header},
    scenario::Transport,
};

/// The mock providers: one listener on a loopback port for all deployments that do not need their own.
///
/// [`shutdown`](Self::shutdown) waits until every connection has ended. Dropping this value also ends them,
/// without waiting.
pub struct Upstream {
    pub(super) shared: Arc<ServerState>,
}

pub(super) struct ServerState {
    pub(super) address: SocketAddr,
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
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Upstream {
    /// Binds a free port on 127.0.0.1 and serves it.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start() -> io::Result<Self> {
        Self::serve(deployment_port::listen(0)?)
    }

    /// Binds this address and serves it. For a proxy that is already configured.
    ///
    /// # Errors
    /// If the address cannot be bound.
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

    /// Returns the address of all deployments without their own port.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Returns the certificate of the authority that signs the certificates of deployments with TLS, as PEM.
    /// Clients must trust it. Every `Upstream` has its own authority.
    ///
    /// # Errors
    /// If its key cannot be generated.
    pub fn ca_pem(&self) -> io::Result<String> {
        self.shared.authority().map(|authority| authority.pem.clone())
    }

    /// Serves a case until the returned handle is dropped.
    ///
    /// # Errors
    /// If a deployment needs its own port and none could be opened, or if the case's token is in use.
    pub fn arm(&self, armed: Armed) -> io::Result<ArmedCase> {
        self.enter(armed, LedgerMode::Everything, &mut OwnPorts::Free)
    }

    /// Like [`arm`](Self::arm), with a limited ledger, for cases with unknown clients. `ports` provides the ports of
    /// deployments that need their own.
    ///
    /// # Errors
    /// As [`arm`](Self::arm).
    pub(crate) fn arm_within(
        &self,
        armed: Armed,
        bounds: LedgerBounds,
        ports: &mut OwnPorts,
    ) -> io::Result<ArmedCase> {
        self.enter(armed, LedgerMode::Within(bounds), ports)
    }

    /// Like [`arm`](Self::arm), without state: there is no ledger, and every attempt gets the first turn. For
    /// cases that are open to any number of clients for any time.
    ///
    /// # Errors
    /// As [`arm`](Self::arm).
    pub fn arm_stateless(&self, armed: Armed) -> io::Result<ArmedCase> {
        self.enter(armed, LedgerMode::Nothing, &mut OwnPorts::Free)
    }

    /// Sets the handler of requests for paths that belong to no case. Only the first call has an effect.
    pub fn fall_back_to(&self, fallback: Fallback) {
        let _ = self.shared.fallback.set(fallback);
    }

    fn enter(&self, armed: Armed, keep: LedgerMode, ports: &mut OwnPorts) -> io::Result<ArmedCase> {
        if armed.transport != Transport::Plain {
            // Report a missing authority here, not on every connection.
            self.shared.authority()?;
        }
        let case = Arc::new(MockCase::new(armed, keep, ports, self.shared.stop.child_token())?);
        self.admit(&case)?;
        let armed = ArmedCase::new(case.clone(), self.shared.clone());
        self.shared.open_serving(&case)?;
        Ok(armed)
    }

    /// Registers a case under its token.
    fn admit(&self, case: &Arc<MockCase>) -> io::Result<()> {
        let mut cases = self.shared.cases.write().unwrap_or_else(PoisonError::into_inner);
        match cases.entry(case.identity.token.clone()) {
            Entry::Vacant(entry) => entry.insert(case.clone()),
            Entry::Occupied(entry) => {
                let message = format!("a case with the token {} is already armed", entry.key());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
            }
        };
        Ok(())
    }

    /// Returns the connections that did not become an attempt, the newest last: invalid and incomplete
    /// requests, and unknown paths. The last thousand are kept.
    pub fn strays(&self) -> Vec<Stray> {
        self.shared.strays.of(None)
    }

    /// Ends every connection and the listener, and waits until they have ended.
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

    /// Opens the ports of a case's deployments that accept connections before healing.
    fn open_serving(self: &Arc<Self>, case: &Arc<MockCase>) -> io::Result<()> {
        self.open_those(case, |behaviour| behaviour == PortBehaviour::Serves)
    }

    /// Opens every port of a case's deployments.
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
            let Some(own) = deployment.own.as_ref().filter(|own| wanted(own.behaviour)) else { continue };
            if let Some((listener, stop)) = own.open(&case.stop)? {
                let door = DeploymentPort { case: case.clone(), deployment: index };
                self.accept(listener, stop, Some(Arc::new(door)));
            }
        }
        Ok(())
    }

    /// Serves a listener until `stop` is cancelled. `door` is the deployment if the listener is on its own
    /// port.
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
                    // The client left before it was accepted, or there is no file descriptor left. The latter
                    // passes when a connection ends, and must not cause a busy loop.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        };
        self.tasks.spawn_on(accepting, &self.runtime);
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
        let key = std::str::from_utf8(find_header(headers, "authorization")?).ok()?;
        let key = key.split_ascii_whitespace().last()?;
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
