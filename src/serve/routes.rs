//! The control API: which path does what.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension, Router,
    body::Body,
    extract::Path,
    response::{IntoResponse, Response as AxumResponse},
    routing::{MethodFilter, MethodRouter, on},
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::{
    access::RequestHost,
    armed_mocks::{ArmedMock, ArmedMocks, Ledger, NotArmed},
    catalogue,
    limits::{MAX_ARMED, MAX_BODY, MAX_DEPLOYMENTS},
    page,
    reply::{ArmedReply, HealthReply, LedgerReply, Refused, StraysReply, json, plain, typed},
};
use crate::{
    bundled::SCHEMAS,
    scenario::{Provider, load_arm, nearest},
};

type Here = Extension<Arc<ArmedMocks>>;
type Told = Result<AxumResponse, Refused>;

/// A path with its method and who answers there; the description of the API is held against it.
pub(super) struct ApiRoute {
    pub(super) method: MethodFilter,
    /// As OpenAPI and axum write it alike: `/_upfault/ledger/{id}`.
    pub(super) path: &'static str,
    handler: fn(MethodFilter) -> MethodRouter,
}

/// Every route of the server but the mocks' own.
pub(super) const ROUTES: [ApiRoute; 10] = [
    ApiRoute { method: MethodFilter::GET, path: "/", handler: |method| on(method, index) },
    ApiRoute { method: MethodFilter::GET, path: "/_upfault/health", handler: |method| on(method, health) },
    ApiRoute {
        method: MethodFilter::GET,
        path: "/_upfault/openapi.json",
        handler: |method| on(method, description),
    },
    ApiRoute { method: MethodFilter::POST, path: "/_upfault/arm", handler: |method| on(method, arm) },
    ApiRoute {
        method: MethodFilter::DELETE,
        path: "/_upfault/arm/{id}",
        handler: |method| on(method, disarm),
    },
    ApiRoute {
        method: MethodFilter::GET,
        path: "/_upfault/ledger/{id}",
        handler: |method| on(method, ledger),
    },
    ApiRoute { method: MethodFilter::GET, path: "/_upfault/strays", handler: |method| on(method, strays) },
    ApiRoute { method: MethodFilter::GET, path: "/_upfault/ca.pem", handler: |method| on(method, ca) },
    ApiRoute {
        method: MethodFilter::POST,
        path: "/_upfault/ledger/{id}/reset",
        handler: |method| on(method, reset),
    },
    ApiRoute {
        method: MethodFilter::GET,
        path: "/favicon.ico",
        handler: |method| on(method, async || StatusCode::NO_CONTENT),
    },
];

/// All of them.
pub(super) fn router() -> Router {
    ROUTES
        .iter()
        .fold(Router::new(), |router, route| router.route(route.path, (route.handler)(route.method)))
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
}

/// Answers one request that belongs to no mock.
pub(super) async fn answer(
    router: Router,
    armory: Arc<ArmedMocks>,
    request: Request<Option<Bytes>>,
) -> Response<Bytes> {
    let response = admitted(router, armory, request).await.unwrap_or_else(IntoResponse::into_response);
    let (parts, body) = response.into_parts();
    // All of our bodies are whole and cannot fail.
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    Response::from_parts(parts, body)
}

async fn admitted(
    router: Router,
    armory: Arc<ArmedMocks>,
    request: Request<Option<Bytes>>,
) -> Result<AxumResponse, Refused> {
    let (mut parts, body) = request.into_parts();
    let called = armory.access.admit(&parts)?;
    let body = body.filter(|body| body.len() <= MAX_BODY).ok_or_else(|| {
        Refused::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {MAX_BODY} bytes"),
            "arm fewer turns at once, or name a scenario that `upfault serve` was given",
        )
    })?;
    parts.extensions.insert(armory);
    parts.extensions.insert(called);
    let request = Request::from_parts(parts, Body::from(body));
    TowerToHyperService::new(router).call(request).await.map_err(|never| match never {})
}

async fn index(Extension(RequestHost(host)): Extension<RequestHost>) -> AxumResponse {
    plain(page::index(&host))
}

async fn health(Extension(armory): Here) -> AxumResponse {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    json(StatusCode::OK, &HealthReply { status: "ok".to_owned(), version, armed: armory.count() })
}

async fn description() -> AxumResponse {
    typed(StatusCode::OK, "application/json", SCHEMAS.get("openapi.json").unwrap_or_default().to_owned())
}

