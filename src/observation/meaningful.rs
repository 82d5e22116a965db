//! The response headers that are meaningful to a caller.

/// The names of meaningful response headers in lower case, except the request ids; a `*` at the end matches any suffix. Snapshots and
/// reports contain only these headers.
const MEANINGFUL_HEADERS: &[&str] = &[
    "content-type",
    "content-encoding",
    // RFC 9110 sections 10.2.1, 10.2.2, 10.2.3, 11.6.1.
    "allow",
    "location",
    "retry-after",
    "www-authenticate",
    // The official SDKs read these when they decide whether and when to retry.
    "retry-after-ms",
    "x-should-retry",
    // Rate limits.
    "x-ratelimit-*",
    "anthropic-ratelimit-*",
    "ratelimitbysize-*",
    "x-tokenlimit-*",
    // The only place in which AWS sends the type of an error.
    "x-amzn-errortype",
];

/// The headers in which providers send the id of a request; with these a caller can ask the provider about it. Those
/// after the first [`SHOWN`] are not meaningful, because only one provider sends each of them.
pub(crate) const REQUEST_IDS: [&str; 10] = [
    "x-request-id",
    "request-id",
    "apim-request-id",
    "x-amzn-requestid",
    "x-generation-id",
    "mistral-correlation-id",
    "x-kong-request-id",
    "x-debug-trace-id",
    "nvcf-reqid",
    "x-ds-trace-id",
];

const SHOWN: usize = 5;

/// The prefix that some proxies add to the headers of a provider.
const PASSED_ON: &str = "llm_provider-";

/// The prefix as other proxies write it.
const PASSED_ON_DASHED: &str = "llm-provider-";

/// Whether a header (its name in lower case) is meaningful to a caller, with or without a proxy's prefix.
pub(crate) fn is_meaningful(name: &str) -> bool {
    let name = bare(name);
    REQUEST_IDS[..SHOWN].contains(&name)
        || MEANINGFUL_HEADERS.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == *pattern,
        })
}

/// The name of a provider's header that a proxy passed on with a prefix.
pub(crate) fn passed_on(name: &str) -> Option<&str> {
    name.strip_prefix(PASSED_ON).or_else(|| name.strip_prefix(PASSED_ON_DASHED))
}

/// Whether the value of a header (its name in lower case) is a request id.
pub(crate) fn is_request_id(name: &str) -> bool {
    REQUEST_IDS[..SHOWN].contains(&bare(name))
}

fn bare(name: &str) -> &str {
    passed_on(name).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_with_a_proxys_prefix_is_meaningful_too() {
        assert!(is_meaningful("llm_provider-retry-after"));
        assert!(is_meaningful("llm-provider-x-ratelimit-remaining-requests"));
        assert!(is_meaningful("retry-after"));
    }

    #[test]
    fn dates_and_server_names_are_not_meaningful() {
        for name in ["date", "server", "content-length", "x-litellm-call-id", "llm_provider-date"] {
            assert!(!is_meaningful(name), "{name}");
        }
    }
}
