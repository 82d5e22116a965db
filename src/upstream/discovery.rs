//! Answers to a proxy that looks at an upstream before it uses it: which models it has, and whether it is healthy. Such
//! requests are not attempts: they consume no turn, and the ledger does not contain them.

use bytes::Bytes;
use http::{HeaderValue, Response, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::{case::MockCase, server_state::below_shared};
use crate::scenario::Api;

/// The paths that ask which models an upstream has, in OpenAI's dialect. The name of a model can follow.
const MODELS: [&str; 2] = ["/v1/models", "/models"];

/// The model of the upstream that all deployments share.
const SHARED_MODEL: &str = "upfault";

/// The path that asks which models an upstream has, in Ollama's dialect.
const TAGS: &str = "/api/tags";

/// The paths that ask whether an upstream is healthy.
const HEALTH: [&str; 9] =
    ["", "/", "/health", "/healthz", "/health_generate", "/livez", "/readyz", "/ping", "/v1/health"];

/// The paths that ask what an upstream is.
const ABOUT: [&str; 5] = ["/get_model_info", "/model_info", "/get_server_info", "/server_info", "/version"];

/// Returns the response to a request that only looks at a deployment, or `None` if it is an attempt. `path` is the path
/// below the deployment's base URL.
pub(super) fn answer(
    case: &MockCase,
    deployment: usize,
    method: &str,
    path: &str,
) -> Option<Response<Bytes>> {
    // A request for the list of models is what a case of `openai/models` is about, and what clients of other mocks test.
    if !case.answers_discovery() || case.combination.api == Api::OpenaiModels {
        return None;
    }
    response(&case.identity.model(&case.deployments[deployment].name), method, path)
}

/// Returns the response to a request that only looks at the upstream that all deployments share, if it is one: an upstream
/// with one model, [`SHARED_MODEL`].
pub(super) fn answer_shared(method: &str, path: &str) -> Option<Response<Bytes>> {
    response(SHARED_MODEL, method, below_shared(path)?)
}

/// Returns the response of an upstream that has this model.
fn response(model: &str, method: &str, path: &str) -> Option<Response<Bytes>> {
    if !matches!(method, "GET" | "HEAD") {
        return None;
    }
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let about = json!({"id": model, "object": "model", "created": 1_700_000_000, "owned_by": "upfault"});
    let named = |list: &str| path.strip_prefix(list)?.strip_prefix('/');
    let body: Value = if MODELS.contains(&path) {
        json!({"object": "list", "data": [about]})
    } else if MODELS.into_iter().any(|list| named(list) == Some(model)) {
        about
    } else if path == TAGS {
        json!({"models": [{"name": model, "model": model}]})
    } else if HEALTH.contains(&path) {
        json!({"status": "ok"})
    } else if ABOUT.contains(&path) {
        json!({"model_path": model, "model": model, "version": "1.0.0", "is_generation": true})
    } else {
        return None;
    };
    let body = if method == "HEAD" { Bytes::new() } else { body.to_string().into() };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Some(response)
}
