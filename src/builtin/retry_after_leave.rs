//! Defects that continue or retry a request after its caller has left. The honest proxy stops at once.

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
    upstream_request::CallerRequest,
};
use crate::proxy::ProxyRoute;

/// The wait before the retry for a caller that has left.
const PAUSE: Duration = Duration::from_secs(1);

/// Handles a request to its end, even if its caller leaves.
pub(super) async fn answer_anyhow<B>(shared: Arc<ProxyShared>, request: http::Request<B>) -> ProxyReply
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (sender, receiver) = oneshot::channel();
    let tasks = shared.tasks.clone();
    tasks.spawn(async move {
        let mut reply = handle(shared, request).await;
        let relay = match reply.body {
            ReplyBody::Stream(relay) => relay,
            body => {
                reply.body = body;
                let _ = sender.send(reply);
                return;
            }
        };
        let (pieces, out) = mpsc::unbounded_channel();
        reply.body = ReplyBody::Detached(out);
        let _ = sender.send(reply);
        drain(relay, &pieces).await;
    });
    match receiver.await {
        Ok(reply) => reply,
        // The instance is shutting down, and with it this connection.
        Err(_) => std::future::pending().await,
    }
}

async fn drain(mut relay: Box<StreamRelay>, pieces: &mpsc::UnboundedSender<Bytes>) {
    while let Some(bytes) = relay.next().await {
        // Keep reading even if the caller has left and the receiver is gone.
        let _ = pieces.send(bytes);
    }
}

/// When dropped without [`disarm`](Self::disarm), sends one more attempt: the caller has left while the
/// request was being tried.
pub(super) struct RetryAfterLeave {
    armed: Option<(Arc<ProxyShared>, ProxyRoute, CallerRequest)>,
}

impl RetryAfterLeave {
    pub(super) fn new(shared: &Arc<ProxyShared>, route: &ProxyRoute, call: &CallerRequest) -> Self {
        let wanted = shared.rules.retries_after_leave && route.settings.retries > 0;
        Self { armed: wanted.then(|| (shared.clone(), route.clone(), call.clone())) }
    }

    /// Cancels the extra attempt: the caller did not leave.
    pub(super) fn disarm(&mut self) {
        self.armed = None;
    }
}

impl Drop for RetryAfterLeave {
    fn drop(&mut self) {
        let Some((shared, route, call)) = self.armed.take() else { return };
        let tasks = shared.tasks.clone();
        tasks.spawn(async move {
            sleep(PAUSE).await;
            let _ = attempt::attempt(&shared.outbound, &route, &call, shared.limit(&route)).await;
        });
    }
}
