//! Decides which upstream headers the proxy passes on to the caller.

use super::dialect::ErrorForm;
pub(super) use crate::observation::REQUEST_IDS;

/// Keeps the headers that are meaningful to a caller. Drops all others: those of the connection
/// (RFC 9110 section 7.6.1), cookies, encodings, and those that are meant only for the proxy's owner.
pub(super) fn passed(headers: &[(String, String)]) -> Vec<(String, String)> {
    headers.iter().filter(|(name, _)| is_for_the_caller(name)).cloned().collect()
}

fn is_for_the_caller(name: &str) -> bool {
    matches!(name, "retry-after" | "retry-after-ms" | "x-should-retry" | "x-amzn-errortype")
        || REQUEST_IDS.contains(&name)
        || name.contains("ratelimit")
}

/// The headers with these names, as text.
pub(super) fn texts(all: &http::HeaderMap, keep: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let kept = all.iter().filter(|(name, _)| keep(name.as_str()));
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    kept.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

/// The first header with this name (in lower case).
pub(super) fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Renames the header with the request id to the one that callers of this form read, if the upstream used
/// another.
pub(super) fn name_request_id(form: ErrorForm, headers: &mut [(String, String)]) {
    let wanted = form.request_id_header();
    let has = |name: &str| headers.iter().any(|(known, _)| known == name);
    let translated = match form {
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

/// Whether this proxy must always set this header itself, because passing it on would break HTTP.
pub(super) fn is_framing(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "content-encoding"
            | "upgrade"
            | "content-length"
            | "content-type"
            | "date"
            | "proxy-connection"
    )
}

/// The value of `content-encoding`; `None` if it is absent or `identity`.
pub(super) fn coding(headers: &[(String, String)]) -> Option<&str> {
    value(headers, "content-encoding")
        .map(str::trim)
        .filter(|coding| !coding.eq_ignore_ascii_case("identity"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_headers_that_are_meaningful_to_a_caller_are_passed_on() {
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
