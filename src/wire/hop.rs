//! The headers of one connection.

use http::HeaderMap;

/// The headers, in lower case, that apply to one connection only (RFC 9110 sections 7.6.1 and 11.7). `Connection` can
/// list others.
pub(crate) const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The names, in lower case, of the headers of a message that apply to one connection only, with those that `Connection`
/// lists.
pub(crate) fn hop_by_hop(all: &HeaderMap) -> Vec<String> {
    let listed = all.get_all("connection").iter().filter_map(|value| value.to_str().ok());
    let listed = listed.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
    HOP_BY_HOP.into_iter().map(str::to_owned).chain(listed.filter(|name| !name.is_empty())).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn headers_that_connection_lists_belong_to_it() {
        let mut all = HeaderMap::new();
        all.append("connection", HeaderValue::from_static("close, X-Own"));
        all.append("connection", HeaderValue::from_static(",x-other"));
        all.insert("retry-after", HeaderValue::from_static("7"));
        let found = hop_by_hop(&all);
        for name in ["x-own", "x-other", "te", "connection"] {
            assert!(found.iter().any(|known| known == name), "{name}");
        }
        assert!(!found.iter().any(|known| known == "retry-after" || known.is_empty()));
    }
}
