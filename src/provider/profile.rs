//! Provider profiles: endpoints, headers, keys and error catalogues as data.
//!
//! Differences between providers of the same dialect are in the files of `profiles/`, not in code.

use std::{
    collections::HashMap,
    sync::{
        OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use indexmap::IndexMap;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value};

use super::{
    catalogue::{ErrorBodyForm, ErrorRow, LimitStyle, header_fields, host_patterns},
    received::ReceivedCall,
};
use crate::scenario::{Api, ErrorName, Provider};

/// The content of a file in `profiles/`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The provider's display name.
    pub title: String,
    /// The URL of its error documentation.
    pub source: String,
    /// The day on which the sources of its rows were last read. A row can have a day of its own. Every bundled profile has
    /// one.
    pub checked: Option<Date>,
    /// The host names of its API, as patterns in which `*` matches any text. Empty for servers that users run themselves.
    #[serde(default, deserialize_with = "host_patterns")]
    pub hosts: Vec<String>,
    /// The path at the end of a base URL for the provider's own SDK: `/v1` for openai.
    #[serde(default)]
    pub base: String,
    /// A model that it serves and that proxies know, so that no proxy treats it specially.
    pub model: String,
    /// The places of the API key in a request; the first is the usual one. Empty if the provider needs no key.
    #[serde(default)]
    pub key: Vec<KeyPlace>,
    /// Required headers, by their names in lower case, each with the error for a request without it.
    #[serde(default)]
    pub required_headers: IndexMap<String, ErrorRow>,
    /// Headers of every response of the provider itself; placeholders such as `{{canary.request_id}}` are filled in.
    #[serde(default, deserialize_with = "header_fields")]
    pub headers: IndexMap<String, String>,
    /// The error for a revoked key.
    #[serde(default = "invalid")]
    pub revoked_key: ErrorName,
    /// The headers in which it reports the state of its limits.
    #[serde(default)]
    pub limits: LimitStyle,
    /// The form of its error bodies.
    pub form: ErrorBodyForm,
    /// Endpoints with a different form.
    #[serde(default)]
    pub forms: IndexMap<Api, ErrorBodyForm>,
    /// The error types of those different forms, by status; the type of 500 is the default for other statuses. A
    /// form that is not listed uses the row's type.
    #[serde(default, deserialize_with = "types_by_status")]
    pub types: IndexMap<ErrorBodyForm, IndexMap<u16, String>>,
    /// Its endpoints.
    pub routes: Vec<RouteRow>,
    /// Its errors for requests that never reach a model.
    pub refusals: Refusals,
    /// The members that it adds to OpenAI's chat, if it serves that.
    #[serde(default)]
    pub chat: ChatExtras,
    /// Members of the responses of other endpoints; they are added or replace existing ones.
    #[serde(default)]
    pub replies: IndexMap<Api, Map<String, Value>>,
    /// The form of an error in a stream of OpenAI's chat or completions. Default: the error's body in a `data:` line.
    pub stream_error: Option<StreamError>,
    /// One row for each error name that every provider has, and one for each of the others that this provider has.
    pub errors: IndexMap<ErrorName, ErrorRow>,
    /// Rows of endpoints that report an error differently.
    #[serde(default)]
    pub overrides: IndexMap<Api, IndexMap<ErrorName, ErrorRow>>,
}

/// The members that a provider adds to OpenAI's chat responses. They are added or replace existing members;
/// placeholders such as `{{canary.request_id}}` are filled in.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChatExtras {
    /// The members of an additional first chunk with `choices: []`.
    pub first_chunk: Option<Map<String, Value>>,
    /// Members of a response that is not a stream.
    pub reply: Map<String, Value>,
    /// Members of the choice, in a response and in each chunk.
    pub choice: Map<String, Value>,
    /// Members of the message in a response that is not a stream.
    pub message: Map<String, Value>,
    /// Members of every chunk except `first_chunk`.
    pub chunk: Map<String, Value>,
    /// Members of the first chunk that has a choice, in addition to those of every chunk.
    pub opening_chunk: Map<String, Value>,
    /// Members of the chunk that has the finish reason, in addition to those of every chunk.
    pub final_chunk: Map<String, Value>,
    /// Members of the delta in each chunk that has one.
    pub delta: Map<String, Value>,
    /// Members of a tool call in a response that is not a stream.
    pub call: Map<String, Value>,
    /// Whether a stream sends a tool call in one chunk, with its complete arguments.
    pub whole_calls: bool,
    /// Members of the usage, in every place where it occurs.
    pub usage: Map<String, Value>,
    /// Whether the chunk with the finish reason always contains the usage, so that no separate usage chunk follows.
    pub usage_in_final: bool,
    /// Comments of the event stream before its first event, without the colon. They are sent together with that
    /// event, so that faults count the same events as for other providers.
    pub comments: Vec<String>,
}

