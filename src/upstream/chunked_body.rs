//! Decodes a chunked request body (RFC 9112 section 7.1).

/// The largest number of bytes of all chunk extensions, and of all trailers.
const MAX_EXTRA: usize = 16 * 1024;

/// A decoder that works in place, so that the decoded body is in one piece.
#[derive(Debug)]
pub(super) struct ChunkedBody {
    expected: Expected,
    /// The number of bytes of extensions and trailers so far.
    extra: usize,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// The size of a chunk. The number is the size so far; `None` before its first digit.
    Size(Option<u64>),
    /// A chunk extension or whitespace after the size.
    Extension(u64),
    /// The LF after a size.
    SizeEnd(u64),
    /// This number of bytes of data.
    Data(u64),
    /// The CR and the LF after the data.
    DataCr,
    DataLf,
    /// A line of the trailer section. The number is its length so far.
    Trailer(usize),
    /// The LF of such a line.
    TrailerLf(usize),
    Nothing,
}

/// The bytes are not a chunked body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MalformedChunks;

/// How much of the input was used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    /// The number of bytes of the body that were moved to the beginning of the input.
    pub(super) body: usize,
    /// The number of bytes of the input that are no longer needed.
    pub(super) used: usize,
    /// Whether the body is complete.
    pub(super) complete: bool,
}

impl ChunkedBody {
    pub(super) fn new() -> Self {
        Self { expected: Expected::Size(None), extra: 0 }
    }

    /// Decodes as much of `input` as belongs to the body.
    pub(super) fn decode(&mut self, input: &mut [u8]) -> Result<Decoded, MalformedChunks> {
        let (mut body, mut used) = (0, 0);
        while used < input.len() && self.expected != Expected::Nothing {
            if let Expected::Data(left) = self.expected {
                let now = usize::try_from(left).unwrap_or(usize::MAX).min(input.len() - used);
                input.copy_within(used..used + now, body);
                body += now;
                used += now;
                let left = left - now as u64;
                self.expected = if left == 0 { Expected::DataCr } else { Expected::Data(left) };
                continue;
            }
            self.expected = self.after(input[used])?;
            used += 1;
        }
        Ok(Decoded { body, used, complete: self.expected == Expected::Nothing })
    }

    /// Returns what follows a byte outside of the data.
    fn after(&mut self, byte: u8) -> Result<Expected, MalformedChunks> {
        Ok(match (self.expected, byte) {
            (Expected::Size(size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                let size = size.unwrap_or(0).checked_mul(16).ok_or(MalformedChunks)?;
                Expected::Size(Some(size | u64::from(digit)))
            }
            (Expected::Size(Some(size)) | Expected::Extension(size), b'\r') => Expected::SizeEnd(size),
            (Expected::Size(Some(size)), b';' | b' ' | b'\t') => Expected::Extension(size),
            (Expected::Extension(size), other) if other != b'\n' => {
                self.count()?;
                Expected::Extension(size)
            }
            (Expected::SizeEnd(0), b'\n') => Expected::Trailer(0),
            (Expected::SizeEnd(size), b'\n') => Expected::Data(size),
            (Expected::DataCr, b'\r') => Expected::DataLf,
            (Expected::DataLf, b'\n') => Expected::Size(None),
            (Expected::Trailer(length), b'\r') => Expected::TrailerLf(length),
            (Expected::Trailer(length), other) if other != b'\n' => {
                self.count()?;
                Expected::Trailer(length + 1)
            }
            (Expected::TrailerLf(0), b'\n') => Expected::Nothing,
            (Expected::TrailerLf(_), b'\n') => Expected::Trailer(0),
            _ => return Err(MalformedChunks),
        })
    }

    fn count(&mut self) -> Result<(), MalformedChunks> {
        self.extra += 1;
        if self.extra > MAX_EXTRA { Err(MalformedChunks) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes pieces that arrive one after the other. Returns the body and what follows it.
    fn decode(pieces: &[&[u8]]) -> Result<Option<(Vec<u8>, Vec<u8>)>, MalformedChunks> {
        let mut decoder = ChunkedBody::new();
        let (mut body, mut rest) = (Vec::new(), Vec::new());
        let mut complete = false;
        for piece in pieces {
            rest.extend_from_slice(piece);
            let decoded = decoder.decode(&mut rest)?;
            body.extend_from_slice(&rest[..decoded.body]);
            rest.drain(..decoded.used);
            complete = decoded.complete;
        }
        Ok(complete.then_some((body, rest)))
    }

    #[test]
    fn chunks_are_joined_and_extensions_and_trailers_skipped() {
        let whole = b"3;a=\"b\"\r\nabc\r\n00A \r\n0123456789\r\n0\r\nx: y\r\nz: \r\n\r\nGET /";
        let expected = (b"abc0123456789".to_vec(), b"GET /".to_vec());
        assert_eq!(decode(&[whole]).unwrap().unwrap(), expected);
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(decode(&bytes).unwrap().unwrap(), expected);
    }

    #[test]
    fn what_servers_could_read_in_two_ways_is_malformed() {
        for malformed in [
            &b"\r\n"[..],
            b"zz\r\n",
            b";a\r\n",
            b"-1\r\n",
            b"0x3\r\nabc",
            b"3\nabc",
            b"3\r\r\n",
            b"3;a\n",
            b"3\r\nabcd\r\n",
            b"3\r\nabc\n",
            b"11111111111111111\r\n",
            b"0\r\na\nb\r\n",
            b"0\r\n\n",
        ] {
            assert_eq!(decode(&[malformed]), Err(MalformedChunks), "{}", malformed.escape_ascii());
        }
        let long = "a".repeat(MAX_EXTRA + 1);
        assert_eq!(decode(&[format!("1;{long}").as_bytes()]), Err(MalformedChunks));
        assert_eq!(decode(&[format!("0\r\n{long}").as_bytes()]), Err(MalformedChunks));
        assert_eq!(decode(&[b"3\r\nab"]), Ok(None));
    }

    proptest! {
        #[test]
        fn any_split_decodes_to_the_same_body(
            body in proptest::collection::vec(any::<u8>(), 1..100), size in 1..40_usize, cut in 0..400_usize,
        ) {
            let mut sent = Vec::new();
            for chunk in body.chunks(size) {
                sent.extend(format!("{:X}\r\n", chunk.len()).into_bytes());
                sent.extend_from_slice(chunk);
                sent.extend_from_slice(b"\r\n");
            }
            sent.extend_from_slice(b"0\r\n\r\n");
            let (first, second) = sent.split_at(cut.min(sent.len()));
            prop_assert_eq!(decode(&[first, second]), Ok(Some((body, Vec::new()))));
        }

        #[test]
        fn nothing_makes_it_panic(bytes in "[0-9a-f;\r\n ]{0,60}") {
            let _ = decode(&[bytes.as_bytes()]);
        }
    }
}
