//! A request in the ledger.

use crate::observation::MAX_KEPT_BODY;

/// The path, the head and the beginning of the body, in one piece of memory.
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
    /// Copies a request. `path` is the part below that of the deployment, and `head` has the form of HTTP/1.
    pub(super) fn of(path: &str, head: &[u8], body: &[u8]) -> Self {
        let body = &body[..body.len().min(MAX_KEPT_BODY)];
        let words = [path.as_bytes(), head, body];
        let mut kept = Vec::with_capacity(words.iter().map(|word| LENGTH + word.len()).sum());
        for word in words {
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
            Some(word)
        };
        let [path, head, body] = std::array::from_fn(|_| next().unwrap_or_default());
        let mut fields = vec![httparse::EMPTY_HEADER; head.iter().filter(|byte| **byte == b'\n').count()];
        let mut request = httparse::Request::new(&mut fields);
        // It was parsed before it was copied, so this cannot fail.
        let _ = request.parse(head);
        let mut headers: Vec<(String, String)> = Vec::new();
        for field in request.headers.iter() {
            let name = field.name.to_ascii_lowercase();
            // Values of the same header are together.
            let same = headers.iter().rposition(|(known, _)| *known == name);
            headers.insert(same.map_or(headers.len(), |same| same + 1), (name, text(field.value)));
        }
        let method = request.method.unwrap_or_default().to_owned();
        ReadRequest { method, path: text(path), headers, body: text(body) }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The size of a length in bytes.
const LENGTH: usize = size_of::<u32>();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_back_unchanged() {
        let head =
            b"POST /a/b/v1/chat?x=1 HTTP/1.1\r\nAccept: a\r\nx-twice: 1\r\naccept:\r\nx-bytes: \xff!\r\n\r\n";
        let read = ReceivedRequest::of("/v1/chat?x=1", head, b"{\xfe}").read();
        assert_eq!((read.method.as_str(), read.path.as_str()), ("POST", "/v1/chat?x=1"));
        assert_eq!(read.body, "{\u{fffd}}");
        let headers: Vec<_> =
            read.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(headers, [("accept", "a"), ("accept", ""), ("x-twice", "1"), ("x-bytes", "\u{fffd}!")]);
    }

    #[test]
    fn only_the_beginning_of_a_long_body_is_kept() {
        let read = ReceivedRequest::of("", b"GET / HTTP/1.1\r\n\r\n", &[b'x'; MAX_KEPT_BODY + 1]).read();
        assert_eq!((read.body.len(), read.headers.len()), (MAX_KEPT_BODY, 0));
        let read = ReceivedRequest::nothing().read();
        assert_eq!((read.method, read.path, read.body), (String::new(), String::new(), String::new()));
    }
}
