//! Requests to arm a mock outside a run: with turns, with deployments, or with a scenario.
//!
//! The request body uses the format of a scenario file and the same parser, so that an error is reported
//! with its line and column.

use std::{fmt, sync::Arc, time::Duration};

use indexmap::IndexMap;
#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    account::{Account, AccountFile, account},
    check::FileChecker,
    diagnostic::{Diagnostic, LoadErrors, nearest},
    duration,
    fault::Fault,
    file::{DeploymentsFile, ScenarioFile, TurnFile},
    load::Library,
    located::Located,
    model::{Combination, Turn},
    parse::parse,
    transport::transport,
    validate::{named, validate},
    words::{Api, Provider, Transport},
};

/// The default `ttl`.
const TTL: Duration = Duration::from_secs(600);

/// The longest `ttl` that is accepted.
pub(crate) const MAX_TTL: Duration = Duration::from_secs(3600);

/// The name of the source text in error messages.
const NAME: &str = "the request's body";

/// The help line for an empty request.
const EXAMPLE: &str = "describe what the provider does, for example `{\"provider\": \"openai\", \"upstream\": [{\"error\": \
                       \"rate_limit\"}]}`, or name a `scenario`";

/// What the mock shall do: exactly one of `upstream`, `deployments` and `scenario`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, schemars(rename = "Arm"))]
pub(crate) struct ArmFile {
    /// The provider whose dialect the mock speaks. Required with `upstream` and `deployments`. Default: the
    /// first provider of the scenario's matrix.
    pub provider: Option<Located<Provider>>,
    /// The turns of a single deployment named `primary`, one for each attempt; the last turn repeats.
    pub upstream: Option<Located<Vec<Located<TurnFile>>>>,
    /// Several deployments by name, each with its own base URL and turns.
    pub deployments: Option<DeploymentsFile>,
    /// The id of a scenario that the mock knows (`limits/rate-limit`), or a complete scenario. The mock uses only
    /// what the scenario says about its upstreams.
    pub scenario: Option<Located<RequestedScenario>>,
    /// The transport of the deployments. Default: the one that their faults need, otherwise `plain`.
    pub transport: Option<Located<Transport>>,
    /// The provider account that the API keys belong to. Default: the scenario's account.
    pub account: Option<Located<AccountFile>>,
    /// How long the mock stays armed, from now, as a duration (`60s`), at most `1h`. Default: `10m`.
    pub ttl: Option<Located<String>>,
}

/// A scenario by its id, or a complete scenario.
#[derive(Debug, Clone)]
pub(crate) enum RequestedScenario {
    /// `limits/rate-limit`
    Named(String),
    /// The content of a scenario file.
    Whole(Box<ScenarioFile>),
}

// Implemented by hand, because an untagged enum would lose the byte ranges of the values in it.
impl<'de> Deserialize<'de> for RequestedScenario {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = RequestedScenario;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a scenario id or a complete scenario")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(RequestedScenario::Named(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                ScenarioFile::deserialize(MapAccessDeserializer::new(map))
                    .map(|file| RequestedScenario::Whole(Box::new(file)))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
impl JsonSchema for RequestedScenario {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ScenarioWanted".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let whole = generator.subschema_for::<ScenarioFile>();
        schemars::json_schema!({"anyOf": [{"type": "string"}, whole]})
    }
}

/// What a mock shall do, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ArmRequest {
    /// The API, the provider and the stream mode that the mock answers.
    pub combination: Combination,
    /// Each deployment with its turns; the last turn repeats.
    pub deployments: Arc<IndexMap<String, Vec<Turn>>>,
    /// The transport of the deployments.
    pub transport: Transport,
    /// The provider account that the API keys belong to; without one every request is allowed.
    pub account: Option<Account>,
    /// How long the mock stays armed, from now.
    pub ttl: Duration,
}