async fn arm(
    Extension(armory): Here,
    Extension(RequestHost(host)): Extension<RequestHost>,
    body: Bytes,
) -> Told {
    let text = std::str::from_utf8(&body)
        .map_err(|_| Refused::new(StatusCode::BAD_REQUEST, "the body is not UTF-8", "send JSON in UTF-8"))?;
    let wanted = load_arm(text, &armory.library)?;
    let deployments = wanted.deployments.len();
    if deployments > MAX_DEPLOYMENTS {
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            format!("{deployments} deployments are more than the limit of {MAX_DEPLOYMENTS} for one mock"),
            "arm several mocks: each has a base URL and a ledger of its own",
        ));
    }
    let granted = armory.arm(&wanted).map_err(refused)?;
    let expires = jiff::Timestamp::now() + wanted.ttl;
    Ok(json(StatusCode::CREATED, &armed(granted, expires, &host, armory.address())))
}

fn refused(not_armed: NotArmed) -> Refused {
    match not_armed {
        NotArmed::Full(next) => Refused::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!("{MAX_ARMED} mocks are armed, which is the limit"),
            format!(
                "end those that are no longer needed with DELETE /_upfault/arm/ID, or arm them with a shorter \
                 `ttl`; the next one ends by itself in {} s",
                next.as_secs() + 1
            ),
        ),
        NotArmed::System(error) => Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("it could not be armed: {error}"),
            "a fault that refuses connections needs a port of its own; end what is no longer needed",
        ),
    }
}

async fn disarm(Extension(armory): Here, Path(id): Path<String>) -> Told {
    if armory.disarm(&id) { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(Refused::unknown(&id)) }
}

async fn ledger(Extension(armory): Here, Path(id): Path<String>) -> Told {
    let ledger = armory.ledger(&id).ok_or_else(|| Refused::unknown(&id))?;
    let Ledger { attempts, not_kept, open, strays } = ledger;
    let help = (not_kept > 0).then(|| {
        format!(
            "the ledger is full: POST /_upfault/ledger/{id}/reset empties it; the catalogue is for load tests"
        )
    });
    Ok(json(StatusCode::OK, &LedgerReply { id, attempts, not_kept, help, open, strays }))
}

async fn strays(Extension(armory): Here) -> AxumResponse {
    json(StatusCode::OK, &StraysReply { strays: armory.strays() })
}

async fn ca(Extension(armory): Here) -> Told {
    let pem = armory.ca_pem().map_err(|error| {
        Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the authority could not be made: {error}"),
            "what is armed without `transport` and without faults of TLS needs none",
        )
    })?;
    Ok(typed(StatusCode::OK, "application/x-pem-file", pem))
}

async fn reset(Extension(armory): Here, Path(id): Path<String>) -> Told {
    if armory.reset(&id) { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(Refused::unknown(&id)) }
}

async fn wrong_method(method: Method, uri: Uri) -> Refused {
    let path = uri.path();
    Refused::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{path} does not take {method}"),
        "GET /_upfault/openapi.json says what each path takes",
    )
}

/// A path that is neither a mock's nor the control API's.
async fn nowhere(method: Method, uri: Uri) -> Refused {
    let path = uri.path();
    let mut segments = path.split('/').skip(1);
    let (first, second) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    let names = Provider::ALL.iter().map(|provider| provider.as_str());
    let help = if names.clone().any(|provider| provider == first) {
        let entries = catalogue::entries();
        match nearest(second, entries.iter().map(|entry| entry.name)) {
            Some(near) => format!("did you mean /{first}/{near}?"),
            None => format!("write /{first}/NAME, for example /{first}/ok; GET / lists the names"),
        }
    } else if first == "_upfault" {
        "GET /_upfault/openapi.json describes the paths that there are".to_owned()
    } else if let Some(near) = nearest(first, names).filter(|_| !first.is_empty()) {
        format!("did you mean /{near}/{second}?")
    } else {
        "what was armed here may have been ended, or its time is over; GET / says what there is".to_owned()
    };
    Refused::new(StatusCode::NOT_FOUND, format!("no mock is armed at this path ({method} {path})"), help)
}

/// The URLs begin with the `host` under which the client has found us, which need not be the address
/// that we listen at.
fn armed(granted: ArmedMock, expires: jiff::Timestamp, host: &str, address: SocketAddr) -> ArmedReply {
    let url = |url: &str, at: SocketAddr| {
        // Some deployments have a port of their own.
        let here = if at == address { host.to_owned() } else { format!("{}:{}", name(host), at.port()) };
        url.replacen(&format!("//{at}/"), &format!("//{here}/"), 1)
    };
    let base_urls: indexmap::IndexMap<String, String> = granted
        .deployments
        .iter()
        .map(|deployment| (deployment.name.clone(), url(&deployment.base_url, deployment.address)))
        .collect();
    ArmedReply {
        id: granted.id,
        base_url: base_urls.values().next().cloned().unwrap_or_default(),
        base_urls,
        keys: granted.deployments.into_iter().map(|deployment| (deployment.name, deployment.key)).collect(),
        // Whole seconds would say less than was granted of a short time.
        expires: format!("{expires:.3}"),
    }
}

/// A host without its port.
fn name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}
