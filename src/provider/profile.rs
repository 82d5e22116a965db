//! A provider as data: its endpoints, headers, keys and error catalogue.
//!
//! What differs between two providers of the same dialect stands in a file of `profiles/`, not in
//! code.

use std::sync::OnceLock;

use http::HeaderMap;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::catalogue::{ErrorBodyForm, ErrorRow, LimitStyle};
use crate::scenario::{Api, ErrorName, Provider};

/// A file of `profiles/`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The name that people know it by.
    pub title: String,
    /// Where its errors are described.
    pub source: String,
    /// What a base URL as the provider's own SDK takes it ends in: `/v1` for openai.
    #[serde(default)]
    pub base: String,
    /// A model that it serves, and that proxies know, so that none takes a special path for it.
    pub model: String,
    /// Where the key may stand; the first is the usual place. Empty where none is needed.
    #[serde(default)]
    pub key: Vec<KeyPlace>,
    /// Headers without which no endpoint answers, by their names in lower case, and what is said
    /// where one is missing.
    #[serde(default)]
    pub required_headers: IndexMap<String, ErrorRow>,
    /// On every answer of the provider itself; `{{canary.request_id}}` and its like are filled in.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    /// What it says to a key that was good once.
    #[serde(default = "invalid")]
    pub revoked_key: ErrorName,
    /// How it writes the state of its limits into headers.
    #[serde(default)]
    pub limits: LimitStyle,
    /// The kind of body that carries its errors.
    pub form: ErrorBodyForm,
    /// Where an endpoint has another.
    #[serde(default)]
    pub forms: IndexMap<Api, ErrorBodyForm>,
    /// The types that such another form knows, by status; that of 500 stands for any status that is
    /// not here. A form that is not here takes the row's own type.
    #[serde(default)]
    pub types: IndexMap<ErrorBodyForm, IndexMap<u16, String>>,
    /// Its endpoints.
    pub routes: Vec<RouteRow>,
    /// What it says to a request that never reaches a model.
    pub refusals: Refusals,
    /// What it adds to OpenAI's chat, where it serves that.
    #[serde(default)]
    pub chat: ChatExtras,
    /// Members of the whole replies of other endpoints, laid over those that stand there already.
    #[serde(default)]
    pub replies: IndexMap<Api, Map<String, Value>>,
    /// How an error stands in a stream of OpenAI's chat or completions that has begun; where left out,
    /// as the body would be, in a `data:` line.
    pub stream_error: Option<StreamError>,
    /// One row for each error name.
    pub errors: IndexMap<ErrorName, ErrorRow>,
    /// Where an endpoint says the same in other words than the rest.
    #[serde(default)]
    pub overrides: IndexMap<Api, IndexMap<ErrorName, ErrorRow>>,
}

/// What a provider's chat replies have beside OpenAI's own members, or in their place. Members are
/// laid over those that stand there already, and `{{canary.request_id}}` and its like are filled in.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChatExtras {
    /// A chunk of its own before all others, with `choices: []`: its members.
    pub first_chunk: Option<Map<String, Value>>,
    /// Members of a whole reply.
    pub reply: Map<String, Value>,
    /// Members of the choice, in a whole reply and in each chunk.
    pub choice: Map<String, Value>,
    /// Members of the message in a whole reply.
    pub message: Map<String, Value>,
    /// Members of every chunk but `first_chunk`.
    pub chunk: Map<String, Value>,
    /// Members of the first chunk that has a choice, on top of those of every chunk.
    pub opening_chunk: Map<String, Value>,
    /// Members of the chunk that has the finish reason, on top of those of every chunk.
    pub final_chunk: Map<String, Value>,
    /// Members of the delta in each chunk that has one.
    pub delta: Map<String, Value>,
    /// Members of a tool call in a whole reply.
    pub call: Map<String, Value>,
    /// Whether a tool call comes in one chunk, its arguments in one piece.
    pub whole_calls: bool,
    /// Members of the usage, wherever it stands.
    pub usage: Map<String, Value>,
    /// Whether the chunk with the finish reason has the usage, asked for or not, so that no chunk
    /// of its own follows with it.
    pub usage_in_final: bool,
    /// Comments of the event stream before its first event, without the colon. They go out with that
    /// event, so that faults count the same events as elsewhere.
    pub comments: Vec<String>,
}

