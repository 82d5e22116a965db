//! Serves one connection in its protocol.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{
    connection_turn::{ConnectionTurn, DeploymentPort, ReadyConnection},
    http1, http2,
    server_state::ServerState,
    socket::Socket,
};

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
        let Some(door) = door else { return http1::serve(Socket::Plain(stream), &shared, None, None).await };
        let Some(ReadyConnection { socket, http2, claim }) = Box::pin(door.enter(stream, &shared)).await
        else {
            return;
        };
        let visit = claim.map(|claim| Arc::new(ConnectionTurn::new(door.clone(), claim)));
        if http2 {
            Box::pin(http2::serve(socket, &shared, visit)).await;
        } else {
            http1::serve(socket, &shared, Some(&door), visit).await;
        }
    };
    stop.run_until_cancelled(serving).await;
}
