//! Which upstream headers a caller gets to see.

use super::dialect::ErrorForm;

/// Headers that mean something to a caller. All others stay behind: those of the connection
/// (RFC 9110 section 7.6.1), cookies, encodings, and what is told to the proxy's owner alone.
pub(super) fn passed(headers: &[(String, String)]) -> Vec<(String, String)> {
    headers.iter().filter(|(name, _)| is_for_the_caller(name)).cloned().collect()
}

fn is_for_the_caller(name: &str) -> bool {
    matches!(name, "retry-after" | "retry-after-ms" | "x-should-retry" | "x-amzn-errortype")
        || REQUEST_IDS.contains(&name)
        || name.contains("ratelimit")
}

/// Where providers put the id of a request.
pub(super) const REQUEST_IDS: [&str; 10] = [
    "x-request-id",
    "request-id",
    "apim-request-id",
    "x-amzn-requestid",
    "mistral-correlation-id",
    "x-kong-request-id",
    "x-debug-trace-id",
    "nvcf-reqid",
    "x-ds-trace-id",
    "x-generation-id",
];

/// The first header of this name (in lower case).
pub(super) fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Puts the request's id where callers of this family look for it, if the upstream put it elsewhere.
pub(super) fn name_request_id(family: ErrorForm, headers: &mut [(String, String)]) {
    let wanted = family.request_id_header();
    let has = |name: &str| headers.iter().any(|(known, _)| known == name);
    let translated = match family {
        ErrorForm::Openai => "request-id",
        ErrorForm::Anthropic => "x-request-id",
        _ => return,
    };
    if !has(wanted) && has(translated) {
        for (name, _) in headers.iter_mut().filter(|(name, _)| name == translated) {
            *name = wanted.to_owned();
        }
    }
}

/// Headers that this proxy must set itself, whatever happens: passing them on would break HTTP.
pub(super) fn is_framing(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "content-length"
            | "content-type"
            | "date"
            | "proxy-connection"
    )
}

/// The headers of a message that speak of one connection only, names in lower case
/// (RFC 9110 sections 7.6.1 and 11.7).
pub(super) fn hop_by_hop(all: &http::HeaderMap) -> Vec<String> {
    let listed = all.get_all("connection").iter().filter_map(|value| value.to_str().ok());
    let listed = listed.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
    let known = [
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
    known.into_iter().map(str::to_owned).chain(listed.filter(|name| !name.is_empty())).collect()
}

/// The coding that a body is said to be in, where it is one. None was asked for.
pub(super) fn coding(headers: &[(String, String)]) -> Option<&str> {
    value(headers, "content-encoding")
        .map(str::trim)
        .filter(|coding| !coding.eq_ignore_ascii_case("identity"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_means_something_to_a_caller_is_passed() {
        let names = |headers: Vec<(String, String)>| headers.into_iter().map(|(k, _)| k).collect::<Vec<_>>();
        let all = [
            "retry-after",
            "retry-after-ms",
            "x-ratelimit-reset-requests",
            "x-request-id",
            "x-should-retry",
            "set-cookie",
            "connection",
            "transfer-encoding",
            "content-encoding",
            "openai-organization",
            "server",
        ]
        .map(|name| (name.to_owned(), "1".to_owned()));
        assert_eq!(
            names(passed(&all)),
            ["retry-after", "retry-after-ms", "x-ratelimit-reset-requests", "x-request-id", "x-should-retry"]
        );
    }
}
