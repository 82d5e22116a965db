//! Tests of responses that all endpoints of a provider share.

mod compatible;

use std::time::Duration;

use serde_json::Value;

use crate::{
    observation::{Canaries, Identity},
    provider::{self, Header, ReceivedCall, RequestedCall},
    scenario::{Api, ErrorName, MalformedBody, Provider, Turn, TurnReply},
};

fn canaries() -> Canaries {
    Identity { token: "abc123".into() }.canaries("main", 1)
}

fn asked() -> RequestedCall {
    RequestedCall::plain(Provider::Openai, Api::OpenaiChat, false)
}

#[test]
fn the_catalogue_has_openais_form() {
    let rows: Vec<_> = ErrorName::ALL
        .iter()
        .map(|name| {
            let message = provider::error(&asked(), *name, &canaries());
            let body = message.text();
            assert_eq!(body.matches(&canaries().message).count(), 1, "{name}");
            let short = match serde_json::from_str::<Value>(&body) {
                Ok(body) => {
                    format!("{} {} {}", body["error"]["type"], body["error"]["code"], body["error"]["param"])
                }
                Err(_) => message.header("content-type").unwrap().to_owned(),
            };
            let retry =
                message.header("retry-after").map_or(String::new(), |value| format!(" retry-after {value}"));
            format!("{name} {} {short}{retry}", message.status)
        })
        .collect();
    insta::assert_snapshot!(rows.join("\n"), @r#"
    invalid_api_key 401 "invalid_request_error" "invalid_api_key" null
    missing_api_key 401 "invalid_request_error" null null
    permission 403 "request_forbidden" "unsupported_country_region_territory" null
    model_not_found 404 "invalid_request_error" "model_not_found" null
    bad_request 400 "invalid_request_error" "unsupported_parameter" "max_tokens"
    context_length 400 "invalid_request_error" "context_length_exceeded" "messages"
    content_policy 400 "invalid_request_error" "invalid_prompt" null
    too_large 413 "invalid_request_error" null null
    unprocessable 422 "invalid_request_error" null null
    rate_limit 429 "requests" "rate_limit_exceeded" null retry-after 7
    token_limit 429 "tokens" "rate_limit_exceeded" null retry-after 7
    quota 429 "insufficient_quota" "insufficient_quota" null
    internal 500 "server_error" null null
    bad_gateway 502 text/html; charset=UTF-8
    unavailable 503 "server_error" null null
    gateway_timeout 504 text/html; charset=UTF-8
    overloaded 503 "service_unavailable_error" "server_is_overloaded" null
    credit_balance_exhausted 429 "insufficient_quota" "credit_balance_exhausted" null
    organization_spend_limit_exceeded 429 "insufficient_quota" "organization_spend_limit_exceeded" null
    project_spend_limit_exceeded 429 "insufficient_quota" "project_spend_limit_exceeded" null
    organization_usage_limit_exceeded 429 "insufficient_quota" "organization_usage_limit_exceeded" null
    slow_down 429 "rate_limit_error" "slow_down" null retry-after 7
    "#);
}

#[test]
fn an_error_event_is_the_error_object_as_data() {
    let event = provider::error_event(&asked(), ErrorName::Overloaded, None, &canaries());
    let event = std::str::from_utf8(&event).unwrap();
    assert!(event.ends_with("}\n\n"));
    insta::assert_snapshot!(
        event.trim_end(),
        @r#"data: {"error":{"message":"The engine is currently overloaded, please try again later. (canary-msg-abc123-main-1)","type":"service_unavailable_error","param":null,"code":"server_is_overloaded"}}"#
    );
}

#[test]
fn used_up_limits_say_when_to_retry() {
    let headers = |name| provider::error(&asked(), name, &canaries());
    let requests = headers(ErrorName::RateLimit);
    assert_eq!(requests.header("x-ratelimit-remaining-requests"), Some("0"));
    assert_eq!(requests.header("x-ratelimit-reset-requests"), Some("7s"));
    assert_eq!(requests.header("retry-after-ms"), Some("7000"));
    assert_eq!(headers(ErrorName::TokenLimit).header("x-ratelimit-reset-tokens"), Some("7s"));
    assert_eq!(headers(ErrorName::Quota).header("retry-after"), None);
}

#[test]
fn malformed_responses_are_invalid() {
    for malform in [MalformedBody::NotJson, MalformedBody::Empty, MalformedBody::Html, MalformedBody::CutJson]
    {
        let message = provider::malformed(&asked(), malform, None, &canaries());
        assert_eq!(message.status, 200);
        assert!(serde_json::from_str::<Value>(&message.text()).is_err(), "{malform:?}");
    }
    let error = provider::malformed(&asked(), MalformedBody::Error(ErrorName::Quota), None, &canaries());
    assert_eq!(error.status, 200);
    assert!(error.text().contains("insufficient_quota"));
}

#[test]
fn unknown_paths_and_methods_get_openais_own_errors() {
    let read = |method, path| {
        let headers = &[Header { name: "authorization", value: b"Bearer sk-x" }];
        let received = ReceivedCall { method, path, headers, body: b"{}" };
        provider::read(Provider::Openai, &received, &canaries()).map_err(|(_, refusal)| refusal)
    };
    assert_eq!(read("POST", "/v1/chat/completions?x=1").unwrap().api, Some(Api::OpenaiChat));
    let unknown = read("POST", "/v1/nothing").unwrap_err();
    assert_eq!(unknown.status, 404);
    assert!(unknown.text().contains("Invalid URL (POST /v1/nothing)"));
    let method = read("GET", "/v1/chat/completions").unwrap_err();
    assert_eq!((method.status, method.header("allow")), (405, Some("POST")));
}

#[test]
fn everything_in_an_error_that_states_a_wait_follows_the_header_of_the_turn() {
    let standard = ["7", "7s", "7000", "86400", "1700000007", "1700000007000", "27Z"];
    for provider in Provider::ALL.iter().copied() {
        for name in ErrorName::ALL.iter().copied() {
            let turn = Turn {
                answer: TurnReply::Error(name),
                headers: [("Retry-After".to_owned(), Some("4321".to_owned()))].into_iter().collect(),
                faults: vec![],
            };
            let asked = RequestedCall::plain(provider, Api::OpenaiChat, false);
            let message = provider::message(&asked, &turn, &canaries());
            let wait = provider::asked_wait(&message);
            assert_eq!(wait, Some(Duration::from_secs(4321)), "{provider} {name}");
            let event = provider::error_event_after(&asked, name, None, 0, wait, &canaries());
            let text =
                format!("{:?} {} {}", message.headers, message.text(), String::from_utf8_lossy(&event));
            // The pages of networks contain numbers and state no wait.
            let is_page = message.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
            let stated: Vec<&str> = text
                .split(|c: char| !c.is_ascii_alphanumeric())
                .filter(|word| standard.contains(word))
                .collect();
            assert!(is_page || stated.is_empty(), "{provider} {name}: {stated:?} in {text}");
        }
    }
}
