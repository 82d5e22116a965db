//! Content codings (RFC 9110 section 8.4): the encoders of the mocks, and a decoder that reads a body as a client does.
//!
//! Brotli and zstd bodies are written as stored blocks, which every decoder reads. The decoder here reads only such
//! blocks of them: real compression would need large libraries, and no proxy has a reason to compress with them for a
//! caller that does not ask for it.

use std::io::Write;

use flate2::{
    Compression,
    write::{DeflateDecoder, GzEncoder, MultiGzDecoder, ZlibDecoder, ZlibEncoder},
};

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentCoding {
    Gzip,
    /// The zlib format (RFC 1950).
    Deflate,
    Brotli,
    Zstd,
}

impl ContentCoding {
    /// The coding with this name in `Content-Encoding`.
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The name in `Content-Encoding`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// The coding that begins with these bytes, if they cannot be anything else. Brotli has no such bytes.
    pub(crate) fn begins(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            // The usual window, and a check sum over both bytes. No text begins like this.
            [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => Some(Self::Deflate),
            _ => None,
        }
    }
}

/// The coding that a message declares: its `Content-Encoding` unless that is `identity`.
pub(crate) fn declared(header: Option<&str>) -> Option<&str> {
    header.map(str::trim).filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"))
}

/// Whether a request with this `Accept-Encoding` asks for a coding (RFC 9110 section 12.5.3). A request without the
/// header asks for none.
pub(crate) fn accepts(header: Option<&str>, coding: &str) -> bool {
    header.into_iter().flat_map(|value| value.split(',')).any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        !refused && (name.eq_ignore_ascii_case(coding) || name == "*")
    })
}

/// The largest stored block of both formats, in bytes.
const MAX_BLOCK: usize = 64 * 1024;

/// Encodes a body part by part. Each part can be decoded as soon as it has arrived.
pub(crate) enum ContentEncoder {
    Gzip(GzEncoder<Vec<u8>>),
    Deflate(ZlibEncoder<Vec<u8>>),
    Brotli { begun: bool },
    Zstd { begun: bool },
}

impl ContentEncoder {
    pub(crate) fn new(coding: ContentCoding) -> Self {
        match coding {
            ContentCoding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::default())),
            ContentCoding::Deflate => Self::Deflate(ZlibEncoder::new(Vec::new(), Compression::default())),
            ContentCoding::Brotli => Self::Brotli { begun: false },
            ContentCoding::Zstd => Self::Zstd { begun: false },
        }
    }

    /// Encodes the next part, and the end of the body if it is the `last` one.
    pub(crate) fn part(&mut self, bytes: &[u8], last: bool) -> Vec<u8> {
        match self {
            // Writing to memory cannot fail.
            Self::Gzip(encoder) => {
                let _ = encoder.write_all(bytes);
                let _ = if last { encoder.try_finish() } else { encoder.flush() };
                std::mem::take(encoder.get_mut())
            }
            Self::Deflate(encoder) => {
                let _ = encoder.write_all(bytes);
                let _ = if last { encoder.try_finish() } else { encoder.flush() };
                std::mem::take(encoder.get_mut())
            }
            Self::Brotli { begun } => brotli(bytes, begun, last),
            Self::Zstd { begun } => zstd(bytes, begun, last),
        }
    }
}

/// Uncompressed meta-blocks (RFC 7932 section 9.2). The first one contains the window size, one bit.
fn brotli(bytes: &[u8], begun: &mut bool, last: bool) -> Vec<u8> {
    let mut coded = Vec::with_capacity(bytes.len() + 8);
    for block in bytes.chunks(MAX_BLOCK) {
        // ISLAST = 0, MNIBBLES = 4, MLEN - 1, ISUNCOMPRESSED = 1, from the lowest bit.
        let head = ((block.len() as u32 - 1) << 3) | (1 << 19);
        let head = if std::mem::replace(begun, true) { head } else { head << 1 };
        coded.extend_from_slice(&head.to_le_bytes()[..3]);
        coded.extend_from_slice(block);
    }
    if last {
        // ISLAST = 1, ISLASTEMPTY = 1.
        coded.push(if std::mem::replace(begun, true) { 0b11 } else { 0b110 });
    }
    coded
}

