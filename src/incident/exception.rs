//! Exceptions of SDKs, as a traceback prints them: OpenAI's and Anthropic's for Python and Node, Google's, and boto3's.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::json;

use super::{
    clue::SeenBreak,
    error::IncidentError,
    evidence::IncidentEvidence,
    exception_words::{pattern, read_members_of_node, read_message, status_of, unreadable_body},
    gateway::behind_gateway,
    litellm_log::litellm_log,
};
use crate::scenario::Provider;

/// `openai.RateLimitError: …`, `RateLimitError: …` at the start of a line, or after what a log writes there.
static RAISED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?m)(?:^|[\s|])(?:(?P<module>[A-Za-z_][\w.]*)\.)?(?P<class>[A-Z]\w*(?:Error|Exception|Timeout))(?: \[\w+\])?: ?",
    )
});

/// What AWS's SDK says: `An error occurred (ThrottlingException) when calling the Converse operation: …`.
static OF_AWS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"An error occurred \((?P<name>\w+)\) when calling the (?P<operation>\w+) operation(?: \([^)]*\))?: ?(?P<message>.*)",
    )
});

/// What the last exception of a traceback says.
///
/// # Errors
///
/// If the text contains no exception.
pub(crate) fn exception(text: &str) -> Result<IncidentEvidence, IncidentError> {
    raised(text).map(behind_gateway)
}

fn raised(text: &str) -> Result<IncidentEvidence, IncidentError> {
    let mut found = IncidentEvidence::default();
    if let Some(raised) = OF_AWS.captures_iter(text).last() {
        of_aws(&raised, &mut found);
        return Ok(found);
    }
    let Some(raised) = last_raised(text) else {
        return Err(IncidentError::NothingFound {
            missing: "no exception",
            help: "a traceback ends with a line such as `openai.RateLimitError: Error code: 429 - {…}`",
        });
    };
    let (module, class) = (raised.name("module").map_or("", |name| name.as_str()), &raised["class"]);
    if module.starts_with("litellm") {
        return litellm_log(text);
    }
    let message = text[raised.get(0).map_or(0, |all| all.end())..].trim_end();
    found.provider = provider_of(module);
    read_message(message, &mut found);
    if found.status.is_some() || found.in_stream {
        read_members_of_node(message, &mut found);
        return Ok(found);
    }
    // The words of a parser can be like those about a connection.
    if let Some((body, what)) = unreadable_body(class, message) {
        found.status = Some(200);
        found.body = body.as_bytes().to_vec();
        found.assumed.push(format!("the response had status 200 and {what}"));
        return Ok(found);
    }
    // OpenAI's SDK says this about every failure of a connection: only its cause says which one it was.
    let is_vague = class == "APIConnectionError" && message == "Connection error.";
    let seen = match is_vague {
        true => SeenBreak::of(&text.replace(message, "")),
        false => SeenBreak::of(&format!("{class}: {message}")).or_else(|| SeenBreak::of(text)),
    };
    if let Some(status) = status_of(class) {
        found.status = Some(status);
        found.is_status_guessed = true;
    } else if let Some(seen) = seen {
        found.body.clear();
        found.broken = Some(seen);
        found.in_stream = reads_a_stream(text) && !seen.is_before_a_reply();
        found.stream = found.in_stream.then_some(true);
    } else if is_vague {
        found.body.clear();
        found.broken = Some(SeenBreak::Reset);
        found.assumed.push("the connection was reset: the traceback does not say how it failed".to_owned());
    } else if matches!(class, "APIError" | "APIStatusError") {
        // Only an error event has neither a status nor a class of its own.
        found.in_stream = true;
        found.stream = Some(true);
    } else {
        return Err(IncidentError::NothingFound {
            missing: "an exception without a status and without a failure of the connection",
            help: "the last exception of the text must be one of an SDK, for example `openai.RateLimitError: Error code: 429 - {…}`",
        });
    }
    Ok(found)
}

/// The first exception on the last line that has one: exceptions of the transport are causes of those of an SDK, which come
/// after them, and a message can contain the name of another exception.
fn last_raised(text: &str) -> Option<regex::Captures<'_>> {
    let start = |raised: &regex::Captures<'_>| raised.name("class").map_or(0, |class| class.start());
    let all: Vec<_> = RAISED.captures_iter(text).collect();
    let line = text[..start(all.last()?)].rfind('\n').map_or(0, |at| at + 1);
    all.into_iter().find(|raised| start(raised) >= line)
}

/// The provider that an SDK is for. The SDK of OpenAI is used with many providers.
fn provider_of(module: &str) -> Option<Provider> {
    match module.split('.').next()? {
        "openai" => None,
        "google" => Some(Provider::Gemini),
        "mistralai" => Some(Provider::Mistral),
        name => name.parse().ok(),
    }
}

fn of_aws(raised: &regex::Captures<'_>, found: &mut IncidentEvidence) {
    found.provider = Some(Provider::Bedrock);
    found.in_stream = raised["name"].starts_with(|c: char| c.is_ascii_lowercase());
    found.stream = Some(raised["operation"].ends_with("Stream"));
    found.headers = Some(vec![("x-amzn-errortype".to_owned(), raised["name"].to_owned())]);
    found.body = json!({"message": raised["message"].trim()}).to_string().into_bytes();
}

