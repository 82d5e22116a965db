//! Decides the plan of the reply to a request.

use std::{cell::LazyCell, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::json;
use tokio::time::Instant;

use super::{
    attempt_record::Arrival,
    attempt_recorder::AttemptRecorder,
    case::{ClaimedTurn, MockCase},
    ledger::Run,
    prepared_reply::PreparedReply,
    received::ReceivedRequest,
};
use crate::{
    fault::{self, FaultContext, Origin, Plan, WireAction},
    observation::Canaries,
    provider::{self, Admission, Header, ProviderMessage, ReceivedCall, RequestedCall},
    scenario::{ConnectionFault, Fault, FaultStage, Provider, TlsFault, Turn},
};

/// A request for a deployment.
pub(super) struct PendingRequest<'a> {
    pub(super) method: &'a str,
    /// The head in the form of HTTP/1.
    pub(super) head: &'a [u8],
    /// The path below the deployment's base URL.
    pub(super) path: &'a str,
    pub(super) headers: &'a [Header<'a>],
    /// `None` if it is larger than the provider accepts.
    pub(super) body: Option<&'a [u8]>,
    pub(super) arrived: Instant,
    /// Whether the form of the reply is the one in which replies are prepared.
    pub(super) usual: bool,
}

/// The reply to a request.
pub(super) enum DecidedReply {
    Plan(Plan),
    /// A reply without faults, and the stem of its canaries.
    Prepared(Arc<PreparedReply>, String),
}

impl DecidedReply {
    pub(super) fn into_plan(self) -> Plan {
        match self {
            Self::Plan(plan) => plan,
            Self::Prepared(reply, stem) => Plan { actions: reply.actions(&stem), doubtful: false },
        }
    }
}

/// Adds the request to the ledger and decides its reply. If its connection has claimed a turn, the reply is
/// that of this turn.
pub(super) fn enter(
    case: &MockCase,
    run: &Run,
    deployment: usize,
    asking: &PendingRequest<'_>,
    claim: Option<ClaimedTurn>,
    address: SocketAddr,
) -> (DecidedReply, AttemptRecorder) {
    let PendingRequest { head, path, body, arrived, .. } = *asking;
    let known = &case.deployments[deployment];
    let name = &known.name;
    let request = ReceivedRequest::of(path, head, body.unwrap_or_default());
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

    let mut plan = match admit(known.provider, asking, || &canaries) {
        Err((asked, refusal)) => {
            recorder.answers(asked.api, None);
            fault::without_faults(refusal)
        }
        Ok(asked) => {
            let admission = run.admit(&asked, || case.identity.key(name), arrived);
            let refusal = match &admission {
                Admission::Passes(_) => None,
                refusing => refusing.refusal(&asked, &canaries),
            };
            if let Some(refusal) = refusal {
                recorder.answers(asked.api, None);
                fault::without_faults(refusal)
            } else {
                let part = claimed.as_ref().unwrap_or_else(|| run.next_turn(deployment));
                recorder.answers(asked.api, Some(part.turn.clone()));
                let prepared = part.prepared(&asked, &stem);
                let unchanged = matches!(admission, Admission::Passes(None)) && !known.one_request_each;
                if let Some(prepared) = &prepared
                    && asking.usual
                    && unchanged
                    && part.turn.faults.is_empty()
                {
                    return (DecidedReply::Prepared(prepared.clone(), stem), recorder);
                }
                let mut message = match prepared {
                    Some(prepared) => prepared.message().message(&stem),
                    None => provider::message(&asked, &part.turn, &canaries),
                };
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
    (DecidedReply::Plan(plan), recorder)
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
    asking: &PendingRequest<'_>,
    canaries: impl FnOnce() -> &'a Canaries,
) -> Result<RequestedCall, (RequestedCall, ProviderMessage)> {
    let PendingRequest { method, path, headers, body, .. } = *asking;
    let Some(body) = body else {
        return Err((RequestedCall::nothing(provider), provider::too_large(provider, canaries())));
    };
    let received = ReceivedCall { method, path, headers, body };
    provider::read_with(provider, &received, canaries)
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
