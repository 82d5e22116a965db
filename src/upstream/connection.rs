//! One connection: hyper speaks HTTP on it, and whoever answers on it can have it cut.

use std::{
    io,
    net::Shutdown,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    answer::answer,
    ledger::{Recorder, locked},
    server::Shared,
};
use crate::observation::AttemptEnd;

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// FIN.
    Close,
    /// RST.
    Reset,
}

/// The handle by which an answer has its connection cut once all that it wrote has been flushed.
///
/// A body that fails or ends early is no way to do that: hyper would complete the framing, or send
/// a FIN where a RST is wanted.
#[derive(Default)]
pub(super) struct Line {
    wanted: AtomicBool,
    cut: Mutex<Option<(Cut, Option<Recorder>)>>,
    flushed: Notify,
}

impl Line {
    /// Has the connection cut after the next flush. To be called from within hyper's own poll (of
    /// the service or the body), which ends in a flush of everything written before.
    pub(super) fn cut(&self, how: Cut, recorder: Option<Recorder>) {
        *locked(&self.cut) = Some((how, recorder));
        self.wanted.store(true, Ordering::Release);
    }
}

/// Serves a connection until it ends, is cut, or `stop` is cancelled.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>, stop: CancellationToken) {
    // Without it an event would wait for the ACK of the one before.
    let _ = stream.set_nodelay(true);
    let line = Arc::new(Line::default());
    let wire = Wire { stream, line: line.clone(), written: 0 };
    let service = {
        let line = line.clone();
        service_fn(move |request| answer(shared.clone(), line.clone(), request))
    };
    // What is due at once goes out in one write: hyper would queue up sixteen events and then flush.
    let mut connection = http1::Builder::new().writev(false).serve_connection(TokioIo::new(wire), service);
    tokio::select! {
        biased;
        () = stop.cancelled() => return,
        () = line.flushed.notified() => {}
        // An error here is the client's doing (it left, or spoke no HTTP); an attempt that was in
        // progress has noted it by the drop of its recorder.
        // One that ended well may have to be cut all the same, behind a body that was complete.
        ended = &mut connection => if ended.is_err() { return },
    }
    let Some((how, recorder)) = locked(&line.cut).take() else { return };
    let wire = connection.into_parts().io.into_inner();
    tokio::select! {
        () = stop.cancelled() => {}
        () = cut(wire, how, recorder) => {}
    }
}

async fn cut(wire: Wire, how: Cut, recorder: Option<Recorder>) {
    let Wire { stream, written, .. } = wire;
    let end = match how {
        Cut::Close => {
            let _ = socket2::SockRef::from(&stream).shutdown(Shutdown::Write);
            // Bytes that nobody read would turn the FIN of the drop into a RST.
            let mut unread = [0; 4096];
            while stream.try_read(&mut unread).is_ok_and(|n| n > 0) {}
            AttemptEnd::Closed
        }
        Cut::Reset => {
            settle(&stream, written).await;
            let _ = stream.set_zero_linger();
            AttemptEnd::Reset
        }
    };
    // Noted first: whoever sees the cut finds it in the ledger.
    if let Some(recorder) = recorder {
        recorder.end(end);
    }
    drop(stream);
}

/// Waits until the peer has been given what was written, as a RST throws away what the kernel
/// still holds for sending.
///
/// On loopback a segment reaches the peer's queue within the call that sends it, as long as there
/// is room, and Linux lets the peer read that queue after a RST. Two milliseconds are for systems
/// and clients that don't. Only a large reply can still wait for room: its queue is watched, for
/// half a second at most, since a peer that does not read must not turn a reset into a hang.
async fn settle(stream: &TcpStream, written: u64) {
    const SMALL: u64 = 16 * 1024;
    if written == 0 {
        return;
    }
    let deadline = Instant::now() + Duration::from_millis(500);
    sleep(Duration::from_millis(2)).await;
    // The table grows with the connections of the whole machine: it is not read more often than need be.
    let mut pause = Duration::from_millis(5);
    while written > SMALL && Instant::now() < deadline && unacknowledged(stream).is_some_and(|n| n > 0) {
        sleep(pause).await;
        pause = (2 * pause).min(Duration::from_millis(40));
    }
}

/// Bytes that the peer's kernel has not acknowledged, as Linux tells in `/proc/net/tcp`
/// (proc(5): `local_address rem_address st tx_queue:rx_queue`); `None` where that can't be known.
fn unacknowledged(stream: &TcpStream) -> Option<u64> {
    let (local, peer) = (stream.local_addr().ok()?.port(), stream.peer_addr().ok()?.port());
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace().skip(1);
        let mut port = || u16::from_str_radix(columns.next()?.rsplit(':').next()?, 16).ok();
        if (port()?, port()?) != (local, peer) {
            return None;
        }
        u64::from_str_radix(columns.nth(1)?.split(':').next()?, 16).ok()
    })
}

/// The socket, telling the connection's owner when it has been flushed and is to be cut.
struct Wire {
    stream: TcpStream,
    line: Arc<Line>,
    written: u64,
}

impl Wire {
    fn count(&mut self, poll: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(n)) = &poll {
            self.written += *n as u64;
        }
        poll
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.count(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.count(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes its socket only when its own buffer is empty, so this is the moment at which
    /// everything before a cut has been given to the kernel.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        if poll.is_ready() && self.line.wanted.load(Ordering::Acquire) {
            self.line.flushed.notify_one();
        }
        poll
    }

    /// Left to the cut where one is due: a FIN now would come before its RST.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.line.wanted.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
