//! The errors of Azure, in its own form.

use super::*;

fn asked() -> RequestedCall {
    RequestedCall::plain(Provider::Azure, Api::OpenaiChat, false)
}

#[test]
fn the_catalogue_has_azures_form() {
    let rows: Vec<_> = ErrorName::COMMON
        .iter()
        .map(|name| {
            let message = provider::error(&asked(), *name, &canaries());
            let body = String::from_utf8(bytes(&message)).unwrap();
            assert_eq!(body.matches(&canaries().message).count(), 1, "{name}");
            let retry =
                message.header("retry-after").map_or(String::new(), |value| format!(" retry-after {value}"));
            let Ok(body) = serde_json::from_str::<Value>(&body) else {
                return format!("{name} {} page", message.status);
            };
            let members: Vec<_> = body["error"].as_object().unwrap().keys().map(String::as_str).collect();
            format!("{name} {} {} {}{retry}", message.status, body["error"]["code"], members.join(" "))
        })
        .collect();
    insta::assert_snapshot!(rows.join("\n"), @r#"
    invalid_api_key 401 "401" code message
    missing_api_key 401 "401" code message
    permission 403 "Forbidden" code message
    model_not_found 404 "DeploymentNotFound" code message
    bad_request 400 "unsupported_parameter" message type param code
    context_length 400 "context_length_exceeded" message type param code
    content_policy 400 "content_filter" message type param code status innererror
    too_large 413 "413" code message
    unprocessable 422 null message type param code
    rate_limit 429 "429" code message retry-after 7
    token_limit 429 "429" code message retry-after 7
    quota 429 "429" code message retry-after 86400
    internal 500 "InternalServerError" code message
    bad_gateway 502 page
    unavailable 503 "ServiceUnavailable" code message
    gateway_timeout 504 page
    overloaded 429 "429" code message
    "#);
}

#[test]
fn a_filtered_prompt_names_what_it_was_filtered_for() {
    let message = provider::error(&asked(), ErrorName::ContentPolicy, &canaries());
    let error = &value(&message)["error"];
    assert_eq!(message.status, 400);
    assert_eq!((&error["status"], &error["type"]), (&json!(400), &Value::Null));
    assert_eq!(error["innererror"]["code"], "ResponsibleAIPolicyViolation");
    assert_eq!(error["innererror"]["content_filter_result"]["violence"]["filtered"], true);
}

#[test]
fn a_used_up_limit_says_in_seconds_and_in_milliseconds_when_to_retry() {
    let message = provider::error(&asked(), ErrorName::TokenLimit, &canaries());
    let header = |name| message.header(name);
    assert_eq!((header("retry-after"), header("retry-after-ms")), (Some("7"), Some("7000")));
    assert_eq!(
        (header("x-ratelimit-remaining-tokens"), header("x-ratelimit-reset-tokens")),
        (Some("407"), Some("7"))
    );
    assert_eq!(header("apim-request-id"), Some("req_abc123-main-1"));
    assert_eq!(header("azureml-model-session"), Some("canary-hdr-abc123-main-1"));
}

#[test]
fn a_chat_reports_its_filter_results() {
    let plain = value(&provider::reply(&asked(), &SuccessReply::Ok, &canaries()));
    assert_eq!(plain["prompt_filter_results"][0]["content_filter_results"]["hate"]["filtered"], false);
    assert_eq!(plain["choices"][0]["content_filter_results"]["violence"]["severity"], "safe");

    let asked = RequestedCall { stream: true, ..asked() };
    let stream = events(&provider::reply(&asked, &SuccessReply::Ok, &canaries()));
    let first = &stream[0].1;
    assert_eq!((&first["choices"], &first["id"]), (&json!([]), &json!("")));
    assert!(first["prompt_filter_results"].is_array());
    for (_, chunk) in &stream[1..stream.len() - 1] {
        assert!(chunk["choices"][0]["content_filter_results"].is_object());
    }
    // One for the filters, one for the role, five of content, one for the end, and `[DONE]`.
    assert_eq!(stream.len(), 9);
}

#[test]
fn the_deployment_in_the_path_is_the_model_and_either_key_works() {
    let path = "/openai/deployments/gpt%204/chat/completions?api-version=2024-10-21";
    for (name, sent) in [("api-key", "k"), ("authorization", "Bearer k")] {
        let headers = &[Header { name, value: sent.as_bytes() }];
        let received = ReceivedCall { method: "POST", path, headers, body: b"{\"model\": \"other\"}" };
        let asked = provider::read(Provider::Azure, &received, &canaries()).unwrap();
        assert_eq!((asked.model.as_str(), asked.key.as_deref()), ("gpt 4", Some("k")));
    }
    let received = ReceivedCall { method: "POST", path, headers: &[], body: b"{}" };
    let (_, refusal) = provider::read(Provider::Azure, &received, &canaries()).unwrap_err();
    assert_eq!((refusal.status, &value(&refusal)["error"]["code"]), (401, &json!("401")));
}
