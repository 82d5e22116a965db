//! The limits on armed mocks and kept traffic.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{ask, start};
use crate::serve::limits::{LEDGER, MAX_ARMED, MAX_BODY, MAX_DEPLOYMENTS, table};

const ARM: &str = r#"{"provider": "openai", "upstream": [{"reply": "ok"}], "ttl": "60s"}"#;

#[tokio::test]
async fn the_error_for_one_mock_too_many_contains_the_limit_and_a_next_step() {
    let server = start().await;
    let address = server.address();
    let wanted = crate::scenario::load_arm(ARM, &crate::scenario::Library::default()).unwrap();
    let ids: Vec<String> = (0..MAX_ARMED).map(|_| server.mocks().arm(&wanted, "").unwrap().id).collect();
    assert_eq!(ask(address, "GET", "/_upfault/health", "").await.json()["armed"], MAX_ARMED);
    let refused = ask(address, "POST", "/_upfault/arm", ARM).await;
    assert_eq!(refused.status, 429);
    let error = &refused.json()["error"];
    assert!(error["message"].as_str().unwrap().contains(&MAX_ARMED.to_string()), "{error}");
    assert!(error["help"].as_str().unwrap().contains("DELETE /_upfault/arm/ID"), "{error}");
    assert_eq!(ask(address, "DELETE", &format!("/_upfault/arm/{}", ids[0]), "").await.status, 204);
    assert_eq!(ask(address, "POST", "/_upfault/arm", ARM).await.status, 201);
    assert_eq!(ask(address, "POST", "/_upfault/arm", ARM).await.status, 429);
}

#[tokio::test(start_paused = true)]
async fn an_expired_mock_no_longer_counts() {
    let server = start().await;
    let wanted = crate::scenario::load_arm(ARM, &crate::scenario::Library::default()).unwrap();
    for _ in 0..MAX_ARMED {
        assert!(server.mocks().arm(&wanted, "").is_ok());
    }
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(server.mocks().arm(&wanted, "").is_err());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(server.mocks().arm(&wanted, "").is_ok());
    assert_eq!(server.mocks().count(), 1);
}

#[tokio::test]
async fn the_errors_for_too_many_deployments_and_a_too_large_body_contain_the_limit() {
    let server = start().await;
    let deployments = |n: usize| {
        let named: serde_json::Map<String, Value> =
            (0..n).map(|n| (format!("d{n}"), json!([{"reply": "ok"}]))).collect();
        json!({"provider": "openai", "deployments": named}).to_string()
    };
    for (body, status, limit) in [
        (deployments(MAX_DEPLOYMENTS), 201, None),
        (deployments(MAX_DEPLOYMENTS + 1), 400, Some(MAX_DEPLOYMENTS)),
        (" ".repeat(MAX_BODY + 1), 413, Some(MAX_BODY)),
    ] {
        let answer = ask(server.address(), "POST", "/_upfault/arm", &body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        let is_named =
            |limit: usize| answer.json()["error"]["message"].as_str().unwrap().contains(&limit.to_string());
        assert!(limit.is_none_or(is_named), "{answer:?}");
    }
}

#[tokio::test]
async fn a_full_ledger_counts_what_it_does_not_keep_until_it_is_reset() {
    let server = start().await;
    let address = server.address();
    let armed = ask(address, "POST", "/_upfault/arm", ARM).await.json();
    let id = armed["id"].as_str().unwrap();
    let ledger = async || ask(address, "GET", &format!("/_upfault/ledger/{id}"), "").await.json();
    let body = json!({"filler": "x".repeat(1024 * 1024)}).to_string();
    let fit = LEDGER.bytes / (1024 * 1024);
    for _ in 0..fit + 3 {
        let answer = ask(address, "POST", &format!("/{id}/primary/v1/chat/completions"), &body).await;
        assert_eq!(answer.status, 200, "a full ledger does not change responses");
    }
    let full = ledger().await;
    let kept = full["attempts"].as_array().unwrap().len();
    assert_eq!((kept + full["not_kept"].as_u64().unwrap() as usize, kept <= fit), (fit + 3, true));
    assert!(full["help"].as_str().unwrap().contains("/reset"), "{}", full["help"]);
    assert_eq!(ask(address, "POST", &format!("/_upfault/ledger/{id}/reset"), "").await.status, 204);
    ask(address, "POST", &format!("/{id}/primary/v1/chat/completions"), "{}").await;
    let fresh = ledger().await;
    assert_eq!((fresh["attempts"].as_array().unwrap().len(), &fresh["not_kept"]), (1, &json!(0)));
    assert_eq!(fresh.get("help"), None);
}

#[test]
fn the_documentation_contains_every_limit() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/serve.md");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(&table()), "docs/serve.md does not contain this table:\n{}", table());
    let described: Value = serde_json::from_str(&crate::serve::openapi::document()).unwrap();
    assert!(described["info"]["description"].as_str().unwrap().contains(&table()));
}