/// The form of an error in a stream that has begun, if it is not the body in a `data:` line.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamError {
    /// The JSON of the event. A string that consists only of `{{error.message}}`, `.type`, `.code`, `.param` or
    /// `.status` is replaced with the row's value, `{{model}}` with the requested model; placeholders such as
    /// `{{canary.request_id}}` are filled in.
    pub data: Value,
    /// Whether an `event: error` line comes before it.
    #[serde(default)]
    pub named: bool,
    /// Whether the server still ends the stream with `[DONE]`.
    #[serde(default)]
    pub done: bool,
}

/// Keys of a file are texts.
fn types_by_status<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<IndexMap<ErrorBodyForm, IndexMap<u16, String>>, D::Error> {
    let written = IndexMap::<ErrorBodyForm, IndexMap<String, String>>::deserialize(deserializer)?;
    let by_status = |(status, word): (String, String)| match status.parse() {
        Ok(status) => Ok((status, word)),
        Err(_) => Err(D::Error::custom(format!("`{status}` is not a status"))),
    };
    written
        .into_iter()
        .map(|(form, types)| Ok((form, types.into_iter().map(by_status).collect::<Result<_, _>>()?)))
        .collect()
}

fn invalid() -> ErrorName {
    ErrorName::InvalidApiKey
}

/// One endpoint: exactly one of `get`, `post` and `delete`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteRow {
    /// The pattern of a GET path below the deployment's own path. `{model}` captures the model, `{id}` the id of a
    /// stored object; any other name in braces matches a value that is ignored. A capture contains no slash.
    pub get: Option<String>,
    /// The pattern of a POST path, like `get`.
    pub post: Option<String>,
    /// The pattern of a DELETE path, like `get`.
    pub delete: Option<String>,
    /// The API that this endpoint serves.
    pub api: Api,
    /// Whether it responds with a stream. Default: the body's `stream` decides.
    pub stream: Option<bool>,
    /// A query parameter that the path requires; without it the path is unknown.
    pub query: Option<String>,
}

impl RouteRow {
    /// Whether it has exactly one method.
    pub(super) fn has_one_method(&self) -> bool {
        [&self.get, &self.post, &self.delete].iter().filter(|path| path.is_some()).count() == 1
    }
}

/// Errors for requests that never reach a model. `{method}` and `{path}` in a text are filled in, and `{allowed}`
/// in a header: the methods that the path accepts.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusals {
    /// The path is unknown.
    pub not_found: ErrorRow,
    /// The path does not accept the method.
    pub method_not_allowed: ErrorRow,
    /// The body is not a JSON object.
    pub bad_json: ErrorRow,
    /// The body is not a form, but the endpoint requires one. Default: `bad_json`.
    pub bad_form: Option<ErrorRow>,
    /// The endpoint is a session, but the request does not ask for a WebSocket. Default: `bad_json`.
    pub not_upgraded: Option<ErrorRow>,
}

/// A place of the API key in a request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPlace {
    /// `Authorization: Bearer KEY`
    Bearer,
    /// A header that contains only the key, by its name in lower case.
    Header(String),
    /// A query parameter.
    Query(String),
    /// `Authorization: AWS4-HMAC-SHA256 Credential=KEY/…`
    Sigv4,
}

