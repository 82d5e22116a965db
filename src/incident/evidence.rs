//! What a piece of evidence says about one call.

use super::clue::SeenBreak;
use crate::scenario::{Api, Provider};

/// What a text says about one call of a provider. Everything that it does not say is `None` or empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct IncidentEvidence {
    /// The host of the request, without a port.
    pub host: Option<String>,
    /// The path of the request, without its query.
    pub path: Option<String>,
    /// The provider that the text names.
    pub provider: Option<Provider>,
    /// Whether the caller asked for a stream.
    pub stream: Option<bool>,
    /// The API that a caller of the gateway used.
    pub callers_api: Option<Api>,
    /// The API in whose form the response is, if it is not that of the provider: a gateway wrote it.
    pub form: Option<Api>,
    /// The status of the response.
    pub status: Option<u16>,
    /// Whether the status is a guess from the name of an exception: the provider may have sent another one.
    pub is_status_guessed: bool,
    /// The headers of the response, with names in lower case; `None` if the text contains none.
    pub headers: Option<Vec<(String, String)>>,
    /// The body of the response as far as it arrived.
    pub body: Vec<u8>,
    /// How the connection failed.
    pub broken: Option<SeenBreak>,
    /// Whether the error came after the response had begun, so that its status is not an HTTP status.
    pub in_stream: bool,
    /// What the reader of the text assumed.
    pub assumed: Vec<String>,
}

impl IncidentEvidence {
    /// The value of the first header with this name (in lower case).
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter().flatten();
        headers.find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Sets host and path from a URL.
    pub(super) fn set_url(&mut self, url: &str) {
        if let Ok(url) = url::Url::parse(url) {
            self.host = url.host_str().map(str::to_owned);
            self.path = Some(url.path().to_owned());
        }
    }
}