/// The magic number, no options, and a window of 128 KiB (RFC 8878 section 3.1.1).
const ZSTD_HEAD: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3];

/// Raw blocks (RFC 8878 section 3.1.1.2).
fn zstd(bytes: &[u8], begun: &mut bool, last: bool) -> Vec<u8> {
    let mut coded = Vec::with_capacity(bytes.len() + 12);
    if !std::mem::replace(begun, true) {
        coded.extend_from_slice(&ZSTD_HEAD);
    }
    for block in bytes.chunks(MAX_BLOCK) {
        coded.extend_from_slice(&((block.len() as u32) << 3).to_le_bytes()[..3]);
        coded.extend_from_slice(block);
    }
    if last {
        coded.extend_from_slice(&[1, 0, 0]);
    }
    coded
}

/// Decodes a body as a client does that trusts `Content-Encoding`.
///
/// Like the clients of the official SDKs, it takes a body that ends too early for all there is.
#[derive(Debug)]
pub(crate) struct ContentDecoder {
    /// The decoders, the one of the coding that was applied last first.
    layers: Vec<Layer>,
    error: Option<String>,
}

#[derive(Debug)]
enum Layer {
    Gzip {
        decoder: MultiGzDecoder<Vec<u8>>,
        begun: bool,
    },
    Zlib(ZlibDecoder<Vec<u8>>),
    /// Deflate without the zlib format, which many servers send and clients accept.
    Deflate(DeflateDecoder<Vec<u8>>),
    /// Deflate before the first byte.
    EitherDeflate,
    Stored(StoredDecoder),
    /// A coding with an unknown name. The clients of all official SDKs ignore such names.
    Unknown,
}

impl ContentDecoder {
    /// A decoder for a message with this `Content-Encoding`; `None` if its body is not coded.
    pub(crate) fn of(header: Option<&str>) -> Option<Self> {
        let names: Vec<&str> = declared(header)?.split(',').filter_map(|name| declared(Some(name))).collect();
        let layers = names.into_iter().rev().map(Layer::of).collect();
        Some(Self { layers, error: None })
    }

    /// The decoder of one coding.
    pub(crate) fn new(coding: ContentCoding) -> Self {
        Self { layers: vec![Layer::of(coding.as_str())], error: None }
    }

    /// Decodes the next bytes. After an error, there are no more.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for layer in &mut self.layers {
            if self.error.is_some() {
                return Vec::new();
            }
            bytes = layer.feed(&bytes).unwrap_or_else(|error| {
                self.error = Some(error);
                Vec::new()
            });
        }
        bytes
    }

    /// Why a client cannot decode the body.
    pub(crate) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

impl Layer {
    fn of(name: &str) -> Self {
        match ContentCoding::of(name) {
            Some(ContentCoding::Gzip) => {
                Self::Gzip { decoder: MultiGzDecoder::new(Vec::new()), begun: false }
            }
            Some(ContentCoding::Deflate) => Self::EitherDeflate,
            Some(ContentCoding::Brotli) => Self::Stored(StoredDecoder::new(next_brotli)),
            Some(ContentCoding::Zstd) => Self::Stored(StoredDecoder::new(next_zstd)),
            None => Self::Unknown,
        }
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        if matches!(self, Self::EitherDeflate) {
            // RFC 1950 section 2.2: the method is 8 and the window at most 7.
            let is_zlib = bytes[0] & 0x0f == 8 && bytes[0] >> 4 <= 7;
            *self = match is_zlib {
                true => Self::Zlib(ZlibDecoder::new(Vec::new())),
                false => Self::Deflate(DeflateDecoder::new(Vec::new())),
            };
        }
        let decoded = match self {
            // The decoder looks at the header only once all of it has arrived, which a short body never does.
            Self::Gzip { begun: false, .. } if bytes[0] != 0x1f => {
                Err(std::io::Error::other("invalid gzip header"))
            }
            Self::Gzip { decoder, begun } => {
                *begun = true;
                inflated(decoder, bytes, MultiGzDecoder::get_mut)
            }
            Self::Zlib(decoder) => inflated(decoder, bytes, ZlibDecoder::get_mut),
            Self::Deflate(decoder) => inflated(decoder, bytes, DeflateDecoder::get_mut),
            Self::Stored(decoder) => return decoder.feed(bytes),
            Self::Unknown | Self::EitherDeflate => return Ok(bytes.to_vec()),
        };
        decoded.map_err(|error| format!("the body is not {}: {error}", self.name()))
    }

