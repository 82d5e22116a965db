//! Serves one stream of an HTTP/2 connection: reads a request and performs the plan of its reply.

use std::sync::Arc;

use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::{Request, Response, request::Parts};
use tokio::time::Instant;

use super::{
    answer::{PendingRequest, enter, no_mock},
    connection_turn::ConnectionTurn,
    discovery,
    http2_sink::{Http2Sink, OF_CONNECTIONS, StreamClose, adapt_head, send},
    performer::perform,
    server_state::ServerState,
};
use crate::provider::{Header, MAX_REQUEST_BYTES};

/// Answers one request.
pub(super) async fn answer(
    request: Request<RecvStream>,
    out: SendResponse<Bytes>,
    shared: Arc<ServerState>,
    visit: Option<Arc<ConnectionTurn>>,
) -> StreamClose {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    let Ok(body) = read(body).await else { return StreamClose::Over };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let Some((case, deployment, rest)) = shared.find(path) else {
        let response = match shared.fallback.get().cloned() {
            Some(fallback) => fallback(Request::from_parts(parts, body)).await,
            None => no_mock(parts.method.as_str(), path),
        };
        say(out, response).await;
        return StreamClose::Over;
    };
    if let Some(response) = discovery::answer(&case, deployment, parts.method.as_str(), rest) {
        say(out, response).await;
        return StreamClose::Over;
    }
    let claim = visit.and_then(|visit| visit.take(&case, deployment));
    let head = head_text(&parts);
    let headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() })
        .collect();
    let asking = PendingRequest {
        method: parts.method.as_str(),
        head: &head,
        path: rest,
        headers: &headers,
        body: body.as_deref(),
        arrived,
        usual: false,
    };
    let (reply, recorder) = enter(&case, &case.run(), deployment, &asking, claim, shared.address);
    let mut plan = reply.into_plan();
    adapt_head(&mut plan);
    let sink = Http2Sink::new(out, case.deployments[deployment].one_request_each);
    perform(plan, sink, recorder, &case.stop).await.unwrap_or(StreamClose::Over)
}

/// Writes the head of a request in the form of HTTP/1, as the ledger keeps it.
fn head_text(parts: &Parts) -> Vec<u8> {
    let mut text = format!("{} / HTTP/1.1\r\n", parts.method).into_bytes();
    for (name, value) in &parts.headers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// Reads the whole body. Returns `None` if it is larger than the provider accepts.
async fn read(mut body: RecvStream) -> Result<Option<Bytes>, h2::Error> {
    let mut all = Vec::new();
    let mut length = 0_usize;
    while let Some(data) = body.data().await {
        let data = data?;
        length = length.saturating_add(data.len());
        // Open the window even if the bytes are not kept.
        body.flow_control().release_capacity(data.len())?;
        if length <= MAX_REQUEST_BYTES {
            all.extend_from_slice(&data);
        } else {
            all = Vec::new();
        }
    }
    Ok((length <= MAX_REQUEST_BYTES).then(|| all.into()))
}

/// Sends a response that does not come from a deployment.
async fn say(mut out: SendResponse<Bytes>, response: Response<Bytes>) {
    let (mut parts, body) = response.into_parts();
    for name in OF_CONNECTIONS {
        parts.headers.remove(name);
    }
    if let Ok(mut stream) = out.send_response(Response::from_parts(parts, ()), false) {
        // An error means that the client has left.
        let _ = send(&mut stream, body, true).await;
    }
}
