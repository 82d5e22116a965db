//! An HTTP/1 connection: its socket with the bytes that were received and not used yet, and those that are
//! due to be sent.

use std::io;

use bytes::{Buf, BytesMut};
use http::StatusCode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

use super::{
    chunked_body::{ChunkedBody, MalformedChunks},
    http1_writer::write_refusal,
    request_head::{self, BodyLength, RequestHead},
    socket::Socket,
};
use crate::provider::MAX_REQUEST_BYTES;

/// The room for one read.
const READ: usize = 4 * 1024;

/// Buffers above this size are not kept for the next request.
const MAX_KEPT: usize = 64 * 1024;

pub(super) struct Http1Connection {
    pub(super) socket: Socket,
    /// What was received and not used yet.
    pub(super) received: BytesMut,
    /// What is sent by the next flush.
    pub(super) due: Vec<u8>,
    /// The number of bytes written since the client last sent something. The client has received everything
    /// before that.
    pub(super) written: u64,
    /// The number of bytes of the current request.
    pub(super) request_bytes: u64,
}

/// A complete request.
pub(super) struct CompleteRequest<'a> {
    pub(super) head: &'a RequestHead<'a>,
    /// `None` if it is larger than a provider accepts.
    pub(super) body: Option<&'a [u8]>,
    /// When its head had arrived.
    pub(super) arrived: Instant,
}

/// Why there is no further request on a connection.
pub(super) enum NoRequest {
    /// The client has ended the connection between two requests.
    Left,
    /// The client has ended it in the middle of a head.
    HalfHead,
    /// The client has ended it in the middle of the body of a request for this path.
    HalfBody(String),
    /// The head is not acceptable, and is answered with this status.
    Refused(StatusCode),
    /// The body of a request for this path is not valid, and is answered with a 400.
    MalformedBody(String),
}

/// How much of a request has been read.
enum Progress {
    Head,
    /// The head of this length, and a body that follows it.
    Body(usize, Instant, BodyProgress),
}

enum BodyProgress {
    /// The whole body has this length.
    Known(usize),
    /// This number of bytes is still to be dropped, because the body is too large.
    Dropped(u64),
    /// The decoded body so far has this length; it is dropped if it becomes too large.
    Chunked { decoder: ChunkedBody, length: usize, too_large: bool },
}

impl Http1Connection {
    pub(super) fn new(socket: Socket) -> Self {
        Self { socket, received: BytesMut::new(), due: Vec::new(), written: 0, request_bytes: 0 }
    }

