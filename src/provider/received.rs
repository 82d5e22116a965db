//! Requests as a mock receives them.

pub(crate) use httparse::Header;

/// An HTTP request that a mock received.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReceivedCall<'a> {
    /// The HTTP method: `POST`.
    pub method: &'a str,
    /// The path below the deployment's own path, with the query: `/v1/chat/completions`.
    pub path: &'a str,
    /// The headers as received.
    pub headers: &'a [Header<'a>],
    /// The complete body.
    pub body: &'a [u8],
}

impl<'a> ReceivedCall<'a> {
    /// Returns the value of the first header with this name.
    pub(crate) fn header(&self, name: &str) -> Option<&'a [u8]> {
        find_header(self.headers, name)
    }

    /// Like [`header`](Self::header), if the value is visible ASCII, the only kind that providers accept.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.header(name)?).ok().filter(|text| text.is_ascii())
    }
}

/// Returns the value of the first of these headers with this name.
pub(crate) fn find_header<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a [u8]> {
    headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}
