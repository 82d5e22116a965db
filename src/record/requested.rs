//! What a request asks a provider for.

use http::HeaderMap;

use crate::{
    observation::Canaries,
    provider::{self, Header, ReceivedCall},
    scenario::{Api, Provider},
};

/// The endpoint that a request calls, and whether it asks for a stream. The upstream's address can have a path before that
/// of the provider.
pub(super) fn requested(
    provider: Provider,
    method: &str,
    target: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> (Option<Api>, bool) {
    let headers: Vec<Header<'_>> =
        headers.iter().map(|(name, value)| Header { name: name.as_str(), value: value.as_bytes() }).collect();
    let path_length = target.find('?').unwrap_or(target.len());
    let canaries = Canaries::with_stem("record");
    for (at, _) in target[..path_length].match_indices('/') {
        let call = ReceivedCall { method, path: &target[at..], headers: &headers, body };
        let asked = match provider::read(provider, &call, &canaries) {
            Ok(asked) | Err((asked, _)) => asked,
        };
        if let Some(api) = asked.api {
            // A request that the provider refuses, for example without a key, is not read to its end.
            let asks =
                || serde_json::from_slice(body).is_ok_and(|body: serde_json::Value| body["stream"] == true);
            return (Some(api), api.streams() && (asked.stream || asks()));
        }
    }
    (None, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_found_below_any_path() {
        let of = |provider, target, body: &str| {
            requested(provider, "POST", target, &HeaderMap::new(), body.as_bytes())
        };
        let chat = Some(Api::OpenaiChat);
        assert_eq!(of(Provider::Openai, "/v1/chat/completions", "{}"), (chat, false));
        assert_eq!(of(Provider::Openai, "/eu/llm/v1/chat/completions", r#"{"stream":true}"#), (chat, true));
        assert_eq!(of(Provider::Openai, "/v1/unknown", "{}"), (None, false));
        let google = of(Provider::Gemini, "/v1beta/models/g:streamGenerateContent?alt=sse", "{}");
        assert_eq!(google, (Some(Api::GeminiGenerate), true));
    }
}
