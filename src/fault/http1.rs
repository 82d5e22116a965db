//! Faults of a reply as an HTTP/1.1 message.

use bytes::Bytes;

use super::{
    plan::{Framing, Head, WireAction},
    timeline::Timeline,
};
use crate::scenario::{Http1Fault, Point};

/// The size of a header that all common clients accept. Many clients refuse a larger one, others accept it
/// (RFC 9110 section 5.4).
const USUAL_HEADER: u32 = 8 * 1024;

/// Bytes after the end of a reply, which are not the beginning of another one.
const TRAILING: &[u8] = b"these bytes belong to no reply\r\n\r\n";

impl Timeline {
    /// Applies one HTTP/1.1 fault. Does nothing if an earlier fault prevents the head from being sent.
    pub(super) fn http1(&mut self, fault: Http1Fault) {
        let (length, whole) = (self.length() as u64, self.whole);
        let half = length / 2;
        let Some(head) = &mut self.head else { return };
        match fault {
            Http1Fault::GarbageStatusLine => {
                self.garbled = true;
                self.unreadable_from = Some(0);
                self.finish = WireAction::Close;
            }
            Http1Fault::UnknownStatus(status) => head.status = status.clamp(200, 999),
            Http1Fault::Interim(status) => self.before.push(interim(status)),
            Http1Fault::OversizedHeader(bytes) => {
                let value = "a".repeat(bytes as usize);
                line(head, &format!("x-upfault-padding: {value}\r\n"));
                self.doubtful |= bytes > USUAL_HEADER;
            }
            Http1Fault::FoldedHeader => {
                line(head, "x-upfault-folded: one\r\n two\r\n");
                self.doubtful = true;
            }
            Http1Fault::DuplicatedHeader => {
                if !head.headers.iter().any(|(name, _)| name == "content-type") {
                    line(head, "content-type: application/json\r\n");
                }
                line(head, "content-type: text/html\r\n");
                self.doubtful = true;
            }
            Http1Fault::ConflictingContentLength => {
                // Half of an empty body would have the same length, which is not a conflict.
                let other = if length == 0 { 1 } else { half };
                line(head, &format!("content-length: {length}\r\ncontent-length: {other}\r\n"));
                head.framing = Framing::None;
                self.unreadable_from = Some(0);
            }
            Http1Fault::ShortContentLength => {
                head.framing = Framing::Length(half);
                if length > 0 {
                    // If an earlier fault makes the body unreadable from its beginning, keep that.
                    self.unreadable_from.get_or_insert(half as usize);
                }
            }
            Http1Fault::LongContentLength => {
                head.framing = Framing::Length((length * 2).max(1));
                self.finish = WireAction::Close;
            }
            Http1Fault::ChunkedNotSent => {
                line(head, "transfer-encoding: chunked\r\n");
                head.framing = Framing::None;
                self.unreadable_from = Some(0);
                // Close the connection, because a client that waits for a chunk would wait without end.
                self.finish = WireAction::Close;
            }
            Http1Fault::UnknownTransferEncoding => {
                line(head, "transfer-encoding: rot13\r\n");
                head.framing = Framing::UntilClose;
                self.doubtful = true;
            }
            Http1Fault::BadChunkSize { at } => {
                head.framing = Framing::Chunked;
                self.bad_chunk_size(at);
            }
            Http1Fault::MissingLastChunk => {
                head.framing = Framing::Chunked;
                self.finish = WireAction::Close;
            }
            // Trailing bytes may mean that the declared length is wrong (RFC 9112 section 6.3).
            Http1Fault::TrailingBytes => {
                self.finish = WireAction::Overrun(Bytes::from_static(TRAILING));
                self.doubtful = true;
            }
            Http1Fault::BodyOn204 | Http1Fault::BodyOn304 => {
                head.status = if fault == Http1Fault::BodyOn204 { 204 } else { 304 };
                if whole || length > 0 {
                    line(head, &format!("content-length: {length}\r\n"));
                }
                head.framing = Framing::None;
                self.unreadable_from = Some(0);
            }
        }
    }

    /// Ends the reply at a point with a chunk whose size is not a number and that contains the rest of the
    /// body.
    fn bad_chunk_size(&mut self, at: Point) {
        let index = self.split(self.find(at).offset());
        let raw = |bytes, breaks, body| WireAction::Raw { bytes, breaks, body };
        let rest: Vec<_> = self.body.split_off(index);
        self.body.push(raw(Bytes::from_static(b"ZZ\r\n"), true, false));
        self.body.extend(rest.into_iter().map(|action| match action {
            WireAction::Write { bytes, .. } => raw(bytes, false, true),
            other => other,
        }));
        self.body.push(raw(Bytes::from_static(b"\r\n"), false, false));
        self.terminator = 0;
        self.ending = WireAction::Close;
    }
}

fn line(head: &mut Head, line: &str) {
    head.lines.push(Bytes::copy_from_slice(line.as_bytes()));
}

/// Returns a complete, well-formed interim response (RFC 9110 section 15.2).
fn interim(status: u16) -> WireAction {
    let text = match status {
        100 => "HTTP/1.1 100 Continue\r\n\r\n",
        102 => "HTTP/1.1 102 Processing\r\n\r\n",
        _ => "HTTP/1.1 103 Early Hints\r\nlink: </upfault.css>; rel=preload; as=style\r\n\r\n",
    };
    WireAction::Raw { bytes: Bytes::from_static(text.as_bytes()), breaks: false, body: false }
}
