//! What happens to a connection at a deployment's own port before a request is read.

use std::{
    net::Shutdown,
    sync::{Arc, Mutex},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    beat::Beat,
    case::{Case, Claim},
    ledger::locked,
    server::Shared,
    socket::{GOODBYE, Socket, left_unread},
};
use crate::{
    observation::AttemptEnd,
    scenario::{ConnectionFault, Fault, TlsFault, Transport},
};

/// Whose port it is.
pub(super) struct Door {
    pub(super) case: Arc<Case>,
    pub(super) deployment: usize,
}

/// A connection on which requests can be read now.
pub(super) struct Entered {
    pub(super) socket: Socket,
    /// The turn that is played already, for the first request.
    pub(super) claim: Option<Claim>,
}

/// A connection whose turn is played by it, until a request on it takes that over.
pub(super) struct Visit {
    door: Arc<Door>,
    claim: Mutex<Option<Claim>>,
}

impl Visit {
    pub(super) fn new(door: Arc<Door>, claim: Claim) -> Self {
        Self { door, claim: Mutex::new(Some(claim)) }
    }

    /// The turn and the attempt for a request that has come for this deployment.
    pub(super) fn take(&self, case: &Arc<Case>, deployment: usize) -> Option<Claim> {
        let own = Arc::ptr_eq(&self.door.case, case) && self.door.deployment == deployment;
        own.then(|| locked(&self.claim).take()).flatten()
    }
}

impl Door {
    /// Takes a connection in, as its turn wants it; `None` where it has ended.
    pub(super) async fn enter(&self, mut stream: TcpStream, shared: &Shared) -> Option<Entered> {
        let mut claim = self.case.claim(self.deployment, Instant::now());
        let mut certificate = None;
        let faults = claim.as_ref().map(|claim| claim.turn.faults.clone()).unwrap_or_default();
        for fault in faults {
            match fault {
                Fault::Connection(ConnectionFault::SlowAccept(time)) => {
                    stream = wait(stream, time, claim.as_ref()).await?;
                }
                Fault::Connection(fault) => return refuse(stream, fault, claim.take()).await,
                Fault::Tls(TlsFault::HandshakeStall) => {
                    hello(&mut stream).await?;
                    left_unread(&stream).await;
                    return None;
                }
                Fault::Tls(TlsFault::Alert(alert)) => {
                    hello(&mut stream).await?;
                    end(claim.take(), AttemptEnd::HandshakeFailed);
                    let _ = stream.write_all(&fatal(alert.number())).await;
                    part(stream).await;
                    return None;
                }
                Fault::Tls(fault) if fault.is_certificate() => certificate = Some(fault),
                _ => {}
            }
        }
        let socket = match self.case.deployments[self.deployment].transport {
            Transport::Plain => Socket::Plain(stream),
            Transport::Tls | Transport::Http2 => {
                let authority = shared.authority().ok()?;
                let acceptor = TlsAcceptor::from(authority.server(certificate, false));
                match acceptor.accept(stream).await {
                    Ok(stream) => Socket::Tls(Box::new(stream)),
                    Err(_) => {
                        end(claim, AttemptEnd::HandshakeFailed);
                        return None;
                    }
                }
            }
        };
        Some(Entered { socket, claim })
    }
}

fn end(claim: Option<Claim>, end: AttemptEnd) {
    if let Some(claim) = claim {
        claim.recorder.end(end);
    }
}

/// Waits before anything is read; `None` where the client has left meanwhile.
async fn wait(stream: TcpStream, time: Duration, claim: Option<&Claim>) -> Option<TcpStream> {
    let mut beat = Beat::default();
    let due = beat.due(time);
    tokio::select! {
        () = sleep_until(due) => {}
        () = left_unread(&stream) => return None,
    }
    if let Some(claim) = claim {
        claim.recorder.woke(beat.woke(due));
    }
    // Watching it took note of what has come as if it had been read: whoever reads now is to be told of
    // it once more, which a fresh registration does.
    TcpStream::from_std(stream.into_std().ok()?).ok()
}

/// Ends a connection unread, or leaves it alone until the client goes.
async fn refuse(stream: TcpStream, fault: ConnectionFault, claim: Option<Claim>) -> Option<Entered> {
    match fault {
        ConnectionFault::AcceptedClosed => {
            // Noted first: whoever sees the end finds it in the ledger.
            end(claim, AttemptEnd::Closed);
            part(stream).await;
        }
        ConnectionFault::ResetAtOnce => {
            end(claim, AttemptEnd::Reset);
            let _ = stream.set_zero_linger();
        }
        _ => {
            // Its recorder notes at its drop that the client has left.
            let _claim = claim;
            left_unread(&stream).await;
        }
    }
    None
}

/// Ends a connection by a FIN and sees to it that none of what the client still sends, unread,
/// makes a RST of it.
async fn part(mut stream: TcpStream) {
    let _ = SockRef::from(&stream).shutdown(Shutdown::Write);
    let mut unread = [0; 4096];
    let _ = timeout(GOODBYE, async { while stream.read(&mut unread).await.is_ok_and(|n| n > 0) {} }).await;
}

/// Reads the record in which a client's first message is (RFC 8446 section 5.1); `None` where it does
/// not come.
async fn hello(stream: &mut TcpStream) -> Option<()> {
    const HANDSHAKE: u8 = 22;
    let mut head = [0; 5];
    stream.read_exact(&mut head).await.ok()?;
    let mut record = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut record).await.ok()?;
    (head[0] == HANDSHAKE).then_some(())
}

/// A record with a fatal alert (RFC 8446 section 6).
fn fatal(number: u8) -> [u8; 7] {
    const ALERT: u8 = 21;
    const FATAL: u8 = 2;
    [ALERT, 3, 3, 0, 2, FATAL, number]
}
