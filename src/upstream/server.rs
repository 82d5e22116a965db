//! The listener that serves every case, and the way from a path to its deployment.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use tokio::{net::TcpListener, runtime::Handle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    case::{Armed, ArmedCase, Case},
    connection,
    fallback::Fallback,
    ledger::Keep,
    port,
};

/// The mock providers: one listener on a loopback port of its own.
///
/// [`shutdown`](Self::shutdown) waits until every connection is gone. Dropping it ends them too,
/// without waiting.
pub struct Upstream {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) address: SocketAddr,
    pub(super) runtime: Handle,
    /// By token.
    cases: RwLock<HashMap<String, Arc<Case>>>,
    /// For every other path.
    pub(super) fallback: OnceLock<Fallback>,
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
        Self::serve(port::listen(0)?)
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
        let shared = Arc::new(Shared {
            address: listener.local_addr()?,
            runtime: Handle::current(),
            cases: RwLock::default(),
            fallback: OnceLock::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        shared.accept(listener, shared.stop.clone());
        Ok(Self { shared })
    }

    /// Where the deployments are found that don't refuse connections.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Answers for a case until the handle is dropped.
    ///
    /// # Errors
    /// When a port for a deployment that refuses connections cannot be had, or when the case's
    /// token is in use.
    pub fn arm(&self, armed: Armed) -> io::Result<ArmedCase> {
        self.enter(armed, Keep::Everything)
    }

    /// The same without a memory: no ledger, every attempt is the first, and so is every turn. For
    /// what stands open to any number of clients for any time.
    ///
    /// # Errors
    /// As [`arm`](Self::arm).
    pub fn arm_stateless(&self, armed: Armed) -> io::Result<ArmedCase> {
        self.enter(armed, Keep::Nothing)
    }

    /// Has somebody else answer requests under paths that belong to no case. Only the first call
    /// counts.
    pub fn fall_back_to(&self, fallback: Fallback) {
        let _ = self.shared.fallback.set(fallback);
    }

    fn enter(&self, armed: Armed, keep: Keep) -> io::Result<ArmedCase> {
        let case = Arc::new(Case::new(armed, keep, self.shared.stop.child_token())?);
        let mut cases = self.shared.cases.write().unwrap_or_else(PoisonError::into_inner);
        match cases.entry(case.identity.token.clone()) {
            Entry::Vacant(entry) => entry.insert(case.clone()),
            Entry::Occupied(entry) => {
                let message = format!("a case with the token {} is armed already", entry.key());
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
            }
        };
        Ok(ArmedCase::new(case, self.shared.clone()))
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

impl Shared {
    /// Serves a listener until `stop` is cancelled.
    pub(super) fn accept(self: &Arc<Self>, listener: Arc<TcpListener>, stop: CancellationToken) {
        let shared = self.clone();
        let accepting = async move {
            while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
                match accepted {
                    Ok((stream, _)) => {
                        let serving = connection::serve(stream, shared.clone(), stop.clone());
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
    pub(super) fn find<'a>(&self, path: &'a str) -> Option<(Arc<Case>, usize, &'a str)> {
        let (token, below) = path.strip_prefix('/')?.split_once('/')?;
        // A proxy may take a base URL for a model's and append the verb: `…/main:generateContent`.
        let end = below.find(['/', '?', ':']).unwrap_or(below.len());
        let (name, rest) = below.split_at(end);
        let case = self.cases.read().unwrap_or_else(PoisonError::into_inner).get(token)?.clone();
        let deployment = case.deployments.iter().position(|deployment| deployment.name == name)?;
        Some((case, deployment, rest))
    }

    pub(super) fn disarm(&self, case: &Arc<Case>) {
        let mut cases = self.cases.write().unwrap_or_else(PoisonError::into_inner);
        let token = &case.identity.token;
        if cases.get(token).is_some_and(|known| Arc::ptr_eq(known, case)) {
            cases.remove(token);
        }
        drop(cases);
        case.stop.cancel();
    }
}
