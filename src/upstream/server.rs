//! The mock servers, from their start to their shutdown.

use std::{io, net::SocketAddr, sync::Arc};

use super::{
    armed_case::ArmedCase,
    case::{Armed, MockCase},
    deployment::OwnPorts,
    deployment_port,
    fallback::Fallback,
    ledger_budget::{LedgerBounds, LedgerMode},
    listener::{accept, open_serving},
    server_state::ServerState,
};
use crate::{observation::Stray, scenario::Transport};

/// The mock providers: one listener on a loopback port for all deployments that do not need their own.
///
/// [`shutdown`](Self::shutdown) waits until every connection has ended. Dropping this value also ends them,
/// without waiting.
pub struct Upstream {
    pub(super) shared: Arc<ServerState>,
}

impl Upstream {
    /// Binds a free port on 127.0.0.1 and serves it.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start() -> io::Result<Self> {
        Self::serve(deployment_port::listen(0)?, None)
    }

    /// Binds this address and serves it. For a proxy that is already configured. `reached_at` is the host and port by
    /// which the proxy reaches the address, if it differs: the proxy may run in a container.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn start_at(address: SocketAddr, reached_at: Option<&str>) -> io::Result<Self> {
        Self::serve(tokio::net::TcpListener::bind(address).await?, reached_at)
    }

    fn serve(listener: tokio::net::TcpListener, reached_at: Option<&str>) -> io::Result<Self> {
        let listener = Arc::new(listener);
        let shared = Arc::new(ServerState::new(listener.local_addr()?, reached_at));
        accept(&shared, listener, shared.stop.clone(), None);
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

    /// Like [`arm`](Self::arm), for many cases without state: they have no ledger, and every attempt gets the first turn. For
    /// cases that are open to any number of clients for any time.
    ///
    /// A case takes the place of one with the same token, so that every request finds one of them. The old one can be dropped
    /// then.
    ///
    /// # Errors
    /// As [`arm`](Self::arm). Then nothing changes.
    pub(crate) fn arm_stateless(&self, armed: Vec<Armed>) -> io::Result<Vec<ArmedCase>> {
        let open = |armed| {
            let case = self.new_case(armed, LedgerMode::Nothing, &mut OwnPorts::Free)?;
            let armed = ArmedCase::new(case.clone(), self.shared.clone());
            open_serving(&self.shared, &case)?;
            Ok((case, armed))
        };
        let opened = armed.into_iter().map(open).collect::<io::Result<Vec<_>>>()?;
        let (cases, armed): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
        self.shared.admit_instead(&cases);
        Ok(armed)
    }

    /// Sets the handler of requests for paths that belong to no case. Only the first call has an effect.
    pub fn fall_back_to(&self, fallback: Fallback) {
        let _ = self.shared.fallback.set(fallback);
    }

    fn enter(&self, armed: Armed, keep: LedgerMode, ports: &mut OwnPorts) -> io::Result<ArmedCase> {
        let case = self.new_case(armed, keep, ports)?;
        self.shared.admit(&case)?;
        let armed = ArmedCase::new(case.clone(), self.shared.clone());
        open_serving(&self.shared, &case)?;
        Ok(armed)
    }

    fn new_case(&self, armed: Armed, keep: LedgerMode, ports: &mut OwnPorts) -> io::Result<Arc<MockCase>> {
        if armed.transport != Transport::Plain {
            // Report a missing authority here, not on every connection.
            self.shared.authority()?;
        }
        Ok(Arc::new(MockCase::new(armed, keep, ports, self.shared.stop.child_token())?))
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