impl KeyPlace {
    /// Returns the key at this place, if there is one.
    pub(super) fn read(&self, received: &ReceivedCall<'_>, query: &str) -> Option<String> {
        let header = |name: &str| received.text(name).map(str::trim);
        let key = match self {
            Self::Bearer => {
                let (scheme, key) = header("authorization")?.split_once(' ')?;
                scheme.eq_ignore_ascii_case("bearer").then(|| key.trim().to_owned())?
            }
            Self::Header(name) => header(name)?.to_owned(),
            Self::Query(name) => url::form_urlencoded::parse(query.as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())?,
            Self::Sigv4 => {
                let rest = header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
                let (_, credential) = rest.split_once("Credential=")?;
                credential.split('/').next()?.to_owned()
            }
        };
        (!key.is_empty()).then_some(key)
    }
}

/// Returns the profile of a provider: that of the project's file, or the bundled one, which is parsed at its first use.
pub fn of(provider: Provider) -> &'static Profile {
    static PROFILES: [OnceLock<Profile>; Provider::ALL.len()] =
        [const { OnceLock::new() }; Provider::ALL.len()];
    if let Some(own) = own_profile(provider) {
        return own;
    }
    PROFILES[provider.index()].get_or_init(|| match read(text(provider)) {
        Ok(profile) => profile,
        // The files are embedded in the binary, and a test parses every one of them.
        Err(error) => unreachable!("the profile of {provider} does not load: {error}"),
    })
}

/// The profiles of the project's files, which replace the bundled ones.
static OWN: RwLock<Option<HashMap<Provider, &'static Profile>>> = RwLock::new(None);

/// Whether there are any. Every reply of a mock asks.
static HAS_OWN: AtomicBool = AtomicBool::new(false);

/// The profile that a project's file gives a provider.
fn own_profile(provider: Provider) -> Option<&'static Profile> {
    if !HAS_OWN.load(Ordering::Acquire) {
        return None;
    }
    OWN.read().unwrap_or_else(PoisonError::into_inner).as_ref()?.get(&provider).copied()
}

/// Replaces the profiles of the project's files.
///
/// A profile lives as long as the process: a reply can refer to it at any time. A project has few of them.
pub(super) fn replace_own(profiles: HashMap<Provider, Box<Profile>>) {
    let has_own = !profiles.is_empty();
    let kept = profiles.into_iter().map(|(provider, profile)| (provider, &*Box::leak(profile)));
    *OWN.write().unwrap_or_else(PoisonError::into_inner) = Some(kept.collect());
    HAS_OWN.store(has_own, Ordering::Release);
}

/// The provider whose API has this host name.
pub(crate) fn at_host(host: &str) -> Option<Provider> {
    let fits = |pattern: &String| match pattern.split_once('*') {
        Some((start, end)) => {
            host.len() > start.len() + end.len() && host.starts_with(start) && host.ends_with(end)
        }
        None => host == pattern,
    };
    Provider::all().into_iter().find(|provider| of(*provider).hosts.iter().any(fits))
}

/// A model that the provider serves and that proxies have in their model tables.
pub fn model(provider: Provider) -> &'static str {
    &of(provider).model
}

/// A provider's catalogue row for an error: what the provider sends, and the evidence for it. A provider that does not
/// distinguish the error sends the [wider](ErrorName::wider) one.
pub fn catalogue_row(provider: Provider, name: ErrorName) -> &'static ErrorRow {
    let rows = &of(provider).errors;
    let names = std::iter::successors(Some(name), |name| name.wider());
    // A test checks that every profile has a row for every common name.
    names.filter_map(|name| rows.get(&name)).next().unwrap_or_else(|| &rows[&ErrorName::Internal])
}

/// The day on which the source of a provider's row was last read; `None` if the file of a project does not say it.
pub(crate) fn last_read(provider: Provider, row: &ErrorRow) -> Option<Date> {
    row.checked.or(of(provider).checked)
}