impl ArmRequest {
    /// Whether a mock of the other request does the same.
    pub(crate) fn serves_the_same(&self, other: &Self) -> bool {
        let Self { combination, deployments, transport, account, ttl: _ } = self;
        *combination == other.combination
            && *deployments == other.deployments
            && *transport == other.transport
            && *account == other.account
    }

    /// Whether a deployment cannot have the same address as those of other mocks.
    pub(crate) fn needs_own_port(&self) -> bool {
        self.transport != Transport::Plain || self.deployments.values().flatten().any(Turn::needs_own_address)
    }
}

/// Parses and validates a request to arm a mock; looks a scenario id up in `library`.
///
/// # Errors
/// All errors of the text, each with its position.
pub(crate) fn load_arm(text: &str, library: &Library) -> Result<ArmRequest, LoadErrors> {
    load_arm_file(NAME, text, library)
}

/// Like [`load_arm`], for a file whose name is in the error messages.
///
/// # Errors
/// As [`load_arm`].
pub(crate) fn load_arm_file(name: &str, text: &str, library: &Library) -> Result<ArmRequest, LoadErrors> {
    let source: Arc<str> = as_yaml(text).into();
    if source.trim().is_empty() {
        let error = Diagnostic::new(name, &source, 0..0, format!("{name} is empty")).help(EXAMPLE);
        return Err(LoadErrors(vec![error]));
    }
    let file: ArmFile = parse(name, &source)?;
    read(name, &source, file, library).map_err(LoadErrors)
}

/// Converts JSON that YAML cannot read into JSON that it can. JSON is YAML except for two things: escaped
/// surrogate pairs, which many serializers use for non-ASCII characters, and tabs before a key. A text that
/// may contain either is serialized again.
fn as_yaml(text: &str) -> String {
    if (text.contains("\\u") || text.contains('\t'))
        && let Ok(value) = serde_json::from_str::<serde_json::Value>(text)
    {
        return format!("{value:#}");
    }
    text.to_owned()
}

