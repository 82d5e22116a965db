//! From a request to the plan of its answer.

use std::{cell::LazyCell, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE, request::Parts};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use serde_json::json;
use tokio::time::Instant;

use super::{
    case::Case,
    connection::Line,
    ledger::{Arrival, Recorder},
    perform::{Performance, perform},
    received::ReceivedRequest,
    server::Shared,
};
use crate::{
    fault::{self, Context, Plan},
    observation::Canaries,
    provider::{self, Admission, Asked, MAX_REQUEST_BYTES, Message, Received},
    scenario::Provider,
};

/// What a mock answers with.
pub(super) type Answer = Either<Performance, Full<Bytes>>;

/// Answers one request. Fails only where the client does not send its request to the end; then
/// there is nobody to tell.
pub(super) async fn answer(
    shared: Arc<Shared>,
    line: Arc<Line>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, hyper::Error> {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    // Read before anything else: unread bytes would turn a FIN into a RST.
    let body = read(body).await?;

    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let Some((case, deployment, rest)) = shared.find(path) else {
        let answer = match shared.fallback.get().cloned() {
            Some(fallback) => fallback(Request::from_parts(parts, body)).await.map(Full::new),
            None => nobody(parts.method.as_str(), path),
        };
        return Ok(answer.map(Either::Right));
    };
    let (plan, recorder) = enter(&case, deployment, rest, &parts, body.as_deref(), arrived);
    let response = perform(plan, recorder, line, case.stop.clone()).await;
    Ok(response.map(Either::Left))
}

/// Enters the request in the ledger and decides what it gets.
fn enter(
    case: &Case,
    deployment: usize,
    path: &str,
    parts: &Parts,
    body: Option<&[u8]>,
    arrived: Instant,
) -> (Plan, Recorder) {
    let run = case.run();
    let name = &case.deployments[deployment].name;
    let request = ReceivedRequest::of(parts, path, body.unwrap_or_default());
    let recorder = run.open(Arrival { deployment, at: arrived, request }, case.stop.clone());
    let stem = case.identity.stem(name, recorder.n);
    // A prepared reply has its tokens already.
    let canaries = LazyCell::new(|| Canaries::with_stem(&stem));

    let asked = match admit(case.combination.provider, path, parts, body, || &canaries) {
        Ok(asked) => asked,
        Err((asked, refusal)) => {
            recorder.asks(&asked);
            return (fault::unharmed(refusal), recorder);
        }
    };
    recorder.asks(&asked);
    let admission = run.admit(&asked, || case.identity.key(name), arrived);
    if !matches!(admission, Admission::Passes(_))
        && let Some(refusal) = admission.refusal(&asked, &canaries)
    {
        return (fault::unharmed(refusal), recorder);
    }
    let part = case.part(&run, deployment);
    let mut message = part.message(&asked, &stem, || &canaries);
    if let Admission::Passes(Some(state)) = admission {
        provider::show_limits(&mut message, asked.provider, &part.turn, &state);
    }
    recorder.plays(part.turn.clone());
    let plan = match &part.turn.faults[..] {
        [] => fault::unharmed(message),
        faults => fault::compile(message, faults, &Context { asked: &asked, canaries: &canaries }),
    };
    (plan, recorder)
}

/// What the request asks for, or the provider's own refusal.
fn admit<'a>(
    provider: Provider,
    path: &str,
    parts: &Parts,
    body: Option<&[u8]>,
    canaries: impl FnOnce() -> &'a Canaries,
) -> Result<Asked, (Asked, Message)> {
    let Some(body) = body else {
        return Err((Asked::nothing(provider), provider::too_large(provider, canaries())));
    };
    let received = Received { method: parts.method.as_str(), path, headers: &parts.headers, body };
    provider::read_with(provider, &received, canaries)
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
fn nobody(method: &str, path: &str) -> Response<Full<Bytes>> {
    // In the form that most clients can read.
    let message = format!("No mock is armed at this path ({method} {path})");
    let error = json!({"message": message, "type": "invalid_request_error", "param": null, "code": null});
    let mut response = Response::new(Full::new(json!({ "error": error }).to_string().into()));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