    fn name(&self) -> &'static str {
        if matches!(self, Self::Gzip { .. }) { "gzip" } else { "deflate" }
    }
}

fn inflated<D: Write>(
    decoder: &mut D,
    bytes: &[u8],
    decoded: impl Fn(&mut D) -> &mut Vec<u8>,
) -> std::io::Result<Vec<u8>> {
    decoder.write_all(bytes)?;
    decoder.flush()?;
    Ok(std::mem::take(decoded(decoder)))
}

/// What comes next in a body of stored blocks.
enum Next {
    /// A head of this many bytes, and then a block of that many.
    Block { head: usize, bytes: usize },
    /// The end.
    End,
    /// More bytes are needed.
    More,
}

/// Reads what comes next, given whether something came before it.
type ReadNext = fn(&[u8], bool) -> Result<Next, String>;

/// Decodes stored blocks.
#[derive(Debug)]
struct StoredDecoder {
    next: ReadNext,
    begun: bool,
    ended: bool,
    waiting: Vec<u8>,
    /// The rest of the current block.
    left: usize,
}

impl StoredDecoder {
    fn new(next: ReadNext) -> Self {
        Self { next, begun: false, ended: false, waiting: Vec::new(), left: 0 }
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        self.waiting.extend_from_slice(bytes);
        let mut decoded = Vec::new();
        while !self.ended {
            if self.left > 0 {
                let taken = self.left.min(self.waiting.len());
                decoded.extend(self.waiting.drain(..taken));
                self.left -= taken;
                if self.left > 0 {
                    break;
                }
            }
            match (self.next)(&self.waiting, self.begun)? {
                Next::More => break,
                Next::End => self.ended = true,
                Next::Block { head, bytes } => {
                    self.waiting.drain(..head);
                    (self.begun, self.left) = (true, bytes);
                }
            }
        }
        Ok(decoded)
    }
}

fn next_brotli(bytes: &[u8], begun: bool) -> Result<Next, String> {
    let shift = u32::from(!begun);
    let Some(first) = bytes.first() else { return Ok(Next::More) };
    if shift == 1 && first & 1 == 1 {
        return Err("it is brotli that upfault cannot decode".to_owned());
    }
    if (first >> shift) & 0b11 == 0b11 {
        return Ok(Next::End);
    }
    let [a, b, c, ..] = *bytes else { return Ok(Next::More) };
    let head = u32::from_le_bytes([a, b, c, 0]) >> shift;
    // ISLAST = 0, MNIBBLES = 4, ISUNCOMPRESSED = 1.
    if head & 0b111 != 0 || head & (1 << 19) == 0 {
        return Err("it is brotli that upfault cannot decode".to_owned());
    }
    Ok(Next::Block { head: 3, bytes: ((head >> 3) & 0xffff) as usize + 1 })
}

