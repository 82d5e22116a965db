//! Reads a request and decides the plan of its reply.

use std::{cell::LazyCell, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_TYPE, SEC_WEBSOCKET_KEY},
    request::Parts,
};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use serde_json::json;
use tokio::time::Instant;

use super::{
    case::{ClaimedTurn, MockCase},
    connection_turn::ConnectionTurn,
    ledger::{Arrival, AttemptRecorder},
    perform::{Performance, perform},
    raw::RawReply,
    received::ReceivedRequest,
    server::ServerState,
    takeover::{SocketTakeover, TakeoverHandle},
};
use crate::{
    fault::{self, FaultContext, Origin, Plan, WireAction},
    observation::{Canaries, StrayKind},
    provider::{self, Admission, MAX_REQUEST_BYTES, ProviderMessage, ReceivedCall, RequestedCall},
    scenario::{ConnectionFault, Fault, FaultStage, Provider, TlsFault, Turn},
};

/// The response body of a mock.
pub(super) type MockResponse = Either<Performance, Full<Bytes>>;

/// Answers one request. Fails only if the client does not send its request to the end. Then there is no
/// client to report the error to.
pub(super) async fn answer(
    shared: Arc<ServerState>,
    line: Arc<TakeoverHandle>,
    visit: Option<Arc<ConnectionTurn>>,
    request: Request<Incoming>,
) -> Result<Response<MockResponse>, hyper::Error> {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    // Read the body first: unread bytes would turn a FIN into a RST.
    let body = read(body).await;
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let body = body.inspect_err(|_| {
        let found = shared.find(path);
        let whose = found.as_ref().map(|(case, deployment, _)| (case, *deployment));
        shared.strays.note(StrayKind::HalfBody, line.unasked(), None, whose);
    })?;
    let asked = line.unasked();
    line.asked();
    let found = shared.find(path).or_else(|| shared.find_session(&parts, path));
    let Some((case, deployment, rest)) = found else {
        let answer = match shared.fallback.get().cloned() {
            Some(fallback) => fallback(Request::from_parts(parts, body)).await,
            None => {
                shared.strays.note(StrayKind::UnknownPath, asked, Some(404), None);
                no_mock(parts.method.as_str(), path)
            }
        };
        return Ok(answer.map(Full::new).map(Either::Right));
    };
    let claim = visit.and_then(|visit| visit.take(&case, deployment));
    let asking = PendingRequest { parts: &parts, path: rest, body: body.as_deref(), arrived };
    let (plan, recorder) = enter(&case, deployment, &asking, claim, shared.address);
    if plan.is_below_http() {
        let key = parts.headers.get(SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok());
        let key = key.unwrap_or_default().trim().to_owned();
        let order = RawReply { plan, recorder, run: case.run(), deployment, over: case.stop.clone(), key };
        line.take_over(SocketTakeover::Perform(Box::new(order)));
        return std::future::pending().await;
    }
    let response = perform(plan, recorder, line, case.stop.clone()).await;
    Ok(response.map(Either::Left))
}

/// A request for a deployment.
pub(super) struct PendingRequest<'a> {
    pub(super) parts: &'a Parts,
    /// The path below the deployment's base URL.
    pub(super) path: &'a str,
    /// `None` if it is larger than the provider accepts.
    pub(super) body: Option<&'a [u8]>,
    pub(super) arrived: Instant,
}

