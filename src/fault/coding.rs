//! Faults of the headers that describe the body: its coding and its type.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};

use super::{plan::WireAction, timeline::Timeline};
use crate::scenario::{ContentEncodingFault, ContentTypeFault};

impl Timeline {
    /// Declares the body as gzip although it is not, or is compressed twice or incomplete (RFC 9110 section
    /// 8.4.1.3).
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
                // Remove the waits in the second half too: they would have no effect.
                self.body.truncate(half);
                self.terminator = 0;
                self.count_again(before);
            }
        }
        self.set_header("content-encoding", Some("gzip".to_owned()));
    }

    /// Compresses the body as one gzip member and flushes after every part, so that a stream is still sent
    /// part by part.
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
            // Writing to memory cannot fail.
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

    /// Declares a content type that the body does not have (RFC 9110 section 8.3).
    pub(super) fn content_type(&mut self, fault: ContentTypeFault) {
        let Some(head) = &self.head else { return };
        // A client can handle an error by its status alone. A success can be read only by its type or by its
        // bytes.
        self.doubtful |= head.status < 300;
        let declared = head.headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value);
        let value = match fault {
            ContentTypeFault::Wrong => Some("text/html".to_owned()),
            ContentTypeFault::WrongCharset => {
                let kind = declared.and_then(|value| value.split(';').next()).unwrap_or("application/json");
                Some(format!("{}; charset=utf-16", kind.trim()))
            }
            ContentTypeFault::Missing => None,
        };
        self.set_header("content-type", value);
    }

    /// Replaces a header at its position, appends it if it is missing, or removes it if `value` is `None`.
    fn set_header(&mut self, name: &str, value: Option<String>) {
        let Some(head) = &mut self.head else { return };
        let place = head.headers.iter().position(|(known, _)| known == name).unwrap_or(head.headers.len());
        head.headers.retain(|(known, _)| known != name);
        if let Some(value) = value {
            head.headers.insert(place, (name.into(), value.into()));
        }
    }
}
