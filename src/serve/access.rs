//! Decides which requests the control API accepts: those of programs, but none of a web page from another
//! origin.
//!
//! A browser lets any page send requests to any address, including those of this machine. It does not prevent
//! such a request, but its headers say which page sent it (`Origin`, `Sec-Fetch-Site`) and to which host name
//! (`Host`). The host name matters because a page can make its own name resolve to this machine (DNS
//! rebinding): the browser then considers the page and this server to be the same origin.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use http::{
    HeaderMap, StatusCode, Version,
    header::{HOST, HeaderValue, ORIGIN},
    request::Parts,
};
use url::{Host, Url};

use super::reply::Refused;

/// The header in which browsers send the relation between the origin of a page and the server
/// (<https://www.w3.org/TR/fetch-metadata/>).
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// A host name or an IP address without a port, the value of `--allow-host`: `upfault`, `192.0.2.7`,
/// `[2001:db8::7]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(Host);

impl FromStr for HostName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let authority =
            Authority::parse(text).ok_or("write a host name or an IP address, such as `upfault`")?;
        match authority.port {
            None => Ok(Self(authority.host)),
            Some(_) => Err("leave the port out: a host is allowed at every port"),
        }
    }
}

/// The hosts for which the control API accepts requests.
pub(super) struct AllowedHosts {
    listen: SocketAddr,
    allowed: Vec<HostName>,
}

/// `host[:port]` as the client sent it. The URLs in a response must use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestHost(pub(super) String);

impl AllowedHosts {
    /// Creates the rules for a server that listens at `listen`. Requests for a loopback host or for that
    /// address are always accepted, those for another host only if it is in `allowed`.
    pub(super) fn new(listen: SocketAddr, allowed: Vec<HostName>) -> Self {
        Self { listen, allowed }
    }

    /// Accepts a request and returns its host.
    ///
    /// # Errors
    /// 400 for a request that does not name exactly one host, 421 for a host that is not allowed, 403 for a
    /// request from a page of another origin.
    pub(super) fn admit(&self, parts: &Parts) -> Result<RequestHost, Refused> {
        let named = named(parts)?;
        let host = named.as_ref().map(|named| {
            if self.answers_for(&named.host) { Ok(named) } else { Err(self.misdirected(named)) }
        });
        let host = host.transpose()?;
        let is_own = |origin: &HeaderValue| host.is_some_and(|host| host.is_origin(origin));
        if let Some(foreign) = parts.headers.get_all(ORIGIN).iter().find(|origin| !is_own(origin)) {
            return Err(self.foreign(&format!("`{}`", String::from_utf8_lossy(foreign.as_bytes()))));
        }
        if parts.headers.get_all(SEC_FETCH_SITE).iter().any(|site| *site != "same-origin" && *site != "none")
        {
            return Err(self.foreign("another origin"));
        }
        Ok(RequestHost(host.map_or_else(|| self.listen.to_string(), |host| host.text.clone())))
    }

    /// Whether requests for this host are accepted.
    ///
    /// The port is not compared: with port forwarding it differs from the server's own, and a page from
    /// another port is rejected by its `Origin`.
    fn answers_for(&self, host: &Host) -> bool {
        let address: Option<IpAddr> = match host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some((*address).into()),
            Host::Ipv6(address) => Some((*address).into()),
        };
        let is_own = |address: IpAddr| {
            let listen = self.listen.ip().to_canonical();
            // A server that listens on all addresses cannot list them (port forwarding, containers), and need
            // not: DNS rebinding works only with names, not with addresses.
            address.is_loopback() || address == listen || listen.is_unspecified()
        };
        let is_localhost = *host == Host::Domain("localhost".to_owned());
        is_localhost || address.is_some_and(is_own) || self.allowed.iter().any(|allowed| allowed.0 == *host)
    }

    fn misdirected(&self, named: &Authority) -> Refused {
        let (text, host, listen) = (&named.text, &named.host, self.listen);
        Refused::new(
            StatusCode::MISDIRECTED_REQUEST,
            format!(
                "the request is for the host `{text}`, and the control API answers only for {listen} and loopback"
            ),
            format!(
                "use http://{listen}; if this server is meant to be reached as `{host}`, start it with \
                 `upfault serve --allow-host {host}`"
            ),
        )
    }

    fn foreign(&self, origin: &str) -> Refused {
        Refused::new(
            StatusCode::FORBIDDEN,
            format!(
                "a web page from {origin} sent this request, and the control API is closed to other origins"
            ),
            format!(
                "send it from a program, such as curl or a test; in a browser, enter http://{} as the address",
                self.listen
            ),
        )
    }
}

/// The host that a request names; `None` for an HTTP/1.0 request without one, which browsers do not send.
fn named(parts: &Parts) -> Result<Option<Authority>, Refused> {
    // RFC 9112 section 3.2.2: if the request target has an authority, it takes precedence over the Host
    // header. In HTTP/2 it is `:authority`.
    let text = match parts.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => only_host(&parts.headers)?,
    };
    match text {
        Some(text) => {
            Authority::parse(text).map(Some).ok_or_else(|| unclear("the host that it names is not valid"))
        }
        None if parts.version <= Version::HTTP_10 => Ok(None),
        None => Err(unclear("it has no Host header")),
    }
}

