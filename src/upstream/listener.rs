//! The listeners: the shared one, and those on the own ports of deployments.

use std::{io, sync::Arc, time::Duration};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    case::MockCase, connection, connection_turn::DeploymentPort, deployment_port::PortBehaviour,
    server_state::ServerState,
};

/// Opens the ports of a case's deployments that accept connections before healing.
pub(super) fn open_serving(shared: &Arc<ServerState>, case: &Arc<MockCase>) -> io::Result<()> {
    open_those(shared, case, |behaviour| behaviour == PortBehaviour::Serves)
}

/// Opens every port of a case's deployments.
pub(super) fn open(shared: &Arc<ServerState>, case: &Arc<MockCase>) -> io::Result<()> {
    open_those(shared, case, |_| true)
}

fn open_those(
    shared: &Arc<ServerState>,
    case: &Arc<MockCase>,
    wanted: impl Fn(PortBehaviour) -> bool,
) -> io::Result<()> {
    let _runtime = shared.runtime.enter();
    for (index, deployment) in case.deployments.iter().enumerate() {
        let Some(own) = deployment.own.as_ref().filter(|own| wanted(own.behaviour)) else { continue };
        if let Some((listener, stop)) = own.open(&case.stop)? {
            let door = DeploymentPort { case: case.clone(), deployment: index };
            accept(shared, listener, stop, Some(Arc::new(door)));
        }
    }
    Ok(())
}

/// Serves a listener until `stop` is cancelled. `door` is the deployment if the listener is on its own
/// port.
pub(super) fn accept(
    server: &Arc<ServerState>,
    listener: Arc<TcpListener>,
    stop: CancellationToken,
    door: Option<Arc<DeploymentPort>>,
) {
    let shared = server.clone();
    let accepting = async move {
        while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok((stream, _)) => {
                    let serving = connection::serve(stream, shared.clone(), door.clone(), stop.clone());
                    shared.tasks.spawn_on(serving, &shared.runtime);
                }
                // The client left before it was accepted, or there is no file descriptor left. The latter
                // passes when a connection ends, and must not cause a busy loop.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    server.tasks.spawn_on(accepting, &server.runtime);
}