fn next_zstd(bytes: &[u8], begun: bool) -> Result<Next, String> {
    let skipped = if begun { 0 } else { ZSTD_HEAD.len() };
    if !begun && !ZSTD_HEAD.starts_with(&bytes[..bytes.len().min(skipped)]) {
        return Err(match ContentCoding::begins(bytes) {
            Some(ContentCoding::Zstd) => "it is zstd that upfault cannot decode".to_owned(),
            _ => "the body is not zstd".to_owned(),
        });
    }
    let [a, b, c, ..] = bytes[skipped.min(bytes.len())..] else { return Ok(Next::More) };
    let head = u32::from_le_bytes([a, b, c, 0]);
    match (head >> 1) & 0b11 {
        0 if head >> 3 == 0 && head & 1 == 1 => Ok(Next::End),
        0 if head & 1 == 0 => Ok(Next::Block { head: skipped + 3, bytes: (head >> 3) as usize }),
        _ => Err("it is zstd that upfault cannot decode".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [ContentCoding; 4] =
        [ContentCoding::Gzip, ContentCoding::Deflate, ContentCoding::Brotli, ContentCoding::Zstd];

    fn coded(coding: ContentCoding, parts: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut encoder = ContentEncoder::new(coding);
        parts.iter().enumerate().map(|(i, part)| encoder.part(part, i + 1 == parts.len())).collect()
    }

    #[test]
    fn every_part_is_decoded_as_soon_as_it_has_arrived() {
        let long = vec![b'x'; MAX_BLOCK + 7];
        let parts: [&[u8]; 4] = [b"data: a\n\n", b"data: b\n\n", &long, b"end"];
        for coding in ALL {
            let mut decoder = ContentDecoder::of(Some(coding.as_str())).unwrap();
            for (coded, part) in coded(coding, &parts).iter().zip(parts) {
                assert_eq!(decoder.feed(coded), part, "{coding:?}");
            }
            assert_eq!(decoder.error(), None);
        }
    }

    #[test]
    fn bytes_that_arrive_one_by_one_decode_to_the_same() {
        for coding in ALL {
            for parts in [&[b"hello".as_slice(), b" world"][..], &[b""]] {
                let whole = coded(coding, parts).concat();
                let mut decoder = ContentDecoder::new(coding);
                let decoded: Vec<u8> = whole.chunks(1).flat_map(|byte| decoder.feed(byte)).collect();
                assert_eq!((decoded, decoder.error()), (parts.concat(), None), "{coding:?}");
            }
        }
    }

    #[test]
    fn a_body_that_is_not_coded_as_declared_is_an_error_and_a_cut_one_is_not() {
        for coding in ALL {
            let mut decoder = ContentDecoder::new(coding);
            let decoded = decoder.feed(br#"{"choices":[]}"#);
            // Any bytes can be the beginning of deflate without the zlib format, so a client reads garbage.
            let is_garbage = coding == ContentCoding::Deflate && !decoded.starts_with(b"{");
            assert!(is_garbage || (decoded.is_empty() && decoder.error().is_some()), "{coding:?}");
            let whole = coded(coding, &[b"hello", b" world"]).concat();
            let mut decoder = ContentDecoder::new(coding);
            decoder.feed(&whole[..whole.len() - 2]);
            assert_eq!(decoder.error(), None, "{coding:?}");
        }
        assert_eq!(
            ContentDecoder::of(Some("rot13")).unwrap().feed(b"a"),
            b"a",
            "clients ignore unknown names"
        );
    }

    #[test]
    fn codings_are_undone_in_the_reverse_order() {
        let inner = coded(ContentCoding::Brotli, &[b"hello"]).concat();
        let outer = coded(ContentCoding::Gzip, &[&inner]).concat();
        let mut decoder = ContentDecoder::of(Some("br, gzip")).unwrap();
        assert_eq!(decoder.feed(&outer), b"hello");
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(b"hello").unwrap();
        assert_eq!(ContentDecoder::new(ContentCoding::Deflate).feed(&raw.finish().unwrap()), b"hello");
    }

    #[test]
    fn identity_is_not_a_coding() {
        for header in [None, Some("identity"), Some(" "), Some("Identity")] {
            assert!(ContentDecoder::of(header).is_none(), "{header:?}");
        }
    }

    #[test]
    fn a_request_accepts_what_it_names() {
        assert!(accepts(Some("gzip, deflate"), "deflate"));
        assert!(accepts(Some("br;q=0.5"), "br"));
        assert!(accepts(Some("*"), "zstd"));
        assert!(!accepts(Some("gzip;q=0, br"), "gzip"));
        assert!(!accepts(Some("gzip"), "br"));
        assert!(!accepts(None, "gzip"));
    }

    #[test]
    fn coded_bodies_are_recognised_by_their_first_bytes() {
        for coding in [ContentCoding::Gzip, ContentCoding::Deflate, ContentCoding::Zstd] {
            assert_eq!(ContentCoding::begins(&coded(coding, &[b"hello"]).concat()), Some(coding));
        }
        assert_eq!(ContentCoding::begins(b"{\"a\":1}"), None);
    }
}
