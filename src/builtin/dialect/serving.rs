//! Which pairs of a caller's API and a provider the proxy serves, and the URLs of upstreams.

use crate::{
    dialect::{carrier, row},
    provider::{self, AZURE_VERSION, KeyPlace, endpoint_pattern, fill_pattern},
    proxy::ProxyRoute,
    scenario::{Api, Combination, Provider, ProxySettings},
    wire::frames::Carrier,
};

/// The reason why the embedded proxy cannot serve a combination with these settings; `None` if it can.
pub(crate) fn lacks(combination: &Combination, settings: &ProxySettings) -> Option<String> {
    let Combination { api, provider, .. } = *combination;
    let upstream = upstream_api(api, provider);
    if settings.pass_through && (upstream != Some(api) || api.is_session()) {
        return Some(format!("builtin does not pass {api} through to {provider}"));
    }
    // In an event stream a comment serves as a ping, since every parser ignores it. Other framings have no
    // comments.
    if settings.keep_alive.is_some() && (carrier(api) != Carrier::Sse || api.is_session()) {
        return Some(format!("builtin has no keep-alive pings in streams of {api}"));
    }
    upstream.is_none().then(|| format!("builtin does not serve {api} from {provider}"))
}

/// The API that the proxy calls at `provider` for a caller of `api`: the same one if requests pass through,
/// another if they are translated, `None` if the pair is not served.
pub(crate) fn upstream_api(api: Api, provider: Provider) -> Option<Api> {
    let through =
        native(api, provider) || speaks(api, provider) && endpoint_pattern(provider, api, false).is_some();
    match (api, provider.known()) {
        _ if through => Some(api),
        (Api::OpenaiChat, Provider::Anthropic) => Some(Api::AnthropicMessages),
        (Api::AnthropicMessages, Provider::Openai) => Some(Api::OpenaiChat),
        _ => None,
    }
}

fn native(api: Api, provider: Provider) -> bool {
    api.native_provider() == provider.known()
}

/// Whether a provider offers the dialect of `api`, which is another provider's. Anthropic, Google, AWS and
/// Cohere do not count as offering OpenAI's: they offer it only in addition to their own, and it is not a
/// faithful substitute for OpenAI's API.
fn speaks(api: Api, provider: Provider) -> bool {
    use Provider::{Anthropic, Bedrock, Cohere, Gemini, Openai, Vertex};
    let provider = provider.known();
    match api.native_provider() {
        Openai => !matches!(provider, Anthropic | Gemini | Vertex | Bedrock | Cohere),
        Gemini => provider == Vertex,
        Anthropic => provider != Openai,
        _ => true,
    }
}

/// The URL at which the upstream of `route` serves `api`, with the query.
pub(crate) fn upstream_url(route: &ProxyRoute, api: Api, stream: bool, query: &[(String, String)]) -> String {
    let own = endpoint_pattern(route.provider, api, stream).unwrap_or(row(api).path(stream));
    let (pattern, own_query) = own.split_once('?').unwrap_or((own, ""));
    let base = route.base_url.trim_end_matches('/');
    let end = provider::profile(route.provider).base.as_str();
    let (root, pattern) = match base.strip_suffix(end) {
        Some(root) => (root, pattern),
        None => (base, pattern.strip_prefix(end).unwrap_or(pattern)),
    };
    let mut url = format!("{root}{}", fill_pattern(pattern, &route.upstream_model));
    let mut query = query.to_vec();
    for (name, value) in url::form_urlencoded::parse(own_query.as_bytes()) {
        if !query.iter().any(|(known, _)| *known == name) {
            query.push((name.into_owned(), value.into_owned()));
        }
    }
    if route.provider.known() == Provider::Azure && !query.iter().any(|(name, _)| name == "api-version") {
        query.push(("api-version".into(), AZURE_VERSION.into()));
    }
    if !query.is_empty() {
        let pairs = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        url.push('?');
        url.push_str(&pairs);
    }
    url
}

/// A key in the place where a provider expects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A header with its value.
    Header(&'static str, String),
    /// A query parameter with its value.
    Query(&'static str, String),
}

/// The key of a route in the place where its provider usually expects it.
pub(crate) fn credential(route: &ProxyRoute) -> Credential {
    let key = &route.api_key;
    match provider::profile(route.provider).key.first() {
        Some(KeyPlace::Header(name)) => Credential::Header(name, key.clone()),
        Some(KeyPlace::Query(name)) => Credential::Query(name, key.clone()),
        // Mocks read only the key's id and do not check the signature.
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
        let reason = |settings| lacks(&combination, &settings).unwrap_or_default();
        insta::assert_snapshot!(reason(ProxySettings::default()), @"builtin does not serve openai/chat from gemini");
        let passing = ProxySettings { pass_through: true, ..ProxySettings::default() };
        insta::assert_snapshot!(reason(passing), @"builtin does not pass openai/chat through to gemini");
        let combination =
            Combination { provider: Provider::Bedrock, api: Api::BedrockConverse, stream: true };
        let pinging =
            ProxySettings { keep_alive: Some(std::time::Duration::from_secs(1)), ..ProxySettings::default() };
        insta::assert_snapshot!(lacks(&combination, &pinging).unwrap_or_default(), @"builtin has no keep-alive pings in streams of bedrock/converse");
    }
}
