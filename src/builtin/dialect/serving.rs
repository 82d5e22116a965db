//! Which pairs of a caller's API and a provider are served, and where an upstream takes requests.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    provider::{self, KeyPlace, RouteRow},
    proxy::Route,
    scenario::{Api, Combination, Provider},
};

/// What stays as it is in a segment of a path (RFC 3986 section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The version of Azure's API that is asked for.
const AZURE_VERSION: &str = "2024-10-21";

/// Why the embedded proxy cannot serve a combination, if it cannot.
pub fn lacks(combination: &Combination) -> Option<String> {
    let Combination { api, provider, .. } = *combination;
    upstream_api(api, provider).is_none().then(|| format!("builtin does not serve {api} from {provider}"))
}

/// What a provider is asked for on behalf of a caller of `api`: the same where it passes through,
/// another where it is translated, `None` where it is not served.
pub fn upstream_api(api: Api, provider: Provider) -> Option<Api> {
    let through = native(api, provider) || speaks(api, provider) && row(api, false, provider).is_some();
    match (api, provider) {
        _ if through => Some(api),
        (Api::OpenaiChat, Provider::Anthropic) => Some(Api::AnthropicMessages),
        (Api::AnthropicMessages, Provider::Openai) => Some(Api::OpenaiChat),
        _ => None,
    }
}

fn native(api: Api, provider: Provider) -> bool {
    api.native_provider() == provider
}

/// Whether a provider offers another's dialect as such. Anthropic, Google, AWS and Cohere offer
/// OpenAI's beside their own, which is no honest stand-in for it.
fn speaks(api: Api, provider: Provider) -> bool {
    use Provider::{Anthropic, Bedrock, Cohere, Gemini, Openai, Vertex};
    match api.native_provider() {
        Openai => !matches!(provider, Anthropic | Gemini | Vertex | Bedrock | Cohere),
        Gemini => provider == Vertex,
        Anthropic => provider != Openai,
        _ => true,
    }
}

/// The provider's own row for an endpoint.
fn row(api: Api, stream: bool, provider: Provider) -> Option<&'static RouteRow> {
    provider::profile(provider).routes.iter().find(|row| {
        row.api == api && row.stream.is_none_or(|streams| streams == stream) && path(row).is_some()
    })
}

fn path(row: &RouteRow) -> Option<&str> {
    if row.api.method() == "GET" { row.get.as_deref() } else { row.post.as_deref() }
}

/// Where the upstream of `route` takes requests for `api`, with the query.
pub fn upstream_url(route: &Route, api: Api, stream: bool, query: &[(String, String)]) -> String {
    let own = row(api, stream, route.provider).and_then(path).unwrap_or(api.path(stream));
    let (pattern, own_query) = own.split_once('?').unwrap_or((own, ""));
    let base = route.base_url.trim_end_matches('/');
    let end = provider::profile(route.provider).base.as_str();
    let (root, pattern) = match base.strip_suffix(end) {
        Some(root) => (root, pattern),
        None => (base, pattern.strip_prefix(end).unwrap_or(pattern)),
    };
    let mut url = format!("{root}{}", filled(pattern, &route.upstream_model));
    let mut query = query.to_vec();
    for (name, value) in url::form_urlencoded::parse(own_query.as_bytes()) {
        if !query.iter().any(|(known, _)| *known == name) {
            query.push((name.into_owned(), value.into_owned()));
        }
    }
    if route.provider == Provider::Azure && !query.iter().any(|(name, _)| name == "api-version") {
        query.push(("api-version".into(), AZURE_VERSION.into()));
    }
    if !query.is_empty() {
        let pairs = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        url.push('?');
        url.push_str(&pairs);
    }
    url
}

/// A pattern with the model in its place; what else it leaves open does not matter to a mock.
fn filled(pattern: &str, model: &str) -> String {
    let mut text = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        text.push_str(before);
        match name {
            "model" => text.extend(utf8_percent_encode(model, SEGMENT)),
            "v" | "version" => text.push_str("v1beta"),
            "publisher" => text.push_str("google"),
            other => text.push_str(other),
        }
        rest = after;
    }
    text + rest
}

/// A key as a provider takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A header with its value.
    Header(&'static str, String),
    /// A parameter of the query with its value.
    Query(&'static str, String),
}

/// The key of a route at the place where its provider usually takes it.
pub fn credential(route: &Route) -> Credential {
    let key = &route.api_key;
    match provider::profile(route.provider).key.first() {
        Some(KeyPlace::Header(name)) => Credential::Header(name, key.clone()),
        Some(KeyPlace::Query(name)) => Credential::Query(name, key.clone()),
        // Mocks read the key's id; nobody checks what has been signed.
        Some(KeyPlace::Sigv4) => Credential::Header(
            "authorization",
            format!(
                "AWS4-HMAC-SHA256 Credential={key}/20231114/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature={:064}",
                0
            ),
        ),
        Some(KeyPlace::Bearer) | None => Credential::Header("authorization", format!("Bearer {key}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialects_pass_through_and_only_two_pairs_are_translated() {
        assert_eq!(upstream_api(Api::OpenaiChat, Provider::Groq), Some(Api::OpenaiChat));
        assert_eq!(upstream_api(Api::OpenaiChat, Provider::Anthropic), Some(Api::AnthropicMessages));
        assert_eq!(upstream_api(Api::AnthropicMessages, Provider::Openai), Some(Api::OpenaiChat));
        for api in Api::ALL.iter().copied() {
            assert_eq!(upstream_api(api, api.native_provider()), Some(api));
        }
        let combination = Combination { provider: Provider::Gemini, api: Api::OpenaiChat, stream: false };
        insta::assert_snapshot!(lacks(&combination).unwrap_or_default(), @"builtin does not serve openai/chat from gemini");
    }

    #[test]
    fn a_pattern_is_filled_with_the_model_as_a_segment() {
        assert_eq!(filled("/model/{model}/converse", "a.b-v1:0"), "/model/a.b-v1%3A0/converse");
        assert_eq!(
            filled("/{v}/models/{model}:generateContent", "a/b"),
            "/v1beta/models/a%2Fb:generateContent"
        );
        assert_eq!(filled("/v1/projects/{project}/x{", "m"), "/v1/projects/project/x{");
    }
}
