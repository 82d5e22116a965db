//! Reads the body of an upstream response and undoes its content coding.

use bytes::Bytes;

use crate::wire::content_coding::{ContentCoding, ContentDecoder};

/// Why a body cannot be read on.
#[derive(Debug)]
pub(super) enum BodyFailure {
    /// The connection was lost.
    Lost(reqwest::Error),
    /// The body is not in the content coding that its headers declare.
    Miscoded,
}

/// The body of a response.
#[derive(Debug)]
pub(super) struct DecodedBody {
    response: reqwest::Response,
    decoding: BodyDecoding,
}

/// How a body is decoded.
#[derive(Debug)]
pub(super) enum BodyDecoding {
    /// Not at all.
    Unchanged,
    /// As its headers say.
    Declared(ContentDecoder),
    /// As its bytes say.
    Looking(LookingDecoder),
}

impl DecodedBody {
    pub(super) fn new(response: reqwest::Response, decoding: BodyDecoding) -> Self {
        Self { response, decoding }
    }

    /// The next piece; `None` at the end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, BodyFailure> {
        let chunk = self.response.chunk().await.map_err(BodyFailure::Lost)?;
        match (&mut self.decoding, chunk) {
            (BodyDecoding::Unchanged, chunk) => Ok(chunk),
            (BodyDecoding::Declared(decoder), Some(bytes)) => {
                let decoded = decoder.feed(&bytes);
                // What was decoded before an error is worth nothing without the rest.
                if decoder.error().is_some() { Err(BodyFailure::Miscoded) } else { Ok(Some(decoded.into())) }
            }
            (BodyDecoding::Declared(_), None) => Ok(None),
            (BodyDecoding::Looking(decoder), Some(bytes)) => Ok(Some(decoder.feed(&bytes).into())),
            (BodyDecoding::Looking(decoder), None) => {
                Ok(Some(decoder.rest()).filter(|rest| !rest.is_empty()).map(Bytes::from))
            }
        }
    }
}

/// The number of bytes by which a coding is recognised.
const MAGIC: usize = 4;

/// Decodes a body by what its bytes look like, as often as it is coded.
#[derive(Debug)]
pub(super) struct LookingDecoder {
    /// The coding that the headers declare, if only they can name it.
    declared: Option<ContentDecoder>,
    looks: Looks,
}

#[derive(Debug)]
enum Looks {
    /// Not decided before this many bytes.
    Unknown(Vec<u8>),
    Plain,
    Coded(Box<(ContentDecoder, LookingDecoder)>),
}

impl LookingDecoder {
    /// A decoder for a body with this `Content-Encoding`.
    pub(super) fn new(header: Option<&str>) -> Self {
        let is_brotli = header.and_then(ContentCoding::of) == Some(ContentCoding::Brotli);
        let declared = is_brotli.then(|| ContentDecoder::new(ContentCoding::Brotli));
        Self { declared, looks: Looks::Unknown(Vec::new()) }
    }

    fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        match &mut self.looks {
            Looks::Plain => bytes.to_vec(),
            Looks::Coded(layers) => {
                let decoded = layers.0.feed(bytes);
                layers.1.feed(&decoded)
            }
            Looks::Unknown(first) => {
                first.extend_from_slice(bytes);
                if first.len() < MAGIC { Vec::new() } else { self.decide() }
            }
        }
    }

    /// The bytes that were too few to recognise a coding.
    fn rest(&mut self) -> Vec<u8> {
        match &mut self.looks {
            Looks::Unknown(_) => self.decide(),
            Looks::Plain => Vec::new(),
            Looks::Coded(layers) => layers.1.rest(),
        }
    }

    /// Decides by the first bytes, and decodes them.
    fn decide(&mut self) -> Vec<u8> {
        let Looks::Unknown(first) = std::mem::replace(&mut self.looks, Looks::Plain) else {
            return Vec::new();
        };
        let coded = match ContentCoding::begins(&first) {
            Some(coding) => Some((ContentDecoder::new(coding), first.clone())),
            None => self.declared.take().map(|decoder| (decoder, first.clone())),
        };
        let Some((mut decoder, bytes)) = coded else { return first };
        let decoded = decoder.feed(&bytes);
        if decoder.error().is_some() {
            return first;
        }
        let mut inner = Self { declared: None, looks: Looks::Unknown(Vec::new()) };
        let read = inner.feed(&decoded);
        self.looks = Looks::Coded(Box::new((decoder, inner)));
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::content_coding::ContentEncoder;

    fn coded(coding: ContentCoding, bytes: &[u8]) -> Vec<u8> {
        ContentEncoder::new(coding).part(bytes, true)
    }

    fn read(header: &str, body: &[u8]) -> Vec<u8> {
        let mut decoder = LookingDecoder::new(Some(header));
        let mut decoded: Vec<u8> = body.chunks(3).flat_map(|piece| decoder.feed(piece)).collect();
        decoded.extend(decoder.rest());
        decoded
    }

    #[test]
    fn a_body_is_read_as_it_looks_whatever_its_headers_say() {
        let plain = br#"{"choices":[]}"#;
        let once = coded(ContentCoding::Gzip, plain);
        for (header, body) in [
            ("gzip", plain.to_vec()),
            ("br", plain.to_vec()),
            ("identity", once.clone()),
            ("gzip", coded(ContentCoding::Gzip, &once)),
            ("deflate", coded(ContentCoding::Deflate, plain)),
            ("br", coded(ContentCoding::Brotli, plain)),
            ("zstd", coded(ContentCoding::Zstd, plain)),
        ] {
            assert_eq!(read(header, &body), plain, "{header}");
        }
        assert_eq!(read("gzip", b"no"), b"no");
        assert_eq!(read("gzip", b""), b"");
    }
}
