//! A client of an LLM provider, and tests that let the provider fail: `cargo test --example client`.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example with a client of its own that prints its result"
)]

use reqwest::{Response, StatusCode, header::RETRY_AFTER};

/// Asks a chat endpoint, and once more if it answers 429 with a wait of at most `patience` seconds.
async fn ask(base_url: &str, key: &str, patience: u64) -> reqwest::Result<Response> {
    let client = reqwest::Client::new();
    let body = r#"{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}"#;
    let send = || client.post(format!("{base_url}/chat/completions")).bearer_auth(key).body(body).send();
    let first = send().await?;
    let wait = first.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
    match wait.filter(|wait| first.status() == StatusCode::TOO_MANY_REQUESTS && *wait <= patience) {
        Some(wait) => {
            tokio::time::sleep(std::time::Duration::from_secs(wait)).await;
            send().await
        }
        None => Ok(first),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = upfault::MockServer::start().await?;
    let mock = server.arm(RATE_LIMITED)?;
    println!("{}", ask(mock.base_url(), mock.key(), 1).await?.status());
    for request in mock.requests() {
        println!("{} {} -> {:?}", request.method, request.path, request.status);
    }
    Ok(())
}

/// A provider that answers 429 once, and then a message.
const RATE_LIMITED: &str = r#"
provider: openai
upstream:
  - {error: rate_limit, headers: {retry-after: "0"}}
  - reply: ok
"#;

#[cfg(test)]
mod tests {
    use upfault::{Mock, MockServer};

    use super::*;

    async fn mock(text: &str) -> (MockServer, Mock) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = MockServer::start().await.unwrap();
        let mock = server.arm(text).unwrap();
        (server, mock)
    }

    fn statuses(mock: &Mock) -> Vec<Option<u16>> {
        mock.requests().iter().map(|request| request.status).collect()
    }

    #[tokio::test]
    async fn a_short_rate_limit_is_waited_for() {
        let (_server, mock) = mock(RATE_LIMITED).await;
        assert_eq!(ask(mock.base_url(), mock.key(), 1).await.unwrap().status(), 200);
        assert_eq!(statuses(&mock), [Some(429), Some(200)]);
    }

    #[tokio::test]
    async fn a_long_rate_limit_is_not() {
        let (_server, mock) = mock(&RATE_LIMITED.replace("\"0\"", "\"27\"")).await;
        assert_eq!(ask(mock.base_url(), mock.key(), 1).await.unwrap().status(), 429);
        assert_eq!(statuses(&mock), [Some(429)]);
    }

    #[tokio::test]
    async fn a_connection_that_breaks_is_an_error() {
        let (_server, mock) =
            mock("provider: openai\nupstream: [{faults: [{reset: {at: after_headers}}]}]").await;
        let answer = ask(mock.base_url(), mock.key(), 1).await.unwrap();
        assert!(answer.bytes().await.is_err());
        assert_eq!(mock.requests().len(), 1);
    }
}
