//! Faults of the headers that describe the body: its coding and its type.

use bytes::Bytes;

use super::timeline::Timeline;
use crate::{
    scenario::{ContentEncodingFault, ContentTypeFault},
    wire::content_coding::{ContentCoding, ContentEncoder},
};

impl Timeline {
    /// Encodes the body as Content-Encoding says, or declares it as gzip although it is not, or is compressed twice or
    /// incomplete (RFC 9110 section 8.4.1).
    pub(super) fn content_encoding(&mut self, fault: ContentEncodingFault) {
        let mut declared = ContentCoding::Gzip;
        match fault {
            ContentEncodingFault::Gzip => self.encode(declared),
            ContentEncodingFault::Deflate => {
                declared = ContentCoding::Deflate;
                self.encode(declared);
            }
            ContentEncodingFault::Br => {
                declared = ContentCoding::Brotli;
                self.encode(declared);
            }
            ContentEncodingFault::Zstd => {
                declared = ContentCoding::Zstd;
                self.encode(declared);
            }
            // A client that looks at the bytes can still read the body.
            ContentEncodingFault::GzipNotSent => self.doubtful = true,
            ContentEncodingFault::DoubleGzip => {
                self.encode(declared);
                self.encode(declared);
                self.doubtful = true;
            }
            ContentEncodingFault::CutGzip => {
                self.encode(declared);
                let before = self.length();
                let half = self.split(before / 2);
                // Remove the waits in the second half too: they would have no effect.
                self.body.truncate(half);
                self.terminator = 0;
                self.count_again(before);
            }
        }
        self.set_header("content-encoding", Some(declared.as_str().to_owned()));
    }

    /// Encodes the body and flushes after every part, so that a stream is still sent part by part.
    fn encode(&mut self, coding: ContentCoding) {
        let mut encoder = ContentEncoder::new(coding);
        self.rewrite(|bytes, last| Bytes::from(encoder.part(bytes, last)));
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
