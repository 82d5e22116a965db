//! A response body on its way from the upstream to the client, recorded with the time of each part.

use std::{io, time::Duration};

use bytes::Bytes;
use tokio::{sync::mpsc::UnboundedSender, time::Instant};

use super::{
    exchange::{PassedEnd, PassedExchange},
    upstream_error::io_kind,
};

/// The largest body that is recorded, in bytes. Larger ones are passed on only.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// A body in passing. When it ends, or when it is dropped because the client has left, the exchange is reported.
pub(super) struct PassingBody {
    /// `None` once the exchange has been reported.
    exchange: Option<PassedExchange>,
    upstream: reqwest::Response,
    passed: UnboundedSender<PassedExchange>,
    /// When the last part arrived, or the status line.
    last: Instant,
    length: usize,
    /// The length of the whole body, if it is known: then the client does not ask for more.
    declared: Option<usize>,
}

impl PassingBody {
    pub(super) fn new(
        exchange: PassedExchange,
        upstream: reqwest::Response,
        passed: UnboundedSender<PassedExchange>,
    ) -> Self {
        let bodiless = exchange.method == "HEAD" || matches!(exchange.status(), Some(204 | 304));
        let declared = exchange.reply.as_ref().and_then(|reply| reply.header("content-length")?.parse().ok());
        let declared = if bodiless { Some(0) } else { declared };
        Self { exchange: Some(exchange), upstream, passed, last: Instant::now(), length: 0, declared }
    }

    /// The next part.
    pub(super) async fn next(&mut self) -> Option<io::Result<Bytes>> {
        match self.upstream.chunk().await {
            Ok(Some(bytes)) => {
                self.length += bytes.len();
                let time = self.elapsed();
                let exchange = self.exchange.as_mut().filter(|_| self.length <= MAX_BODY);
                if let Some(reply) = exchange.and_then(|exchange| exchange.reply.as_mut()) {
                    reply.parts.push((time, bytes.clone()));
                }
                Some(Ok(bytes))
            }
            Ok(None) => {
                self.report(PassedEnd::Complete);
                None
            }
            Err(error) => {
                let reset = io_kind(&error) == Some(io::ErrorKind::ConnectionReset);
                self.report(if reset { PassedEnd::Reset } else { PassedEnd::Closed });
                Some(Err(io::Error::other(error)))
            }
        }
    }

    /// The time since the last part.
    fn elapsed(&mut self) -> Duration {
        let now = Instant::now();
        now - std::mem::replace(&mut self.last, now)
    }

    fn report(&mut self, end: PassedEnd) {
        let silence = self.elapsed();
        let Some(mut exchange) = self.exchange.take() else { return };
        exchange.silence = silence;
        exchange.end = match end {
            _ if self.length > MAX_BODY => {
                PassedEnd::NotRepeatable(format!("the body is larger than {MAX_BODY} bytes"))
            }
            PassedEnd::ClientLeft if self.declared == Some(self.length) => PassedEnd::Complete,
            end => end,
        };
        // Without a receiver, the recorder has ended.
        let _ = self.passed.send(exchange);
    }
}

impl Drop for PassingBody {
    fn drop(&mut self) {
        self.report(PassedEnd::ClientLeft);
    }
}
