//! One connection: hyper speaks HTTP on it, and whoever answers on it can have it taken over.
//!
//! What few connections come to is boxed: ten thousand streams that hang are ten thousand of these
//! futures, and each is as large as the largest thing that it may do.

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

/// Serves a connection until it ends, is cut, or `stop` is cancelled. At a deployment's own port it
/// comes in by its `door`.
pub(super) async fn serve(
    stream: TcpStream,
    shared: Arc<ServerState>,
    door: Option<Arc<DeploymentPort>>,
    stop: CancellationToken,
) {
    // Without it an event would wait for the ACK of the one before.
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

/// Has hyper serve requests until an answer has the connection taken over, and does what it wants.
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
    // What is due at once goes out in one write: hyper would queue up sixteen events and then flush.
    let mut connection = http1::Builder::new().writev(false).serve_connection(TokioIo::new(wire), service);
    tokio::select! {
        biased;
        () = line.flushed() => {}
        // An error here is the client's doing (it left, or spoke no HTTP); an attempt that was in
        // progress has noted it by the drop of its recorder.
        // One that ended well may have to be cut all the same, behind a body that was complete.
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

/// Enters what came and was no request.
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
    // Noted first: whoever sees the cut finds it in the ledger.
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
