//! Mock providers for the tests of a client.

use std::{io, net::SocketAddr, sync::Arc};

use crate::{
    scenario::{Library, LoadErrors, load_arm},
    serve::{ArmedMock, ArmedMocks, NotArmed, Server},
};

/// Mock LLM providers on a loopback port. Dropping it closes the port.
///
/// `http://ADDRESS/PROVIDER/NAME` always sends the same response: `/openai/ok/v1`, `/anthropic/overloaded`,
/// `/gemini/rate_limit`; `http://ADDRESS/` lists all. [`arm`](Self::arm) creates a mock with any other behaviour.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let _ = rustls::crypto::ring::default_provider().install_default();
/// let server = upfault::MockServer::start().await?;
/// let mock = server.arm(r#"{"provider": "openai", "upstream": [{"error": "rate_limit"}]}"#)?;
/// let response = reqwest::Client::new()
///     .post(format!("{}/chat/completions", mock.base_url()))
///     .bearer_auth(mock.key())
///     .body(r#"{"model": "m", "messages": [{"role": "user", "content": "Hello"}]}"#)
///     .send()
///     .await?;
/// assert_eq!(response.status(), 429);
/// assert_eq!(mock.requests()[0].path, "/v1/chat/completions");
/// # Ok(())
/// # }
/// ```
pub struct MockServer(Server);

/// One armed mock provider. Dropping it disarms it.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = upfault::MockServer::start().await?;
/// let mock = server.arm("provider: anthropic\nupstream: [{error: overloaded}, {reply: ok}]")?;
/// assert!(mock.base_url().starts_with("http://127.0.0.1:"));
/// assert!(mock.requests().is_empty());
/// # Ok(())
/// # }
/// ```
pub struct Mock {
    armed: ArmedMock,
    mocks: Arc<ArmedMocks>,
}

/// A request that reached a mock, and the status that the mock sent.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let _ = rustls::crypto::ring::default_provider().install_default();
/// # let server = upfault::MockServer::start().await?;
/// let mock = server.arm("provider: openai\nupstream: [{error: invalid_api_key}]")?;
/// reqwest::Client::new().get(format!("{}/models", mock.base_url())).header("X-Trace", "7").send().await?;
/// let request = &mock.requests()[0];
/// assert_eq!((request.method.as_str(), request.header("x-trace")), ("GET", Some("7")));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedByMock {
    /// The deployment that received it: `primary`, unless several were armed.
    pub deployment: String,
    /// The method.
    pub method: String,
    /// The path below the deployment's address: `/v1/chat/completions`.
    pub path: String,
    /// The headers in the order in which they arrived, with lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body as text, at most 1 MiB of it.
    pub body: String,
    /// The status that the mock sent; `None` if a fault ended the connection before a status line.
    pub status: Option<u16>,
}

