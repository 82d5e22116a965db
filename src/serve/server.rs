//! Starts and stops the server.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use http::Request;

use super::{
    access::{AllowedHosts, HostName},
    armed_mocks::ArmedMocks,
    catalogue, reply, routes,
};
use crate::{
    scenario::Library,
    upstream::{Fallback, Upstream},
};

/// A running server with the mock providers and the control API. Dropping it stops it without waiting.
pub struct Server {
    mocks: Arc<ArmedMocks>,
}

impl Server {
    /// Starts a server on `listen` (port 0 for a free one). Clients can arm the scenarios of `library` by
    /// name.
    ///
    /// The control API accepts requests for a loopback host, for the address itself, and for the `allowed`
    /// hosts. It rejects requests that a browser sends for pages of other origins.
    ///
    /// # Errors
    /// If the address cannot be bound.
    pub async fn start(listen: SocketAddr, library: Library, allowed: Vec<HostName>) -> io::Result<Self> {
        let upstream = Upstream::start_at(listen, None).await?;
        let catalogue = catalogue::open(&upstream)?;
        let access = AllowedHosts::new(upstream.address(), allowed);
        let mocks = Arc::new_cyclic(|mocks| {
            upstream.fall_back_to(fallback(mocks.clone()));
            ArmedMocks::new(upstream, catalogue, library, access)
        });
        Ok(Self { mocks })
    }

    /// The address on which the server listens.
    pub fn address(&self) -> SocketAddr {
        self.mocks.address()
    }

    /// The armed mocks.
    pub(crate) fn mocks(&self) -> &Arc<ArmedMocks> {
        &self.mocks
    }

    /// Ends every connection and the listener, and returns when they are gone.
    pub async fn shutdown(self) {
        self.mocks.shutdown().await;
    }
}

/// The handler for requests that are not for a mock. It holds only a weak reference, since the mock server
/// must not keep its owner alive.
fn fallback(mocks: Weak<ArmedMocks>) -> Fallback {
    let router = routes::router();
    Arc::new(move |request: Request<Option<Bytes>>| {
        let (mocks, router) = (mocks.upgrade(), router.clone());
        Box::pin(async move {
            match mocks {
                Some(mocks) => routes::answer(router, mocks, request).await,
                None => reply::ending(),
            }
        })
    })
}
