//! From a request to the plan of its answer.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE, request::Parts};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use serde_json::json;
use tokio::time::Instant;

use super::{
    case::{Case, Claim},
    entrance::Visit,
    ledger::{Arrival, Recorder},
    line::{Line, Takeover},
    perform::{Performance, perform},
    raw::Order,
    received::ReceivedRequest,
    server::Shared,
};
use crate::{
    fault::{self, Context, Origin, Plan, WireAction},
    observation::Canaries,
    provider::{self, Admission, Asked, MAX_REQUEST_BYTES, Message, Received},
    scenario::{ConnectionFault, Fault, Provider, Stage, TlsFault, Turn},
};

/// What a mock answers with.
pub(super) type Answer = Either<Performance, Full<Bytes>>;

/// Answers one request. Fails only where the client does not send its request to the end; then
/// there is nobody to tell.
pub(super) async fn answer(
    shared: Arc<Shared>,
    line: Arc<Line>,
    visit: Option<Arc<Visit>>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, hyper::Error> {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    // Read before anything else: unread bytes would turn a FIN into a RST.
    let body = read(body).await?;

    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let Some((case, deployment, rest)) = shared.find(path) else {
        let answer = match shared.fallback.get().cloned() {
            Some(fallback) => fallback(Request::from_parts(parts, body)).await,
            None => nobody(parts.method.as_str(), path),
        };
        return Ok(answer.map(Full::new).map(Either::Right));
    };
    let claim = visit.and_then(|visit| visit.take(&case, deployment));
    let asking = Asking { parts: &parts, path: rest, body: body.as_deref(), arrived };
    let (plan, recorder) = enter(&case, deployment, &asking, claim, shared.address);
    if plan.is_below_http() {
        let order = Order { plan, recorder, run: case.run(), deployment, over: case.stop.clone() };
        line.take_over(Takeover::Perform(Box::new(order)));
        return std::future::pending().await;
    }
    let response = perform(plan, recorder, line, case.stop.clone()).await;
    Ok(response.map(Either::Left))
}

/// A request that has come for a deployment.
pub(super) struct Asking<'a> {
    pub(super) parts: &'a Parts,
    /// Below the deployment's base.
    pub(super) path: &'a str,
    /// `None` where it is larger than the provider takes.
    pub(super) body: Option<&'a [u8]>,
    pub(super) arrived: Instant,
}

/// Enters the request in the ledger and decides what it gets. Where its connection plays a turn it
/// plays that one.
pub(super) fn enter(
    case: &Case,
    deployment: usize,
    asking: &Asking<'_>,
    claim: Option<Claim>,
    address: SocketAddr,
) -> (Plan, Recorder) {
    let Asking { parts, path, body, arrived } = *asking;
    let run = case.run();
    let known = &case.deployments[deployment];
    let name = &known.name;
    let request = ReceivedRequest::of(parts, path, body.unwrap_or_default());
    let (claimed, recorder) = match claim {
        Some(Claim { turn, recorder }) => {
            recorder.asked(request);
            (Some(turn), recorder)
        }
        None => (None, run.open(Arrival { deployment, at: arrived, request }, case.stop.clone())),
    };
    let canaries = case.identity.canaries(name, recorder.n);
    let origin = Origin {
        address,
        token: &case.identity.token,
        deployment: name,
        attempt: recorder.n,
        seed: case.seed,
    };

    let mut plan = match admit(case.combination.provider, path, parts, body, &canaries) {
        Ok(asked) => {
            recorder.asks(&asked);
            let context = Context { asked: &asked, canaries: &canaries, origin };
            let admission = run.admit(&asked, || case.identity.key(name), arrived);
            if let Some(refusal) = admission.refusal(&asked, &canaries) {
                let mut plan = fault::compile(refusal, &[], &context);
                if known.one_each {
                    say_the_last(&mut plan);
                }
                return (plan, recorder);
            }
            let part =
                claimed.map_or_else(|| case.part(&run, deployment), |turn| case.part_of(deployment, turn));
            let mut message = part.message(&asked, &canaries);
            if let Admission::Passes(Some(state)) = admission {
                provider::show_limits(&mut message, asked.provider, &part.turn, &state);
            }
            let mut plan = fault::compile(message, &part.turn.faults, &context);
            if claimed.is_none() {
                strike_late(&mut plan, &part.turn);
            }
            if plan.doubtful {
                recorder.doubts();
            }
            recorder.plays(part.turn.clone());
            plan
        }
        Err((asked, refusal)) => {
            recorder.asks(&asked);
            fault::compile(refusal, &[], &Context { asked: &asked, canaries: &canaries, origin })
        }
    };
    if known.one_each {
        say_the_last(&mut plan);
    }
    (plan, recorder)
}

/// Tells the client that the connection ends with this reply.
fn say_the_last(plan: &mut Plan) {
    for action in &mut plan.actions {
        if let WireAction::Head(head) = action {
            head.headers.push(("connection".to_owned(), "close".to_owned()));
        }
    }
}

/// A turn that was to strike as a connection came in, but whose request comes on one that was open
/// before: it strikes now, as far as it can.
fn strike_late(plan: &mut Plan, turn: &Turn) {
    for fault in turn.faults.iter().filter(|fault| fault.stage() == Stage::Connection) {
        let ending = match fault {
            Fault::Connection(ConnectionFault::SlowAccept(time)) => {
                plan.actions.insert(0, WireAction::Wait(*time));
                continue;
            }
            Fault::Connection(ConnectionFault::ResetAtOnce) => WireAction::Reset,
            Fault::Connection(ConnectionFault::AcceptedSilent)
            | Fault::Tls(TlsFault::HandshakeStall)
            | Fault::Http2(_) => WireAction::Hang,
            _ => WireAction::Close,
        };
        plan.actions = vec![ending];
        return;
    }
}

/// What the request asks for, or the provider's own refusal.
fn admit(
    provider: Provider,
    path: &str,
    parts: &Parts,
    body: Option<&[u8]>,
    canaries: &Canaries,
) -> Result<Asked, (Asked, Message)> {
    let body = body.ok_or_else(|| (Asked::nothing(provider), provider::too_large(provider, canaries)))?;
    let received = Received { method: parts.method.as_str(), path, headers: &parts.headers, body };
    provider::read(provider, &received, canaries)
}

/// The whole body, or `None` where it is larger than the provider takes. It is read to its end all
/// the same, as a client that is still sending would miss the answer.
async fn read(mut body: Incoming) -> Result<Option<Bytes>, hyper::Error> {
    let mut parts: Vec<Bytes> = Vec::new();
    let mut length = 0usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length <= MAX_REQUEST_BYTES {
            parts.push(data);
        } else {
            parts.clear();
        }
    }
    if length > MAX_REQUEST_BYTES {
        return Ok(None);
    }
    Ok(Some(match parts.len() {
        0 | 1 => parts.pop().unwrap_or_default(),
        _ => parts.concat().into(),
    }))
}

/// What a path gets that belongs to no deployment.
pub(super) fn nobody(method: &str, path: &str) -> Response<Bytes> {
    // In the form that most clients can read.
    let message = format!("No mock is armed at this path ({method} {path})");
    let error = json!({"message": message, "type": "invalid_request_error", "param": null, "code": null});
    let mut response = Response::new(json!({ "error": error }).to_string().into());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
