//! Performs a plan below HTTP: what no library would send, byte by byte on the socket.

use std::{
    io::{self, Write as _},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    delay_clock::DelayClock,
    ledger::{Arrival, AttemptRecorder, Run},
    received::ReceivedRequest,
    session,
    socket::Socket,
};
use crate::{
    fault::{Framing, Head, Plan, WireAction},
    observation::AttemptEnd,
};

/// The pause behind a packet, as short as the runtime's clock allows.
pub(super) const BETWEEN_PACKETS: Duration = Duration::from_millis(1);

/// Behind so many packets there are no more pauses: a split shall not make a long reply slow.
const MOST_PACED: u32 = 256;

/// A connection on which a reply came to its end, so that the next request may follow.
pub(super) struct Reusable {
    pub(super) socket: Socket,
    /// What the client has sent of its next request.
    pub(super) unread: Bytes,
    pub(super) written: u64,
}

/// What is to be performed, and for whom.
pub(super) struct RawReply {
    pub(super) plan: Plan,
    pub(super) recorder: AttemptRecorder,
    /// The ledger in which the attempt stands.
    pub(super) run: Arc<Run>,
    pub(super) deployment: usize,
    /// Cancelled when the case is over.
    pub(super) over: CancellationToken,
    /// The key by which a client asks for a WebSocket; empty where it does not.
    pub(super) key: String,
}

/// Performs a plan from its beginning. The connection comes back where it may be used again.
///
/// Where the client leaves, the attempt's end is noted by the drop of its recorder.
pub(super) async fn perform(
    order: RawReply,
    socket: Socket,
    unread: Bytes,
    written: u64,
) -> Option<Reusable> {
    if session::is_session(&order.plan) {
        session::perform(order, socket, unread, written).await;
        return None;
    }
    let RawReply { plan, recorder, run, deployment, over, .. } = order;
    let mut writer = Writer {
        socket,
        due: Vec::new(),
        written,
        framing: Framing::None,
        last: false,
        unread: unread.to_vec(),
        recorder,
    };
    let mut actions = plan.actions.into_iter();
    let mut beat = DelayClock::default();
    let mut packets = 0;
    let ending = loop {
        let action = actions.next()?;
        match action {
            WireAction::Wait(time) => {
                writer.flush().await.ok()?;
                let due = beat.due(time);
                tokio::select! {
                    () = sleep_until(due) => {}
                    () = writer.socket.left(&mut writer.unread) => return None,
                }
                writer.recorder.woke(beat.woke(due));
            }
            // A packet that is to be one must have left before the next is made, and be read before
            // the next comes: the kernel joins what waits for a reader.
            WireAction::Flush => {
                writer.flush().await.ok()?;
                if packets < MOST_PACED {
                    packets += 1;
                    sleep(BETWEEN_PACKETS).await;
                } else {
                    tokio::task::yield_now().await;
                }
            }
            ending if ending.is_ending() => break ending,
            action => writer.write(action).await.ok()?,
        }
    };
    if ending == WireAction::CloseWhenReused {
        writer.finish();
        writer.flush().await.ok()?;
        let Writer { socket, unread, recorder, .. } = writer;
        recorder.end(AttemptEnd::Finished);
        return close_when_reused(socket, !unread.is_empty(), &run, deployment, over).await;
    }
    writer.end(ending).await
}

/// Waits for the next request, ends the connection without reading it, and notes that as an attempt
/// without a request. Once everything is well the connection ends as an idle one does.
async fn close_when_reused(
    mut socket: Socket,
    reused: bool,
    run: &Run,
    deployment: usize,
    over: CancellationToken,
) -> Option<Reusable> {
    if !reused {
        let mut first = Vec::with_capacity(1);
        tokio::select! {
            read = socket.read_buf(&mut first) => if read.ok()? == 0 { return None },
            () = run.healed() => {
                socket.close().await;
                return None;
            }
        }
    }
    let arrival = Arrival { deployment, at: Instant::now(), request: ReceivedRequest::nothing() };
    run.open(arrival, over).end(AttemptEnd::Closed);
    socket.close().await;
    None
}

