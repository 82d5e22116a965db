//! A response of evidence, as a literal reply of a scenario.

use indexmap::IndexMap;
use serde_json::Value;

use super::{
    error::IncidentError,
    evidence::IncidentEvidence,
    redact::{redacted, redacted_json},
};
use crate::{
    provider,
    scenario::{Api, Combination, TurnReply},
};

/// The longest body that a scenario should contain.
const LONGEST: usize = 64 * 1024;

/// Headers that say something about the failure. All others are of one connection, one account or one day.
const KEPT: [&str; 7] = [
    "content-type",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-amzn-errortype",
    "www-authenticate",
    "allow",
];

/// A literal reply with its headers, and how many secrets were removed from it.
#[derive(Debug)]
pub(super) struct LiteralReply {
    /// The status and the body.
    pub reply: TurnReply,
    /// The headers that matter.
    pub headers: IndexMap<String, Option<String>>,
    /// How many keys and similar texts were replaced.
    pub redacted: usize,
}

/// The response that evidence shows, for the cases with these combinations. A body that only one endpoint of the provider
/// can send is written for that endpoint.
///
/// # Errors
///
/// If the body is too long.
pub(super) fn literal(
    evidence: &IncidentEvidence,
    status: u16,
    endpoint: Api,
    cases: &[Combination],
) -> Result<LiteralReply, IncidentError> {
    if evidence.body.len() > LONGEST {
        return Err(IncidentError::TooLong { bytes: evidence.body.len(), most: LONGEST });
    }
    let text = evidence.text();
    let json = serde_json::from_str::<Value>(&text).ok().filter(|json| json.is_object() || json.is_array());
    let (text, in_text) = redacted(&text);
    let (json, mut count) = match json.map(redacted_json) {
        Some((json, count)) => (Some(json), count),
        None => (None, in_text),
    };
    let mut headers = IndexMap::new();
    let usual = match &json {
        Some(_) => "application/json",
        None if text.trim_start().starts_with('<') => "text/html",
        None => "text/plain",
    };
    for (name, value) in evidence.headers.iter().flatten().filter(|(name, _)| KEPT.contains(&name.as_str())) {
        let is_usual =
            name == "content-type" && value.split(';').next().is_some_and(|kind| kind.trim() == usual);
        let (value, more) = redacted(value);
        count += more;
        if !is_usual {
            headers.insert(name.clone(), Some(value));
        }
    }
    let body = json.unwrap_or(Value::String(text));
    let is_empty = body.as_str().is_some_and(str::is_empty);
    let mut endpoints: Vec<Api> = cases.iter().flat_map(|case| provider::asked_endpoints(*case)).collect();
    endpoints.sort_unstable();
    endpoints.dedup();
    let others: Vec<Api> = endpoints.into_iter().filter(|other| *other != endpoint).collect();
    let (body, bodies) = if others.is_empty() || is_empty || !provider::is_of_a_dialect(&body) {
        (Some(body).filter(|_| !is_empty), IndexMap::new())
    } else {
        let own = std::iter::once((endpoint, body));
        (None, own.chain(others.into_iter().map(|other| (other, Value::Null))).collect())
    };
    Ok(LiteralReply {
        reply: TurnReply::Literal { status, body, bodies, chunks: Vec::new() },
        headers,
        redacted: count,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scenario::Provider;

    fn evidence(body: &str) -> IncidentEvidence {
        let headers = [
            ("content-type", "application/json; charset=UTF-8"),
            ("retry-after", "3"),
            ("date", "x"),
            ("set-cookie", "s"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        IncidentEvidence { headers: Some(headers.into()), body: body.into(), ..IncidentEvidence::default() }
    }

    fn cases(provider: Provider, apis: &[Api]) -> Vec<Combination> {
        apis.iter().map(|api| Combination { api: *api, provider, stream: false }).collect()
    }

    #[test]
    fn only_headers_about_the_failure_are_kept_and_keys_are_removed() {
        let body = r#"{"error": "wrong key sk-abcdef123456"}"#;
        let found =
            literal(&evidence(body), 401, Api::OpenaiChat, &cases(Provider::Openai, &[Api::OpenaiChat]))
                .unwrap();
        assert_eq!(found.headers, [("retry-after".to_owned(), Some("3".to_owned()))].into());
        let body = Some(json!({"error": "wrong key REDACTED"}));
        assert_eq!(
            found.reply,
            TurnReply::Literal { status: 401, body, bodies: IndexMap::new(), chunks: Vec::new() }
        );
        assert_eq!(found.redacted, 1);
    }

    #[test]
    fn a_body_of_one_dialect_is_written_for_its_endpoint() {
        let both = cases(Provider::Openai, &[Api::OpenaiChat, Api::AnthropicMessages]);
        let found = literal(&evidence("{}"), 400, Api::OpenaiChat, &both).unwrap();
        let TurnReply::Literal { body: None, bodies, .. } = found.reply else { panic!("{:?}", found.reply) };
        assert_eq!(bodies[&Api::OpenaiChat], json!({}));
        assert!(bodies[&Api::OpenaiResponses].is_null());
        let page = literal(&evidence("<html></html>"), 502, Api::OpenaiChat, &both).unwrap();
        assert!(matches!(page.reply, TurnReply::Literal { body: Some(_), .. }));
        let empty = literal(&evidence(""), 502, Api::OpenaiChat, &both).unwrap();
        assert!(
            matches!(empty.reply, TurnReply::Literal { body: None, ref bodies, .. } if bodies.is_empty())
        );
    }

    #[test]
    fn a_body_that_is_too_long_is_refused() {
        let error = literal(&evidence(&"x".repeat(70_000)), 500, Api::OpenaiChat, &[]).unwrap_err();
        assert!(error.to_string().contains("70000 bytes"), "{error}");
    }
}
