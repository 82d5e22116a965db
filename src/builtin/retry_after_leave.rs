//! What is done for a caller that has left: honestly nothing. Each thing here is a defect.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

use super::{
    attempt,
    chain::ProxyShared,
    handler::{ProxyReply, ReplyBody, handle},
    relay::StreamRelay,
    upstream_request::Ask,
};
use crate::proxy::ProxyRoute;

/// Before a retry that nobody waits for.
const PAUSE: Duration = Duration::from_secs(1);

/// Answers a request whether or not its caller stays for the answer.
pub(super) async fn answer_anyhow<B>(shared: Arc<ProxyShared>, request: http::Request<B>) -> ProxyReply
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (tell, told) = oneshot::channel();
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        let mut reply = handle(shared, request).await;
        let relay = match reply.body {
            ReplyBody::Stream(relay) => relay,
            body => {
                reply.body = body;
                let _ = tell.send(reply);
                return;
            }
        };
        let (pieces, out) = mpsc::unbounded_channel();
        reply.body = ReplyBody::Detached(out);
        let _ = tell.send(reply);
        drain(relay, &pieces).await;
    });
    match told.await {
        Ok(reply) => reply,
        // The instance is ending, and this connection with it.
        Err(_) => std::future::pending().await,
    }
}

async fn drain(mut relay: Box<StreamRelay>, pieces: &mpsc::UnboundedSender<Bytes>) {
    while let Some(bytes) = relay.next().await {
        // Read on, though nobody takes it.
        let _ = pieces.send(bytes);
    }
}

/// One more try that is made if the caller leaves while a request is tried.
pub(super) struct RetryAfterLeave {
    armed: Option<(Arc<ProxyShared>, ProxyRoute, Ask)>,
}

impl RetryAfterLeave {
    pub fn new(shared: &Arc<ProxyShared>, route: &ProxyRoute, ask: &Ask) -> Self {
        let wanted = shared.rules.retries_after_leave && route.retries > 0;
        Self { armed: wanted.then(|| (shared.clone(), route.clone(), ask.clone())) }
    }

    /// The caller has its answer.
    pub fn disarm(&mut self) {
        self.armed = None;
    }
}

impl Drop for RetryAfterLeave {
    fn drop(&mut self) {
        let Some((shared, route, ask)) = self.armed.take() else { return };
        let tasks = shared.tasks.clone();
        tasks.spawn(async move {
            sleep(PAUSE).await;
            let _ = attempt::attempt(&shared.outbound, &route, &ask, shared.limit(&route)).await;
        });
    }
}