/// Whether the traceback shows that a stream was being read.
fn reads_a_stream(text: &str) -> bool {
    [
        "_streaming.py",
        "in __stream__",
        "iter_lines",
        "iter_bytes",
        "iter_raw",
        "incomplete chunked read",
        "in __iter__",
        "in __anext__",
    ]
    .iter()
    .any(|part| text.contains(part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_status_error_has_its_status_and_its_body() {
        let found = exception(
            "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n\
             openai.RateLimitError: Error code: 429 - {'error': {'message': \"It's used up\", 'type': 'tokens', 'param': None, 'code': 'rate_limit_exceeded'}}\n",
        )
        .unwrap();
        assert_eq!((found.status, found.provider, found.in_stream), (Some(429), None, false));
        assert_eq!(
            found.text(),
            r#"{"error":{"message":"It's used up","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#
        );
    }

    #[test]
    fn a_page_is_the_body_and_its_status_is_a_guess() {
        let found = exception(
            "openai.InternalServerError: <html>\n<head><title>502 Bad Gateway</title></head>\n</html>\n",
        )
        .unwrap();
        assert_eq!((found.status, found.is_status_guessed), (Some(500), true));
        assert!(found.text().starts_with("<html>\n<head>"));
    }

    #[test]
    fn other_sdks_are_read_too() {
        let anthropic = exception("anthropic.APIStatusError: {'type': 'error', 'error': {'type': 'overloaded_error', 'message': 'Overloaded'}}").unwrap();
        assert_eq!(
            (anthropic.provider, anthropic.status, anthropic.in_stream),
            (Some(Provider::Anthropic), None, true)
        );
        let node = exception("RateLimitError: 429 {\"error\":{\"message\":\"m\"}}\n    at x").unwrap();
        assert_eq!((node.status, node.text()), (Some(429), r#"{"error":{"message":"m"}}"#.to_owned()));
        let google = exception("google.genai.errors.ServerError: 503 UNAVAILABLE. {'error': {'code': 503, 'message': 'm', 'status': 'UNAVAILABLE'}}").unwrap();
        assert_eq!((google.status, google.provider), (Some(503), Some(Provider::Gemini)));
        let aws = exception("botocore.exceptions.EventStreamError: An error occurred (throttlingException) when calling the ConverseStream operation: Too many tokens").unwrap();
        assert_eq!(
            (aws.provider, aws.in_stream, aws.text()),
            (Some(Provider::Bedrock), true, r#"{"message":"Too many tokens"}"#.to_owned())
        );
    }

    #[test]
    fn failures_of_the_connection_are_found_in_the_cause() {
        let found = exception(
            "httpx.ConnectError: [Errno 111] Connection refused\n\nThe above exception was the direct cause of the following exception:\n\n\
             openai.APIConnectionError: Connection error.\n",
        )
        .unwrap();
        assert_eq!(found.broken, Some(SeenBreak::Refused));
        let found = exception("  File \"openai/_streaming.py\", line 49, in __iter__\nhttpx.RemoteProtocolError: peer closed connection without sending complete message body (incomplete chunked read)\n").unwrap();
        assert_eq!((found.broken, found.in_stream), (Some(SeenBreak::Closed), true));
        assert_eq!(
            exception("openai.APITimeoutError: Request timed out.\n").unwrap().broken,
            Some(SeenBreak::TimedOut)
        );
        let unclear = exception("openai.APIConnectionError: Connection error.\n").unwrap();
        assert_eq!((unclear.broken, unclear.assumed.len()), (Some(SeenBreak::Reset), 1));
    }

    #[test]
    fn a_body_that_is_cut_is_not_a_closed_connection() {
        for (text, body) in [
            (
                "json.decoder.JSONDecodeError: Unterminated string starting at: line 1 column 15 (char 14)",
                "{\"id\": \"",
            ),
            (
                "requests.exceptions.JSONDecodeError: Expecting ',' delimiter: line 1 column 80 (char 79)",
                "{\"id\": \"",
            ),
            ("json.decoder.JSONDecodeError: Expecting value: line 1 column 80 (char 79)", "{\"id\": \""),
            ("json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)", "not JSON"),
            ("SyntaxError: Unexpected end of JSON input\n    at JSON.parse (<anonymous>)", "{\"id\": \""),
            ("SyntaxError: Unexpected token '<', \"<html>\" is not valid JSON", "<html></html>"),
        ] {
            let found = exception(text).unwrap();
            assert_eq!(
                (found.status, found.text().as_str(), found.broken),
                (Some(200), body, None),
                "{text}"
            );
        }
    }

    #[test]
    fn node_prints_the_members_of_an_error_after_its_stack() {
        let found = exception(
            "RateLimitError: 429 Rate limit reached for gpt-4o\n    at APIError.generate (error.js:1:2) {\n  status: 429,\n  error: {\n    \
             message: 'Rate limit reached for gpt-4o',\n    type: 'tokens',\n    param: null,\n    code: 'rate_limit_exceeded'\n  },\n  \
             code: 'rate_limit_exceeded',\n  type: 'tokens'\n}\n",
        )
        .unwrap();
        let body = r#"{"error":{"message":"Rate limit reached for gpt-4o","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#;
        assert_eq!((found.status, found.text().as_str()), (Some(429), body));
    }

    #[test]
    fn the_retries_of_botocore_are_not_part_of_the_message() {
        let found = exception("botocore.errorfactory.ThrottlingException: An error occurred (ThrottlingException) when calling the Converse operation (reached max retries: 4): Too many requests, please wait before trying again.").unwrap();
        assert_eq!(found.text(), r#"{"message":"Too many requests, please wait before trying again."}"#);
    }

    #[test]
    fn an_error_event_has_no_status() {
        let found =
            exception("openai.APIError: The server had an error while processing your request.\n").unwrap();
        assert_eq!((found.status, found.in_stream), (None, true));
        assert!(exception("no traceback").is_err());
        assert!(exception("ValueError: x").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(openai\\.|[A-Z][a-z]{0,4}Error: |Error code: |[0-9]{3}| - |[{}'\":é]|\n|An error occurred \\(){0,12}") {
            let _ = exception(&text);
        }
    }
}
