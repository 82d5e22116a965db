//! Bodies with a content coding. An observation contains them decoded, on both sides, as a client reads them.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::content_coding::{ContentCoding, ContentDecoder};

/// The coding of a body that was sent with a `Content-Encoding`, or that is compressed without one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct CodedBody {
    /// The number of bytes before they were decoded.
    pub bytes: u64,
    /// Why a client cannot decode the body as its `Content-Encoding` says. The recorded body is then what was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The coding that the body still has after a client has decoded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undeclared: Option<String>,
}

impl CodedBody {
    /// The coding of a body, if it had or still has one: the number of bytes as sent, the decoder that read it, and
    /// its first bytes after that.
    pub(crate) fn of(bytes: u64, decoder: Option<&ContentDecoder>, decoded: &[u8]) -> Option<Self> {
        let undeclared = ContentCoding::begins(decoded).map(|coding| coding.as_str().to_owned());
        if decoder.is_none() && undeclared.is_none() {
            return None;
        }
        let error = decoder.and_then(ContentDecoder::error).map(str::to_owned);
        Some(Self { bytes, undeclared: undeclared.filter(|_| error.is_none()), error })
    }

    /// Decodes a body with this `Content-Encoding` as a client does. Bytes that a client cannot decode are returned
    /// as they are.
    pub(crate) fn decode(header: Option<&str>, bytes: &[u8]) -> (Vec<u8>, Option<Self>) {
        let mut decoder = ContentDecoder::of(header);
        let decoded = match &mut decoder {
            Some(decoder) => decoder.feed(bytes),
            None => bytes.to_vec(),
        };
        let coded = Self::of(bytes.len() as u64, decoder.as_ref(), &decoded);
        let is_unread = decoded.is_empty() && coded.as_ref().is_some_and(|coded| coded.error.is_some());
        (if is_unread { bytes.to_vec() } else { decoded }, coded)
    }
}
