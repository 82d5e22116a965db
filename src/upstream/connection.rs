//! Serves one connection. hyper speaks HTTP on it, and a reply can take the connection over from hyper.
//!
//! The futures of rare cases are boxed: ten thousand streams that hang mean ten thousand of these futures,
//! and each is as large as its largest branch.

use std::{ops::ControlFlow, sync::Arc};

use bytes::Bytes;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{
    answer::answer,
    connection_turn::{ConnectionTurn, DeploymentPort, ReadyConnection},
    http2,
    ledger::AttemptRecorder,
    raw::{self, Reusable},
    server::ServerState,
    socket::Socket,
    takeover::{ConnectionCut, SocketTakeover, TakeoverHandle, TakeoverSocket},
};
use crate::observation::{AttemptEnd, StrayKind};

/// Serves a connection until it ends, is cut, or `stop` is cancelled. `door` is the deployment if the
/// connection came in on its own port.
pub(super) async fn serve(
    stream: TcpStream,
    shared: Arc<ServerState>,
    door: Option<Arc<DeploymentPort>>,
    stop: CancellationToken,
) {
    // Otherwise an event would wait for the ACK of the one before it.
    let _ = stream.set_nodelay(true);
    let serving = async {
        let Some(door) = door else { return requests(Socket::Plain(stream), &shared, None, None).await };
        let Some(ReadyConnection { socket, http2, claim }) = Box::pin(door.enter(stream, &shared)).await
        else {
            return;
        };
        let visit = claim.map(|claim| Arc::new(ConnectionTurn::new(door.clone(), claim)));
        if http2 {
            Box::pin(http2::serve(socket, &shared, visit)).await;
        } else {
            requests(socket, &shared, Some(&door), visit).await;
        }
    };
    stop.run_until_cancelled(serving).await;
}

/// Answers requests until the connection ends.
async fn requests(
    socket: Socket,
    shared: &Arc<ServerState>,
    door: Option<&Arc<DeploymentPort>>,
    visit: Option<Arc<ConnectionTurn>>,
) {
    let mut fresh = Reusable { socket, unread: Bytes::new(), written: 0 };
    while let ControlFlow::Continue(reusable) = until_taken_over(fresh, shared, door, visit.as_ref()).await {
        fresh = reusable;
    }
}

/// Lets hyper serve requests until a reply takes the connection over, then performs the takeover.
async fn until_taken_over(
    fresh: Reusable,
    shared: &Arc<ServerState>,
    door: Option<&Arc<DeploymentPort>>,
    visit: Option<&Arc<ConnectionTurn>>,
) -> ControlFlow<(), Reusable> {
    let line = Arc::new(TakeoverHandle::default());
    let wire = TakeoverSocket::new(fresh.socket, line.clone(), fresh.unread, fresh.written);
    let service = {
        let (line, shared, visit) = (line.clone(), shared.clone(), visit.cloned());
        service_fn(move |request| answer(shared.clone(), line.clone(), visit.clone(), request))
    };
    // Without vectored writes, everything that is due at the same time is sent in one write. Otherwise hyper
    // would queue up to sixteen events and then flush.
    let mut connection = http1::Builder::new().writev(false).serve_connection(TokioIo::new(wire), service);
    tokio::select! {
        biased;
        () = line.flushed() => {}
        // The client causes an error here: it left or did not send HTTP. If an attempt was in progress, the
        // drop of its recorder has noted that. A connection without an error may still have to be cut, after
        // a complete body.
        ended = &mut connection => if let Err(error) = ended {
            note_stray(&error, &line, shared, door);
            return ControlFlow::Break(());
        },
    }
    let Some(takeover) = line.taken() else { return ControlFlow::Break(()) };
    let parts = connection.into_parts();
    let TakeoverSocket { socket, written, .. } = parts.io.into_inner();
    match takeover {
        SocketTakeover::Cut(how, recorder) => {
            Box::pin(cut(socket, written, how, recorder)).await;
            ControlFlow::Break(())
        }
        SocketTakeover::Perform(order) => {
            let over = order.over.clone();
            let performed = raw::perform(*order, socket, parts.read_buf, written);
            match Box::pin(over.run_until_cancelled(performed)).await.flatten() {
                Some(reusable) => ControlFlow::Continue(reusable),
                None => ControlFlow::Break(()),
            }
        }
    }
}

/// Records received bytes that were not a request.
fn note_stray(
    error: &hyper::Error,
    line: &TakeoverHandle,
    shared: &ServerState,
    door: Option<&Arc<DeploymentPort>>,
) {
    let what = if error.is_parse() {
        StrayKind::Garbage
    } else if error.is_incomplete_message() && line.unasked() > 0 {
        StrayKind::HalfHead
    } else {
        return;
    };
    let whose = door.map(|door| (&door.case, door.deployment));
    shared.strays.note(what, line.unasked(), line.status(), whose);
}

async fn cut(socket: Socket, written: u64, how: ConnectionCut, recorder: Option<AttemptRecorder>) {
    // Write the ledger first, so that an observer who sees the cut finds it there.
    let note = |end| {
        if let Some(recorder) = recorder {
            recorder.end(end);
        }
    };
    match how {
        ConnectionCut::Close => {
            note(AttemptEnd::Closed);
            socket.close().await;
        }
        ConnectionCut::Reset => {
            note(AttemptEnd::Reset);
            socket.reset(written).await;
        }
    }
}
