//! The parts of a request that must not reach the disk.

use http::HeaderMap;

/// The shortest secret that is searched for. A shorter text could occur anywhere by chance.
const SHORTEST: usize = 8;

/// Words in the names of headers and query parameters that carry keys.
const NAMES: [&str; 7] = ["authorization", "cookie", "credential", "key", "secret", "signature", "token"];

/// The keys and tokens of a request: the values of headers and query parameters with such names, whole and in parts.
pub(super) fn secrets(headers: &HeaderMap, query: &str) -> Vec<String> {
    let of_headers = headers.iter().filter(|(name, _)| is_secret(name.as_str())).filter_map(|(_, value)| {
        let value = value.to_str().ok()?;
        // `Bearer KEY`, `AWS4-HMAC-SHA256 Credential=KEY/…, SignedHeaders=…, Signature=…`, `a=1; b=2`
        Some(value.split([' ', ',', ';']).filter(|part| !part.starts_with("SignedHeaders=")).flat_map(parts))
    });
    let parameters = url::form_urlencoded::parse(query.as_bytes());
    let of_query = parameters.filter(|(name, _)| is_secret(name)).map(|(_, value)| value.into_owned());
    let all = of_headers.flatten().map(str::to_owned).chain(of_query);
    all.filter(|secret| secret.len() >= SHORTEST).collect()
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|word| name.contains(word))
}

/// `Credential=KEY/20261130/…` gives the key; any other text is whole.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let value = text.split_once('=').map_or(text, |(_, value)| value);
    let key = text.strip_prefix("Credential=").and_then(|value| value.split('/').next());
    [text, key.unwrap_or(value)].into_iter().filter(|part| *part != "AWS4-HMAC-SHA256")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &str)], query: &str) -> Vec<String> {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).unwrap())
        });
        secrets(&headers.collect(), query)
    }

    #[test]
    fn keys_are_found_wherever_providers_expect_them() {
        assert!(of(&[("authorization", "Bearer sk-12345678")], "").contains(&"sk-12345678".to_owned()));
        assert!(of(&[("x-api-key", "sk-ant-1")], "").contains(&"sk-ant-1".to_owned()));
        assert_eq!(of(&[], "alt=sse&key=AIza12345"), ["AIza12345"]);
        let aws = "AWS4-HMAC-SHA256 Credential=AKIA12345678/20261130/us-east-1, SignedHeaders=content-type;host, Signature=00ff00ff00";
        let found = of(&[("authorization", aws), ("x-amz-security-token", "IQoJb3JpZ2lu")], "");
        for secret in ["AKIA12345678", "00ff00ff00", "IQoJb3JpZ2lu"] {
            assert!(found.contains(&secret.to_owned()), "{secret}: {found:?}");
        }
        assert!(!found.iter().any(|secret| secret.contains("content-type")), "{found:?}");
        assert_eq!(of(&[("content-type", "application/json")], "alt=sse"), [""; 0]);
    }
}
