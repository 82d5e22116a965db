//! The routes of the control API and their handlers.

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
    published::published,
    reply::{ArmedReply, HealthReply, LedgerReply, Refused, StraysReply, json, plain, typed},
};
use crate::scenario::{Provider, load_arm, nearest};

type Mocks = Extension<Arc<ArmedMocks>>;
type ApiResult = Result<AxumResponse, Refused>;

/// A path with its method and handler. A test compares these with the OpenAPI document.
pub(super) struct ApiRoute {
    pub(super) method: MethodFilter,
    /// In the syntax that OpenAPI and axum share: `/_upfault/ledger/{id}`.
    pub(super) path: &'static str,
    handler: fn(MethodFilter) -> MethodRouter,
}

/// All routes of the server except those of the mocks.
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

/// A router with all of [`ROUTES`].
pub(super) fn router() -> Router {
    ROUTES
        .iter()
        .fold(Router::new(), |router, route| router.route(route.path, (route.handler)(route.method)))
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
}

/// Answers a request that is not for a mock.
pub(super) async fn answer(
    router: Router,
    mocks: Arc<ArmedMocks>,
    request: Request<Option<Bytes>>,
) -> Response<Bytes> {
    let response = admitted(router, mocks, request).await.unwrap_or_else(IntoResponse::into_response);
    let (parts, body) = response.into_parts();
    // All bodies of the control API are in memory, so collecting them cannot fail.
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    Response::from_parts(parts, body)
}

async fn admitted(
    router: Router,
    mocks: Arc<ArmedMocks>,
    request: Request<Option<Bytes>>,
) -> Result<AxumResponse, Refused> {
    let (mut parts, body) = request.into_parts();
    let host = mocks.access.admit(&parts)?;
    let body = body.filter(|body| body.len() <= MAX_BODY).ok_or_else(|| {
        Refused::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {MAX_BODY} bytes"),
            "arm fewer turns at once, or name a scenario that `upfault serve` was given",
        )
    })?;
    parts.extensions.insert(mocks);
    parts.extensions.insert(host);
    let request = Request::from_parts(parts, Body::from(body));
    TowerToHyperService::new(router).call(request).await.map_err(|never| match never {})
}

async fn index(Extension(RequestHost(host)): Extension<RequestHost>) -> AxumResponse {
    plain(page::index(&host))
}

async fn health(Extension(mocks): Mocks) -> AxumResponse {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    json(StatusCode::OK, &HealthReply { status: "ok".to_owned(), version, armed: mocks.count() })
}

async fn description() -> AxumResponse {
    typed(StatusCode::OK, "application/json", published())
}

async fn arm(
    Extension(mocks): Mocks,
    Extension(RequestHost(host)): Extension<RequestHost>,
    body: Bytes,
) -> ApiResult {
    let text = std::str::from_utf8(&body)
        .map_err(|_| Refused::new(StatusCode::BAD_REQUEST, "the body is not UTF-8", "send JSON in UTF-8"))?;
    let wanted = load_arm(text, &mocks.library())?;
    let deployments = wanted.deployments.len();
    if deployments > MAX_DEPLOYMENTS {
        return Err(Refused::new(
            StatusCode::BAD_REQUEST,
            format!("{deployments} deployments are more than the limit of {MAX_DEPLOYMENTS} for one mock"),
            "arm several mocks: each has its own base URL and ledger",
        ));
    }
    let granted = mocks.arm(&wanted, text).map_err(refused)?;
    let expires = jiff::Timestamp::now() + wanted.ttl;
    Ok(json(StatusCode::CREATED, &armed(granted, expires, &host, mocks.address())))
}

fn refused(not_armed: NotArmed) -> Refused {
    match not_armed {
        NotArmed::Full(next) => Refused::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!("{MAX_ARMED} mocks are armed, which is the limit"),
            format!(
                "end mocks that are no longer needed with DELETE /_upfault/arm/ID, or arm mocks with a shorter \
                 `ttl`; the next one ends by itself in {} s",
                next.as_secs() + 1
            ),
        ),
        NotArmed::System(error) => Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the mock could not be armed: {error}"),
            "a fault that refuses connections needs its own port; end mocks that are no longer needed",
        ),
    }
}

async fn disarm(Extension(mocks): Mocks, Path(id): Path<String>) -> ApiResult {
    if mocks.disarm(&id) { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(Refused::unknown(&id)) }
}

async fn ledger(Extension(mocks): Mocks, Path(id): Path<String>) -> ApiResult {
    let ledger = mocks.ledger(&id).ok_or_else(|| Refused::unknown(&id))?;
    let Ledger { attempts, not_kept, open, strays } = ledger;
    let help = (not_kept > 0).then(|| {
        format!(
            "the ledger is full: empty it with POST /_upfault/ledger/{id}/reset; for load tests, use the catalogue"
        )
    });
    Ok(json(StatusCode::OK, &LedgerReply { id, attempts, not_kept, help, open, strays }))
}

async fn strays(Extension(mocks): Mocks) -> AxumResponse {
    json(StatusCode::OK, &StraysReply { strays: mocks.strays() })
}

async fn ca(Extension(mocks): Mocks) -> ApiResult {
    let pem = mocks.ca_pem().map_err(|error| {
        Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the certificate authority could not be created: {error}"),
            "mocks without `transport` and without TLS faults do not need it",
        )
    })?;
    Ok(typed(StatusCode::OK, "application/x-pem-file", pem))
}

async fn reset(Extension(mocks): Mocks, Path(id): Path<String>) -> ApiResult {
    if mocks.reset(&id) { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(Refused::unknown(&id)) }
}

async fn wrong_method(method: Method, uri: Uri) -> Refused {
    let path = uri.path();
    Refused::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{path} does not take {method}"),
        "GET /_upfault/openapi.json lists the methods of each path",
    )
}

/// The error for a path that belongs neither to a mock nor to the control API.
async fn unknown_path(method: Method, uri: Uri) -> Refused {
    let path = uri.path();
    let mut segments = path.split('/').skip(1);
    let (first, second) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    let providers = Provider::all();
    let names = providers.iter().map(|provider| provider.as_str());
    let help = if names.clone().any(|provider| provider == first) {
        let entries = catalogue::entries();
        match nearest(second, entries.iter().map(|entry| entry.name)) {
            Some(near) => format!("did you mean /{first}/{near}?"),
            None => format!("write /{first}/NAME, for example /{first}/ok; GET / lists the names"),
        }
    } else if first == "_upfault" {
        "GET /_upfault/openapi.json lists the paths".to_owned()
    } else if let Some(near) = nearest(first, names).filter(|_| !first.is_empty()) {
        format!("did you mean /{near}/{second}?")
    } else {
        "a mock that was armed here may have ended or expired; GET / gives an overview".to_owned()
    };
    Refused::new(StatusCode::NOT_FOUND, format!("no mock is armed at this path ({method} {path})"), help)
}

/// The response for a newly armed mock. Its URLs use the `host` to which the client sent its request, which
/// can differ from the address on which the server listens.
fn armed(granted: ArmedMock, expires: jiff::Timestamp, host: &str, address: SocketAddr) -> ArmedReply {
    let url = |url: &str, at: SocketAddr| {
        // Some deployments have their own port.
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
        // Whole seconds would be too coarse for a short `ttl`.
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
