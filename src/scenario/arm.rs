//! What a mock is asked to play outside a run: turns, deployments, or a scenario.
//!
//! It is written with the words of a scenario file and read by the same parser, so that what is
//! wrong with it is shown in its place.

use std::{fmt, sync::Arc, time::Duration};

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    account::{Account, AccountFile, account},
    diagnostic::{Diagnostic, LoadErrors, nearest},
    duration,
    fault::Fault,
    file::{DeploymentsFile, Located, ScenarioFile, TurnFile},
    load::Library,
    model::{Combination, Turn},
    parse::parse,
    transport::transport,
    validate::{FileChecker, named, validate},
    words::{Api, Provider, Transport},
};

/// How long what is armed lasts where nothing is said.
const TTL: Duration = Duration::from_secs(600);

/// The longest `ttl` of what is armed.
pub const MAX_TTL: Duration = Duration::from_secs(3600);

/// What people call the text in which something is wrong.
const NAME: &str = "the request's body";

/// What to write.
const EXAMPLE: &str = "say what the provider does, for example `{\"provider\": \"openai\", \"upstream\": [{\"error\": \
                       \"rate_limit\"}]}`, or name a `scenario`";

/// What is to be armed: exactly one of `upstream`, `deployments` and `scenario`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Arm")]
pub struct ArmFile {
    /// Whose dialect is spoken; needed with `upstream` and `deployments`, else the scenario's first.
    pub provider: Option<Located<Provider>>,
    /// What the one deployment, `primary`, does, turn by turn; the last turn repeats.
    pub upstream: Option<Located<Vec<Located<TurnFile>>>>,
    /// Several deployments by name, each with a base URL of its own.
    pub deployments: Option<DeploymentsFile>,
    /// A scenario that is known here (`limits/rate-limit`), or a whole one. Only what its upstreams do counts.
    pub scenario: Option<Located<RequestedScenario>>,
    /// What the deployments are reached by; what their faults need where left out, else `plain`.
    pub transport: Option<Located<Transport>>,
    /// The account behind the keys; that of the scenario where left out.
    pub account: Option<Located<AccountFile>>,
    /// For how long, from now: `60s`; ten minutes where left out, an hour at the most.
    pub ttl: Option<Located<String>>,
}

/// A scenario by its name, or a whole one.
#[derive(Debug, Clone)]
pub enum RequestedScenario {
    /// `limits/rate-limit`
    Named(String),
    /// All that a file would hold.
    Whole(Box<ScenarioFile>),
}

// By hand, because an untagged enum would lose the places of what is in it.
impl<'de> Deserialize<'de> for RequestedScenario {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = RequestedScenario;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a scenario's name, or a whole scenario")
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

/// What a mock is to play, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmRequest {
    /// Whose dialect is spoken.
    pub combination: Combination,
    /// Each deployment with its turns, the last of which repeats.
    pub deployments: IndexMap<String, Vec<Turn>>,
    /// What the deployments are reached by.
    pub transport: Transport,
    /// The account behind the keys; without one everything is allowed.
    pub account: Option<Account>,
    /// From now.
    pub ttl: Duration,
}

/// Reads what is to be armed; a scenario that is only named is looked up in `library`.
///
/// # Errors
/// Everything that is wrong with the text, each with its place.
pub fn load_arm(text: &str, library: &Library) -> Result<ArmRequest, LoadErrors> {
    let source: Arc<str> = as_yaml(text).into();
    if source.trim().is_empty() {
        let error = Diagnostic::new(NAME, &source, 0..0, "the body is empty").help(EXAMPLE);
        return Err(LoadErrors(vec![error]));
    }
    let file: ArmFile = parse(NAME, &source).map_err(|error| LoadErrors(vec![*error]))?;
    read(&source, file, library).map_err(LoadErrors)
}

/// JSON is YAML but for two things: escaped surrogate pairs, which many writers use for whatever is
/// not ASCII, and tabs before a key. Text that may hold one is written anew.
fn as_yaml(text: &str) -> String {
    if (text.contains("\\u") || text.contains('\t'))
        && let Ok(value) = serde_json::from_str::<serde_json::Value>(text)
    {
        return format!("{value:#}");
    }
    text.to_owned()
}

