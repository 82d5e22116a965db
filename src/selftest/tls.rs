//! A careful TLS client: it trusts only the authority of the run, and reports exactly why it refuses a
//! certificate.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::transcript::{CertificateRefusal, ConnectionEnd, ending_of};

/// The trusted certificates.
#[derive(Debug, Clone)]
pub(super) struct TrustedCertificates {
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl TrustedCertificates {
    /// Trusts only these authorities. Values that are not valid certificates are left out.
    pub(super) fn in_these(certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates);
        Self { roots: Arc::new(roots), provider: Arc::new(rustls::crypto::ring::default_provider()) }
    }
}

/// Verifies certificates as rustls does, and remembers why it refused one.
#[derive(Debug)]
struct Watching {
    inner: Arc<WebPkiServerVerifier>,
    provider: Arc<CryptoProvider>,
    refused: Mutex<Option<CertificateRefusal>>,
}

impl ServerCertVerifier for Watching {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.inner.verify_server_cert(certificate, intermediates, name, ocsp, now);
        if let Err(error) = &verified {
            let refusal = match error {
                Error::InvalidCertificate(
                    CertificateError::Expired | CertificateError::ExpiredContext { .. },
                ) => CertificateRefusal::Expired,
                Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                ) => CertificateRefusal::WrongName,
                Error::InvalidCertificate(CertificateError::UnknownIssuer)
                    if self.issued_itself(certificate, name, now) =>
                {
                    CertificateRefusal::SelfSigned
                }
                Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                    CertificateRefusal::UnknownIssuer
                }
                other => CertificateRefusal::Other(other.to_string()),
            };
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl Watching {
    /// Whether the certificate would be valid if it were trusted itself. Then it is self-signed.
    fn issued_itself(&self, certificate: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> bool {
        let mut roots = RootCertStore::empty();
        if roots.add(certificate.clone().into_owned()).is_err() {
            return false;
        }
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .is_ok_and(|verifier| verifier.verify_server_cert(certificate, &[], name, &[], now).is_ok())
    }
}

/// Performs the TLS handshake and offers one protocol.
pub(super) async fn connect(
    tcp: TcpStream,
    host: &str,
    trust: &TrustedCertificates,
    protocol: &[u8],
) -> Result<TlsStream<TcpStream>, ConnectionEnd> {
    let broken = |error: &dyn fmt::Display| ConnectionEnd::Other(error.to_string());
    let inner = WebPkiServerVerifier::builder_with_provider(trust.roots.clone(), trust.provider.clone())
        .build()
        .map_err(|error| broken(&error))?;
    let watching = Arc::new(Watching { inner, provider: trust.provider.clone(), refused: Mutex::new(None) });
    let mut config = ClientConfig::builder_with_provider(trust.provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| broken(&error))?
        .dangerous()
        .with_custom_certificate_verifier(watching.clone())
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let name =
        ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|error| broken(&error))?;
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(|error| {
        let refused = watching.refused.lock().unwrap_or_else(PoisonError::into_inner).take();
        match refused {
            Some(refused) => ConnectionEnd::Certificate(refused),
            // During a handshake it does not matter whether `close_notify` was sent.
            None if error.kind() == io::ErrorKind::UnexpectedEof => ConnectionEnd::Fin,
            None => ending_of(&error),
        }
    })
}
