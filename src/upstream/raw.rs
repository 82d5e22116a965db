//! Performs a plan below HTTP: writes bytes that no library would send directly to the socket.

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

/// The pause after a packet, as short as the runtime's clock allows.
pub(super) const BETWEEN_PACKETS: Duration = Duration::from_millis(1);

/// The number of packets that are followed by a pause. There are none after that, so that a split does not
/// make a long reply slow.
const MAX_PACED: u32 = 256;

/// A connection on which a reply has ended properly, so that another request may follow.
pub(super) struct Reusable {
    pub(super) socket: Socket,
    /// The bytes of the next request that the client has already sent.
    pub(super) unread: Bytes,
    pub(super) written: u64,
}

/// A plan to perform, with its attempt.
pub(super) struct RawReply {
    pub(super) plan: Plan,
    pub(super) recorder: AttemptRecorder,
    /// The ledger that contains the attempt.
    pub(super) run: Arc<Run>,
    pub(super) deployment: usize,
    /// Cancelled when the case is over.
    pub(super) over: CancellationToken,
    /// The `Sec-WebSocket-Key` of the client, or an empty string.
    pub(super) key: String,
}

/// Performs a whole plan. Returns the connection if it can be reused.
///
/// If the client leaves, the drop of the recorder records the attempt's end.
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
    let mut clock = DelayClock::default();
    let mut packets = 0;
    let ending = loop {
        let action = actions.next()?;
        match action {
            WireAction::Wait(time) => {
                writer.flush().await.ok()?;
                let due = clock.due(time);
                tokio::select! {
                    () = sleep_until(due) => {}
                    () = writer.socket.left(&mut writer.unread) => return None,
                }
                writer.recorder.woke(clock.woke(due));
            }
            // A packet must be sent before the next one is written, and read before the next one arrives,
            // because the kernel joins bytes that wait for a reader.
            WireAction::Flush => {
                writer.flush().await.ok()?;
                if packets < MAX_PACED {
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

/// Waits for the next request, ends the connection without reading it, and records an attempt without a
/// request. Once the case is healed, the idle connection is closed.
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

/// The maximum number of bytes that wait in the buffer.
const MAX_DUE: usize = 64 * 1024;

struct Writer {
    socket: Socket,
    /// Bytes to send in one write at the next wait, so that the client reads them together.
    due: Vec<u8>,
    written: u64,
    /// The framing of the body.
    framing: Framing,
    /// Whether the connection ends after this reply, as its head says.
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
        if self.due.len() > MAX_DUE { self.flush().await } else { Ok(()) }
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

/// Encodes a status line and headers (RFC 9112 sections 4 and 5).
pub(super) fn encoded(head: &Head) -> Vec<u8> {
    let reason = http::StatusCode::from_u16(head.status).ok().and_then(|status| status.canonical_reason());
    let mut bytes = Vec::with_capacity(512);
    let framing = match head.framing {
        Framing::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
        Framing::Length(n) => format!("content-length: {n}\r\n"),
        Framing::UntilClose => "connection: close\r\n".to_owned(),
        Framing::WebSocket | Framing::None => String::new(),
    };
    // Writing to memory cannot fail.
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
