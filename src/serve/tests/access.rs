//! Requests that a browser sends for a page of another origin, over real sockets.

use std::net::SocketAddr;

use serde_json::json;
use tokio::net::TcpStream;

use super::client::{ApiResponse, ask, read, send, start};
use crate::serve::routes::ROUTES;

const ARM: &str = r#"{"provider": "openai", "upstream": [{"reply": "ok"}]}"#;

/// Sends a request with exactly these header lines.
async fn raw(address: SocketAddr, line: &str, headers: &[&str], body: &str) -> ApiResponse {
    let length = format!("Content-Length: {}", body.len());
    let headers = [headers, &["Connection: close", &length]].concat().join("\r\n");
    send(address, format!("{line}\r\n{headers}\r\n\r\n{body}").as_bytes()).await
}

async fn armed(address: SocketAddr) -> u64 {
    ask(address, "GET", "/_upfault/health", "").await.json()["armed"].as_u64().unwrap()
}

#[tokio::test]
async fn no_route_answers_a_page_of_another_origin_or_for_another_host() {
    let server = start().await;
    let address = server.address();
    let host = format!("Host: {address}");
    for (headers, status) in [
        (vec![host.as_str(), "Origin: http://evil.test"], 403),
        (vec![host.as_str(), "Origin: null"], 403),
        (vec![host.as_str(), "Sec-Fetch-Site: cross-site"], 403),
        (vec!["Host: evil.test:4777", "Origin: http://evil.test:4777"], 421),
        (vec!["Host: evil.test"], 421),
        (vec![host.as_str(), host.as_str()], 400),
        (vec![], 400),
    ] {
        let paths = ROUTES.iter().map(|route| route.path.replace("{id}", "0123456789abcdef"));
        for path in paths.chain(["/nowhere".to_owned(), "/openai/nothing".to_owned()]) {
            for method in ["GET", "POST", "DELETE", "OPTIONS", "BREW"] {
                let answer = raw(address, &format!("{method} {path} HTTP/1.1"), &headers, ARM).await;
                assert_eq!(answer.status, status, "{method} {path} {headers:?}: {answer:?}");
                let error = &answer.json()["error"];
                assert!(error["message"].is_string() && error["help"].is_string(), "{answer:?}");
            }
        }
    }
    assert_eq!(armed(address).await, 0);
}

/// Programs may send form bodies, because curl labels every body as a form. A browser adds the origin of the
/// form.
#[tokio::test]
async fn a_form_of_another_page_is_rejected_and_a_request_of_curl_is_not() {
    let server = start().await;
    let address = server.address();
    let host = format!("Host: {address}");
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let kind = format!("Content-Type: {kind}");
        for from in ["Origin: http://127.0.0.1:1", "Origin: null", "Sec-Fetch-Site: same-site"] {
            let line = "POST /_upfault/arm HTTP/1.1";
            assert_eq!(raw(address, line, &[&host, &kind, from], ARM).await.status, 403, "{kind} {from}");
        }
    }
    assert_eq!(armed(address).await, 0);
    let curl =
        [&host, "User-Agent: curl/8.14.1", "Accept: */*", "Content-Type: application/x-www-form-urlencoded"];
    assert_eq!(raw(address, "POST /_upfault/arm HTTP/1.1", &curl, ARM).await.status, 201);
    let own = format!("Origin: http://{address}");
    assert_eq!(raw(address, "POST /_upfault/arm HTTP/1.1", &[&host, &own], ARM).await.status, 201);
    assert_eq!(armed(address).await, 2);
}

#[tokio::test]
async fn a_preflight_gets_no_permission() {
    let server = start().await;
    let address = server.address();
    let host = format!("Host: {address}");
    let asks = [
        &host,
        "Origin: http://evil.test",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: content-type",
        "Access-Control-Request-Private-Network: true",
    ];
    for (headers, status) in [(&asks[..], 403), (&asks[..1], 405)] {
        let answer = raw(address, "OPTIONS /_upfault/arm HTTP/1.1", headers, "").await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(!answer.head.to_ascii_lowercase().contains("access-control-"), "{answer:?}");
    }
}

#[tokio::test]
async fn the_same_rule_applies_to_targets_of_every_form() {
    let server = start().await;
    let address = server.address();
    let host = format!("Host: {address}");
    for (line, headers, status) in [
        (format!("GET http://{address}/_upfault/health HTTP/1.1"), vec![host.as_str()], 200),
        (format!("GET http://{address}/_upfault/health HTTP/1.1"), vec!["Host: evil.test"], 200),
        ("GET http://evil.test/_upfault/health HTTP/1.1".to_owned(), vec![host.as_str()], 421),
        ("GET /_upfault/health HTTP/1.0".to_owned(), vec![], 200),
        ("GET /_upfault/health HTTP/1.0".to_owned(), vec!["Host: evil.test"], 421),
        ("CONNECT evil.test:80 HTTP/1.1".to_owned(), vec![host.as_str()], 421),
    ] {
        assert_eq!(raw(address, &line, &headers, "").await.status, status, "{line} {headers:?}");
    }
}

/// The rule does not apply to mocks: gateways may reach them under any host name.
#[tokio::test]
async fn a_mock_answers_under_any_host_and_to_any_origin() {
    let server = start().await;
    let address = server.address();
    let id = ask(address, "POST", "/_upfault/arm", ARM).await.json()["id"].as_str().unwrap().to_owned();
    let headers = ["Host: api.openai.com", "Origin: https://app.test", "Authorization: Bearer sk-x"];
    for path in ["/openai/ok".to_owned(), format!("/{id}/primary")] {
        let line = format!("POST {path}/v1/chat/completions HTTP/1.1");
        assert_eq!(raw(address, &line, &headers, "{}").await.status, 200, "{path}");
    }
}

/// The control API is also available on the port of a deployment that has its own.
#[tokio::test]
async fn the_same_rule_applies_to_the_port_of_a_deployment() {
    let server = start().await;
    let upstream = json!([{"reply": "ok", "faults": [{"connection": {"slow_accept": "1ms"}}]}]);
    let arm = json!({"provider": "openai", "upstream": upstream});
    let armed = ask(server.address(), "POST", "/_upfault/arm", &arm.to_string()).await.json();
    let port = url::Url::parse(armed["base_url"].as_str().unwrap()).unwrap().port().unwrap();
    assert_ne!(port, server.address().port());
    for (host, status) in [("127.0.0.1", 200), ("evil.test", 421)] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let head =
            format!("GET /_upfault/health HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
        tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
        assert_eq!(read(&mut stream).await.status, status, "{host}");
    }
}
