//! Arming a mock, reading its ledger, ending it.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::Instant};

use super::client::{ask, plain, read, start};

/// Arms a mock and returns the response.
async fn arm(address: SocketAddr, what: Value) -> Value {
    let answer = ask(address, "POST", "/_upfault/arm", &what.to_string()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

fn chat(armed: &Value) -> String {
    let (_, path) = armed["base_url"].as_str().unwrap().split_once("mock.test:1").unwrap();
    format!("{path}/chat/completions")
}

#[tokio::test]
async fn an_armed_mock_plays_its_turns_keeps_a_ledger_and_ends() {
    let server = start().await;
    let address = server.address();
    let armed =
        arm(address, json!({"provider": "openai", "upstream": [{"error": "rate_limit"}, {"reply": "ok"}]}))
            .await;
    let id = armed["id"].as_str().unwrap();
    assert_eq!(armed["base_url"], format!("http://mock.test:1/{id}/primary/v1"));
    assert_eq!(armed["base_urls"]["primary"], armed["base_url"]);
    assert_eq!(armed["keys"]["primary"], format!("sk-canary-{id}-primary"));
    assert!(armed["expires"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());

    for status in [429, 200, 200] {
        assert_eq!(ask(address, "POST", &chat(&armed), "{}").await.status, status);
    }
    let ledger = ask(address, "GET", &format!("/_upfault/ledger/{id}"), "").await.json();
    assert_eq!((ledger["attempts"].as_array().unwrap().len(), &ledger["open"]), (3, &json!(0)));
    assert_eq!(ledger["attempts"][0]["sent"]["status"], 429);
    assert_eq!(ledger["attempts"][0]["api"], "openai/chat");

    assert_eq!(ask(address, "POST", &format!("/_upfault/ledger/{id}/reset"), "").await.status, 204);
    assert_eq!(ask(address, "POST", &chat(&armed), "{}").await.status, 429, "the turns restart");

    assert_eq!(ask(address, "DELETE", &format!("/_upfault/arm/{id}"), "").await.status, 204);
    for (method, path) in [
        ("DELETE", format!("/_upfault/arm/{id}")),
        ("GET", format!("/_upfault/ledger/{id}")),
        ("POST", format!("/_upfault/ledger/{id}/reset")),
        ("POST", chat(&armed)),
    ] {
        let answer = ask(address, method, &path, "").await;
        assert_eq!(answer.status, 404, "{method} {path}");
        assert!(answer.json()["error"]["help"].as_str().is_some(), "{answer:?}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn clients_cannot_see_the_mocks_of_others() {
    let server = start().await;
    let address = server.address();
    let failing = arm(address, json!({"provider": "openai", "upstream": [{"error": "internal"}]})).await;
    let well = arm(address, json!({"provider": "openai", "upstream": [{"reply": "ok"}]})).await;
    assert_ne!(failing["id"], well["id"]);
    assert_eq!(ask(address, "POST", &chat(&failing), "{}").await.status, 500);
    assert_eq!(ask(address, "POST", &chat(&well), "{}").await.status, 200);
    let ledger = format!("/_upfault/ledger/{}", well["id"].as_str().unwrap());
    assert_eq!(ask(address, "GET", &ledger, "").await.json()["attempts"].as_array().unwrap().len(), 1);
    assert_eq!(ask(address, "GET", "/_upfault/arm", "").await.status, 405, "armed mocks cannot be listed");
}

#[tokio::test]
async fn an_account_accepts_the_key_of_the_response_and_limits_it() {
    let server = start().await;
    let address = server.address();
    let account = json!({"requests_per_minute": 1, "keys": {"valid": ["sk-x"]}});
    let armed =
        arm(address, json!({"provider": "openai", "upstream": [{"reply": "ok"}], "account": account})).await;
    let with = async |key: &str| {
        let request = plain("POST", &chat(&armed), &[format!("Authorization: Bearer {key}")], "{}");
        super::client::send(address, request.as_bytes()).await.status
    };
    let own = armed["keys"]["primary"].as_str().unwrap();
    assert_eq!(
        [with(own).await, with(own).await, with("sk-x").await, with("sk-y").await],
        [200, 429, 200, 401]
    );
    let wrong = json!({"provider": "openai", "upstream": [{"reply": "ok"}], "account": {"models": []}});
    let answer = ask(address, "POST", "/_upfault/arm", &wrong.to_string()).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["message"]),
        (400, &json!("`models` is empty: every request would be refused"))
    );
}

#[tokio::test]
async fn a_scenario_is_armed_with_all_of_its_deployments() {
    let server = start().await;
    let armed = arm(server.address(), json!({"scenario": "fallback/on-rate-limit"})).await;
    let urls: Vec<&String> = armed["base_urls"].as_object().unwrap().keys().collect();
    assert_eq!(urls, ["primary", "backup"]);
    assert_eq!(armed["base_url"], armed["base_urls"]["primary"]);
    let refused = json!({"provider": "openai", "upstream": [{"faults": ["refuse"]}]});
    let armed = arm(server.address(), refused).await;
    // The mock needs a port on which no program listens.
    let url = url::Url::parse(armed["base_url"].as_str().unwrap()).unwrap();
    assert_eq!(url.host_str(), Some("mock.test"));
    assert_ne!(url.port(), Some(1));
    assert!(TcpStream::connect(("127.0.0.1", url.port().unwrap())).await.is_err());
}

#[tokio::test]
async fn the_error_for_an_invalid_body_has_a_place_and_a_next_step() {
    let server = start().await;
    let body = "{\"provider\": \"openai\",\n \"upstream\": [{\"eror\": \"rate_limit\"}]}";
    let answer = ask(server.address(), "POST", "/_upfault/arm", body).await;
    assert_eq!(answer.status, 400);
    let error = &answer.json()["error"];
    assert_eq!(
        (&error["message"], &error["line"], &error["column"]),
        (&json!("unknown key `eror`"), &json!(2), &json!(16))
    );
    assert!(error["help"].as_str().unwrap().starts_with("did you mean `error`?"), "{error}");

    let large = " ".repeat(1024 * 1024 + 1);
    assert_eq!(ask(server.address(), "POST", "/_upfault/arm", &large).await.status, 413);
    assert_eq!(ask(server.address(), "POST", "/_upfault/arm", "").await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn an_armed_mock_ends_after_its_ttl_to_the_millisecond() {
    let server = start().await;
    let upstream = json!([{"reply": "ok", "faults": [{"hang": {"at": "before_headers"}}]}]);
    let armed = {
        let wanted = crate::scenario::load_arm(
            &json!({"provider": "openai", "upstream": upstream, "ttl": "90s"}).to_string(),
            &crate::scenario::Library::default(),
        );
        server.mocks().arm(&wanted.unwrap(), "").unwrap()
    };
    let began = Instant::now();
    // The paused clock advances to the next timer when all tasks are idle: the end of the mock closes this
    // connection.
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let path = format!("/{}/primary/v1/chat/completions", armed.id);
    let request = plain("POST", &path, &["Authorization: Bearer x".to_owned()], "{}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let end = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut bytes).await;
    assert!(end.is_ok() && bytes.is_empty(), "{end:?}: {bytes:?}");
    assert_eq!(began.elapsed().as_millis(), 90_000);
    assert!(server.mocks().ledger(&armed.id).is_none());

    let wanted = crate::scenario::load_arm(
        &json!({"provider": "openai", "upstream": [{"reply": "ok"}], "ttl": "1s"}).to_string(),
        &crate::scenario::Library::default(),
    );
    let armed = server.mocks().arm(&wanted.unwrap(), "").unwrap();
    tokio::time::advance(Duration::from_millis(999)).await;
    assert!(server.mocks().ledger(&armed.id).is_some());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(server.mocks().ledger(&armed.id).is_none());
    assert!(!server.mocks().disarm(&armed.id));
}

#[tokio::test]
async fn a_shutdown_ends_hanging_connections_and_frees_the_port() {
    let server = start().await;
    let address = server.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        plain("POST", "/openai/hang/v1/chat/completions", &["Authorization: Bearer x".to_owned()], "{}");
    stream.write_all(request.as_bytes()).await.unwrap();
    server.shutdown().await;
    assert_eq!(read(&mut stream).await.status, 0);
    assert!(std::net::TcpListener::bind(address).is_ok());
}
