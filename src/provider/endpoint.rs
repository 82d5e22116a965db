//! The endpoints of a provider: their paths, for clients that call the provider directly, and those that a proxy can ask.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    catalogue::ErrorBodyForm,
    profile::{self, RouteRow},
};
use crate::scenario::{Api, Combination, Provider};

/// The characters to encode in a path segment: all but the unreserved ones (RFC 3986 section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The version of Azure's API that requests name.
pub(crate) const AZURE_VERSION: &str = "2024-10-21";

/// The pattern of the provider's own path for an API, including the path of its base URL.
pub(crate) fn endpoint_pattern(provider: Provider, api: Api, stream: bool) -> Option<&'static str> {
    let fits = |row: &&RouteRow| row.api == api && row.stream.is_none_or(|streams| streams == stream);
    profile::of(provider).routes.iter().filter(fits).find_map(path)
}

fn path(row: &'static RouteRow) -> Option<&'static str> {
    if row.api.method() == "GET" { row.get.as_deref() } else { row.post.as_deref() }
}

/// The path and query that the provider's own SDK appends to its base URL to call an API, with the model filled
/// in. `None` if the provider has no such endpoint. `query` is the one that the API itself requires.
pub(crate) fn endpoint(
    provider: Provider,
    api: Api,
    stream: bool,
    query: Option<&str>,
    model: &str,
) -> Option<String> {
    let pattern = endpoint_pattern(provider, api, stream)?;
    let base = profile::of(provider).base.as_str();
    let suffix = fill_pattern(pattern.strip_prefix(base).unwrap_or(pattern), model);
    let query = match provider.known() {
        Provider::Azure => Some(format!("api-version={AZURE_VERSION}")),
        _ => query.map(str::to_owned),
    };
    Some(query.map_or(suffix.clone(), |query| format!("{suffix}?{query}")))
}

/// The endpoints of the provider that a proxy can ask for a call of a case, the most likely one first. Empty if the
/// provider has nothing like the API that the caller uses.
///
/// A proxy decides this itself. If the provider has the caller's API, a proxy uses that one, or the provider's own chat
/// API in place of one that it only has for compatibility. If the provider does not have it, a proxy translates the call
/// for the provider's chat API or for OpenAI's responses.
pub(crate) fn asked_endpoints(combination: Combination) -> Vec<Api> {
    let Combination { api, provider, .. } = combination;
    let served = |api: Api| profile::of(provider).routes.iter().any(|route| route.api == api);
    let is_own = |other: &Api| !matches!(other, Api::OpenaiChat | Api::AnthropicMessages);
    let is_kin = |other: &Api| match api {
        Api::OpenaiEmbeddings | Api::CohereEmbed => {
            matches!(other, Api::OpenaiEmbeddings | Api::CohereEmbed)
        }
        _ if !api.streams() => *other == api,
        _ if api.native_provider() == provider.known() => false,
        // Some proxies translate it for each provider but OpenAI itself.
        Api::OpenaiResponses if served(api) => *other == Api::OpenaiChat,
        _ if served(api) => api.is_chat() && other.is_chat() && is_own(other),
        _ => {
            (other.is_chat() || *other == Api::OpenaiResponses)
                && (is_own(other) || *other == Api::OpenaiChat || !served(Api::OpenaiChat))
        }
    };
    let mut endpoints: Vec<Api> = Some(api).filter(|api| served(*api)).into_iter().collect();
    for other in profile::of(provider).routes.iter().map(|route| route.api).filter(is_kin) {
        if !endpoints.contains(&other) {
            endpoints.push(other);
        }
    }
    endpoints
}

/// The chat API that the provider defined, or else the first chat API that it has, preferably one that it does
/// not have only for compatibility.
pub(crate) fn own_chat(provider: Provider) -> Api {
    let routes = &profile::of(provider).routes;
    let own = routes.iter().find(|route| route.api.is_chat() && route.api.native_provider() == provider);
    // Vertex serves the API that Gemini defined, and others only for compatibility.
    let is_compatible = |api: Api| matches!(api, Api::OpenaiChat | Api::AnthropicMessages);
    let usual = || routes.iter().find(|route| route.api.is_chat() && !is_compatible(route.api));
    let any = || routes.iter().find(|route| route.api.is_chat());
    // Every provider has a chat API; a test checks it.
    own.or_else(usual).or_else(any).map_or(Api::OpenaiChat, |route| route.api)
}

/// The form of the errors of one of the provider's endpoints.
pub(crate) fn error_form(provider: Provider, endpoint: Api) -> ErrorBodyForm {
    let profile = profile::of(provider);
    profile.forms.get(&endpoint).copied().unwrap_or(profile.form)
}

/// Fills the model into a pattern. The other placeholders get fixed values, which a mock ignores.
pub(crate) fn fill_pattern(pattern: &str, model: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_filled_with_the_model_as_a_segment() {
        assert_eq!(fill_pattern("/model/{model}/converse", "a.b-v1:0"), "/model/a.b-v1%3A0/converse");
        assert_eq!(
            fill_pattern("/{v}/models/{model}:generateContent", "a/b"),
            "/v1beta/models/a%2Fb:generateContent"
        );
        assert_eq!(fill_pattern("/v1/projects/{project}/x{", "m"), "/v1/projects/project/x{");
    }

    #[test]
    fn every_provider_has_a_chat_api_and_prefers_its_own() {
        for provider in Provider::ALL.iter().copied() {
            let api = own_chat(provider);
            assert!(endpoint_pattern(provider, api, true).is_some(), "{provider}: {api}");
        }
        assert_eq!(own_chat(Provider::Ollama), Api::OllamaChat);
        assert_eq!(own_chat(Provider::Azure), Api::OpenaiChat);
        assert_eq!(own_chat(Provider::Vertex), Api::GeminiGenerate);
    }

    #[test]
    fn an_endpoint_is_what_an_sdk_appends_to_its_base_url() {
        use Provider::{Anthropic, Azure, Gemini, Groq, Openai};
        let of = |provider, api, stream| endpoint(provider, api, stream, None, "m").unwrap();
        assert_eq!(of(Openai, Api::OpenaiChat, true), "/chat/completions");
        assert_eq!(of(Groq, Api::OpenaiChat, false), "/chat/completions");
        assert_eq!(of(Anthropic, Api::AnthropicMessages, false), "/v1/messages");
        assert_eq!(
            endpoint(Gemini, Api::GeminiGenerate, true, Some("alt=sse"), "m").as_deref(),
            Some("/v1beta/models/m:streamGenerateContent?alt=sse")
        );
        assert!(of(Azure, Api::OpenaiChat, false).ends_with("/chat/completions?api-version=2024-10-21"));
        assert_eq!(endpoint(Anthropic, Api::OpenaiEmbeddings, false, None, "m"), None);
    }
}
