//! One HTTP/2 connection: its streams, and what becomes of it when one of them ends in another way
//! than by its last frame.

use std::{future::poll_fn, sync::Arc, task::Poll};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use h2::{Reason, RecvStream, server};
use http::Request;
use tokio::time::timeout;

use super::{
    connection_turn::ConnectionTurn,
    ledger::AttemptRecorder,
    lent_socket::{LentSocket, SocketOwner, lend},
    server::ServerState,
    socket::{GOODBYE, Socket},
    stream::{ResponseWriter, answer},
    takeover::ConnectionCut,
};
use crate::observation::AttemptEnd;

/// What a client may send before it is read: a large request is not to wait for us.
const WINDOW: u32 = 1 << 20;

type Connection = server::Connection<LentSocket, Bytes>;
type Accepted = (Request<RecvStream>, server::SendResponse<Bytes>);

/// How a stream ended, and what that means for its connection. A way back that is dropped sends a
/// RST_STREAM: where the connection is cut it comes along.
pub(super) enum StreamClose {
    /// As it should, or the client has left it.
    Over,
    /// The same, and the connection takes no other.
    Last,
    /// The same, and the next one on the connection gets a FIN.
    RefuseNext,
    /// By RST_STREAM.
    Reset(ResponseWriter, Reason, AttemptRecorder),
    /// With its connection, by GOAWAY.
    GoAway(ResponseWriter, Reason, AttemptRecorder),
    /// With its connection, by a FIN or a RST.
    Cut(ResponseWriter, ConnectionCut, AttemptRecorder),
    /// With its connection, by a FIN without `close_notify`.
    Unannounced(ResponseWriter, AttemptRecorder),
}

/// Serves a connection until it ends.
pub(super) async fn serve(socket: Socket, shared: &Arc<ServerState>, visit: Option<Arc<ConnectionTurn>>) {
    let (lent, owner) = lend(socket);
    let mut builder = server::Builder::new();
    builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(lent).await else { return };
    let mut streams = FuturesUnordered::new();
    let mut refuses = false;
    loop {
        let ending = tokio::select! {
            biased;
            Some(ending) = streams.next(), if !streams.is_empty() => ending,
            accepted = connection.accept() => match accepted {
                Some(Ok(_)) if refuses => return cut(&mut connection, &owner, ConnectionCut::Close).await,
                Some(Ok((request, out))) => {
                    streams.push(answer(request, out, shared.clone(), visit.clone()));
                    continue;
                }
                // What was still being answered notes by the drop of its recorder that its client left.
                _ => return linger(&owner).await,
            },
        };
        match ending {
            StreamClose::Over => {}
            StreamClose::Last => connection.graceful_shutdown(),
            StreamClose::RefuseNext => refuses = true,
            StreamClose::Reset(mut out, reason, recorder) => {
                for (request, out) in flushed(&mut connection, &owner).await {
                    streams.push(answer(request, out, shared.clone(), visit.clone()));
                }
                recorder.end(AttemptEnd::StreamReset);
                out.send_reset(reason);
            }
            StreamClose::GoAway(_out, reason, recorder) => {
                flushed(&mut connection, &owner).await;
                recorder.end(AttemptEnd::GoneAway);
                connection.abrupt_shutdown(reason);
                let _ =
                    timeout(GOODBYE, async { while let Some(Ok(_)) = connection.accept().await {} }).await;
                return linger(&owner).await;
            }
            StreamClose::Cut(_out, how, recorder) => {
                flushed(&mut connection, &owner).await;
                // Noted first: whoever sees the cut finds it in the ledger.
                recorder.end(if how == ConnectionCut::Close {
                    AttemptEnd::Closed
                } else {
                    AttemptEnd::Reset
                });
                return cut(&mut connection, &owner, how).await;
            }
            StreamClose::Unannounced(_out, recorder) => {
                flushed(&mut connection, &owner).await;
                recorder.end(AttemptEnd::Closed);
                if let Some((socket, _)) = owner.take() {
                    socket.close_unannounced();
                }
                return;
            }
        }
    }
}

/// Takes requests and never reads them to their end nor answers them: the client's window is never
/// opened again. Ready when the client gives a request up, or leaves.
pub(super) async fn never_open_the_window(socket: Socket) {
    let (lent, _owner) = lend(socket);
    // The window of RFC 9113 section 6.9.2, which no frame of ours changes.
    let Ok(mut connection) = server::Builder::new().handshake::<_, Bytes>(lent).await else { return };
    // Neither read nor dropped: both would give the client room.
    let mut held: Vec<Accepted> = Vec::new();
    poll_fn(|cx| {
        while let Poll::Ready(accepted) = connection.poll_accept(cx) {
            match accepted {
                Some(Ok(accepted)) => held.push(accepted),
                _ => return Poll::Ready(()),
            }
        }
        let given_up = held.iter_mut().any(|(_, out)| out.poll_reset(cx).is_ready());
        if given_up { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Sends what the streams have handed over; returns those that came meanwhile.
async fn flushed(connection: &mut Connection, owner: &SocketOwner) -> Vec<Accepted> {
    let mut came = Vec::new();
    let flushing = poll_fn(|cx| {
        while let Poll::Ready(accepted) = connection.poll_accept(cx) {
            match accepted {
                Some(Ok(accepted)) => came.push(accepted),
                _ => return Poll::Ready(()),
            }
        }
        if owner.is_blocked() { Poll::Pending } else { Poll::Ready(()) }
    });
    // A client that does not read must not turn a reset into a hang.
    let _ = timeout(GOODBYE, flushing).await;
    came
}

async fn cut(connection: &mut Connection, owner: &SocketOwner, how: ConnectionCut) {
    flushed(connection, owner).await;
    match (owner.take(), how) {
        (Some((socket, _)), ConnectionCut::Close) => socket.close().await,
        (Some((socket, written)), ConnectionCut::Reset) => socket.reset(written).await,
        (None, _) => {}
    }
}

/// Sees to it that what the client still sends makes no RST of a FIN.
async fn linger(owner: &SocketOwner) {
    if let Some((socket, _)) = owner.take() {
        socket.linger().await;
    }
}
