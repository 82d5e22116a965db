//! Finds the provider and the error of its catalogue that evidence shows.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    evidence::IncidentEvidence,
    seen_error::SeenError,
    seen_stream::{self, StreamEnd},
};
use crate::{
    dialect,
    observation::Identity,
    provider::{self, MessageBody, RequestedCall, profile},
    scenario::{Api, ErrorName, Provider},
    wire::frames::Carrier,
};

/// An error of the catalogue that evidence shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecognizedError {
    /// Its name.
    pub name: ErrorName,
    /// Whether status, type and code are the same, as far as the evidence has them. The text may differ.
    pub is_same: bool,
}

/// The provider that was called, and what was assumed to find it.
pub(super) fn provider_of(evidence: &IncidentEvidence) -> (Provider, Option<String>) {
    if let Some(provider) = of_host(evidence).or(evidence.provider) {
        return (provider, None);
    }
    let at_host = match &evidence.host {
        Some(host) => format!("{host} is not a host of a provider"),
        None => "nothing names the provider".to_owned(),
    };
    if let Some(provider) = of_headers(evidence) {
        // A gateway or a proxy of a company can pass them on, or write them itself.
        let guess = evidence.host.as_ref();
        let guess =
            guess.map(|_| format!("the provider is {provider}: {at_host}, and the response has its headers"));
        return (provider, guess);
    }
    let seen = SeenError::of(evidence);
    let by_form = of_form(&seen);
    let provider = by_form.or_else(|| of_path(evidence)).unwrap_or(Provider::Openai);
    let why =
        if by_form.is_some() { "the error has its form" } else { "OpenAI's form is the most common one" };
    (provider, Some(format!("the provider is {provider}: {at_host}, and {why}")))
}

fn of_host(evidence: &IncidentEvidence) -> Option<Provider> {
    provider::at_host(&evidence.host.as_ref()?.to_lowercase())
}

/// Headers that any server or network in front of it writes. Some profiles have them, but they name no provider.
const OF_ANY_SERVER: [&str; 10] = [
    "alt-svc",
    "cf-cache-status",
    "cf-ray",
    "server-timing",
    "strict-transport-security",
    "vary",
    "x-content-type-options",
    "x-envoy-upstream-service-time",
    "x-kong-request-id",
    "x-served-by",
];

fn is_of_any_server(name: &str, value: &str) -> bool {
    OF_ANY_SERVER.contains(&name) || (name, value) == ("server", "cloudflare")
}

/// The provider whose own headers the response has. A name that several providers use counts less.
fn of_headers(evidence: &IncidentEvidence) -> Option<Provider> {
    let headers = evidence.headers.as_ref()?;
    let is_sent = |name: &str, value: &str| {
        headers.iter().any(|(key, sent)| key == name && (value.contains("{{") || *sent == *value))
    };
    let sharing = |name: &str| {
        Provider::ALL.iter().filter(|provider| profile(**provider).headers.contains_key(name)).count().max(1)
    };
    let score = |provider: Provider| {
        let own = profile(provider)
            .headers
            .iter()
            .filter(|(name, value)| !is_of_any_server(name, value) && is_sent(name, value));
        let own: usize = own.map(|(name, _)| 60 / sharing(name)).sum();
        let word = provider.as_str();
        let named = headers.iter().filter(|(name, _)| name.split('-').any(|part| part == word)).count();
        let amazon =
            headers.iter().any(|(name, _)| name.starts_with("x-amzn-") && provider == Provider::Bedrock);
        own + 60 * named + 60 * usize::from(amazon)
    };
    // A header such as `x-request-id`, which many send, says nothing.
    let scored = Provider::all().into_iter().map(|provider| (score(provider), provider));
    scored
        .filter(|(score, _)| *score >= 20)
        .max_by_key(|(score, provider)| (*score, std::cmp::Reverse(*provider)))
        .map(|(_, provider)| provider)
}

/// The provider whose form of errors this is.
fn of_form(seen: &SeenError) -> Option<Provider> {
    let error = dialect::any_error(seen.json.as_ref()?, None)?;
    match error.family {
        dialect::Vocabulary::Anthropic => Some(Provider::Anthropic),
        dialect::Vocabulary::Google => {
            let is_vertex = seen.json.as_ref()?.to_string().contains("aiplatform");
            Some(if is_vertex { Provider::Vertex } else { Provider::Gemini })
        }
        dialect::Vocabulary::Aws => Some(Provider::Bedrock),
        dialect::Vocabulary::OpenAi | dialect::Vocabulary::Other => None,
    }
}

/// The provider that defined the API at the path of the request.
fn of_path(evidence: &IncidentEvidence) -> Option<Provider> {
    let path = evidence.path.as_deref()?;
    let of = [
        Provider::Openai,
        Provider::Anthropic,
        Provider::Gemini,
        Provider::Bedrock,
        Provider::Cohere,
        Provider::Ollama,
    ];
    of.into_iter().find(|provider| provider::api_at(*provider, path).is_some())
}