/// How an error stands in a stream that has begun, where that is not the body in a `data:` line.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamError {
    /// The JSON of the event. A string that is nothing but `{{error.message}}`, `.type`, `.code`,
    /// `.param` or `.status` stands for the row's value as it is, `{{model}}` for the model that was
    /// asked for; `{{canary.request_id}}` and its like are filled in.
    pub data: Value,
    /// Whether an `event: error` line comes before it.
    #[serde(default)]
    pub named: bool,
    /// Whether the server ends the stream with its `[DONE]` all the same.
    #[serde(default)]
    pub done: bool,
}

fn invalid() -> ErrorName {
    ErrorName::InvalidApiKey
}

/// One endpoint: exactly one of `get`, `post` and `delete`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteRow {
    /// A path below the deployment's own; `{model}` captures the model, `{id}` the id of what is kept,
    /// any other name in braces something that does not matter. A capture holds no slash.
    pub get: Option<String>,
    /// The same.
    pub post: Option<String>,
    /// The same.
    pub delete: Option<String>,
    /// What it is.
    pub api: Api,
    /// Whether it answers with a stream; where left out, the body's `stream` decides.
    pub stream: Option<bool>,
    /// A parameter of the query without which the path is not known.
    pub query: Option<String>,
}

/// Answers to requests that never reach a model. `{method}` and `{path}` in a text are filled in, and
/// `{allowed}` in a header: the methods that the path takes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusals {
    /// A path that it does not know.
    pub not_found: ErrorRow,
    /// A method that the path does not take.
    pub method_not_allowed: ErrorRow,
    /// A body that is no JSON object.
    pub bad_json: ErrorRow,
    /// A body that is no form where one is wanted; the same as for JSON where left out.
    pub bad_form: Option<ErrorRow>,
    /// A request for a session that asks for no WebSocket; the same as for JSON where left out.
    pub not_upgraded: Option<ErrorRow>,
}

/// Where a key may stand in a request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPlace {
    /// `Authorization: Bearer KEY`
    Bearer,
    /// A header that holds nothing else, by its name in lower case.
    Header(String),
    /// A parameter of the query.
    Query(String),
    /// `Authorization: AWS4-HMAC-SHA256 Credential=KEY/…`
    Sigv4,
}

impl KeyPlace {
    /// The key that stands there, if one does.
    pub(super) fn read(&self, headers: &HeaderMap, query: &str) -> Option<String> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
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

/// The profile of a provider, read at its first use.
pub fn of(provider: Provider) -> &'static Profile {
    static PROFILES: [OnceLock<Profile>; Provider::ALL.len()] =
        [const { OnceLock::new() }; Provider::ALL.len()];
    PROFILES[provider as usize].get_or_init(|| match read(text(provider)) {
        Ok(profile) => profile,
        // The files are part of the program, and a test reads every one of them.
        Err(error) => unreachable!("the profile of {provider} does not load: {error}"),
    })
}

/// By way of JSON, which makes the binary smaller: the code that reads a type from YAML is several times as
/// long as the code that reads it from JSON, and shows places that these files do not need.
fn read(text: &str) -> Result<Profile, Box<dyn std::error::Error>> {
    let value: serde_json::Value = serde_saphyr::from_str(text)?;
    Ok(serde_json::from_value(value)?)
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
            for name in ErrorName::ALL {
                assert!(profile.errors.contains_key(name), "{provider}: {name}");
            }
        }
    }

    #[test]
    fn a_row_that_is_not_recalled_names_its_source() {
        for provider in Provider::ALL.iter().copied() {
            let profile = of(provider);
            for (name, row) in profile.errors.iter().chain(profile.overrides.values().flatten()) {
                let recalled = row.confidence == SourceConfidence::Recalled;
                assert_eq!(recalled, row.source.is_empty(), "{provider}: {name}");
            }
        }
    }

    #[test]
    fn a_route_has_one_method() {
        for provider in Provider::ALL.iter().copied() {
            for row in &of(provider).routes {
                let methods = [&row.get, &row.post, &row.delete];
                assert_eq!(methods.iter().filter(|path| path.is_some()).count(), 1, "{provider}: {row:?}");
            }
        }
    }
}