/// More than this is not held back.
const MOST_DUE: usize = 64 * 1024;

struct Writer {
    socket: Socket,
    /// Goes out in one write at the next wait, so that what is due at once is read at once.
    due: Vec<u8>,
    written: u64,
    /// How the body's end is told.
    framing: Framing,
    /// The connection ends with this reply, and the head says so.
    last: bool,
    unread: Vec<u8>,
    recorder: AttemptRecorder,
}

impl Writer {
    async fn write(&mut self, action: WireAction) -> io::Result<()> {
        match action {
            WireAction::Head(head) => {
                self.framing = head.framing;
                self.last = head.framing == Framing::UntilClose
                    || head.headers.iter().any(|(name, value)| name == "connection" && value == "close");
                self.due.extend(encoded(&head));
                self.recorder.head(head, 0);
            }
            WireAction::Write { bytes, completes_frame } => {
                self.recorder.wrote(&bytes, completes_frame);
                if self.framing == Framing::Chunked {
                    self.due.extend(format!("{:x}\r\n", bytes.len()).into_bytes());
                    self.due.extend_from_slice(&bytes);
                    self.due.extend_from_slice(b"\r\n");
                } else {
                    self.due.extend_from_slice(&bytes);
                }
            }
            WireAction::Raw { bytes, breaks } => {
                if breaks {
                    self.recorder.broke();
                }
                self.due.extend_from_slice(&bytes);
            }
            _ => {}
        }
        if self.due.len() > MOST_DUE { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.socket.write_all(&self.due).await?;
        self.written += self.due.len() as u64;
        self.due.clear();
        self.socket.flush().await
    }

    fn finish(&mut self) {
        if self.framing == Framing::Chunked {
            self.due.extend_from_slice(b"0\r\n\r\n");
        }
    }

    async fn end(mut self, ending: WireAction) -> Option<Reusable> {
        match &ending {
            WireAction::Finish => self.finish(),
            WireAction::Overrun(bytes) => {
                self.finish();
                self.due.extend_from_slice(bytes);
            }
            _ => {}
        }
        self.flush().await.ok()?;
        match ending {
            WireAction::Finish | WireAction::Overrun(_) => self.over().await,
            WireAction::CloseUnannounced => {
                let complete = self.framing == Framing::UntilClose;
                self.recorder.end(if complete { AttemptEnd::Finished } else { AttemptEnd::Closed });
                self.socket.close_unannounced();
                None
            }
            WireAction::Reset | WireAction::RstStream(_) => {
                self.recorder.end(AttemptEnd::Reset);
                self.socket.reset(self.written).await;
                None
            }
            WireAction::Hang => {
                self.socket.left(&mut self.unread).await;
                None
            }
            _ => {
                self.recorder.end(AttemptEnd::Closed);
                self.socket.close().await;
                None
            }
        }
    }

    async fn over(self) -> Option<Reusable> {
        self.recorder.end(AttemptEnd::Finished);
        if self.last {
            self.socket.close().await;
            return None;
        }
        Some(Reusable { socket: self.socket, unread: self.unread.into(), written: self.written })
    }
}

/// A status line and its headers, as they go over the wire (RFC 9112 sections 4 and 5).
pub(super) fn encoded(head: &Head) -> Vec<u8> {
    let reason = http::StatusCode::from_u16(head.status).ok().and_then(|status| status.canonical_reason());
    let mut bytes = Vec::with_capacity(512);
    let framing = match head.framing {
        Framing::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
        Framing::Length(n) => format!("content-length: {n}\r\n"),
        Framing::UntilClose => "connection: close\r\n".to_owned(),
        Framing::WebSocket | Framing::None => String::new(),
    };
    // Writing to memory does not fail.
    let _ = write!(bytes, "HTTP/1.1 {} {}\r\n", head.status, reason.unwrap_or_default());
    for (name, value) in &head.headers {
        let _ = write!(bytes, "{name}: {value}\r\n");
    }
    for line in &head.lines {
        bytes.extend_from_slice(line);
    }
    bytes.extend_from_slice(framing.as_bytes());
    bytes.extend_from_slice(b"\r\n");
    bytes
}
