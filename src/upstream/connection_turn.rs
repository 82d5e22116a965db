//! Faults of a connection on a deployment's own port, before a request is read.

use std::{
    io,
    mem::MaybeUninit,
    sync::{Arc, Mutex},
    time::Duration,
};

use socket2::SockRef;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::TcpStream,
    time::{Instant, sleep, sleep_until},
};
use tokio_rustls::TlsAcceptor;

use super::{
    authority::HTTP2,
    case::{ClaimedTurn, MockCase},
    delay_clock::DelayClock,
    http2_stall::{never_open_the_window, send_nothing},
    locked::locked,
    server_state::ServerState,
    socket::{Socket, leave_unread, left_unread},
};
use crate::{
    observation::{AttemptEnd, StrayKind},
    scenario::{ConnectionFault, Fault, Http2Fault, ReplyPart, TlsFault, Transport},
};

/// The deployment that a port belongs to.
pub(super) struct DeploymentPort {
    pub(super) case: Arc<MockCase>,
    pub(super) deployment: usize,
}

/// A connection that is ready for requests.
pub(super) struct ReadyConnection {
    pub(super) socket: Socket,
    /// Whether the client has chosen HTTP/2.
    pub(super) http2: bool,
    /// The turn that the connection has claimed, for the first request.
    pub(super) claim: Option<ClaimedTurn>,
}

/// A connection that has claimed a turn. The first request on it takes the turn over.
pub(super) struct ConnectionTurn {
    door: Arc<DeploymentPort>,
    claim: Mutex<Option<ClaimedTurn>>,
}

impl ConnectionTurn {
    pub(super) fn new(door: Arc<DeploymentPort>, claim: ClaimedTurn) -> Self {
        Self { door, claim: Mutex::new(Some(claim)) }
    }

    /// Returns the claimed turn and its attempt for a request to this deployment, once.
    pub(super) fn take(&self, case: &Arc<MockCase>, deployment: usize) -> Option<ClaimedTurn> {
        let own = Arc::ptr_eq(&self.door.case, case) && self.door.deployment == deployment;
        own.then(|| locked(&self.claim).take()).flatten()
    }
}

impl DeploymentPort {
    /// Accepts a connection and applies the faults of its turn. Returns `None` if the connection has ended.
    pub(super) async fn enter(&self, mut stream: TcpStream, shared: &ServerState) -> Option<ReadyConnection> {
        let mut claim = self.case.claim(self.deployment, Instant::now());
        let (mut certificate, mut stall) = (None, None);
        let turn = claim.as_ref().map(|claim| claim.turn.turn.clone());
        for fault in turn.iter().flat_map(|turn| &turn.faults) {
            match *fault {
                Fault::Connection(ConnectionFault::SlowAccept(time)) => {
                    stream = wait(stream, time, claim.as_ref()).await?;
                }
                Fault::Connection(ConnectionFault::AcceptedSilent) => {
                    stream = self.silent(stream, claim.take()?).await?;
                }
                Fault::Connection(ref fault) => return refuse(stream, fault, claim.take()).await,
                Fault::Tls(TlsFault::HandshakeStall) => {
                    hello(&mut stream).await?;
                    left_unread(&stream).await;
                    return None;
                }
                Fault::Tls(TlsFault::Alert(alert)) => {
                    hello(&mut stream).await?;
                    end(claim.take(), AttemptEnd::HandshakeFailed);
                    let _ = stream.write_all(&fatal(alert.number())).await;
                    Socket::Plain(stream).linger().await;
                    return None;
                }
                Fault::Tls(tls) if fault.changes(ReplyPart::Certificate) => certificate = Some(tls),
                Fault::Http2(fault @ (Http2Fault::SettingsStall | Http2Fault::FlowControlStall)) => {
                    stall = Some(fault);
                }
                _ => {}
            }
        }
        let transport = self.case.deployments[self.deployment].transport;
        if transport == Transport::Plain {
            return Some(ReadyConnection { socket: Socket::Plain(stream), http2: false, claim });
        }
        let server = shared.authority().ok()?.server(certificate, transport == Transport::Http2);
        let Ok(stream) = TlsAcceptor::from(server).accept(stream).await else {
            if claim.is_none() {
                let whose = Some((&self.case, self.deployment));
                shared.strays.note(StrayKind::NoHandshake, 0, None, whose);
            }
            end(claim, AttemptEnd::HandshakeFailed);
            return None;
        };
        let http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2);
        let socket = Socket::Tls(Box::new(stream));
        match stall {
            Some(Http2Fault::SettingsStall) => send_nothing(socket).await,
            Some(_) if http2 => never_open_the_window(socket).await,
            Some(_) => socket.until_peer_leaves().await,
            None => return Some(ReadyConnection { socket, http2, claim }),
        }
        None
    }
}