/// The provider's endpoint that was called, and whether it is only for streams or never for streams.
pub(super) fn endpoint(evidence: &IncidentEvidence) -> Option<(Api, Option<bool>)> {
    let path = evidence.path.as_deref()?;
    let (provider, _) = provider_of(evidence);
    provider::api_at(provider, path)
        .or_else(|| of_path(evidence).and_then(|provider| provider::api_at(provider, path)))
}

/// The API in whose form the response of a call is, if it is known.
pub(super) fn called_api(call: &IncidentEvidence) -> Option<Api> {
    call.form.or_else(|| endpoint(call).map(|(api, _)| api))
}

/// Whether a call of a HAR file failed: by its status, its connection, its body, or the end of its stream.
pub(super) fn has_failed(call: &IncidentEvidence) -> bool {
    let known = called_api(call);
    let api = known.unwrap_or(Api::OpenaiChat);
    let carrier = match known {
        Some(api) => seen_stream::carrier(call, api),
        None => call.header("content-type").and_then(Carrier::of),
    };
    match (call.status, carrier) {
        _ if call.broken.is_some() => true,
        (None | Some(400..), _) => true,
        (Some(200..300), Some(carrier)) => {
            seen_stream::read(api, carrier, &call.body, None).end != StreamEnd::Whole
        }
        (Some(200..300), None) if known.is_some() && !call.body.is_empty() => {
            serde_json::from_slice::<Value>(&call.body).map_or(true, |body| !body["error"].is_null())
        }
        (Some(_), _) => false,
    }
}

/// The error of the provider's catalogue that is most like the one that was seen; `None` if none has its status or its
/// words. Errors are compared with what the mock sends at the endpoint, because their form depends on it.
pub(super) fn catalogue_error(
    provider: Provider,
    endpoint: Option<Api>,
    seen: &SeenError,
) -> Option<RecognizedError> {
    let endpoint = endpoint.unwrap_or_else(|| provider::own_chat(provider));
    let names = profile(provider).errors.keys().copied();
    let scored = names.filter_map(|name| {
        let own = of_catalogue(provider, endpoint, name)?;
        Some((likeness(&own, seen)?, name, own))
    });
    let (_, name, own) = scored.max_by(|(a, one, _), (b, other, _)| a.total_cmp(b).then(other.cmp(one)))?;
    Some(RecognizedError { name, is_same: is_same(&own, seen) })
}

/// An error of the catalogue as a client sees it at this endpoint; `None` if its status is that of a success.
fn of_catalogue(provider: Provider, endpoint: Api, name: ErrorName) -> Option<SeenError> {
    let canaries = Identity { token: "catalogue".to_owned() }.canaries("primary", 1);
    let asked = RequestedCall::plain(provider, endpoint, false);
    let message = provider::error_asking(&asked, name, None, &canaries);
    let MessageBody::Whole(body) = &message.body else { return None };
    let headers = message.headers.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let mut own = SeenError::of(&IncidentEvidence {
        status: Some(message.status).filter(|status| *status >= 400),
        headers: Some(headers.collect()),
        body: body.to_vec(),
        ..IncidentEvidence::default()
    });
    own.message = own.message.replace(&canaries.message, "");
    own.status.is_some().then_some(own)
}

/// How much an error of the catalogue is like one that was seen; `None` if it has neither its status nor its words.
fn likeness(own: &SeenError, seen: &SeenError) -> Option<f64> {
    let same_status = seen.status == own.status;
    let is_guessed = seen.guessed_status == own.status;
    let same_kind = words_agree(&own.kind, &seen.kind);
    let same_code = words_agree(&own.code, &seen.code);
    let has_words = same_kind == Some(true) || same_code == Some(true);
    if !same_status && !has_words && (seen.status.is_some() || !is_guessed && similarity(own, seen) < 0.6) {
        return None;
    }
    let points = |agrees: Option<bool>| match agrees {
        Some(true) => 4.0,
        Some(false) => -2.0,
        None => 0.0,
    };
    let page = if own.is_page == seen.is_page { 1.0 } else { -3.0 };
    let status = if same_status { 4.0 } else { f64::from(u8::from(is_guessed)) };
    Some(
        status
            + points(same_kind)
            + points(same_code)
            + page
            + 3.0 * similarity(own, seen)
            + agreement(own, seen),
    )
}

/// Whether what was seen is this error of the catalogue. A body without a type and a code must have its words.
fn is_same(own: &SeenError, seen: &SeenError) -> bool {
    let has_words = seen.kind.is_some() || seen.code.is_some();
    (seen.status.is_none() || seen.status == own.status)
        && own.is_page == seen.is_page
        && words_agree(&own.kind, &seen.kind) != Some(false)
        && words_agree(&own.code, &seen.code) != Some(false)
        && match seen.json {
            _ if seen.is_page => true,
            Some(_) => has_words || similarity(own, seen) > 0.5,
            None => seen.message.is_empty() || similarity(own, seen) > 0.5,
        }
}

/// Whether two words are the same, without regard to case; `None` if the evidence has none.
fn words_agree(own: &Option<String>, seen: &Option<String>) -> Option<bool> {
    let seen = seen.as_ref()?;
    Some(own.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(seen)))
}

