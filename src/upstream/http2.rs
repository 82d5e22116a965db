//! Serves one HTTP/2 connection: its streams, and the end of the connection if a stream does not end with its
//! last frame.

use std::{future::poll_fn, sync::Arc, task::Poll};

use bytes::Bytes;
use futures_util::{StreamExt, stream::FuturesUnordered};
use h2::{RecvStream, server};
use http::Request;
use tokio::time::timeout;

use super::{
    connection_turn::ConnectionTurn,
    http2_sink::{ConnectionCut, StreamClose},
    lent_socket::{LentSocket, SocketOwner, lend},
    server_state::ServerState,
    socket::{CLOSE_TIMEOUT, Socket},
    stream::answer,
};
use crate::observation::AttemptEnd;

/// The window of a client, large enough for a large request to be sent without waiting.
const WINDOW: u32 = 1 << 20;

type Connection = server::Connection<LentSocket, Bytes>;
type Accepted = (Request<RecvStream>, server::SendResponse<Bytes>);

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
                // The drop of the recorders of open attempts notes that the client has left.
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
                    timeout(CLOSE_TIMEOUT, async { while let Some(Ok(_)) = connection.accept().await {} })
                        .await;
                return linger(&owner).await;
            }
            StreamClose::Cut(_out, how, recorder) => {
                flushed(&mut connection, &owner).await;
                // Write the ledger first, so that an observer who sees the cut finds it there.
                recorder.end(match how {
                    ConnectionCut::Close | ConnectionCut::CloseUnannounced => AttemptEnd::Closed,
                    ConnectionCut::Reset => AttemptEnd::Reset,
                });
                return cut(&mut connection, &owner, how).await;
            }
        }
    }
}

/// Sends everything that the streams have written. Returns the requests that arrived meanwhile.
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
    let _ = timeout(CLOSE_TIMEOUT, flushing).await;
    came
}

async fn cut(connection: &mut Connection, owner: &SocketOwner, how: ConnectionCut) {
    flushed(connection, owner).await;
    let Some((socket, written)) = owner.take() else { return };
    match how {
        ConnectionCut::Close => socket.close().await,
        ConnectionCut::CloseUnannounced => socket.close_unannounced(),
        ConnectionCut::Reset => socket.reset(written).await,
    }
}

/// Reads what the client still sends, because unread bytes would turn the FIN into a RST.
async fn linger(owner: &SocketOwner) {
    if let Some((socket, _)) = owner.take() {
        socket.linger().await;
    }
}
