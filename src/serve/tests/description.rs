//! The OpenAPI document is correct, and schema/openapi.json is up to date.

use std::collections::BTreeSet;

use axum::routing::MethodFilter;
use http::Method;
use serde_json::Value;

use crate::serve::{
    openapi::{self, document},
    routes::ROUTES,
};

fn parsed() -> Value {
    serde_json::from_str(&document()).unwrap()
}

/// Collects every `$ref` in a value.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let document = parsed();
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    let named = |filter: MethodFilter| {
        let methods = [Method::GET, Method::POST, Method::DELETE];
        methods
            .into_iter()
            .find(|method| MethodFilter::try_from(method.clone()).is_ok_and(|known| known == filter))
            .unwrap()
            .to_string()
    };
    let routed = ROUTES.iter().map(|route| (named(route.method), route.path.to_owned())).collect();
    assert_eq!(described, routed);
}

#[test]
fn the_document_is_complete() {
    let document = parsed();
    assert_eq!(document["openapi"], "3.1.0");
    let mut all = Vec::new();
    references(&document, &mut all);
    assert!(all.len() > 20, "only {} references", all.len());
    for reference in all {
        let pointer = reference
            .strip_prefix('#')
            .unwrap_or_else(|| panic!("{reference} is not a reference in this document"));
        assert!(document.pointer(pointer).is_some(), "{reference} does not exist");
    }
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap()),
                "{method} {path}: duplicate operationId"
            );
            assert!(operation["summary"].is_string(), "{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {path}");
            assert!(
                responses.values().all(|response| response["description"].is_string()),
                "{method} {path}"
            );
            let declared: Vec<&str> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|parameter| parameter["name"].as_str().unwrap())
                .collect();
            let wanted: Vec<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
            assert_eq!(declared, wanted, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn responses_match_their_schemas() {
    let document = parsed();
    let fits = |name: &str, value: &Value| {
        let mut schema = document.clone();
        schema["$ref"] = format!("#/components/schemas/{name}").into();
        let validator = jsonschema::validator_for(&schema).unwrap();
        if let Err(error) = validator.validate(value) {
            panic!("{name}: {error} at {}", error.instance_path());
        }
    };
    let server = super::client::start().await;
    let ask = async |method: &str, path: &str, body: &str| {
        super::client::ask(server.address(), method, path, body).await.json()
    };
    let example =
        document["paths"]["/_upfault/arm"]["post"]["requestBody"]["content"]["application/json"]["example"]
            .clone();
    fits("Arm", &example);
    let armed = ask("POST", "/_upfault/arm", &example.to_string()).await;
    fits("ArmedReply", &armed);
    let id = armed["id"].as_str().unwrap();
    ask("POST", &format!("/{id}/primary/v1/chat/completions"), "{}").await;
    fits("LedgerReply", &ask("GET", &format!("/_upfault/ledger/{id}"), "").await);
    fits("HealthReply", &ask("GET", "/_upfault/health", "").await);
    fits("ErrorReply", &ask("POST", "/_upfault/arm", "{").await);
    fits("ErrorReply", &ask("GET", "/_upfault/ledger/none", "").await);
    let mut published = document.clone();
    published["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    assert_eq!(ask("GET", "/_upfault/openapi.json", "").await, published);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "`just schema` requests an update with a variable")]
fn the_openapi_schema_in_the_repository_is_up_to_date() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/openapi.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, openapi::document()).expect("the folder is ours");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == openapi::document(), "schema/openapi.json is stale: run `just schema`");
}

#[tokio::test]
async fn docs_serve_md_is_correct() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/serve.md");
    let text = std::fs::read_to_string(path).unwrap();
    let server = super::client::start().await;
    let examples: Vec<&str> =
        text.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 6, "{} examples only", examples.len());
    for example in examples {
        let answer = super::client::ask(server.address(), "POST", "/_upfault/arm", example).await;
        assert_eq!(answer.status, 201, "{example}: {answer:?}");
    }
    for route in ROUTES.iter().filter(|route| route.path.starts_with("/_upfault")) {
        let path = route.path.replace("{id}", "ID");
        assert!(text.contains(&path), "docs/serve.md does not mention {path}");
    }
    for entry in crate::serve::entries().into_iter().filter(|entry| !entry.about.is_empty()) {
        assert!(text.contains(&format!("`{}`", entry.name)), "docs/serve.md does not mention {}", entry.name);
    }
    // Each `curl` of the catalogue that contains a path.
    for line in text.lines().filter(|line| line.starts_with("curl ")) {
        let (_, path) = line.split(' ').nth(1).unwrap().split_once(":41237").unwrap();
        let headers: Vec<String> = line
            .split("-H '")
            .nth(1)
            .and_then(|rest| rest.split('\'').next())
            .map(str::to_owned)
            .into_iter()
            .collect();
        let body = line.split("-d '").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
        let request = super::client::plain("POST", path, &headers, body);
        let status = super::client::send(server.address(), request.as_bytes()).await.status;
        assert!(![0, 400, 401, 404, 405].contains(&status), "{line}: {status}");
    }
}
