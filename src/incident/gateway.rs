//! Responses that a gateway wrote, and what they say about the provider behind it.

use super::{
    evidence::IncidentEvidence,
    litellm_log::{callers_api, is_of_litellm, litellm_log},
    seen_error::SeenError,
    seen_stream::{self, StreamEnd},
};
use crate::{observation::passed_on, provider, scenario::Api};

/// What the evidence says about the provider. That is the evidence itself, unless LiteLLM wrote the response, as its headers
/// or its words show: people paste what their callers got. Then the error is that in LiteLLM's message, the headers are those
/// that LiteLLM passed on, and the status is a guess.
pub(super) fn behind_gateway(found: IncidentEvidence) -> IncidentEvidence {
    let is_success = matches!(found.status, Some(200..300)) && !found.in_stream;
    let asked = found.path.as_deref().and_then(callers_api).or(found.provider.map(provider::own_chat));
    let form = asked.unwrap_or(Api::OpenaiChat);
    let said = if is_success { error_in_stream(&found, form) } else { Some(SeenError::of(&found).message) };
    let said = said.filter(|said| is_of_litellm(said));
    if said.is_none() && !has_litellms_headers(&found) {
        return found;
    }
    let inner = said.as_ref().and_then(|said| litellm_log(said).ok());
    let mut behind = IncidentEvidence {
        host: None,
        path: None,
        callers_api: found.callers_api.or(asked),
        provider: if said.is_some() { None } else { found.provider },
        headers: headers_of_the_provider(&found, is_success, inner.is_some()),
        ..found.clone()
    };
    if let Some(base) = found.header("x-litellm-model-api-base") {
        behind.set_url(base);
        behind.path = None;
    }
    if let Some(inner) = &inner {
        behind.provider = inner.provider;
    }
    let name = match &behind.provider {
        Some(provider) => provider.to_string(),
        None => "the provider".to_owned(),
    };
    behind.assumed.push(match (&inner, is_success) {
        (_, true) => format!("LiteLLM wrote the response: what {name} sent is inferred from it"),
        (Some(_), _) if behind.headers.is_some() => {
            format!("LiteLLM wrote the response: what {name} sent is inferred from its message and headers")
        }
        (Some(_), _) => format!("LiteLLM wrote the response: what {name} sent is inferred from its message"),
        (None, _) => "LiteLLM wrote the response, and it does not say what the provider sent: it is treated as the provider's"
            .to_owned(),
    });
    match inner {
        _ if is_success => behind.form = Some(form),
        Some(inner) => {
            behind.in_stream |= inner.in_stream;
            behind.stream = behind.stream.or(behind.in_stream.then_some(true));
            behind.status = match inner.broken {
                Some(_) => None,
                None => inner.status.or(found.status),
            };
            behind.is_status_guessed = behind.status.is_some();
            behind.body = inner.body;
            behind.broken = inner.broken;
            behind.assumed.extend(inner.assumed);
        }
        None => {}
    }
    behind
}

/// The error of the provider in an error that LiteLLM wrote into a stream.
pub(super) fn error_behind(error: SeenError) -> SeenError {
    match litellm_log(&error.message) {
        Ok(inner) if is_of_litellm(&error.message) => SeenError::of(&inner),
        _ => error,
    }
}

fn has_litellms_headers(found: &IncidentEvidence) -> bool {
    found
        .headers
        .iter()
        .flatten()
        .any(|(name, _)| name.starts_with("x-litellm-") || passed_on(name).is_some())
}

/// The headers that LiteLLM passed on, without its prefix; `None` if there are none.
fn headers_of_the_provider(
    found: &IncidentEvidence,
    is_success: bool,
    has_error: bool,
) -> Option<Vec<(String, String)>> {
    let all = || found.headers.iter().flatten();
    let mut own: Vec<(String, String)> =
        all().filter_map(|(name, value)| Some((passed_on(name)?.to_owned(), value.clone()))).collect();
    // LiteLLM adds no prefix to a wait that it passes on as its own, and the type of a success says how to read its body.
    let kept = |name: &str| name == "content-type" && is_success || name == "retry-after" && has_error;
    for (name, value) in all().filter(|(name, _)| kept(name)) {
        if is_success || own.iter().all(|(other, _)| other != name) {
            own.insert(0, (name.clone(), value.clone()));
        }
    }
    Some(own).filter(|own| !own.is_empty())
}

/// The message of the error event in a stream in this form.
fn error_in_stream(found: &IncidentEvidence, form: Api) -> Option<String> {
    // Most streams need not be read here.
    let carrier = seen_stream::carrier(found, form).filter(|_| is_of_litellm(&found.text()))?;
    match seen_stream::read(form, carrier, &found.body, found.broken).end {
        StreamEnd::Error(error) => Some(error.message),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Provider;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> IncidentEvidence {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        IncidentEvidence {
            host: Some("gateway.test".to_owned()),
            path: Some("/v1/messages".to_owned()),
            status: Some(status),
            headers: Some(headers.collect()),
            body: body.into(),
            ..IncidentEvidence::default()
        }
    }

    #[test]
    fn an_error_that_litellm_reports_is_that_of_the_provider() {
        let found = behind_gateway(response(
            500,
            &[("llm_provider-retry-after", "27"), ("x-litellm-call-id", "c"), ("server", "uvicorn")],
            r#"{"type":"error","error":{"type":"api_error","message":"litellm.InternalServerError: AnthropicException - {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\nLiteLLM: model group 'm' failed with the error above. No fallback was attempted."}}"#,
        ));
        assert_eq!(
            found.text(),
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#
        );
        assert_eq!(
            (found.provider, found.callers_api),
            (Some(Provider::Anthropic), Some(Api::AnthropicMessages))
        );
        assert_eq!((found.status, found.is_status_guessed), (Some(500), true));
        assert_eq!(found.headers, Some(vec![("retry-after".to_owned(), "27".to_owned())]));
        assert_eq!((found.host, found.path), (None, None));
    }

    #[test]
    fn a_connection_that_failed_behind_litellm_has_no_status() {
        let found = behind_gateway(response(
            408,
            &[],
            r#"{"error":{"message":"litellm.Timeout: AzureException Timeout - Request timed out.","code":"408"}}"#,
        ));
        assert!(found.broken.is_some());
        assert_eq!((found.status, found.provider), (None, Some(Provider::Azure)));
    }

    #[test]
    fn a_stream_of_litellm_is_read_in_the_form_of_its_caller() {
        let found = behind_gateway(response(
            200,
            &[
                ("content-type", "text/event-stream"),
                ("x-litellm-model-api-base", "https://x.openai.azure.com/"),
            ],
            "event: message_start\ndata: {\"type\":\"message_start\"}\n\n",
        ));
        assert_eq!(found.form, Some(Api::AnthropicMessages));
        assert_eq!(found.host.as_deref(), Some("x.openai.azure.com"));
        assert_eq!(found.header("content-type"), Some("text/event-stream"));
    }

    #[test]
    fn other_responses_are_left_as_they_are() {
        let own = response(500, &[("server", "cloudflare")], r#"{"error":{"message":"litellm is a word"}}"#);
        assert_eq!(behind_gateway(own.clone()), own);
        let unclear =
            behind_gateway(response(400, &[("x-litellm-call-id", "c")], r#"{"error":{"message":"m"}}"#));
        assert_eq!((unclear.status, unclear.text()), (Some(400), r#"{"error":{"message":"m"}}"#.to_owned()));
        assert!(unclear.assumed[0].contains("treated as the provider's"), "{:?}", unclear.assumed);
    }
}