fn read(
    name: &str,
    source: &Arc<str>,
    file: ArmFile,
    library: &Library,
) -> Result<ArmRequest, Vec<Diagnostic>> {
    let mut check = FileChecker::new(name, source);
    let ttl = ttl(&mut check, file.ttl.as_ref());
    let own = file.account.as_ref().map(|at| account(&mut check, at));
    let given: Vec<_> = [
        ("upstream", file.upstream.as_ref().map(|at| &at.range)),
        ("deployments", file.deployments.as_ref().map(|at| &at.range)),
        ("scenario", file.scenario.as_ref().map(|at| &at.range)),
    ]
    .into_iter()
    .filter_map(|(name, range)| range.map(|range| (name, range.clone())))
    .collect();
    if let [(first, first_at), (second, second_at), ..] = given.as_slice() {
        let error = check.error(second_at, format!("`{first}` and `{second}` exclude each other"));
        *error = error.clone().also(first_at.clone(), format!("`{first}` is here"));
        return Err(check.into_errors());
    }
    let from_file =
        transport(&mut check, file.transport.as_ref(), file.upstream.as_ref(), file.deployments.as_ref());
    let (matrix, deployments, scenarios, transport) = match file.scenario {
        Some(Located { value: RequestedScenario::Whole(scenario), .. }) => {
            match validate("armed", name, source, *scenario) {
                Ok(one) => (one.matrix, one.deployments, one.account, one.transport),
                Err(more) => return Err([check.into_errors(), more].concat()),
            }
        }
        Some(Located { value: RequestedScenario::Named(name), range }) => {
            match library.scenarios.iter().find(|scenario| scenario.id == name) {
                Some(one) => {
                    (one.matrix.clone(), one.deployments.clone(), one.account.clone(), one.transport)
                }
                None => {
                    let ids = library.scenarios.iter().map(|scenario| scenario.id.as_str());
                    check.error(&range, format!("there is no scenario `{name}` here")).help =
                        Some(match nearest(&name, ids) {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => "`upfault list` shows the ids; a complete scenario is accepted as well"
                                .to_owned(),
                        });
                    return Err(check.into_errors());
                }
            }
        }
        None => {
            if file.provider.is_none() {
                check
                    .error(&(0..1), "`provider` is missing: the mock needs to know whose dialect to speak")
                    .help = Some("for example `\"provider\": \"openai\"`".to_owned());
            }
            let turns = match (&file.upstream, &file.deployments) {
                (None, None) => {
                    check.error(&(0..1), "`upstream`, `deployments` or `scenario` is missing").help =
                        Some(EXAMPLE.to_owned());
                    IndexMap::new()
                }
                (upstream, deployments) => {
                    // The API of the coming requests is unknown. A stream fits every fault except a close frame.
                    let lists =
                        upstream.iter().chain(deployments.iter().flat_map(|named| named.value.values()));
                    let faults = lists.flat_map(|turns| &turns.value).flat_map(|turn| &turn.value.faults);
                    let closes = |fault: &Located<Fault>| matches!(fault.value, Fault::CloseFrame(_));
                    // Only a WebSocket session ends by a close frame.
                    let (api, stream) = match { faults }.any(closes) {
                        true => (Api::OpenaiRealtime, false),
                        false => (Api::OpenaiChat, true),
                    };
                    let any =
                        file.provider.as_ref().map(|at| Combination { api, provider: at.value, stream });
                    named(&mut check, upstream.as_ref(), deployments.as_ref(), any.as_slice())
                }
            };
            (Vec::new(), Arc::new(turns), None, from_file)
        }
    };
    let errors = check.into_errors();
    if !errors.is_empty() {
        return Err(errors);
    }
    let plain = Combination { api: Api::OpenaiChat, provider: Provider::Openai, stream: false };
    let first = matrix.first().copied().unwrap_or(plain);
    let provider = file.provider.map_or(first.provider, |at| at.value);
    Ok(ArmRequest {
        combination: Combination { provider, ..first },
        deployments,
        transport,
        account: own.or(scenarios),
        ttl,
    })
}

