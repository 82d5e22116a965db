//! A request in the ledger.

use http::request::Parts;

use super::ledger_budget::MAX_KEPT_BODY;

/// Method, path, headers and the beginning of the body, in one piece of memory.
///
/// A ledger is written far more often than it is read, and hyper's own header map keeps the buffer of its
/// connection alive. So the request is copied at once, and decoded only when it is read.
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
    pub(super) fn of(parts: &Parts, path: &str, body: &[u8]) -> Self {
        let body = &body[..body.len().min(MAX_KEPT_BODY)];
        let words = || {
            let headers = parts.headers.iter();
            let headers = headers.flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]);
            [parts.method.as_str().as_bytes(), path.as_bytes(), body].into_iter().chain(headers)
        };
        let mut kept = Vec::with_capacity(words().map(|word| LENGTH + word.len()).sum());
        for word in words() {
            // hyper accepts no head and the ledger keeps no body of four gigabytes.
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
        let mut headers = Vec::new();
        while let (Some(name), Some(value)) = (next(), next()) {
            headers.push((name, value));
        }
        ReadRequest { method, path, headers, body }
    }
}

/// The size of a length in bytes.
const LENGTH: usize = size_of::<u32>();

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Request};

    use super::*;

    #[test]
    fn a_request_is_read_back_unchanged() {
        let (mut parts, ()) = Request::post("/a/b/v1/chat?x=1")
            .header("accept", "a")
            .header("x-twice", "1")
            .header("accept", "")
            .body(())
            .unwrap()
            .into_parts();
        parts.headers.append("x-bytes", HeaderValue::from_bytes(b"\xff!").unwrap());
        let read = ReceivedRequest::of(&parts, "/v1/chat?x=1", b"{\xfe}").read();
        assert_eq!((read.method.as_str(), read.path.as_str()), ("POST", "/v1/chat?x=1"));
        assert_eq!(read.body, "{\u{fffd}}");
        let headers: Vec<_> =
            read.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(headers, [("accept", "a"), ("accept", ""), ("x-twice", "1"), ("x-bytes", "\u{fffd}!")]);
    }

    #[test]
    fn only_the_beginning_of_a_long_body_is_kept() {
        let (parts, ()) = Request::new(()).into_parts();
        let read = ReceivedRequest::of(&parts, "", &[b'x'; MAX_KEPT_BODY + 1]).read();
        assert_eq!((read.body.len(), read.headers.len()), (MAX_KEPT_BODY, 0));
    }
}
