//! Serves one HTTP/1 connection: reads its requests one after the other, and performs the plan of each reply.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use tokio::{io::AsyncReadExt, time::Instant};

use super::{
    answer::{DecidedReply, PendingRequest, enter, no_mock},
    attempt_record::Arrival,
    attempt_recorder::AttemptRecorder,
    case::MockCase,
    connection_turn::{ConnectionTurn, DeploymentPort},
    discovery,
    http1_connection::{CompleteRequest, Http1Connection, NoRequest},
    http1_sink::{AfterReply, Http1Sink},
    http1_writer::write_response,
    ledger::Run,
    performer::{ClientLeft, perform},
    prepared_reply::{Http1Template, PreparedReply},
    received::ReceivedRequest,
    request_head::ReplyForm,
    server_state::ServerState,
    session_sink::{SessionSink, open_session},
    socket::Socket,
};
use crate::{
    fault::Plan,
    observation::{AttemptEnd, StrayKind},
    provider::find_header,
};

/// Answers requests until the connection ends.
///
/// All futures but those of prepared replies are boxed: ten thousand streams that hang mean ten thousand of these
/// futures, and each is as large as its largest branch.
pub(super) async fn serve(
    socket: Socket,
    shared: &Arc<ServerState>,
    door: Option<&Arc<DeploymentPort>>,
    visit: Option<Arc<ConnectionTurn>>,
) {
    let mut connection = Http1Connection::new(socket);
    loop {
        let decided = connection.next(|request| decide(shared, visit.as_deref(), request)).await;
        let after = match decided {
            Ok(Decided::Reply(reply)) => Box::pin(reply.perform(connection)).await,
            Ok(Decided::Prepared(answer)) => answer.send(connection).await,
            Ok(Decided::Look(response, form)) => Box::pin(write(connection, &response, form)).await,
            Ok(Decided::Other(request, form)) => Box::pin(respond(connection, shared, request, form)).await,
            Err(reason) => return Box::pin(end(connection, shared, door, reason)).await,
        };
        match after {
            Ok(AfterReply::Reusable(reusable)) => connection = reusable,
            Ok(AfterReply::RefusesNext(_) | AfterReply::Ended) | Err(ClientLeft) => return,
        }
    }
}

/// What follows a request.
enum Decided {
    /// The reply of a deployment.
    Reply(PlannedReply),
    /// A prepared reply of a deployment.
    Prepared(PreparedAnswer),
    /// The response to a request that only looks at a deployment.
    Look(Response<Bytes>, ReplyForm),
    /// A request for a path that belongs to no case; `None` if it cannot be represented.
    Other(Option<Request<Option<Bytes>>>, ReplyForm),
}

/// A plan to perform, with its attempt.
struct PlannedReply {
    plan: Plan,
    recorder: AttemptRecorder,
    form: ReplyForm,
    case: Arc<MockCase>,
    /// The ledger that contains the attempt.
    run: Arc<Run>,
    deployment: usize,
    /// Whether the plan opens a WebSocket.
    session: bool,
}

fn decide(
    shared: &Arc<ServerState>,
    visit: Option<&ConnectionTurn>,
    request: &CompleteRequest<'_>,
) -> Decided {
    let CompleteRequest { head, body, arrived } = request;
    let found = shared.find(&head.path).or_else(|| shared.find_session(head.headers, &head.path));
    let found = found.or_else(|| shared.find_shared(head.headers, *body, &head.path));
    let Some((case, deployment, rest)) = found else {
        return match discovery::answer_shared(head.method, &head.path) {
            Some(response) if shared.fallback.get().is_none() => Decided::Look(response, head.form),
            _ => Decided::Other(owned(request), head.form),
        };
    };
    if let Some(response) = discovery::answer(&case, deployment, head.method, rest) {
        return Decided::Look(response, head.form);
    }
    let claim = visit.and_then(|visit| visit.take(&case, deployment));
    let asking = PendingRequest {
        method: head.method,
        head: head.bytes,
        path: rest,
        headers: head.headers,
        body: *body,
        arrived: *arrived,
        usual: head.form == ReplyForm::PERSISTENT,
    };
    let run = case.run();
    let (reply, recorder) = enter(&case, &run, deployment, &asking, claim, shared.address);
    let reply = match reply {
        DecidedReply::Prepared(reply, stem) => match reply.http1(&stem) {
            Some(template) => return Decided::Prepared(PreparedAnswer { reply, template, stem, recorder }),
            None => DecidedReply::Prepared(reply, stem),
        },
        plan => plan,
    };
    let mut plan = reply.into_plan();
    let key = find_header(head.headers, "sec-websocket-key").unwrap_or_default();
    let session = open_session(&mut plan, std::str::from_utf8(key).unwrap_or_default());
    Decided::Reply(PlannedReply { plan, recorder, form: head.form, case, run, deployment, session })
}

