//! A request in the ledger.

use super::ledger_budget::MAX_KEPT_BODY;
use crate::provider::Header;

/// Method, path, headers and the beginning of the body, in one piece of memory.
///
/// A ledger is written far more often than it is read, so a request is decoded only when it is read.
pub(super) struct ReceivedRequest {
    /// Each word, after its length in four bytes.
    words: Box<[u8]>,
}

/// The decoded request.
pub(super) struct ReadRequest {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl ReceivedRequest {
    /// Copies a request. `path` is the part below that of the deployment.
    pub(super) fn of(method: &str, path: &str, headers: &[Header<'_>], body: &[u8]) -> Self {
        let body = &body[..body.len().min(MAX_KEPT_BODY)];
        let words = || {
            let headers = headers.iter().flat_map(|header| [header.name.as_bytes(), header.value]);
            [method.as_bytes(), path.as_bytes(), body].into_iter().chain(headers)
        };
        let mut kept = Vec::with_capacity(words().map(|word| LENGTH + word.len()).sum());
        for word in words() {
            // The mock accepts no head and the ledger keeps no body of four gigabytes.
            kept.extend_from_slice(&u32::try_from(word.len()).unwrap_or(u32::MAX).to_le_bytes());
            kept.extend_from_slice(word);
        }
        Self { words: kept.into_boxed_slice() }
    }

    /// Returns the request of a connection on which no request was read.
    pub(super) fn nothing() -> Self {
        Self { words: Box::default() }
    }

    /// Returns its size in bytes.
    pub(super) fn size(&self) -> usize {
        self.words.len()
    }

    pub(super) fn read(&self) -> ReadRequest {
        let mut rest = &*self.words;
        let mut next = || {
            let (length, tail) = rest.split_first_chunk::<LENGTH>()?;
            let (word, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = tail;
            Some(String::from_utf8_lossy(word).into_owned())
        };
        let [method, path, body] = std::array::from_fn(|_| next().unwrap_or_default());
        let mut headers: Vec<(String, String)> = Vec::new();
        while let (Some(name), Some(value)) = (next(), next()) {
            let name = name.to_ascii_lowercase();
            // Values of the same header are together.
            let same = headers.iter().rposition(|(known, _)| *known == name);
            headers.insert(same.map_or(headers.len(), |same| same + 1), (name, value));
        }
        ReadRequest { method, path, headers, body }
    }
}

/// The size of a length in bytes.
const LENGTH: usize = size_of::<u32>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_back_unchanged() {
        let headers = [("Accept", &b"a"[..]), ("x-twice", b"1"), ("accept", b""), ("x-bytes", b"\xff!")];
        let headers = headers.map(|(name, value)| Header { name, value });
        let read = ReceivedRequest::of("POST", "/v1/chat?x=1", &headers, b"{\xfe}").read();
        assert_eq!((read.method.as_str(), read.path.as_str()), ("POST", "/v1/chat?x=1"));
        assert_eq!(read.body, "{\u{fffd}}");
        let headers: Vec<_> =
            read.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(headers, [("accept", "a"), ("accept", ""), ("x-twice", "1"), ("x-bytes", "\u{fffd}!")]);
    }

    #[test]
    fn only_the_beginning_of_a_long_body_is_kept() {
        let read = ReceivedRequest::of("GET", "", &[], &[b'x'; MAX_KEPT_BODY + 1]).read();
        assert_eq!((read.body.len(), read.headers.len()), (MAX_KEPT_BODY, 0));
    }
}