/// Which part of the words of the shorter text the other one has, from 0 to 1.
fn similarity(own: &SeenError, seen: &SeenError) -> f64 {
    let (own, seen) = (words(own), words(seen));
    let all = own.len().min(seen.len()).max(1);
    own.intersection(&seen).count() as f64 / all as f64
}

/// Which part of all words of both texts both have, from 0 to 1: 1 only if the words are the same.
fn agreement(own: &SeenError, seen: &SeenError) -> f64 {
    let (own, seen) = (words(own), words(seen));
    own.intersection(&seen).count() as f64 / own.union(&seen).count().max(1) as f64
}

fn words(of: &SeenError) -> BTreeSet<String> {
    let words = of.message.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2);
    words.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(status: u16, headers: &[(&str, &str)], body: &str) -> IncidentEvidence {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        IncidentEvidence {
            status: Some(status),
            headers: Some(headers),
            body: body.into(),
            ..IncidentEvidence::default()
        }
    }

    #[test]
    fn a_provider_is_known_by_its_host_its_headers_or_its_form() {
        let at = |host: &str| {
            of_host(&IncidentEvidence { host: Some(host.to_owned()), ..IncidentEvidence::default() })
        };
        assert_eq!(at("my-resource.openai.azure.com"), Some(Provider::Azure));
        assert_eq!(at("us-central1-aiplatform.googleapis.com"), Some(Provider::Vertex));
        assert_eq!(at("bedrock-runtime.eu-west-1.amazonaws.com"), Some(Provider::Bedrock));
        assert_eq!(at("api.openai.com.example.org"), None);
        for (headers, body, provider) in [
            (&[("anthropic-ratelimit-requests-limit", "5")][..], "{}", Provider::Anthropic),
            (&[("apim-request-id", "a"), ("x-ms-region", "x")], "{}", Provider::Azure),
            (&[("x-amzn-requestid", "a")], "{}", Provider::Bedrock),
            (&[("openai-processing-ms", "9"), ("x-request-id", "a")], "{}", Provider::Openai),
            (&[("server", "scaffolding on HTTPServer2")], "{}", Provider::Gemini),
            (
                &[("x-request-id", "a")],
                r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#,
                Provider::Gemini,
            ),
            (&[], r#"{"type":"error","error":{"type":"x","message":"m"}}"#, Provider::Anthropic),
        ] {
            assert_eq!(provider_of(&evidence(500, headers, body)).0, provider, "{headers:?} {body}");
        }
        for header in [
            ("server", "cloudflare"),
            ("cf-cache-status", "DYNAMIC"),
            ("x-content-type-options", "nosniff"),
            ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        ] {
            let (provider, assumed) = provider_of(&evidence(500, &[header], "x"));
            assert_eq!((provider, assumed.is_some()), (Provider::Openai, true), "{header:?}");
        }
    }

    #[test]
    fn what_the_mock_of_a_provider_sends_is_recognized() {
        let canaries = Identity { token: "abcdefghijkl".into() }.canaries("primary", 1);
        for provider in Provider::ALL.iter().copied() {
            for (name, row) in profile(provider).errors.iter().filter(|(_, row)| row.status >= 400) {
                let asked = RequestedCall::plain(provider, provider::own_chat(provider), false);
                let message = provider::error_asking(&asked, *name, None, &canaries);
                let MessageBody::Whole(body) = &message.body else { continue };
                let headers: Vec<(&str, &str)> =
                    message.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
                let call = evidence(message.status, &headers, &String::from_utf8_lossy(body));
                let found = catalogue_error(provider, None, &SeenError::of(&call))
                    .unwrap_or_else(|| panic!("{provider}/{name}"));
                assert!(found.is_same, "{provider}/{name}: {found:?}");
                // Some providers send the same words for two errors.
                let other = provider::catalogue_row(provider, found.name);
                assert!(
                    found.name == *name
                        || (other.status, &other.kind, &other.code, &other.message)
                            == (row.status, &row.kind, &row.code, &row.message),
                    "{provider}/{name}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn an_error_that_the_catalogue_does_not_have_is_not_the_same() {
        let seen = |status, body| SeenError::of(&evidence(status, &[], body));
        assert_eq!(catalogue_error(Provider::Openai, None, &seen(418, "{}")), None);
        let other = seen(429, r#"{"error":{"message":"m","type":"new_limit","param":null,"code":"new"}}"#);
        assert!(catalogue_error(Provider::Openai, None, &other).is_some_and(|found| !found.is_same));
    }

    #[test]
    fn a_call_of_a_har_file_failed_if_its_stream_has_no_end() {
        let stream = |body| evidence(200, &[("content-type", "text/event-stream")], body);
        assert!(has_failed(&stream("data: {\"choices\":[]}\n\n")));
        assert!(!has_failed(&stream("data: {\"choices\":[]}\n\ndata: [DONE]\n\n")));
        assert!(has_failed(&stream("data: {\"error\":{}}\n\ndata: [DONE]\n\n")));
        assert!(!has_failed(&evidence(304, &[], "")));
    }
}
