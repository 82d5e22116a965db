//! Which upstream headers a caller gets to see.

/// Headers that mean something to a caller. All others stay behind: those of the connection
/// (RFC 9110 section 7.6.1), cookies, encodings, and what is told to the proxy's owner alone.
pub(super) fn passed(headers: &[(String, String)]) -> Vec<(String, String)> {
    headers.iter().filter(|(name, _)| is_for_the_caller(name)).cloned().collect()
}

fn is_for_the_caller(name: &str) -> bool {
    matches!(name, "retry-after" | "retry-after-ms" | "x-request-id" | "x-should-retry")
        || name.starts_with("x-ratelimit-")
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