    /// Reads the next request and passes it to `then`.
    ///
    /// The body is read to its end even if it is too large, because a client that is still sending would miss
    /// the response.
    pub(super) async fn next<T>(
        &mut self,
        mut then: impl FnMut(&CompleteRequest<'_>) -> T,
    ) -> Result<T, NoRequest> {
        self.request_bytes = self.received.len() as u64;
        let mut progress = Progress::Head;
        loop {
            if !self.received.is_empty()
                && let Some(done) = self.advance(&mut progress, &mut then)?
            {
                return Ok(done);
            }
            // Send the 100 that the client waits for.
            let _ = self.flush().await;
            if !self.read().await.is_ok_and(|read| read > 0) {
                return Err(self.cut_off(&progress));
            }
        }
    }

    /// Goes on with a request as far as the received bytes allow. Returns the result of `then` when it is
    /// complete.
    fn advance<T>(
        &mut self,
        progress: &mut Progress,
        then: &mut impl FnMut(&CompleteRequest<'_>) -> T,
    ) -> Result<Option<T>, NoRequest> {
        if let Progress::Head = progress {
            let arrived = Instant::now();
            let received = &self.received[..];
            // Most requests arrive as a whole, and their heads are parsed only once.
            let mut at_once = |head: &RequestHead<'_>| match head.body {
                BodyLength::Known(length) => {
                    let end = head.bytes.len().checked_add(usize::try_from(length).ok()?)?;
                    let body = received.get(head.bytes.len()..end)?;
                    let body = (body.len() <= MAX_REQUEST_BYTES).then_some(body);
                    Some((then(&CompleteRequest { head, body, arrived }), end))
                }
                BodyLength::Chunked => None,
            };
            let parsed = request_head::parse(received, |head| {
                at_once(head).ok_or((head.bytes.len(), head.body, head.awaits_continue))
            });
            match parsed.map_err(NoRequest::Refused)? {
                None => return Ok(None),
                Some(Ok((done, end))) => {
                    self.use_up(end);
                    return Ok(Some(done));
                }
                Some(Err((head, body, awaits_continue))) => {
                    if awaits_continue {
                        self.due.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                    }
                    *progress = Progress::Body(head, arrived, self.begin_body(body));
                }
            }
        }
        let Progress::Body(head, arrived, body) = progress else { return Ok(None) };
        let Some(length) = self.advance_body(*head, body)? else { return Ok(None) };
        let (head, arrived) = (*head, *arrived);
        let body = length.map(|length| &self.received[head..head + length]);
        let request = &self.received[..head];
        let parsed = request_head::parse(request, |head| then(&CompleteRequest { head, body, arrived }));
        let done = parsed.map_err(NoRequest::Refused)?;
        self.use_up(head + length.unwrap_or(0));
        Ok(done)
    }

    fn begin_body(&mut self, body: BodyLength) -> BodyProgress {
        match body {
            BodyLength::Known(length) if length > MAX_REQUEST_BYTES as u64 => BodyProgress::Dropped(length),
            BodyLength::Known(length) => BodyProgress::Known(length as usize),
            BodyLength::Chunked => {
                BodyProgress::Chunked { decoder: ChunkedBody::new(), length: 0, too_large: false }
            }
        }
    }

    /// Goes on with a body after a head of this length. When it is complete, returns its length, or `None` if
    /// it was too large, and it directly follows the head.
    fn advance_body(
        &mut self,
        head: usize,
        body: &mut BodyProgress,
    ) -> Result<Option<Option<usize>>, NoRequest> {
        match body {
            BodyProgress::Known(length) => {
                let missing = (head + *length).saturating_sub(self.received.len());
                if missing == 0 {
                    return Ok(Some(Some(*length)));
                }
                self.received.reserve(missing);
                Ok(None)
            }
            BodyProgress::Dropped(left) => {
                let now = usize::try_from(*left).unwrap_or(usize::MAX).min(self.received.len() - head);
                self.cut_out(head, now);
                *left -= now as u64;
                Ok((*left == 0).then_some(None))
            }
            BodyProgress::Chunked { decoder, length, too_large } => {
                let end = head + *length;
                let decoded = match decoder.decode(&mut self.received[end..]) {
                    Ok(decoded) => decoded,
                    Err(MalformedChunks) => return Err(NoRequest::MalformedBody(self.path(head))),
                };
                *length += decoded.body;
                *too_large |= *length > MAX_REQUEST_BYTES;
                let kept = if *too_large { 0 } else { *length };
                self.cut_out(head + kept, end + decoded.used - (head + kept));
                *length = kept;
                Ok(decoded.complete.then_some((!*too_large).then_some(kept)))
            }
        }
    }

    /// Removes `count` bytes at this position of what was received.
    fn cut_out(&mut self, at: usize, count: usize) {
        self.received.copy_within(at + count.., at);
        self.received.truncate(self.received.len() - count);
    }

    /// Returns the path of a request whose head has this length.
    fn path(&self, head: usize) -> String {
        let path = request_head::parse(&self.received[..head], |head| head.path.clone().into_owned());
        path.ok().flatten().unwrap_or_default()
    }

    fn cut_off(&self, progress: &Progress) -> NoRequest {
        match progress {
            Progress::Head if self.received.is_empty() => NoRequest::Left,
            Progress::Head => NoRequest::HalfHead,
            Progress::Body(head, ..) => NoRequest::HalfBody(self.path(*head)),
        }
    }

    /// Drops a request from what was received.
    fn use_up(&mut self, length: usize) {
        self.received.advance(length);
        self.request_bytes -= self.received.len() as u64;
        if self.received.is_empty() && self.received.capacity() > MAX_KEPT {
            self.received = BytesMut::new();
        }
    }

    /// Reads what the client has sent. Cancel-safe.
    async fn read(&mut self) -> io::Result<usize> {
        if self.received.capacity() - self.received.len() < READ / 4 {
            self.received.reserve(READ.max(self.received.len()));
        }
        let read = self.socket.read_buf(&mut self.received).await?;
        self.written = 0;
        self.request_bytes += read as u64;
        Ok(read)
    }

    /// Sends everything that is due.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        if self.due.is_empty() {
            return Ok(());
        }
        self.socket.write_all(&self.due).await?;
        self.written += self.due.len() as u64;
        self.due.clear();
        self.due.shrink_to(MAX_KEPT);
        self.socket.flush().await
    }

    /// Frees the buffers before a long wait.
    pub(super) fn free_buffers(&mut self) {
        if self.received.is_empty() {
            self.received = BytesMut::new();
        }
        if self.due.is_empty() {
            self.due = Vec::new();
        }
    }

    /// Resolves when the client has ended the connection. Keeps what it sends before. Cancel-safe.
    pub(super) async fn left(&mut self) {
        // A small buffer, because ten thousand connections may wait here.
        let mut bytes = [0; 64];
        // Limit the bytes that are read only to detect the end of the connection.
        while self.received.len() < MAX_KEPT {
            match self.socket.read(&mut bytes).await {
                Ok(0) | Err(_) => return,
                Ok(read) => self.received.extend_from_slice(&bytes[..read]),
            }
        }
        std::future::pending().await
    }

    /// Answers bytes that are not a request, and ends the connection.
    pub(super) async fn refuse(mut self, status: StatusCode) {
        write_refusal(status, &mut self.due);
        let _ = self.flush().await;
        self.socket.linger().await;
    }
}
