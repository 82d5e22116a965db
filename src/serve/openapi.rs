//! The OpenAPI document of the control API, generated from its types.

use serde_json::{Value, json};

use super::{
    limits,
    published::VERSION,
    reply::{ArmedReply, ErrorReply, HealthReply, LedgerReply, StraysReply},
};
use crate::scenario::{ArmFile, schema_settings};

const ABOUT: &str = "\
Mock LLM providers that answer, and fail, as the real ones do.

The catalogue works without this API: `http://HOST:PORT/PROVIDER/NAME`, followed by the path at the end of the \
provider's base URL, is a base URL that sends the same reply to every request (`/openai/rate_limit/v1`, \
`/anthropic/overloaded`). `GET /` lists the providers and the names.

With this API a client arms other mocks. Each mock has its own path and ends after a limited time. Clients cannot see \
the mocks of other clients.

The API rejects requests of web pages from another origin, and requests for a host name that the server does not \
allow. Programs are not affected: they send no `Origin` header, and they use the address of the server.

Limits:

";

/// The OpenAPI 3.1 document as pretty JSON with a line feed at its end, with [`VERSION`] in place of the version.
pub(super) fn document() -> String {
    let mut text = format!("{:#}", value());
    text.push('\n');
    text
}

fn value() -> Value {
    let settings = schema_settings().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let armed = generator.subschema_for::<ArmedReply>();
    let arm = generator.subschema_for::<ArmFile>();
    let ledger = generator.subschema_for::<LedgerReply>();
    let strays = generator.subschema_for::<StraysReply>();
    let health = generator.subschema_for::<HealthReply>();
    let error = generator.subschema_for::<ErrorReply>();
    let schemas = generator.take_definitions(true);

    let answer = |about: &str, schema: &schemars::Schema| json!({"description": about, "content": {"application/json": {"schema": schema}}});
    let unknown = answer("No mock with this id is armed, or no longer", &error);
    let id = json!([{
        "name": "id", "in": "path", "required": true, "schema": {"type": "string"},
        "description": "The id that `arm` returned",
    }]);
    let text = json!({"description": "Text", "content": {"text/plain": {"schema": {"type": "string"}}}});
    let nothing = |about: &str| json!({ "description": about });
    let example = json!({
        "provider": "openai",
        "upstream": [{"error": "rate_limit", "headers": {"retry-after": "1"}}, {"reply": "ok"}],
        "ttl": "60s",
    });
    let mut paths = json!({
        "/": {"get": {
            "operationId": "index", "summary": "Overview of this server, as plain text",
            "responses": {"200": text},
        }},
        "/favicon.ico": {"get": {
            "operationId": "favicon", "summary": "Empty response for browsers",
            "responses": {"204": nothing("There is no icon")},
        }},
        "/_upfault/health": {"get": {
            "operationId": "health", "summary": "Health check",
            "responses": {"200": answer("The server is running", &health)},
        }},
        "/_upfault/openapi.json": {"get": {
            "operationId": "openapi", "summary": "This document",
            "responses": {"200": {
                "description": "OpenAPI 3.1", "content": {"application/json": {"schema": {"type": "object"}}},
            }},
        }},
        "/_upfault/arm": {"post": {
            "operationId": "arm", "summary": "Arm a mock with turns, deployments or a scenario",
            "requestBody": {"required": true, "content": {"application/json": {"schema": arm, "example": example}}},
            "responses": {
                "201": answer("Armed", &armed),
                "400": answer("The body is invalid; the error gives the place and the reason", &error),
                "413": answer("The body is larger than the limit", &error),
                "429": answer("The maximum number of mocks is armed", &error),
                "503": answer("The system has no port left for a deployment that refuses connections", &error),
            },
        }},
        "/_upfault/arm/{id}": {"delete": {
            "operationId": "disarm", "summary": "End a mock and its connections", "parameters": id,
            "responses": {"204": nothing("Ended"), "404": unknown},
        }},
        "/_upfault/ledger/{id}": {"get": {
            "operationId": "ledger", "summary": "The requests that a mock received, and its responses", "parameters": id,
            "responses": {"200": answer("The attempts, in order", &ledger), "404": unknown},
        }},
        "/_upfault/strays": {"get": {
            "operationId": "strays", "summary": "Traffic that was not a complete HTTP request or not for a known path",
            "responses": {"200": answer("The newest strays", &strays)},
        }},
        "/_upfault/ca.pem": {"get": {
            "operationId": "ca", "summary": "The certificate authority of this server for mocks with TLS",
            "responses": {
                "200": {"description": "PEM", "content": {"application/x-pem-file": {"schema": {"type": "string"}}}},
                "503": answer("The certificate authority could not be created", &error),
            },
        }},
        "/_upfault/ledger/{id}/reset": {"post": {
            "operationId": "reset", "summary": "Empty the ledger and restart with the first turn", "parameters": id,
            "responses": {"204": nothing("Done"), "404": unknown},
        }},
    });
    let refusals = [
        ("400", answer("The request does not name exactly one host", &error)),
        ("403", answer("A page of another origin sent the request", &error)),
        ("421", answer("The request is for a host that the server does not allow", &error)),
    ];
    let items = paths.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut);
    for operation in items.filter_map(Value::as_object_mut).flat_map(serde_json::Map::values_mut) {
        let Some(responses) = operation["responses"].as_object_mut() else { continue };
        for (status, refusal) in &refusals {
            responses.entry(*status).or_insert_with(|| refusal.clone());
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "upfault serve", "version": VERSION, "description": ABOUT.to_owned() + &limits::table()},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas},
    })
}
