//! The listener of the embedded proxy: accepts connections, and ends all of them at once.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    io,
    net::SocketAddr,
    sync::Arc,
};

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::{
    EmbeddedProxy, attempt,
    cooldown::CooldownMemory,
    extension::ProxyStep,
    handler::handle,
    reply::{ProxyReply, ReplyBody, SessionSource},
    secrets::Secrets,
    session,
    shared::ProxyShared,
    tasks::Tasks,
};
use crate::proxy::{InstanceSettings, ProxyRoute};

/// A running embedded proxy. Dropping it ends its listener and all of its connections.
#[derive(Debug)]
pub(crate) struct Builtin {
    address: SocketAddr,
    proxy_key: String,
    tasks: Tasks,
}

impl Builtin {
    /// Starts a proxy on a free loopback port. When this returns, the proxy accepts requests.
    ///
    /// Needs a Tokio runtime, on which the proxy then runs. Over TLS the proxy trusts only upstreams whose
    /// certificate is signed by the authority `ca` (PEM).
    ///
    /// # Errors
    ///
    /// If no port can be bound, the HTTP client cannot be set up, `ca` is not a certificate, or the defect
    /// would stop this process.
    pub(crate) async fn start(
        routes: Arc<[ProxyRoute]>,
        settings: InstanceSettings,
        ca: Option<&str>,
        which: EmbeddedProxy,
    ) -> io::Result<Self> {
        if which.stops_the_process() {
            return Err(io::Error::other(format!("`{which}` needs a separate process")));
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        Self::start_on(listener, fresh_key(), routes, settings, ca, which)
    }

    /// Starts a proxy on a socket that already listens, with a key that callers already know.
    pub(super) fn start_on(
        listener: TcpListener,
        proxy_key: String,
        routes: Arc<[ProxyRoute]>,
        settings: InstanceSettings,
        ca: Option<&str>,
        which: EmbeddedProxy,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let extension = which.extension();
        let tasks = Tasks::default();
        let mut by_model = HashMap::new();
        for (index, route) in routes.iter().enumerate() {
            by_model.entry(route.model.clone()).or_insert(index);
        }
        let shared = Arc::new(ProxyShared {
            outbound: attempt::UpstreamClient {
                client: attempt::client(ca, extension.takes(ProxyStep::CheckCertificate))
                    .map_err(io::Error::other)?,
                follow_redirects: extension.takes(ProxyStep::FollowRedirect),
                decompress: extension.takes(ProxyStep::Decompress),
                trust_body_headers: extension.takes(ProxyStep::TrustBodyHeaders),
            },
            secrets: Arc::new(Secrets::of(routes.clone())),
            routes,
            by_model,
            proxy_key: proxy_key.clone(),
            cooldowns: CooldownMemory::new(settings.cooldown, extension.clone()),
            extension,
            tasks: tasks.clone(),
        });
        tasks.spawn(Server { shared }.accept(listener));
        Ok(Self { address, proxy_key, tasks })
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn root(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The key that callers must send as `Authorization: Bearer KEY`. Each start generates a new one.
    pub(crate) fn proxy_key(&self) -> &str {
        &self.proxy_key
    }

    /// Ends the listener and all connections at once, and returns when they are gone.
    pub(crate) async fn stop(self) {
        self.tasks.cancel();
        self.tasks.gone().await;
    }
}

impl Drop for Builtin {
    fn drop(&mut self) {
        self.tasks.cancel();
    }
}

/// Generates a key that no caller can know beforehand. It protects a loopback port for the time of a run; the
/// seed of the standard library's hash maps is random enough for that.
fn fresh_key() -> String {
    let part = || RandomState::new().hash_one(std::process::id());
    format!("sk-upfault-{:016x}{:016x}", part(), part())
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

#[derive(Debug, Clone)]
struct Server {
    shared: Arc<ProxyShared>,
}

impl Server {
    async fn accept(self, listener: TcpListener) {
        loop {
            let socket = match listener.accept().await {
                Ok((socket, _)) => socket,
                Err(_) => {
                    // The process is probably out of file descriptors; wait until some are closed.
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                    continue;
                }
            };
            // Disable Nagle's algorithm: small frames must not wait for each other.
            let _ = socket.set_nodelay(true);
            let server = self.clone();
            self.shared.tasks.spawn(async move {
                let service = service_fn(|request| {
                    let server = server.clone();
                    async move {
                        let response = server.respond(request).await;
                        // hyper closes the connection without a response after an error.
                        response.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionAborted))
                    }
                });
                // An error means that the caller has left, so there is no one to send it to.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(socket), service)
                    .with_upgrades()
                    .await;
            });
        }
    }

    /// Answers one request. If the caller leaves, hyper drops this future or the body that it returned, and
    /// with it the upstream request.
    async fn respond(&self, mut request: http::Request<Incoming>) -> Option<Response<Body>> {
        let shared = self.shared.clone();
        let session = session::key(&request).map(|key| (key, hyper::upgrade::on(&mut request)));
        let mut reply = handle(shared, request).await;
        if let (Some((key, caller)), ReplyBody::Session(source)) = (session, &mut reply.body) {
            let source = std::mem::replace(source, SessionSource::Absent(None));
            session::switching(&mut reply, &key);
            self.shared.tasks.spawn(session::relay(self.shared.clone(), caller, source));
        }
        written(reply)
    }
}

/// The response; `None` if the caller gets none.
fn written(reply: ProxyReply) -> Option<Response<Body>> {
    let whole = |bytes| Full::new(bytes).map_err(|never| match never {}).boxed_unsync();
    let body = match reply.body {
        ReplyBody::Whole(bytes) => whole(bytes),
        ReplyBody::Stream(pieces) => BodyExt::boxed_unsync(StreamBody::new(pieces.map_ok(Frame::data))),
        // Without a WebSocket to the caller there is nothing to relay.
        ReplyBody::Session(_) => whole(Bytes::new()),
        ReplyBody::Nothing => return None,
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in reply.headers {
        // An upstream header that is not valid in a response is left out.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    Some(response)
}
