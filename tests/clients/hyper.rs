//! hyper, with a separate connection for each request.

use std::{collections::HashMap, path::Path, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;
use url::Url;

use super::client::{Ask, Got, TIME_OUT};

type Error = Box<dyn std::error::Error + Send + Sync>;

pub async fn ask(asks: Vec<Ask>, ca: &Path) -> HashMap<usize, Got> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let tls = TlsConnector::from(Arc::new(config));
    let mut tasks = tokio::task::JoinSet::new();
    for ask in asks {
        let tls = tls.clone();
        tasks.spawn(async move { (ask.id, one(&ask, &tls).await) });
    }
    tasks.join_all().await.into_iter().collect()
}

async fn one(ask: &Ask, tls: &TlsConnector) -> Got {
    let mut got = Got::default();
    match timeout(TIME_OUT, fetch(ask, tls, &mut got)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => got.error = Some(format!("{error:?}")),
        Err(_) => got.timed_out = true,
    }
    got
}

async fn fetch(ask: &Ask, tls: &TlsConnector, got: &mut Got) -> Result<(), Error> {
    let url = Url::parse(&ask.url)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let tcp = TcpStream::connect((host.as_str(), url.port_or_known_default().unwrap_or(80))).await?;
    let mut request = Request::post(&ask.url).header("host", url.authority());
    for (name, value) in &ask.headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(Bytes::from(ask.body.clone())))?;
    if url.scheme() == "http" {
        return read(http1(TokioIo::new(tcp), request).await?, got).await;
    }
    let stream = tls.connect(ServerName::try_from(host)?, tcp).await?;
    let speaks_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    if !speaks_http2 {
        return read(http1(TokioIo::new(stream), request).await?, got).await;
    }
    let (mut sender, connection) = conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let _running = Running(tokio::spawn(async move { drop(connection.await) }));
    let (mut parts, body) = request.into_parts();
    parts.headers.remove("host");
    let response = sender.send_request(Request::from_parts(parts, body)).await?;
    read(response, got).await
}

async fn http1(
    io: impl hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    mut request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, Error> {
    let (mut sender, connection) = conn::http1::handshake(io).await?;
    tokio::spawn(connection);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    *request.uri_mut() = path.parse()?;
    Ok(sender.send_request(request).await?)
}

async fn read(response: Response<Incoming>, got: &mut Got) -> Result<(), Error> {
    got.status = Some(response.status().as_u16());
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            got.bytes += data.len() as u64;
        }
    }
    Ok(())
}

/// The task of a connection, which ends when this value is dropped.
struct Running(tokio::task::JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}
