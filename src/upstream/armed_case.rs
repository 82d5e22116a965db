//! The handle of a case that the mock is armed with.

use std::{io, net::SocketAddr, sync::Arc};

use indexmap::IndexMap;
use tokio::time::Instant;

use super::{
    case::MockCase,
    deployment::{Deployment, OwnPorts, is_unresolvable, own_port, scheme},
    listener::open,
    server_state::ServerState,
};
use crate::{
    observation::{Attempt, Identity, Stray},
    provider,
    scenario::{Provider, Transport, Turn},
};

/// A case that the mock is armed with. Dropping it disarms the case and closes its open connections.
pub struct ArmedCase {
    case: Arc<MockCase>,
    shared: Arc<ServerState>,
}

/// Returns the base URL of a deployment without its own port, for a mock that is reached at `host` (`127.0.0.1:PORT`), in
/// the form that the provider's SDK expects: `http://127.0.0.1:PORT/TOKEN/DEPLOYMENT/v1` for openai.
pub(crate) fn base_url(host: &str, provider: Provider, identity: &Identity, deployment: &str) -> String {
    url("http", host, provider, identity, deployment)
}

/// Returns the base URL of every deployment of a case that is armed on a mock at `address` with
/// [`OwnPorts::After`] its port.
///
/// # Errors
/// If a deployment needs a port after the last one.
pub(crate) fn planned_base_urls(
    address: SocketAddr,
    provider: Provider,
    transport: Transport,
    identity: &Identity,
    deployments: &IndexMap<String, Vec<Turn>>,
) -> io::Result<IndexMap<String, String>> {
    let mut ports = OwnPorts::After(address.port());
    let mut urls = IndexMap::new();
    for (name, turns) in deployments {
        let own = own_port(turns, transport).map(|_| ports.next()).transpose()?;
        let address = SocketAddr::new(address.ip(), own.unwrap_or(address.port()));
        let host = host(address, is_unresolvable(turns), identity);
        urls.insert(name.clone(), url(scheme(transport), &host, provider, identity, name));
    }
    Ok(urls)
}

/// The host and port in the URL of a deployment at `address`.
fn host(address: SocketAddr, unresolvable: bool, identity: &Identity) -> String {
    match unresolvable {
        true => format!("{}.upfault.invalid:{}", identity.token, address.port()),
        false => address.to_string(),
    }
}

fn url(scheme: &str, host: &str, provider: Provider, identity: &Identity, deployment: &str) -> String {
    format!("{scheme}://{host}/{}{}", identity.path(deployment), provider::base_path(provider))
}

impl ArmedCase {
    pub(super) fn new(case: Arc<MockCase>, shared: Arc<ServerState>) -> Self {
        Self { case, shared }
    }

    /// Returns the base URL of a deployment in the form that the provider's SDK expects:
    /// `http://127.0.0.1:PORT/TOKEN/DEPLOYMENT/v1` for openai, or `https://…` if it uses TLS.
    pub fn base_url(&self, deployment: &str) -> String {
        let known = self.case.deployments.iter().find(|known| known.name == deployment);
        let scheme = known.map_or("http", Deployment::scheme);
        let provider = known.map_or(self.case.combination.provider, |known| known.provider);
        url(scheme, &self.host(deployment), provider, &self.case.identity, deployment)
    }

    /// Returns `127.0.0.1:PORT` of a deployment. If its name does not resolve, returns the address that
    /// deployments without their own port share.
    pub fn address(&self, deployment: &str) -> SocketAddr {
        let shared = self.shared.address;
        let known = self.case.deployments.iter().find(|known| known.name == deployment);
        match known.and_then(|known| known.own.as_ref()) {
            Some(own) => SocketAddr::new(shared.ip(), own.port()),
            None => shared,
        }
    }

    /// Returns the host and port in a deployment's URL: `127.0.0.1:PORT`, or `TOKEN.upfault.invalid:PORT` if
    /// its name must not resolve (RFC 6761 section 6.4).
    pub fn host(&self, deployment: &str) -> String {
        let address = self.address(deployment);
        let known = self.case.deployments.iter().find(|known| known.name == deployment);
        let is_shared = known.is_none_or(|known| known.own.is_none());
        match known.is_some_and(|known| known.unresolvable) {
            false if is_shared => self.shared.reached_at.clone(),
            unresolvable => host(address, unresolvable, &self.case.identity),
        }
    }

    /// Returns the [`host`](Self::host) of every deployment, without duplicates.
    pub fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<_> =
            self.case.deployments.iter().map(|deployment| self.host(&deployment.name)).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// Starts a new run: with an empty ledger, the first turns and an unused account, and not healed any
    /// more. Times are measured from `epoch`. Events on connections of an earlier run do not appear in the
    /// new ledger, and canaries of an earlier run do not occur again.
    pub fn begin(&self, epoch: Instant) {
        self.case.begin(epoch);
    }

    /// Heals the case: from now on every deployment sends successful responses, whatever the account says.
    /// Ports that refused or did not accept connections accept them. Replies that have already begun follow
    /// their plans.
    ///
    /// # Errors
    /// If a port cannot be listened on, or the name of a deployment does not resolve, which cannot be healed.
    pub fn heal(&self) -> io::Result<()> {
        self.case.run().heal();
        open(&self.shared, &self.case)?;
        match self.case.deployments.iter().find(|deployment| deployment.unresolvable) {
            Some(deployment) => {
                let message =
                    format!("the name of `{}` does not resolve, which cannot be healed", deployment.name);
                Err(io::Error::new(io::ErrorKind::Unsupported, message))
            }
            None => Ok(()),
        }
    }

    /// Returns a copy of the ledger: the attempts in order of arrival.
    ///
    /// A request that the proxy did not send to its end does not count as an attempt. If a fault affects a
    /// connection before a request is read, the attempt has no method.
    pub fn attempts(&self) -> Vec<Attempt> {
        let name = |deployment: usize| self.case.deployments[deployment].name.as_str();
        self.case.run().attempts(&self.case.identity, name)
    }

    /// Empties the ledger, which may be large, after the last look at it. Events on open connections are recorded no more.
    pub(crate) fn forget(&self) {
        self.case.forget();
    }

    /// Returns the connections to its deployments that did not become an attempt: invalid or incomplete
    /// requests.
    pub fn strays(&self) -> Vec<Stray> {
        self.shared.strays.of(Some(&self.case.identity.token))
    }

    /// Returns the number of attempts in the ledger of this run.
    pub fn arrived(&self) -> usize {
        self.case.run().arrived()
    }

    /// Returns the number of further attempts of this run, for which the ledger had no room.
    pub fn not_kept(&self) -> usize {
        self.case.run().not_kept()
    }

    /// Returns the number of attempts in the ledger whose replies have not ended yet.
    pub fn open_attempts(&self) -> usize {
        self.case.run().open_attempts()
    }
}

impl Drop for ArmedCase {
    fn drop(&mut self) {
        self.shared.disarm(&self.case);
    }
}
