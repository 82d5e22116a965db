//! What the headers say of the body, and the body is not: its coding, its type.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

use super::{plan::WireAction, timeline::Timeline};
use crate::scenario::{ContentEncodingFault, ContentTypeFault};

impl Timeline {
    /// Says gzip of a body that is none, or not in one piece (RFC 9110 section 8.4.1.3).
    pub(super) fn content_encoding(&mut self, fault: ContentEncodingFault) {
        match fault {
            ContentEncodingFault::GzipNotSent => {}
            ContentEncodingFault::DoubleGzip => {
                self.compress();
                self.compress();
            }
            ContentEncodingFault::CutGzip => {
                self.compress();
                let before = self.length();
                let half = self.split(before / 2);
                // The waits there are for nothing.
                self.body.truncate(half);
                self.terminator = 0;
                self.count_again(before);
            }
        }
        self.set_header("content-encoding", Some("gzip".to_owned()));
    }

    /// Compresses the body as one gzip member, flushed behind every part, so that a stream stays one.
    fn compress(&mut self) {
        let before = self.length();
        let terminated = before - self.terminator;
        let last = self.body.iter().rposition(|action| matches!(action, WireAction::Write { .. }));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let (mut offset, mut terminator) = (0, 0);
        for (i, action) in self.body.iter_mut().enumerate() {
            let WireAction::Write { bytes, .. } = action else { continue };
            let closing = offset >= terminated;
            offset += bytes.len();
            // Writing to memory does not fail.
            let _ = encoder.write_all(bytes);
            let _ = if Some(i) == last { encoder.try_finish() } else { encoder.flush() };
            *bytes = Bytes::from(std::mem::take(encoder.get_mut()));
            if closing {
                terminator += bytes.len();
            }
        }
        self.terminator = terminator;
        self.count_again(before);
    }

    /// Says another content type than the body has (RFC 9110 section 8.3).
    pub(super) fn content_type(&mut self, fault: ContentTypeFault) {
        let Some(head) = &self.head else { return };
        // An error's status says enough; what a success is can be seen by its type alone, or by its bytes.
        self.doubtful |= head.status < 300;
        let told = head.headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value);
        let value = match fault {
            ContentTypeFault::Wrong => Some("text/html".to_owned()),
            ContentTypeFault::WrongCharset => {
                let kind = told.and_then(|value| value.split(';').next()).unwrap_or("application/json");
                Some(format!("{}; charset=utf-16", kind.trim()))
            }
            ContentTypeFault::Missing => None,
        };
        self.set_header("content-type", value);
    }

    /// Sets a header in its place, or takes it away.
    fn set_header(&mut self, name: &str, value: Option<String>) {
        let Some(head) = &mut self.head else { return };
        let place = head.headers.iter().position(|(known, _)| known == name).unwrap_or(head.headers.len());
        head.headers.retain(|(known, _)| known != name);
        if let Some(value) = value {
            head.headers.insert(place, (name.into(), value.into()));
        }
    }
}
