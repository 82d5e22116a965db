//! The description of the control API, made from the types that it speaks.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::{
    limits,
    reply::{ArmedReply, ErrorReply, HealthReply, LedgerReply, StraysReply},
};
use crate::scenario::ArmFile;

const ABOUT: &str = "\
Mock LLM providers that answer, and fail, as the real ones do.

The catalogue needs no call of this API: `http://HOST:PORT/PROVIDER/NAME` followed by what the provider's base URLs end \
in is a base URL that always answers in one way (`/openai/rate_limit/v1`, `/anthropic/overloaded`). `GET /` lists the \
providers and the names.

Anything else is armed under a path of its own, and ends by itself. Two clients never see each other's.

A browser cannot use this API for a page of another origin, nor under a host name that the server was not started for. \
Programs need nothing for it: they send no `Origin`, and the host that they were given.

What is armed and kept is limited:

";

/// The OpenAPI 3.1 document as pretty JSON with a line feed at its end.
pub fn document() -> String {
    let mut text = format!("{:#}", value());
    text.push('\n');
    text
}

fn value() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
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
    let unknown = answer("Nothing of this id is armed, or no longer", &error);
    let id = json!([{
        "name": "id", "in": "path", "required": true, "schema": {"type": "string"},
        "description": "As `arm` answered it",
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
            "operationId": "index", "summary": "What this server offers, for people",
            "responses": {"200": text},
        }},
        "/favicon.ico": {"get": {
            "operationId": "favicon", "summary": "Nothing, so that browsers are content",
            "responses": {"204": nothing("There is none")},
        }},
        "/_upfault/health": {"get": {
            "operationId": "health", "summary": "Whether the server is there",
            "responses": {"200": answer("It is", &health)},
        }},
        "/_upfault/openapi.json": {"get": {
            "operationId": "openapi", "summary": "This document",
            "responses": {"200": {
                "description": "OpenAPI 3.1", "content": {"application/json": {"schema": {"type": "object"}}},
            }},
        }},
        "/_upfault/arm": {"post": {
            "operationId": "arm", "summary": "Arm turns, deployments or a scenario under a path of their own",
            "requestBody": {"required": true, "content": {"application/json": {"schema": arm, "example": example}}},
            "responses": {
                "201": answer("Armed", &armed),
                "400": answer("The body is not what can be armed; it says where and why", &error),
                "413": answer("The body is larger than the limit", &error),
                "429": answer("As many mocks are armed as the limit allows", &error),
                "503": answer("The system has no port left for a deployment that refuses connections", &error),
            },
        }},
        "/_upfault/arm/{id}": {"delete": {
            "operationId": "disarm", "summary": "End what is armed, and the connections to it", "parameters": id,
            "responses": {"204": nothing("Ended"), "404": unknown},
        }},
        "/_upfault/ledger/{id}": {"get": {
            "operationId": "ledger", "summary": "What arrived at what is armed, and what it got", "parameters": id,
            "responses": {"200": answer("The attempts, in order", &ledger), "404": unknown},
        }},
        "/_upfault/strays": {"get": {
            "operationId": "strays", "summary": "What came and was no request, or under nobody's path",
            "responses": {"200": answer("The newest", &strays)},
        }},
        "/_upfault/ca.pem": {"get": {
            "operationId": "ca", "summary": "The authority that signs for what is armed with TLS, made by this server",
            "responses": {
                "200": {"description": "PEM", "content": {"application/x-pem-file": {"schema": {"type": "string"}}}},
                "503": answer("It could not be made", &error),
            },
        }},
        "/_upfault/ledger/{id}/reset": {"post": {
            "operationId": "reset", "summary": "Empty the ledger and begin with the first turn again", "parameters": id,
            "responses": {"204": nothing("Done"), "404": unknown},
        }},
    });
    let refusals = [
        ("400", answer("The request does not name one host", &error)),
        ("403", answer("A page of another origin sent the request", &error)),
        ("421", answer("The request is for a host that is not this server's", &error)),
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
        "info": {"title": "upfault serve", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT.to_owned() + &limits::table()},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas},
    })
}
