//! The response headers that mean something to a caller.

/// Names in lower case; a `*` at the end stands for anything. The only list of its kind: what is
/// not here is neither held by snapshots nor shown in reports.
pub const MEANINGFUL_HEADERS: &[&str] = &[
    "content-type",
    "content-encoding",
    // RFC 9110 sections 10.2.1, 10.2.2, 10.2.3, 11.6.1.
    "allow",
    "location",
    "retry-after",
    "www-authenticate",
    // Read by the official SDKs when they decide whether and when to try again.
    "retry-after-ms",
    "x-should-retry",
    // Limits.
    "x-ratelimit-*",
    "anthropic-ratelimit-*",
    "ratelimitbysize-*",
    "x-tokenlimit-*",
    // By these a caller asks the provider about a request.
    "x-request-id",
    "request-id",
    "apim-request-id",
    "x-amzn-requestid",
    "x-generation-id",
    // The only place where AWS says what an error is.
    "x-amzn-errortype",
];

/// The prefix under which some proxies pass on a provider's own headers.
const PASSED_ON: &str = "llm_provider-";

/// The same, as other proxies write it.
const PASSED_ON_DASHED: &str = "llm-provider-";

/// Whether a header (its name in lower case) means something to a caller.
pub fn is_meaningful(name: &str) -> bool {
    let name = bare(name);
    MEANINGFUL_HEADERS.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == *pattern,
    })
}

/// Whether its value is an id of the request.
pub(crate) fn is_request_id(name: &str) -> bool {
    matches!(
        bare(name),
        "x-request-id" | "request-id" | "apim-request-id" | "x-amzn-requestid" | "x-generation-id"
    )
}

fn bare(name: &str) -> &str {
    name.strip_prefix(PASSED_ON).or_else(|| name.strip_prefix(PASSED_ON_DASHED)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_providers_header_counts_under_the_proxys_prefix_too() {
        assert!(is_meaningful("llm_provider-retry-after"));
        assert!(is_meaningful("llm-provider-x-ratelimit-remaining-requests"));
        assert!(is_meaningful("retry-after"));
    }

    #[test]
    fn dates_and_server_names_do_not_count() {
        for name in ["date", "server", "content-length", "x-litellm-call-id", "llm_provider-date"] {
            assert!(!is_meaningful(name), "{name}");
        }
    }
}