fn only_host(headers: &HeaderMap) -> Result<Option<&str>, Refused> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(unclear("it has more than one Host header"));
    }
    host.map(|host| host.to_str().map_err(|_| unclear("its Host header is not text"))).transpose()
}

/// The rejection of a request without a valid host (RFC 9112 section 3.2).
fn unclear(what: &str) -> Refused {
    Refused::new(
        StatusCode::BAD_REQUEST,
        format!("the request does not say which host it is for: {what}"),
        "send one header `Host: HOST:PORT`, as HTTP clients do by themselves",
    )
}

/// `host[:port]`, without user information.
#[derive(Debug)]
struct Authority {
    text: String,
    host: Host,
    port: Option<u16>,
}

impl Authority {
    fn parse(text: &str) -> Option<Self> {
        // `url` would also accept percent-encoded and internationalised names, which clients do not send in a
        // Host.
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b)) {
            return None;
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
            _ => (text, None),
        };
        let host = match Host::parse(host).ok()? {
            Host::Domain(name) => Host::Domain(name.strip_suffix('.').unwrap_or(&name).to_owned()),
            Host::Ipv4(address) => Host::Ipv4(address),
            Host::Ipv6(address) => address.to_ipv4_mapped().map_or(Host::Ipv6(address), Host::Ipv4),
        };
        Some(Self { text: text.to_owned(), host, port })
    }

    /// Whether an `Origin` header names this host and port, with the scheme `http`: the control API does not
    /// use TLS.
    fn is_origin(&self, origin: &HeaderValue) -> bool {
        let url = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok());
        let Some(url) = url.filter(|url| url.scheme() == "http") else { return false };
        let host = url.host_str().and_then(Self::parse).map(|origin| origin.host);
        host.as_ref() == Some(&self.host) && url.port_or_known_default() == Some(self.port.unwrap_or(80))
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    /// The status of the refusal, or the host under which the request was accepted.
    fn admitted(listen: &str, head: &str) -> Result<String, u16> {
        let access = AllowedHosts::new(listen.parse().unwrap(), vec!["upfault".parse().unwrap()]);
        let mut lines = head.split(" | ");
        let target = lines.next().unwrap();
        let (version, target) = match target.strip_prefix("1.0 ") {
            Some(target) => (Version::HTTP_10, target),
            None => (Version::HTTP_11, target),
        };
        let mut request = Request::builder().uri(target).version(version);
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        access.admit(&parts).map(|called| called.0).map_err(|refused| refused.status.as_u16())
    }

    const LOOPBACK: &str = "127.0.0.1:4777";

    #[test]
    fn only_the_listen_address_loopback_and_allowed_hosts_are_accepted() {
        let table = [
            // The ways in which clients write the address.
            (LOOPBACK, "127.0.0.1:4777", true),
            (LOOPBACK, "localhost:4777", true),
            (LOOPBACK, "LocalHost:4777", true),
            (LOOPBACK, "localhost.:4777", true),
            (LOOPBACK, "localhost", true),
            (LOOPBACK, "127.1.2.3:4777", true),
            (LOOPBACK, "[::1]:4777", true),
            (LOOPBACK, "[::ffff:127.0.0.1]:4777", true),
            // With port forwarding.
            (LOOPBACK, "localhost:8080", true),
            // Allowed with --allow-host.
            (LOOPBACK, "upfault:4777", true),
            (LOOPBACK, "UPFAULT.", true),
            // Names that resolve to this machine or look as if they did.
            (LOOPBACK, "evil.test:4777", false),
            (LOOPBACK, "localhost.evil.test:4777", false),
            (LOOPBACK, "127.0.0.1.evil.test:4777", false),
            (LOOPBACK, "evil.localhost:4777", false),
            (LOOPBACK, "upfault.evil.test", false),
            (LOOPBACK, "localhost..:4777", false),
            (LOOPBACK, "0.0.0.0:4777", false),
            (LOOPBACK, "192.0.2.7:4777", false),
            (LOOPBACK, "[::ffff:192.0.2.7]:4777", false),
            (LOOPBACK, "[2001:db8::7]:4777", false),
            // A server on one address of the network.
            ("192.0.2.7:4777", "192.0.2.7:4777", true),
            ("192.0.2.7:4777", "[::ffff:192.0.2.7]:4777", true),
            ("192.0.2.7:4777", "localhost:4777", true),
            ("192.0.2.7:4777", "192.0.2.8:4777", false),
            ("[2001:db8::7]:4777", "[2001:DB8:0::7]:4777", true),
            // A server on all addresses does not know its addresses; unknown names are still rejected.
            ("0.0.0.0:4777", "0.0.0.0:4777", true),
            ("0.0.0.0:4777", "192.0.2.7:8080", true),
            ("[::]:4777", "[2001:db8::7]:4777", true),
            ("0.0.0.0:4777", "evil.test:4777", false),
            ("0.0.0.0:4777", "upfault:4777", true),
        ];
        for (listen, host, accepted) in table {
            let expected = if accepted { Ok(host.to_owned()) } else { Err(421) };
            assert_eq!(admitted(listen, &format!("/ | host: {host}")), expected, "{host} at {listen}");
        }
    }

    #[test]
    fn a_request_that_does_not_name_one_host_is_a_bad_request() {
        for head in [
            "/",
            "/ | host: ",
            "/ | host: 127.0.0.1:4777 | host: 127.0.0.1:4777",
            "/ | host: user@127.0.0.1:4777",
            "/ | host: evil.test@127.0.0.1",
            "/ | host: 127.0.0.1:port",
            "/ | host: 127.0.0.1:99999",
            "/ | host: 127.0.0.1:",
            "/ | host: ::1",
            "/ | host: [::1",
            "/ | host: %6cocalhost",
            "/ | host: localhost, evil.test",
            "/ | host: localhost/",
            "/ | host: l\u{f6}calhost",
            "http://user@127.0.0.1:4777/",
        ] {
            assert_eq!(admitted(LOOPBACK, head), Err(400), "{head}");
        }
        assert_eq!(admitted(LOOPBACK, "1.0 /"), Ok(LOOPBACK.to_owned()), "HTTP/1.0 has no Host");
        assert_eq!(admitted(LOOPBACK, "1.0 / | origin: http://127.0.0.1:4777"), Err(403));
        assert_eq!(admitted(LOOPBACK, "1.0 / | host: evil.test"), Err(421));
    }

    /// The authority of an absolute-form target, or `:authority` in HTTP/2.
    #[test]
    fn the_authority_of_the_target_takes_precedence_over_the_host_header() {
        assert_eq!(admitted(LOOPBACK, "http://localhost:4777/"), Ok("localhost:4777".to_owned()));
        assert_eq!(admitted(LOOPBACK, "http://evil.test:4777/ | host: 127.0.0.1:4777"), Err(421));
        let page = "http://localhost:4777/ | host: evil.test | origin: http://localhost:4777";
        assert_eq!(admitted(LOOPBACK, page), Ok("localhost:4777".to_owned()));
    }

    #[test]
    fn pages_of_another_origin_are_rejected_and_those_of_the_same_origin_are_not() {
        let at = |host: &str, more: &str| {
            admitted(LOOPBACK, &format!("/ | host: {host}{more}")).map_err(|status| (status, host.to_owned()))
        };
        for (host, more) in [
            (LOOPBACK, " | origin: http://127.0.0.1:4777"),
            (LOOPBACK, " | origin: http://127.0.0.1:4777 | sec-fetch-site: same-origin"),
            (LOOPBACK, " | sec-fetch-site: none"),
            ("[::1]:4777", " | origin: http://[::1]:4777"),
            ("localhost", " | origin: http://localhost"),
            ("localhost:80", " | origin: http://localhost"),
            ("localhost.:8080", " | origin: http://localhost.:8080"),
            ("upfault:4777", " | origin: http://upfault:4777"),
        ] {
            assert_eq!(at(host, more), Ok(host.to_owned()), "{host}{more}");
        }
        for more in [
            " | origin: null",
            " | origin: ",
            " | origin: *",
            " | origin: 127.0.0.1:4777",
            " | origin: https://evil.test",
            " | origin: http://evil.test:4777",
            " | origin: http://127.0.0.1",
            " | origin: http://127.0.0.1:8080",
            " | origin: http://localhost:4777",
            " | origin: https://127.0.0.1:4777",
            " | origin: http://127.0.0.1:4777.evil.test",
            " | origin: http://127.0.0.1:4777@evil.test",
            " | origin: file://",
            " | origin: chrome-extension://abcdef",
            " | origin: http://127.0.0.1:4777 | origin: http://evil.test",
            " | origin: http://127.0.0.1:4777 | sec-fetch-site: cross-site",
            " | sec-fetch-site: cross-site",
            " | sec-fetch-site: same-site",
            " | sec-fetch-site: ",
        ] {
            assert_eq!(at(LOOPBACK, more), Err((403, LOOPBACK.to_owned())), "{more}");
        }
    }

    #[test]
    fn an_allowed_host_is_a_name_or_an_address_without_a_port() {
        for name in ["upfault", "Upfault.", "mock_1.internal", "192.0.2.7", "[2001:db8::7]"] {
            assert!(name.parse::<HostName>().is_ok(), "{name}");
        }
        for wrong in ["", "upfault:4777", "http://upfault", "*", "a b", "2001:db8::7", "user@upfault"] {
            assert!(wrong.parse::<HostName>().is_err(), "{wrong}");
        }
    }
}
