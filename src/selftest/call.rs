//! The request that makes a fault visible.

use serde_json::json;

use crate::{
    dialect, provider,
    scenario::{Api, Provider},
    wire::websocket,
};

/// A request as any client sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientRequest {
    /// The endpoint.
    pub api: Api,
    /// Whether it asks for a stream.
    pub stream: bool,
    /// The number of additional bytes in the prompt.
    pub padding: usize,
}

impl ClientRequest {
    /// Creates a request to `api` at the provider that defined it.
    pub fn new(api: Api, stream: bool) -> Self {
        Self { api, stream, padding: 0 }
    }

    /// Returns the provider whose mock gets the request.
    pub fn provider(&self) -> Provider {
        self.api.native_provider()
    }

    /// Returns the method: `POST`.
    pub fn method(&self) -> &'static str {
        self.api.method()
    }

    /// Returns the path below that of the deployment: `/v1/chat/completions`.
    pub fn path(&self) -> String {
        let model = provider::model(self.provider());
        let path = dialect::row(self.api).path(self.stream).replace("{model}", model);
        if self.api.is_session() { format!("{path}?model={model}") } else { path }
    }

    /// Returns the URL. `base_url` is that of the deployment, as the provider's SDK expects it.
    pub fn url(&self, base_url: &str) -> String {
        let root = base_url.strip_suffix(provider::base_path(self.provider())).unwrap_or(base_url);
        format!("{root}{}", self.path())
    }

    /// Returns the headers with key, version and content type, for every provider's API.
    pub fn headers(&self, key: &str) -> Vec<(&'static str, String)> {
        if self.api.is_session() {
            let handshake = dialect::HANDSHAKE.map(|(name, value)| (name, value.to_owned()));
            return [("authorization", format!("Bearer {key}"))].into_iter().chain(handshake).collect();
        }
        vec![
            ("authorization", format!("Bearer {key}")),
            ("x-api-key", key.to_owned()),
            ("anthropic-version", "2023-06-01".to_owned()),
            ("content-type", "application/json".to_owned()),
        ]
    }

    /// Returns the JSON body, or for a session the message that the client sends.
    pub fn body(&self) -> String {
        if self.api.is_session() {
            return json!({ "type": "response.create" }).to_string();
        }
        let content = format!("Hello.{}", "x".repeat(self.padding));
        let message = json!({"role": "user", "content": content});
        json!({
            "model": provider::model(self.provider()),
            "stream": self.stream,
            "max_tokens": 64,
            "messages": [message],
            "input": "Hello.",
        })
        .to_string()
    }

    /// Returns the whole request as HTTP/1.1 bytes.
    pub(super) fn http1(&self, host: &str, path: &str, key: &str) -> Vec<u8> {
        let body = self.body();
        let mut text = format!("{} {path} HTTP/1.1\r\nhost: {host}\r\n", self.method());
        for (name, value) in self.headers(key) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.api.is_session() {
            text.push_str("\r\n");
            // The client sends the message immediately. It waits in the socket until the session is open.
            return [text.as_bytes(), &websocket::masked_text(&body, [1, 2, 3, 4])].concat();
        }
        text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        text.into_bytes()
    }
}