fn read(source: &Arc<str>, file: ArmFile, library: &Library) -> Result<ArmRequest, Vec<Diagnostic>> {
    let mut check = FileChecker::new(NAME, source);
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
    let written =
        transport(&mut check, file.transport.as_ref(), file.upstream.as_ref(), file.deployments.as_ref());
    let (matrix, deployments, scenarios, transport) = match file.scenario {
        Some(Located { value: RequestedScenario::Whole(scenario), .. }) => {
            match validate("armed", NAME, source, *scenario) {
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
                            None => "`upfault list` shows the names; a whole scenario may stand here too"
                                .to_owned(),
                        });
                    return Err(check.into_errors());
                }
            }
        }
        None => {
            if file.provider.is_none() {
                check.error(&(0..1), "`provider` is missing: whose dialect is to be spoken?").help =
                    Some("for example `\"provider\": \"openai\"`".to_owned());
            }
            let turns = match (&file.upstream, &file.deployments) {
                (None, None) => {
                    check.error(&(0..1), "there is nothing to arm").help = Some(EXAMPLE.to_owned());
                    IndexMap::new()
                }
                (upstream, deployments) => {
                    // Nobody knows what will be asked for. As a stream it could be anything that faults need.
                    let lists =
                        upstream.iter().chain(deployments.iter().flat_map(|named| named.value.values()));
                    let faults = lists.flat_map(|turns| &turns.value).flat_map(|turn| &turn.value.faults);
                    let closes = |fault: &Located<Fault>| matches!(fault.value, Fault::CloseFrame(_));
                    // Only a session ends by a close frame.
                    let (api, stream) = match { faults }.any(closes) {
                        true => (Api::OpenaiRealtime, false),
                        false => (Api::OpenaiChat, true),
                    };
                    let any =
                        file.provider.as_ref().map(|at| Combination { api, provider: at.value, stream });
                    named(&mut check, upstream.as_ref(), deployments.as_ref(), any.as_slice())
                }
            };
            (Vec::new(), turns, None, written)
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
            check.error(range, format!("`ttl` must be more than nothing and at most {most}")).help =
                Some("arm it again when its time is over".to_owned());
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
    fn turns_are_written_as_in_a_scenario_file() {
        let wanted = load(r#"{"provider": "anthropic", "upstream": [{"error": "overloaded"}, {"reply": {"chunks": 3}, "faults": ["crlf"]}], "ttl": "60s"}"#).unwrap();
        assert_eq!(wanted.combination.provider, Provider::Anthropic);
        assert_eq!(wanted.deployments["primary"].len(), 2);
        assert_eq!(wanted.deployments["primary"][0].answer, TurnReply::Error(ErrorName::Overloaded));
        assert_eq!(wanted.ttl, Duration::from_secs(60));
    }

    #[test]
    fn a_scenario_is_named_or_whole() {
        let named = load(r#"{"scenario": "limits/rate-limit", "provider": "gemini"}"#).unwrap();
        assert_eq!((named.combination.provider, named.ttl), (Provider::Gemini, TTL));
        let whole = load(
            r#"{"scenario": {"title": "t", "why": "w", "deployments": {"a": [{"error": "quota"}], "b": [{"reply": "ok"}]}}}"#,
        )
        .unwrap();
        assert_eq!(whole.deployments.keys().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn what_is_wrong_is_shown_in_its_place_with_a_next_step() {
        let said = |text| load(text).expect_err(text);
        insta::assert_snapshot!(said("{\"provider\": \"openai\",\n \"upstream\": [{\"error\": \"rate_limits\"}]}"), @r#"
        error: unknown name `rate_limits`
         --> the request's body:2:25
          |
        2 |  "upstream": [{"error": "rate_limits"}]}
          |                         ^^^^^^^^^^^^^
          |
          = help: did you mean `rate_limit`? Possible are: `invalid_api_key`, `missing_api_key`, `permission`, `model_not_found`, `bad_request`, `context_length`, `content_policy`, `too_large`, `unprocessable`, `rate_limit`, `token_limit`, `quota`, `internal`, `bad_gateway`, `unavailable`, `gateway_timeout`, `overloaded`
        "#);
        insta::assert_snapshot!(said(r#"{"scenario": "limits/rate-limits"}"#), @r#"
        error: there is no scenario `limits/rate-limits` here
         --> the request's body:1:14
          |
        1 | {"scenario": "limits/rate-limits"}
          |              ^^^^^^^^^^^^^^^^^^^^
          |
          = help: did you mean `limits/rate-limit`?
        "#);
        insta::assert_snapshot!(said(r#"{"scenario": {"title": "t", "why": "", "upstream": [{"reply": "ok", "faults": [{"reset": {"at": "never"}}]}]}}"#), @r#"
        error: unknown name `never`
         --> the request's body:1:97
          |
        1 | {"scenario": {"title": "t", "why": "", "upstream": [{"reply": "ok", "faults": [{"reset": {"at": "never"}}]}]}}
          |                                                                                                 ^^^^^^^
          |
          = help: possible are: `before_headers`, `after_headers`, `after_events`, `after_bytes`, `before_end`
        "#);
        insta::assert_snapshot!(said(r#"{"ttl": "2h"}"#), @r#"
        error: `ttl` must be more than nothing and at most 1h
         --> the request's body:1:9
          |
        1 | {"ttl": "2h"}
          |         ^^^^
          |
          = help: arm it again when its time is over

        error: `provider` is missing: whose dialect is to be spoken?
         --> the request's body:1:1
          |
        1 | {"ttl": "2h"}
          | ^
          |
          = help: for example `"provider": "openai"`

        error: there is nothing to arm
         --> the request's body:1:1
          |
        1 | {"ttl": "2h"}
          | ^
          |
          = help: say what the provider does, for example `{"provider": "openai", "upstream": [{"error": "rate_limit"}]}`, or name a `scenario`
        "#);
        insta::assert_snapshot!(said(r#"{"provider": "ollama", "upstream": [{"faults": ["crlf"]}]}"#), @r#"
        error: `crlf` is about server-sent events, and ollama has streams of another kind
         --> the request's body:1:49
          |
        1 | {"provider": "ollama", "upstream": [{"faults": ["crlf"]}]}
          |                                                 ^^^^^^
          |
          = help: choose other providers; `unknown_event` fits every kind of stream
        "#);
        insta::assert_snapshot!(said("not json"), @"
        error: expected keys with values (`{key: value}`)
         --> the request's body:1:1
          |
        1 | not json
          | ^^^^^^^^
        ");
    }

    #[test]
    fn what_json_escapes_is_read_as_json_means_it() {
        let wanted = load("{\n\t\"provider\": \"openai\",\n\t\"upstream\": [{\"status\": 418, \"body\": \"\\ud83d\\ude00\"}]\n}").unwrap();
        let TurnReply::Literal { body, .. } = &wanted.deployments["primary"][0].answer else {
            panic!("{wanted:?}")
        };
        assert_eq!(body.as_ref().unwrap(), "😀");
    }
}