/// Why nothing was armed.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let server = upfault::MockServer::start().await?;
/// let error = server.arm("provider: openai\nupstream: [{error: rate_limitt}]").err().unwrap();
/// assert!(error.to_string().contains("did you mean `rate_limit`?"), "{error}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArmError {
    /// The text is invalid.
    #[error(transparent)]
    Invalid(#[from] LoadErrors),
    /// Too many mocks are armed.
    #[error("the limit of armed mocks is reached; drop those that are no longer needed")]
    Full,
    /// A port or a certificate could not be created.
    #[error("cannot arm the mock: {0}")]
    Io(#[from] io::Error),
}

impl MockServer {
    /// Starts the server on a free loopback port. The bundled scenarios can be armed by name.
    ///
    /// # Errors
    ///
    /// If the port cannot be bound.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let server = upfault::MockServer::start().await?;
    /// assert!(server.address().ip().is_loopback());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start() -> io::Result<Self> {
        Self::start_with(Library::bundled()).await
    }

    /// Starts the server. The scenarios of `library` can be armed by name.
    ///
    /// # Errors
    ///
    /// If the port cannot be bound.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = upfault::MockServer::start_with(upfault::Library::bundled()).await?;
    /// let mock = server.arm("scenario: limits/rate-limit")?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_with(library: Library) -> io::Result<Self> {
        Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), library, Vec::new()).await.map(Self)
    }

    /// The address of the server.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Arms a mock. `text` is the JSON or YAML of `POST /_upfault/arm`: `provider` and `upstream`, or
    /// `deployments`, or `scenario`. Without `ttl` it lasts ten minutes.
    ///
    /// # Errors
    ///
    /// If the text is invalid, too many mocks are armed, or a port cannot be bound.
    pub fn arm(&self, text: &str) -> Result<Mock, ArmError> {
        let mocks = Arc::clone(self.0.mocks());
        let armed = mocks.arm(&load_arm(text, &mocks.library())?, text).map_err(|error| match error {
            NotArmed::Full(_) => ArmError::Full,
            NotArmed::System(error) => ArmError::Io(error),
        })?;
        Ok(Mock { armed, mocks })
    }

    /// The certificate authority of mocks with TLS, in PEM.
    ///
    /// # Errors
    ///
    /// If the authority cannot be created.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let server = upfault::MockServer::start().await?;
    /// assert!(server.ca_pem()?.starts_with("-----BEGIN CERTIFICATE-----"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn ca_pem(&self) -> io::Result<String> {
        self.0.mocks().ca_pem()
    }

    /// Closes every connection and the port. Resolves once they are closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let server = upfault::MockServer::start().await?;
    /// let address = server.address();
    /// server.shutdown().await;
    /// assert!(std::net::TcpStream::connect(address).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(self) {
        self.0.shutdown().await;
    }
}

impl Mock {
    /// The base URL of the first deployment, as the provider's SDK expects it.
    pub fn base_url(&self) -> &str {
        self.armed.deployments.first().map_or("", |one| one.base_url.as_str())
    }

    /// The base URL of the deployment with this name; `None` if there is no such deployment.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = upfault::MockServer::start().await?;
    /// let mock = server.arm("{provider: openai, deployments: {a: [{error: overloaded}], b: [{reply: ok}]}}")?;
    /// assert_ne!(mock.base_url_of("a"), mock.base_url_of("b"));
    /// assert_eq!(mock.base_url_of("c"), None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn base_url_of(&self, deployment: &str) -> Option<&str> {
        self.armed.deployments.iter().find(|one| one.name == deployment).map(|one| one.base_url.as_str())
    }

    /// An API key for the first deployment. Without an `account` in the text, the mock accepts any other key too.
    pub fn key(&self) -> &str {
        self.armed.deployments.first().map_or("", |one| one.key.as_str())
    }

    /// The requests that have arrived so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<ReceivedByMock> {
        let ledger = self.mocks.ledger(&self.armed.id);
        let attempts = ledger.map(|ledger| ledger.attempts).unwrap_or_default();
        let received = attempts.into_iter().map(|attempt| ReceivedByMock {
            deployment: attempt.deployment,
            method: attempt.method,
            path: attempt.path,
            headers: attempt.headers,
            body: attempt.body,
            status: attempt.sent.status,
        });
        received.collect()
    }

    /// Forgets the requests and starts again with the first turn.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let _ = rustls::crypto::ring::default_provider().install_default();
    /// let server = upfault::MockServer::start().await?;
    /// let mock = server.arm("provider: openai\nupstream: [{error: overloaded}, {reply: ok}]")?;
    /// reqwest::get(format!("{}/models", mock.base_url())).await?;
    /// mock.reset();
    /// assert!(mock.requests().is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn reset(&self) {
        self.mocks.reset(&self.armed.id);
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.mocks.disarm(&self.armed.id);
    }
}

impl ReceivedByMock {
    /// The first header with this name, which is compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}
