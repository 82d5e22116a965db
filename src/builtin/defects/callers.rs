//! Defects in how requests are run: one at a time, or on behalf of a caller that has left.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, future::BoxFuture, stream};
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    time::sleep,
};

use crate::{
    builtin::{
        extension::Extension,
        reply::{ProxyReply, ReplyBody},
        tasks::Tasks,
    },
    proxy::ProxyRoute,
};

/// Reads a request only after it has answered the previous one.
#[derive(Debug, Default)]
pub(super) struct OneRequestAtATime(Arc<Mutex<()>>);

impl Extension for OneRequestAtATime {
    fn request(&self, _: &Tasks, reply: BoxFuture<'static, ProxyReply>) -> BoxFuture<'static, ProxyReply> {
        let turn = self.0.clone();
        Box::pin(async move {
            let _turn = turn.lock().await;
            reply.await
        })
    }
}

/// Continues a request after its caller has left.
#[derive(Debug)]
pub(super) struct CallerOutlived;

impl Extension for CallerOutlived {
    fn request(
        &self,
        tasks: &Tasks,
        reply: BoxFuture<'static, ProxyReply>,
    ) -> BoxFuture<'static, ProxyReply> {
        let (sender, receiver) = oneshot::channel();
        tasks.spawn(async move {
            let mut reply = reply.await;
            let ReplyBody::Stream(mut pieces) = reply.body else {
                let _ = sender.send(reply);
                return;
            };
            let (kept, out) = mpsc::unbounded_channel();
            let out = stream::unfold(out, async |mut out| Some((out.recv().await?, out)));
            reply.body = ReplyBody::Stream(out.boxed());
            let _ = sender.send(reply);
            while let Some(piece) = pieces.next().await {
                // Keep reading even if the caller has left and the receiver is gone.
                let _ = kept.send(piece);
            }
        });
        Box::pin(async move {
            match receiver.await {
                Ok(reply) => reply,
                // The instance is shutting down, and with it this connection.
                Err(_) => std::future::pending().await,
            }
        })
    }
}

/// Retries a request after its caller has left.
#[derive(Debug)]
pub(super) struct RetriedAfterLeave;

/// The wait before the retry.
const PAUSE: Duration = Duration::from_secs(1);

impl Extension for RetriedAfterLeave {
    fn when_left(
        &self,
        route: &ProxyRoute,
        again: &dyn Fn() -> BoxFuture<'static, ()>,
    ) -> Option<BoxFuture<'static, ()>> {
        if route.settings.retries == 0 {
            return None;
        }
        let again = again();
        Some(Box::pin(async move {
            sleep(PAUSE).await;
            again.await;
        }))
    }
}
