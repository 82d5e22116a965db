//! The servers that run in the measured processes.

use std::{
    convert::Infallible,
    io::{BufRead, Write},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::mpsc, time::Instant};
use upfault::internals::{
    provider::MessageBody,
    scenario::{Api, Combination, Provider, Transport},
    upstream::{Armed, ArmedCase, Upstream},
};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use crate::{
    child::Role,
    figure::Failure,
    kind::{BEFORE_HANG, DELAY, DEPLOYMENT, Kind, identity},
};

/// The first argument of a server process.
pub const COMMAND: &str = "serve";

/// The command that makes a server discard its records.
pub const RESET: &str = "reset";

/// The command that makes a server end all connections. It responds with the seconds that this took.
pub const SHUT_DOWN: &str = "shut-down";

/// Prints the address of the server, executes commands from standard input (one per line), and returns at the end of the
/// input. It uses a single thread, so that scheduling does not affect the figures.
pub fn serve(args: &[String]) -> Result<(), Failure> {
    let role = Role::ALL.into_iter().find(|role| Some(role.name()) == args.first().map(String::as_str));
    let kind = Kind::ALL.into_iter().find(|kind| Some(kind.name()) == args.get(1).map(String::as_str));
    let (role, kind) = role.zip(kind).ok_or("a server needs a role and a kind")?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(role, kind))
}

async fn run(role: Role, kind: Kind) -> Result<(), Failure> {
    let server = match role {
        Role::Bare => Running::Bare(bare(kind, http1::Builder::new()).await?),
        Role::BareFlat => {
            let mut builder = http1::Builder::new();
            builder.writev(false);
            Running::Bare(bare(kind, builder).await?)
        }
        Role::Mock => {
            let upstream = Upstream::start().await?;
            let case = upstream.arm(Armed {
                providers: indexmap::IndexMap::new(),
                identity: identity(),
                combination: Combination {
                    api: Api::OpenaiChat,
                    provider: Provider::Openai,
                    stream: kind.streams(),
                },
                deployments: Arc::new([(DEPLOYMENT.to_owned(), vec![kind.turn()])].into()),
                transport: Transport::Plain,
                account: None,
                seed: 0,
            })?;
            Running::Mock(upstream, case)
        }
        Role::Wiremock => {
            let server = MockServer::start().await;
            server.register(matching(kind)).await;
            Running::Wiremock(server, kind)
        }
    };
    say(&server.address())?;
    let mut commands = commands();
    while let Some(command) = commands.recv().await {
        match command.as_str() {
            RESET => {
                server.reset().await;
                say(&"done")?;
            }
            SHUT_DOWN => {
                say(&server.shut_down().await.as_secs_f64())?;
                break;
            }
            other => return Err(format!("unknown command for a server: {other}").into()),
        }
    }
    Ok(())
}

enum Running {
    Bare(SocketAddr),
    Mock(Upstream, ArmedCase),
    Wiremock(MockServer, Kind),
}

impl Running {
    fn address(&self) -> SocketAddr {
        match self {
            Self::Bare(address) => *address,
            Self::Mock(upstream, _) => upstream.address(),
            Self::Wiremock(server, _) => *server.address(),
        }
    }

    async fn reset(&self) {
        match self {
            Self::Bare(_) => {}
            Self::Mock(_, case) => case.begin(Instant::now()),
            Self::Wiremock(server, kind) => {
                server.reset().await;
                server.register(matching(*kind)).await;
            }
        }
    }

    async fn shut_down(self) -> Duration {
        let began = Instant::now();
        match self {
            Self::Mock(upstream, _) => upstream.shutdown().await,
            Self::Bare(_) | Self::Wiremock(..) => {}
        }
        began.elapsed()
    }
}

/// The lines of standard input. The channel closes at the end of the input.
fn commands() -> mpsc::UnboundedReceiver<String> {
    let (sender, commands) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    commands
}

fn say(what: &dyn std::fmt::Display) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what}")?;
    out.flush()
}

type BareBody = Either<Full<Bytes>, StreamBody<stream::BoxStream<'static, Result<Frame<Bytes>, Infallible>>>>;

/// A minimal hyper server that sends the reply of `kind`.
async fn bare(kind: Kind, builder: http1::Builder) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let message = kind.message();
    let status = StatusCode::from_u16(message.status).unwrap_or_default();
    let headers: http::HeaderMap = message
        .headers
        .iter()
        .filter_map(|(name, value)| {
            Some((HeaderName::try_from(&**name).ok()?, HeaderValue::try_from(&**value).ok()?))
        })
        .collect();
    let body = message.body;
    let service = async move |request: Request<Incoming>| -> Result<Response<BareBody>, hyper::Error> {
        request.into_body().collect().await?;
        if kind == Kind::Delayed {
            tokio::time::sleep(DELAY).await;
        }
        let mut response = Response::new(bare_body(kind, &body));
        *response.status_mut() = status;
        response.headers_mut().clone_from(&headers);
        Ok(response)
    };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let (service, builder) = (service.clone(), builder.clone());
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let service = service.clone();
                    async move { service(request).await }
                });
                builder.serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    Ok(address)
}

fn bare_body(kind: Kind, body: &MessageBody) -> BareBody {
    match body {
        MessageBody::Whole(bytes) => Either::Left(Full::new(bytes.clone())),
        MessageBody::Events { events, terminator } => {
            let mut frames: Vec<Bytes> = events.iter().chain(terminator).cloned().collect();
            let frame = |bytes| Ok(Frame::data(bytes));
            Either::Right(StreamBody::new(if kind == Kind::Hung {
                frames.truncate(BEFORE_HANG);
                stream::iter(frames).map(frame).chain(stream::pending()).boxed()
            } else {
                stream::iter(frames).map(frame).boxed()
            }))
        }
        MessageBody::Session { .. } | MessageBody::Chunks(_) => unreachable!("no kind of reply here is that"),
    }
}

/// A wiremock server that sends the reply of `kind`. wiremock cannot stream, so it sends the same bytes in one piece.
fn matching(kind: Kind) -> Mock {
    let message = kind.message();
    let body = match &message.body {
        MessageBody::Whole(bytes) => bytes.to_vec(),
        MessageBody::Events { events, terminator } => {
            events.iter().chain(terminator).flat_map(|bytes| bytes.to_vec()).collect()
        }
        MessageBody::Session { .. } | MessageBody::Chunks(_) => unreachable!("no kind of reply here is that"),
    };
    let content_type = message.header("content-type").unwrap_or_default();
    let mut template = ResponseTemplate::new(message.status).set_body_raw(body, content_type);
    for (name, value) in message.headers.iter().filter(|(name, _)| **name != *"content-type") {
        template = template.append_header(&**name, &**value);
    }
    Mock::given(any()).respond_with(template)
}