impl DeploymentPort {
    /// Keeps a connection open without reading from it until its client leaves. Returns the connection if the case is
    /// healed before the client has sent a request on it: then it is served like any other.
    ///
    /// A connection without a request is not an attempt: clients open connections that they may need later.
    async fn silent(&self, stream: TcpStream, claim: ClaimedTurn) -> Option<TcpStream> {
        let run = self.case.run();
        let mut asked = false;
        loop {
            let ready = tokio::select! {
                biased;
                () = run.healed(), if !asked => break,
                ready = stream.ready(Interest::READABLE) => ready,
            };
            if ready.is_ok_and(|ready| !ready.is_read_closed()) {
                // The event may precede the bytes.
                asked |= has_request(&stream);
                leave_unread(&stream);
                continue;
            }
            if !asked && !has_request(&stream) {
                claim.recorder.withdraw();
            }
            // Otherwise the drop of the recorder notes that the client has left.
            return None;
        }
        claim.recorder.withdraw();
        fresh(stream)
    }
}

/// Whether bytes have arrived on a connection that was never read. A reset discards them, so it counts as a request.
fn has_request(stream: &TcpStream) -> bool {
    let seen = SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]);
    match seen {
        Ok(bytes) => bytes > 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

/// A new registration of a socket. `left_unread` marks the received bytes as seen, and this reports them again to the next
/// reader.
fn fresh(stream: TcpStream) -> Option<TcpStream> {
    TcpStream::from_std(stream.into_std().ok()?).ok()
}

fn end(claim: Option<ClaimedTurn>, end: AttemptEnd) {
    if let Some(claim) = claim {
        claim.recorder.end(end);
    }
}

/// Waits before anything is read. Returns `None` if the client leaves meanwhile.
async fn wait(stream: TcpStream, time: Duration, claim: Option<&ClaimedTurn>) -> Option<TcpStream> {
    let mut clock = DelayClock::default();
    let due = clock.due(time);
    tokio::select! {
        () = sleep_until(due) => {}
        () = left_unread(&stream) => return None,
    }
    if let Some(claim) = claim {
        claim.recorder.woke(clock.woke(due));
    }
    fresh(stream)
}

/// The time in which a client notices that it is connected. If the connection were reset earlier, some
/// clients would report a failed connection attempt and others a reset, but one fault must always look the
/// same.
const CONNECTED: Duration = Duration::from_millis(20);

/// Ends a connection without reading from it, or keeps it open without reading until the client leaves.
async fn refuse(
    stream: TcpStream,
    fault: &ConnectionFault,
    claim: Option<ClaimedTurn>,
) -> Option<ReadyConnection> {
    if matches!(fault, ConnectionFault::AcceptedClosed | ConnectionFault::ResetAtOnce) {
        sleep(CONNECTED).await;
    }
    match fault {
        ConnectionFault::AcceptedClosed => {
            // Write the ledger first, so that an observer who sees the end finds it there.
            end(claim, AttemptEnd::Closed);
            Socket::Plain(stream).linger().await;
        }
        ConnectionFault::ResetAtOnce => {
            end(claim, AttemptEnd::Reset);
            let _ = stream.set_zero_linger();
        }
        _ => {
            // The drop of the recorder notes that the client has left.
            let _claim = claim;
            left_unread(&stream).await;
        }
    }
    None
}

/// Reads the record with the client's first message (RFC 8446 section 5.1). Returns `None` if it does not
/// arrive.
async fn hello(stream: &mut TcpStream) -> Option<()> {
    const HANDSHAKE: u8 = 22;
    let mut head = [0; 5];
    stream.read_exact(&mut head).await.ok()?;
    let mut record = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut record).await.ok()?;
    (head[0] == HANDSHAKE).then_some(())
}

/// Returns a record with a fatal alert (RFC 8446 section 6).
fn fatal(number: u8) -> [u8; 7] {
    const ALERT: u8 = 21;
    const FATAL: u8 = 2;
    [ALERT, 3, 3, 0, 2, FATAL, number]
}