/// Adds the request to the ledger and decides its reply. If its connection has claimed a turn, the reply is
/// that of this turn.
pub(super) fn enter(
    case: &MockCase,
    deployment: usize,
    asking: &PendingRequest<'_>,
    claim: Option<ClaimedTurn>,
    address: SocketAddr,
) -> (Plan, AttemptRecorder) {
    let PendingRequest { parts, path, body, arrived } = *asking;
    let run = case.run();
    let known = &case.deployments[deployment];
    let name = &known.name;
    let request = ReceivedRequest::of(parts, path, body.unwrap_or_default());
    let (claimed, recorder) = match claim {
        Some(ClaimedTurn { turn, recorder }) => {
            recorder.asked(request);
            (Some(turn), recorder)
        }
        None => (None, run.open(Arrival { deployment, at: arrived, request }, case.stop.clone())),
    };
    let stem = case.identity.stem(name, recorder.token_n);
    // Computed only if needed: a prepared reply already contains its canaries.
    let canaries = LazyCell::new(|| Canaries::with_stem(&stem));

    let mut plan = match admit(case.combination.provider, path, parts, body, || &canaries) {
        Err((asked, refusal)) => {
            recorder.asks(&asked);
            fault::without_faults(refusal)
        }
        Ok(asked) => {
            recorder.asks(&asked);
            let admission = run.admit(&asked, || case.identity.key(name), arrived);
            let refusal = match &admission {
                Admission::Passes(_) => None,
                refusing => refusing.refusal(&asked, &canaries),
            };
            if let Some(refusal) = refusal {
                fault::without_faults(refusal)
            } else {
                let part = claimed
                    .map_or_else(|| case.part(&run, deployment), |turn| case.part_of(deployment, turn));
                recorder.plays(part.turn.clone());
                let mut message = part.message(&asked, &stem, || &canaries);
                if let Admission::Passes(Some(state)) = admission {
                    provider::show_limits(&mut message, asked.provider, &part.turn, &state);
                }
                let origin = Origin {
                    address,
                    token: &case.identity.token,
                    deployment: name,
                    attempt: recorder.n,
                    seed: case.seed,
                };
                plan_of(message, &part.turn, claimed.is_none(), || FaultContext {
                    asked: &asked,
                    canaries: &canaries,
                    origin,
                })
            }
        }
    };
    recorder.plans(&plan);
    if known.one_request_each {
        announce_last_reply(&mut plan);
    }
    (plan, recorder)
}

/// Returns the plan of a turn's message with its faults. `late` is whether faults of the connection still
/// have to be applied.
fn plan_of<'a>(
    message: ProviderMessage,
    turn: &Turn,
    late: bool,
    context: impl FnOnce() -> FaultContext<'a>,
) -> Plan {
    if turn.faults.is_empty() {
        return fault::without_faults(message);
    }
    let mut plan = fault::compile(message, &turn.faults, &context());
    if late {
        apply_late_faults(&mut plan, turn);
    }
    plan
}

/// Adds a header that says that the connection ends after this reply.
fn announce_last_reply(plan: &mut Plan) {
    for action in &mut plan.actions {
        if let WireAction::Head(head) = action {
            head.headers.push(("connection".into(), "close".into()));
        }
    }
}

/// Applies a turn's faults of the connection to a request on a connection that was already open, as far as
/// possible.
fn apply_late_faults(plan: &mut Plan, turn: &Turn) {
    for fault in turn.faults.iter().filter(|fault| fault.stage() == FaultStage::Connection) {
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

/// Returns what the request asks for, or the provider's refusal.
fn admit<'a>(
    provider: Provider,
    path: &str,
    parts: &Parts,
    body: Option<&[u8]>,
    canaries: impl FnOnce() -> &'a Canaries,
) -> Result<RequestedCall, (RequestedCall, ProviderMessage)> {
    let Some(body) = body else {
        return Err((RequestedCall::nothing(provider), provider::too_large(provider, canaries())));
    };
    let received = ReceivedCall { method: parts.method.as_str(), path, headers: &parts.headers, body };
    provider::read_with(provider, &received, canaries)
}

/// Reads the whole body. Returns `None` if it is larger than the provider accepts. It is still read to its
/// end, because a client that is still sending would miss the response.
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

/// Returns the response to a request for a path that belongs to no deployment.
pub(super) fn no_mock(method: &str, path: &str) -> Response<Bytes> {
    // OpenAI's error format, which most clients can read.
    let message = format!("No mock is armed at this path ({method} {path})");
    let error = json!({"message": message, "type": "invalid_request_error", "param": null, "code": null});
    let mut response = Response::new(json!({ "error": error }).to_string().into());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