fn ttl(check: &mut FileChecker<'_>, written: Option<&Located<String>>) -> Duration {
    let Some(Located { value, range }) = written else { return TTL };
    match duration::parse(value) {
        Ok(ttl) if ttl.is_zero() || ttl > MAX_TTL => {
            let most = humantime::format_duration(MAX_TTL);
            check.error(range, format!("`ttl` must be more than 0 and at most {most}")).help =
                Some("arm it again when it has expired".to_owned());
            TTL
        }
        Ok(ttl) => ttl,
        Err(message) => {
            check.error(range, message);
            TTL
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{ErrorName, TurnReply, load_dir};

    fn load(text: &str) -> Result<ArmRequest, String> {
        let library = load_dir(std::path::Path::new("/nonexistent"), &[]).expect("the bundled ones load");
        load_arm(text, &library).map_err(|errors| errors.to_string())
    }

    #[test]
    fn turns_have_the_format_of_a_scenario_file() {
        let wanted = load(r#"{"provider": "anthropic", "upstream": [{"error": "overloaded"}, {"reply": {"chunks": 3}, "faults": ["crlf"]}], "ttl": "60s"}"#).unwrap();
        assert_eq!(wanted.combination.provider, Provider::Anthropic);
        assert_eq!(wanted.deployments["primary"].len(), 2);
        assert_eq!(wanted.deployments["primary"][0].answer, TurnReply::Error(ErrorName::Overloaded));
        assert_eq!(wanted.ttl, Duration::from_secs(60));
    }

    #[test]
    fn a_scenario_is_an_id_or_complete() {
        let named = load(r#"{"scenario": "limits/rate-limit", "provider": "gemini"}"#).unwrap();
        assert_eq!((named.combination.provider, named.ttl), (Provider::Gemini, TTL));
        let whole = load(
            r#"{"scenario": {"title": "t", "why": "w", "deployments": {"a": [{"error": "quota"}], "b": [{"reply": "ok"}]}}}"#,
        )
        .unwrap();
        assert_eq!(whole.deployments.keys().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn errors_have_a_position_and_a_help_line() {
        let error = |text| load(text).expect_err(text);
        insta::assert_snapshot!(error("{\"provider\": \"openai\",\n \"upstream\": [{\"error\": \"rate_limits\"}]}"), @r#"
        error: unknown name `rate_limits`
         --> the request's body:2:25
          |
        2 |  "upstream": [{"error": "rate_limits"}]}
          |                         ^^^^^^^^^^^^^
          |
          = help: did you mean `rate_limit`?
        "#);
        insta::assert_snapshot!(error(r#"{"scenario": "limits/rate-limits"}"#), @r#"
        error: there is no scenario `limits/rate-limits` here
         --> the request's body:1:14
          |
        1 | {"scenario": "limits/rate-limits"}
          |              ^^^^^^^^^^^^^^^^^^^^
          |
          = help: did you mean `limits/rate-limit`?
        "#);
        insta::assert_snapshot!(error(r#"{"scenario": {"title": "t", "why": "", "upstream": [{"reply": "ok", "faults": [{"reset": {"at": "never"}}]}]}}"#), @r#"
        error: unknown name `never`
         --> the request's body:1:97
          |
        1 | {"scenario": {"title": "t", "why": "", "upstream": [{"reply": "ok", "faults": [{"reset": {"at": "never"}}]}]}}
          |                                                                                                 ^^^^^^^
          |
          = help: possible values: `before_headers`, `after_headers`, `after_events`, `after_bytes`, `after_content`, `inside_tool_call`, `after_tool_arguments`, `before_end`
        "#);
        insta::assert_snapshot!(error(r#"{"ttl": "2h"}"#), @r#"
        error: `ttl` must be more than 0 and at most 1h
         --> the request's body:1:9
          |
        1 | {"ttl": "2h"}
          |         ^^^^
          |
          = help: arm it again when it has expired

        error: `provider` is missing: the mock needs to know whose dialect to speak
         --> the request's body:1:1
          |
        1 | {"ttl": "2h"}
          | ^
          |
          = help: for example `"provider": "openai"`

        error: `upstream`, `deployments` or `scenario` is missing
         --> the request's body:1:1
          |
        1 | {"ttl": "2h"}
          | ^
          |
          = help: describe what the provider does, for example `{"provider": "openai", "upstream": [{"error": "rate_limit"}]}`, or name a `scenario`
        "#);
        insta::assert_snapshot!(error(r#"{"provider": "ollama", "upstream": [{"faults": ["crlf"]}]}"#), @r#"
        error: `crlf` applies to server-sent events, and ollama has streams of another format
         --> the request's body:1:49
          |
        1 | {"provider": "ollama", "upstream": [{"faults": ["crlf"]}]}
          |                                                 ^^^^^^
          |
          = help: choose other providers; `unknown_event` works in every stream format
        "#);
        insta::assert_snapshot!(error("not json"), @r#"
        error: found the text "not json", expected keys with values (`{key: value}`)
         --> the request's body:1:1
          |
        1 | not json
          | ^^^^^^^^
        "#);
    }

    #[test]
    fn json_escapes_are_decoded_as_json_defines() {
        let wanted = load("{\n\t\"provider\": \"openai\",\n\t\"upstream\": [{\"status\": 418, \"body\": \"\\ud83d\\ude00\"}]\n}").unwrap();
        let TurnReply::Literal { body, .. } = &wanted.deployments["primary"][0].answer else {
            panic!("{wanted:?}")
        };
        assert_eq!(body.as_ref().unwrap(), "😀");
    }
}
