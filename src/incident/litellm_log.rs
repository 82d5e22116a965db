//! The log of LiteLLM, and the texts of the errors that it makes.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{
    clue::SeenBreak,
    error::IncidentError,
    evidence::IncidentEvidence,
    exception_words::{pattern, read_message, status_of},
};
use crate::{
    provider,
    scenario::{Api, Provider},
};

/// `litellm.RateLimitError: AnthropicException - {…}`: the exception, the provider, and what the provider said.
static RAISED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:(?P<provider>[A-Za-z_]+?) ?Exception|(?P<other>Anthropic)Error)(?P<kind>:?(?: [A-Za-z]+)*?) - (?P<rest>.*)",
    )
});

/// The class of an exception: `litellm.RateLimitError`, `litellm.exceptions.RateLimitError`.
static CLASS: LazyLock<Regex> = LazyLock::new(|| pattern(r"litellm\.(?:exceptions\.)?(?P<class>[A-Z]\w*)"));

/// What httpx says about a response: `Server error '503 Service Unavailable' for url 'https://…'`.
static OF_HTTPX: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"error '(?P<status>\d{3})[^']*' for url '(?P<url>[^']+)'"));

/// The access log: `"POST /v1/messages HTTP/1.1" 500`.
static ACCESS: LazyLock<Regex> = LazyLock::new(|| pattern(r#""POST (?P<path>/\S+) HTTP/1\.[01]" [1-5]\d\d"#));

/// The name of a model with its provider: `model=gemini/gemini-2.5-flash`.
static MODEL: LazyLock<Regex> = LazyLock::new(|| pattern(r#"model['"]?[=:] ?['"]?(?P<provider>[a-z_]+)/"#));

/// What LiteLLM adds to the words of a provider.
const ADDED: [&str; 8] = [
    ". Handle with `litellm.",
    "\n. Enable 'litellm.",
    " Received Model Group=",
    ". Received Model Group=",
    " LiteLLM Retried:",
    "\n\nLiteLLM: model group ",
    "\n\nDeployment Info:",
    " LiteLLM: model group ",
];

/// What the last failure in a log of LiteLLM says about the provider.
///
/// # Errors
///
/// If the text contains no failure of a provider.
pub(crate) fn litellm_log(text: &str) -> Result<IncidentEvidence, IncidentError> {
    let mut found = IncidentEvidence::default();
    let text = &unwrapped(text);
    let raised = RAISED.captures_iter(text).filter_map(|raised| {
        let name = raised.name("provider").or(raised.name("other"))?.as_str();
        Some((provider_called(name)?, raised))
    });
    let of_httpx = OF_HTTPX.captures_iter(text).last();
    let last = raised.last();
    let timed_out = text.contains("litellm.Timeout") || text.contains("litellm.exceptions.Timeout");
    if last.is_none() && of_httpx.is_none() && !timed_out {
        return Err(IncidentError::NothingFound {
            missing: "no failure of a provider",
            help: "LiteLLM writes lines such as `litellm.RateLimitError: AnthropicException - {…}`; copy the traceback too",
        });
    }
    if let Some(response) = &of_httpx {
        found.status = response["status"].parse().ok();
        found.set_url(&response["url"]);
    }
    if let Some((provider, raised)) = &last {
        found.provider = Some(*provider);
        let start = raised.get(0).map_or(0, |all| all.start());
        let class = CLASS.captures_iter(&text[..start]).last();
        let class = class.as_ref().map_or("", |class| &class["class"]);
        let words = words_of_the_provider(text, raised);
        if found.status.is_none() {
            found.status = status_of(class).or_else(|| status_of(raised["kind"].trim()));
            found.is_status_guessed = found.status.is_some();
        }
        // What the provider itself said counts more than how LiteLLM classifies it.
        let is_quoted = ["{", "[", "<", "b'", "b\"", "Error code: "]
            .iter()
            .any(|start| words.trim_start().starts_with(start));
        match SeenBreak::of(&format!("{class}: {words}")).filter(|_| !is_quoted) {
            Some(seen) => {
                found.broken = Some(seen);
                found.status = None;
                if words.trim_start().starts_with("Connection error.") {
                    found
                        .assumed
                        .push("the connection was reset: the log does not say how it failed".to_owned());
                }
            }
            None => read_message(words, &mut found),
        }
    } else if timed_out {
        found.broken = Some(SeenBreak::TimedOut);
    }
    // The provider of the model is more exact: LiteLLM reports errors of Gemini as those of Vertex AI.
    if let Some(model) =
        MODEL.captures_iter(text).last().and_then(|model| provider_called(&model["provider"]))
    {
        found.provider = Some(model);
    }
    if ["MidStreamFallbackError", "streaming_handler.py", "mid-stream"].iter().any(|part| text.contains(part))
    {
        found.in_stream = true;
        found.stream = Some(true);
    }
    let path = ACCESS.captures_iter(text).last().map(|access| access["path"].to_owned());
    found.callers_api = path.and_then(|path| callers_api(&path));
    Ok(found)
}

/// What the provider said, without what LiteLLM adds. It ends with its line, unless it is JSON or a page.
fn words_of_the_provider<'t>(text: &'t str, raised: &regex::Captures<'_>) -> &'t str {
    let range = raised.name("rest").map_or(0..0, |rest| rest.range());
    let (line, after) = (&text[range.clone()], &text[range.start..]);
    let goes_on = line.trim_start().starts_with(['{', '[', '<']);
    let words = if goes_on { after } else { line };
    let end = ADDED.iter().filter_map(|added| words.find(added)).min().unwrap_or(words.len());
    &words[..end]
}

/// The text of a log, with the texts in its lines if they are JSON (`json_logs: true`).
fn unwrapped(log: &str) -> String {
    let mut text = String::new();
    for line in log.lines() {
        match serde_json::from_str::<Value>(line.trim()) {
            Ok(Value::Object(members))
                if members.contains_key("message") && members.contains_key("level") =>
            {
                for member in members.values().filter_map(Value::as_str) {
                    text.push_str(member);
                    text.push('\n');
                }
            }
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

/// The provider that a name of LiteLLM means: `AnthropicException`, `vertex_ai`, `hosted_vllm`, `Together_ai`.
fn provider_called(name: &str) -> Option<Provider> {
    let name = name.to_lowercase();
    if name.contains("huggingface") {
        return Some(Provider::Tgi);
    }
    let place = |provider: &Provider| name.find(provider.as_str()).map(|at| (at, *provider));
    // The first one in the name: `azure_openai` is Azure.
    Provider::ALL
        .iter()
        .filter_map(place)
        .min_by_key(|(at, provider)| (*at, usize::MAX - provider.as_str().len()))
        .map(|(_, provider)| provider)
}

/// Whether a text names an exception of LiteLLM: `litellm.RateLimitError: …`.
pub(super) fn is_of_litellm(text: &str) -> bool {
    CLASS
        .captures_iter(text)
        .any(|class| ["Error", "Exception", "Timeout"].iter().any(|end| class["class"].ends_with(end)))
}

/// The API of a path of LiteLLM, which also serves OpenAI's paths without their version.
pub(super) fn callers_api(path: &str) -> Option<Api> {
    let path = path.split('?').next().unwrap_or(path);
    let versioned = format!("/v1{path}");
    let at = |path: &str| {
        [Provider::Openai, Provider::Anthropic, Provider::Gemini, Provider::Bedrock]
            .iter()
            .find_map(|provider| provider::api_at(*provider, path))
    };
    at(path).or_else(|| at(&versioned)).map(|(api, _)| api)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_words_of_the_provider_are_found() {
        let found = litellm_log(
            "INFO: 127.0.0.1 - \"POST /v1/messages HTTP/1.1\" 500 Internal Server Error\n\
             litellm.exceptions.InternalServerError: litellm.InternalServerError: AnthropicException - {\"type\":\"error\",\"error\":{\"details\":null,\"type\":\"overloaded_error\",\
             \"message\":\"Overloaded\"}}. Handle with `litellm.InternalServerError`.\n",
        )
        .unwrap();
        assert_eq!(
            (found.provider, found.status, found.is_status_guessed),
            (Some(Provider::Anthropic), Some(500), true)
        );
        assert!(found.text().ends_with("\"Overloaded\"}}"), "{}", found.text());
        assert_eq!(found.callers_api, Some(Api::AnthropicMessages));
    }

    #[test]
    fn the_url_and_the_model_say_more_than_the_name_of_an_exception() {
        let found = litellm_log(
            "httpx.HTTPStatusError: Server error '503 Service Unavailable' for url 'https://generativelanguage.googleapis.com/v1beta/models/g:generateContent'\n\
             litellm.ServiceUnavailableError: VertexAIException - {\n  \"error\": {\n    \"code\": 503,\n    \"message\": \"m\",\n    \"status\": \"UNAVAILABLE\"\n  }\n}\n\
             model=gemini/gemini-2.5-flash",
        )
        .unwrap();
        assert_eq!(
            (found.provider, found.status, found.is_status_guessed),
            (Some(Provider::Gemini), Some(503), false)
        );
        assert_eq!(found.host.as_deref(), Some("generativelanguage.googleapis.com"));
        assert_eq!(found.text(), r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#);
    }

    #[test]
    fn failures_of_the_connection_are_found() {
        for (text, seen, in_stream) in [
            ("litellm.Timeout: AnthropicException Timeout - Request timed out", SeenBreak::TimedOut, false),
            (
                "litellm.APIConnectionError: APIConnectionError: OpenAIException - peer closed connection without sending complete message body\nstreaming_handler.py",
                SeenBreak::Closed,
                true,
            ),
            (
                "litellm.InternalServerError: InternalServerError: OpenAIException - Connection reset by peer",
                SeenBreak::Reset,
                false,
            ),
            ("litellm.exceptions.Timeout: litellm.Timeout: timeout value=6.0", SeenBreak::TimedOut, false),
        ] {
            let found = litellm_log(text).unwrap();
            assert_eq!(
                (found.broken, found.in_stream, found.status),
                (Some(seen), in_stream, None),
                "{text}"
            );
        }
    }

    #[test]
    fn a_log_in_json_is_read_like_one_in_text() {
        let said = r#"litellm.RateLimitError: BedrockException - {"message":"Too many requests"}. Received Model Group=m"#;
        let line = serde_json::json!({"message": said, "level": "ERROR", "stacktrace": "Traceback:\n  x"})
            .to_string();
        let found = litellm_log(&line).unwrap();
        assert_eq!(found.text(), r#"{"message":"Too many requests"}"#);
        assert_eq!(found, litellm_log(said).unwrap());
    }

    #[test]
    fn names_of_providers_are_understood() {
        for (name, provider) in [
            ("Anthropic", Some(Provider::Anthropic)),
            ("AzureOpenAI", Some(Provider::Azure)),
            ("OpenAI", Some(Provider::Openai)),
            ("Openrouter", Some(Provider::Openrouter)),
            ("VertexAI", Some(Provider::Vertex)),
            ("vertex_ai_beta", Some(Provider::Vertex)),
            ("Together_ai", Some(Provider::Together)),
            ("Hosted_vllm", Some(Provider::Vllm)),
            ("Huggingface", Some(Provider::Tgi)),
            ("Replicate", None),
            ("RateLimit", None),
        ] {
            assert_eq!(provider_called(name), provider, "{name}");
        }
        assert!(litellm_log("all is well").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(litellm\\.|[A-Z][a-z]{0,4}Error: |OpenAIException|AnthropicException Timeout| - |[{}'\":é]|\n|model=|\"POST /){0,12}") {
            let _ = litellm_log(&text);
        }
    }
}
