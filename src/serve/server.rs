//! The server from its start to its end.

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

/// The mock providers with their control API. Dropping it ends it without waiting.
pub struct Server {
    armory: Arc<ArmedMocks>,
}

impl Server {
    /// Binds `listen` (port 0 for a free one) and serves it. The scenarios of `library` can be armed
    /// by their names. The control API answers for a loopback host, for the address itself, and for the
    /// `allowed` hosts; it refuses requests that a browser sends for pages of other origins.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(listen: SocketAddr, library: Library, allowed: Vec<HostName>) -> io::Result<Self> {
        let upstream = Upstream::start_at(listen).await?;
        let catalogue = catalogue::open(&upstream)?;
        let access = AllowedHosts::new(upstream.address(), allowed);
        let armory = Arc::new_cyclic(|armory| {
            upstream.fall_back_to(fallback(armory.clone()));
            ArmedMocks::new(upstream, catalogue, library, access)
        });
        Ok(Self { armory })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.armory.address()
    }

    /// The armed mocks.
    pub(crate) fn mocks(&self) -> &Arc<ArmedMocks> {
        &self.armory
    }

    /// Ends every connection and the listener, and returns when they are gone.
    pub async fn shutdown(self) {
        self.armory.shutdown().await;
    }
}

/// The mock must not keep alive who owns it.
fn fallback(armory: Weak<ArmedMocks>) -> Fallback {
    let router = routes::router();
    Arc::new(move |request: Request<Option<Bytes>>| {
        let (armory, router) = (armory.upgrade(), router.clone());
        Box::pin(async move {
            match armory {
                Some(armory) => routes::answer(router, armory, request).await,
                None => reply::ending(),
            }
        })
    })
}
