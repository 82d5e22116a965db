//! The certificate authority of a run, and the certificates of its mocks.

use std::{io, sync::Arc};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
    server::NoServerSessionStorage,
};

use crate::scenario::TlsFault;

/// The names under which clients reach a mock.
const NAMES: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// The protocols that a server offers (RFC 7301).
const HTTP1: &[u8] = b"http/1.1";
pub(super) const HTTP2: &[u8] = b"h2";

/// An authority, and one server certificate of each kind.
pub(super) struct Authority {
    /// The authority's own certificate.
    pub(super) pem: String,
    good: Kind,
    expired: Kind,
    wrong_name: Kind,
    self_signed: Kind,
    unknown: Kind,
}

/// A certificate, for servers that speak only HTTP/1.1 and for servers that also speak HTTP/2.
struct Kind {
    http1: Arc<ServerConfig>,
    http2: Arc<ServerConfig>,
}

/// The first and the last day on which a certificate is valid.
#[derive(Clone, Copy)]
struct Valid(Date, Date);

impl Authority {
    /// Generates the keys and certificates.
    ///
    /// # Errors
    /// If a key cannot be generated.
    pub(super) fn new() -> io::Result<Self> {
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        // The clock of a client may differ by a day, and some clients refuse certificates that are valid for
        // years.
        let now = Valid(today.saturating_sub(2.days()), today.saturating_add(90.days()));
        let past = Valid(jiff::civil::date(2020, 1, 1), jiff::civil::date(2021, 1, 1));
        // The authority must be as old as the oldest certificate that it issues.
        let long = Valid(past.0, now.1);
        let (pem, ours) = authority("upfault authority", long)?;
        let (_, other) = authority("upfault unknown authority", long)?;
        let own = leaf(&NAMES, now)?;
        let own_key = key()?;
        let own_certificate = own.self_signed(&own_key).map_err(io::Error::other)?;
        Ok(Self {
            pem,
            good: signed(leaf(&NAMES, now)?, &ours)?,
            expired: signed(leaf(&NAMES, past)?, &ours)?,
            wrong_name: signed(leaf(&["elsewhere.invalid"], now)?, &ours)?,
            self_signed: Kind::new(own_certificate.der().clone(), &own_key)?,
            unknown: signed(leaf(&NAMES, now)?, &other)?,
        })
    }

    /// Returns the TLS configuration of a server with the certificate for this fault, or with a valid one.
    pub(super) fn server(&self, fault: Option<TlsFault>, http2: bool) -> Arc<ServerConfig> {
        let kind = match fault {
            Some(TlsFault::ExpiredCertificate) => &self.expired,
            Some(TlsFault::WrongName) => &self.wrong_name,
            Some(TlsFault::SelfSigned) => &self.self_signed,
            Some(TlsFault::UnknownCa) => &self.unknown,
            _ => &self.good,
        };
        if http2 { kind.http2.clone() } else { kind.http1.clone() }
    }
}

impl Kind {
    fn new(certificate: CertificateDer<'static>, key: &KeyPair) -> io::Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let mut http1 = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![certificate], key))
            .map_err(io::Error::other)?;
        // A resumed session would not send the certificate, so the fault would have no effect.
        http1.session_storage = Arc::new(NoServerSessionStorage {});
        http1.send_tls13_tickets = 0;
        let mut http2 = http1.clone();
        http1.alpn_protocols = vec![HTTP1.to_vec()];
        http2.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        Ok(Self { http1: Arc::new(http1), http2: Arc::new(http2) })
    }
}

fn key() -> io::Result<KeyPair> {
    KeyPair::generate().map_err(io::Error::other)
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn hold(params: &mut CertificateParams, Valid(from, to): Valid) {
    let time = |date: Date| date_time_ymd(date.year().into(), date.month() as u8, date.day() as u8);
    (params.not_before, params.not_after) = (time(from), time(to));
}

/// Creates an authority's certificate and the issuer that signs with it.
fn authority(name: &str, valid: Valid) -> io::Result<(String, Issuer<'static, KeyPair>)> {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    hold(&mut params, valid);
    let key = key()?;
    let pem = params.self_signed(&key).map_err(io::Error::other)?.pem();
    Ok((pem, Issuer::new(params, key)))
}

/// Returns the certificate of a new authority as PEM. It issues no certificates.
///
/// # Errors
/// If its key cannot be generated.
pub(crate) fn authority_pem() -> io::Result<String> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let valid = Valid(today.saturating_sub(2.days()), today.saturating_add(90.days()));
    Ok(authority("upfault authority", valid)?.0)
}

/// Returns the parameters of a server's certificate.
fn leaf(names: &[&str], valid: Valid) -> io::Result<CertificateParams> {
    let all: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(all).map_err(io::Error::other)?;
    params.distinguished_name = named("upfault mock");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    hold(&mut params, valid);
    Ok(params)
}

fn signed(params: CertificateParams, issuer: &Issuer<'_, KeyPair>) -> io::Result<Kind> {
    let key = key()?;
    let certificate = params.signed_by(&key, issuer).map_err(io::Error::other)?;
    Kind::new(certificate.der().clone(), &key)
}