/// Every row of a provider's catalogue, with its place: `quota`, or `quota of openai/images` for the row of an endpoint.
pub(crate) fn catalogue_rows(provider: Provider) -> impl Iterator<Item = (String, &'static ErrorRow)> {
    let profile = of(provider);
    let own = profile.errors.iter().map(|(name, row)| (name.to_string(), row));
    let of_endpoints = profile
        .overrides
        .iter()
        .flat_map(|(api, rows)| rows.iter().map(move |(name, row)| (format!("{name} of {api}"), row)));
    own.chain(of_endpoints)
}

/// Parses a profile by converting it to JSON first, which makes the binary smaller: the code that deserializes a
/// type from YAML is several times as large as the code for JSON, and tracks positions that these files do not
/// need.
fn read(text: &str) -> Result<Profile, Box<dyn std::error::Error>> {
    let value: serde_json::Value = serde_saphyr::from_str(text)?;
    Ok(serde_json::from_value(value)?)
}

/// The members of the bundled profile of a provider.
pub(super) fn members(provider: Provider) -> Map<String, Value> {
    match serde_saphyr::from_str(text(provider)) {
        Ok(Value::Object(members)) => members,
        // A test loads every file.
        _ => Map::new(),
    }
}

fn text(provider: Provider) -> &'static str {
    match provider {
        Provider::Openai => include_str!("profiles/openai.yaml"),
        Provider::Azure => include_str!("profiles/azure.yaml"),
        Provider::Anthropic => include_str!("profiles/anthropic.yaml"),
        Provider::Gemini => include_str!("profiles/gemini.yaml"),
        Provider::Vertex => include_str!("profiles/vertex.yaml"),
        Provider::Bedrock => include_str!("profiles/bedrock.yaml"),
        Provider::Mistral => include_str!("profiles/mistral.yaml"),
        Provider::Cohere => include_str!("profiles/cohere.yaml"),
        Provider::Groq => include_str!("profiles/groq.yaml"),
        Provider::Deepseek => include_str!("profiles/deepseek.yaml"),
        Provider::Together => include_str!("profiles/together.yaml"),
        Provider::Fireworks => include_str!("profiles/fireworks.yaml"),
        Provider::Xai => include_str!("profiles/xai.yaml"),
        Provider::Perplexity => include_str!("profiles/perplexity.yaml"),
        Provider::Openrouter => include_str!("profiles/openrouter.yaml"),
        Provider::Ollama => include_str!("profiles/ollama.yaml"),
        Provider::Vllm => include_str!("profiles/vllm.yaml"),
        Provider::Tgi => include_str!("profiles/tgi.yaml"),
        Provider::Nvidia => include_str!("profiles/nvidia.yaml"),
        Provider::Own(own) => text(own.like),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::catalogue::SourceConfidence;

    #[test]
    fn every_profile_loads_and_has_a_row_for_every_error() {
        for provider in Provider::ALL.iter().copied() {
            let profile = of(provider);
            assert!(profile.checked.is_some(), "{provider}");
            for name in ErrorName::COMMON {
                assert!(profile.errors.contains_key(name), "{provider}: {name}");
            }
        }
    }

    #[test]
    fn a_row_that_is_not_recalled_has_a_source() {
        for provider in Provider::ALL.iter().copied() {
            let profile = of(provider);
            for (name, row) in profile.errors.iter().chain(profile.overrides.values().flatten()) {
                let recalled = row.confidence == SourceConfidence::Recalled;
                assert_eq!(recalled, row.source.is_empty(), "{provider}: {name}");
            }
        }
    }

    #[test]
    fn a_provider_is_known_by_its_host() {
        for (host, provider) in [
            ("api.openai.com", Some(Provider::Openai)),
            ("acme.openai.azure.com", Some(Provider::Azure)),
            ("europe-west1-aiplatform.googleapis.com", Some(Provider::Vertex)),
            ("bedrock-runtime.us-east-1.amazonaws.com", Some(Provider::Bedrock)),
            (".openai.azure.com", None),
            ("api.openai.com.example", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(at_host(host), provider, "{host}");
        }
    }

    #[test]
    fn a_route_has_one_method() {
        for provider in Provider::ALL.iter().copied() {
            for row in &of(provider).routes {
                assert!(row.has_one_method(), "{provider}: {row:?}");
            }
        }
    }
}
