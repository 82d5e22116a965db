//! A connection of the caller's own, for calls that an HTTP client library cannot make.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::{call::ClientCall, ending::ending_of};
use crate::observation::ResponseEnd;

/// Opens a connection over plain HTTP; returns it with the request to send. `what` begins the message for another scheme.
pub(super) async fn open(
    call: &ClientCall,
    what: &str,
    deadline: Instant,
) -> Result<(TcpStream, http::Request<Full<Bytes>>), ResponseEnd> {
    let (host, request) = prepare(call, what).map_err(ResponseEnd::Broken)?;
    match timeout_at(deadline, TcpStream::connect(host)).await {
        Ok(Ok(socket)) => {
            let _ = socket.set_nodelay(true);
            Ok((socket, request))
        }
        Ok(Err(error)) => Err(ending_of(&error)),
        Err(_) => Err(ResponseEnd::Deadline),
    }
}

/// Returns the host and port to connect to, and the request to send.
fn prepare(call: &ClientCall, what: &str) -> Result<((String, u16), http::Request<Full<Bytes>>), String> {
    let url = url::Url::parse(&call.url).map_err(|error| format!("`{}` is not a URL: {error}", call.url))?;
    let host = url.host_str().filter(|_| url.scheme() == "http");
    let (Some(host), Some(port)) = (host, url.port_or_known_default()) else {
        return Err(format!("{what} over plain HTTP, but `{}` has a different scheme", call.url));
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut request = http::Request::builder()
        .method(call.method.clone())
        .uri(target)
        .header(header::HOST, &url[url::Position::BeforeHost..url::Position::AfterPort]);
    for (name, value) in &call.headers {
        request = request.header(name, value);
    }
    if !call.headers.iter().any(|(name, _)| name == "accept") {
        request = request.header(header::ACCEPT, "*/*");
    }
    let request = request.body(Full::new(call.body.clone().into()));
    request
        .map(|request| ((host, port), request))
        .map_err(|error| format!("the request cannot be sent: {error}"))
}