/// Copies a request.
fn owned(request: &CompleteRequest<'_>) -> Option<Request<Option<Bytes>>> {
    let head = request.head;
    let mut owned = Request::new(request.body.map(Bytes::copy_from_slice));
    *owned.method_mut() = Method::from_bytes(head.method.as_bytes()).ok()?;
    *owned.uri_mut() = head.target.parse().ok()?;
    *owned.version_mut() = head.form.version;
    for header in head.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        owned.headers_mut().append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    Some(owned)
}

/// A reply that is the same for every attempt except for its canaries, with its attempt.
struct PreparedAnswer {
    reply: Arc<PreparedReply>,
    template: Arc<Http1Template>,
    /// The common suffix of the canaries.
    stem: String,
    recorder: AttemptRecorder,
}

impl PreparedAnswer {
    async fn send(self, mut connection: Http1Connection) -> Result<AfterReply, ClientLeft> {
        self.template.write(&self.stem, &mut connection.due);
        // Write the ledger first, so that an observer who sees the end finds it there.
        self.recorder.sends(self.reply, self.template.body_bytes);
        connection.flush().await?;
        Ok(AfterReply::Reusable(connection))
    }
}

impl PlannedReply {
    async fn perform(self, connection: Http1Connection) -> Result<AfterReply, ClientLeft> {
        let Self { plan, recorder, form, case, run, deployment, session } = self;
        let over = &case.stop;
        if session {
            let performed = perform(plan, SessionSink::new(connection, form), recorder, over);
            Box::pin(over.run_until_cancelled(performed)).await;
            return Ok(AfterReply::Ended);
        }
        match perform(plan, Http1Sink::new(connection, form), recorder, over).await? {
            AfterReply::RefusesNext(connection) => {
                let refusing = refuse_next(connection, &case, &run, deployment);
                Box::pin(over.run_until_cancelled(refusing)).await;
                Ok(AfterReply::Ended)
            }
            after => Ok(after),
        }
    }
}

/// Waits for the next request, ends the connection without reading it, and records an attempt without a
/// request. Once the case is healed, the idle connection is closed.
async fn refuse_next(connection: Http1Connection, case: &MockCase, run: &Run, deployment: usize) {
    let Http1Connection { mut socket, received, .. } = connection;
    if received.is_empty() {
        let mut first = Vec::with_capacity(1);
        tokio::select! {
            read = socket.read_buf(&mut first) => if !read.is_ok_and(|read| read > 0) { return },
            () = run.healed() => return socket.close().await,
        }
    }
    let arrival = Arrival { deployment, at: Instant::now(), request: ReceivedRequest::nothing() };
    run.open(arrival, case.stop.clone()).end(AttemptEnd::Closed);
    socket.close().await;
}

/// Answers a request for a path that belongs to no case.
async fn respond(
    connection: Http1Connection,
    shared: &ServerState,
    request: Option<Request<Option<Bytes>>>,
    form: ReplyForm,
) -> Result<AfterReply, ClientLeft> {
    let Some(request) = request else {
        connection.refuse(StatusCode::BAD_REQUEST).await;
        return Ok(AfterReply::Ended);
    };
    let response = match shared.fallback.get() {
        Some(fallback) => fallback(request).await,
        None => {
            shared.strays.note(StrayKind::UnknownPath, connection.request_bytes, Some(404), None);
            no_mock(
                request.method().as_str(),
                request.uri().path_and_query().map_or("/", |path| path.as_str()),
            )
        }
    };
    write(connection, &response, form).await
}

/// Sends a response that does not come from a turn.
async fn write(
    mut connection: Http1Connection,
    response: &Response<Bytes>,
    form: ReplyForm,
) -> Result<AfterReply, ClientLeft> {
    let last = write_response(response, form, &mut connection.due);
    connection.flush().await?;
    if last {
        connection.socket.close().await;
        return Ok(AfterReply::Ended);
    }
    Ok(AfterReply::Reusable(connection))
}

/// Ends a connection on which no request follows, and records what was received in place of one.
async fn end(
    connection: Http1Connection,
    shared: &ServerState,
    door: Option<&Arc<DeploymentPort>>,
    reason: NoRequest,
) {
    let bytes = connection.request_bytes;
    let port = door.map(|door| (&door.case, door.deployment));
    let note = |kind, status: Option<StatusCode>, path: Option<&str>| {
        let found = path.and_then(|path| shared.find(path));
        let owner = found.as_ref().map(|(case, deployment, _)| (case, *deployment)).or(port);
        shared.strays.note(kind, bytes, status.map(|status| status.as_u16()), owner);
    };
    match reason {
        NoRequest::Left => {}
        NoRequest::HalfHead => note(StrayKind::HalfHead, None, None),
        NoRequest::HalfBody(path) => note(StrayKind::HalfBody, None, Some(&path)),
        NoRequest::Refused(status) => {
            note(StrayKind::Garbage, Some(status), None);
            connection.refuse(status).await;
        }
        NoRequest::MalformedBody(path) => {
            let status = StatusCode::BAD_REQUEST;
            note(StrayKind::Garbage, Some(status), Some(&path));
            connection.refuse(status).await;
        }
    }
}
