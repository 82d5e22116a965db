//! Providers that serve OpenAI's chat, each with its own errors.

use serde_json::{Value, json};

use super::canaries;
use crate::{
    provider::{
        self, ErrorBodyForm, MessageBody, ProviderMessage, ReceivedCall, RequestedCall, SourceConfidence,
    },
    scenario::{Api, ErrorName, EventForm, Provider, SuccessReply},
};

const PROVIDERS: [Provider; 12] = [
    Provider::Mistral,
    Provider::Groq,
    Provider::Deepseek,
    Provider::Together,
    Provider::Fireworks,
    Provider::Xai,
    Provider::Perplexity,
    Provider::Openrouter,
    Provider::Ollama,
    Provider::Vllm,
    Provider::Tgi,
    Provider::Nvidia,
];

fn chat(provider: Provider, stream: bool) -> RequestedCall {
    RequestedCall::plain(provider, Api::OpenaiChat, stream)
}

fn failed(provider: Provider, name: ErrorName) -> (ErrorBodyForm, ProviderMessage) {
    let form = provider::catalogue_row(provider, name).form.unwrap_or(provider::profile(provider).form);
    (form, provider::error(&chat(provider, false), name, &canaries()))
}

fn is_page(form: ErrorBodyForm) -> bool {
    matches!(
        form,
        ErrorBodyForm::NginxPage
            | ErrorBodyForm::OpenrestyPage
            | ErrorBodyForm::CloudflarePage
            | ErrorBodyForm::CloudflareBrandedPage
    )
}

/// The name of the header that carries the request id, and of the one that carries the header canary.
fn own_headers(provider: Provider) -> [&'static str; 2] {
    let named = |canary| {
        let headers = &provider::profile(provider).headers;
        headers.iter().find(|(_, value)| *value == canary).map(|(name, _)| name.as_str()).unwrap()
    };
    [named("{{canary.request_id}}"), named("{{canary.header}}")]
}

/// The member of a body that contains the error text, in each form.
fn text_member(form: ErrorBodyForm) -> &'static str {
    match form {
        ErrorBodyForm::Openai
        | ErrorBodyForm::OpenaiSparse
        | ErrorBodyForm::Anthropic
        | ErrorBodyForm::Google => "/error/message",
        ErrorBodyForm::Detail | ErrorBodyForm::Problem => "/detail",
        ErrorBodyForm::CodeAndError | ErrorBodyForm::Text => "/error",
        _ => "/message",
    }
}

#[test]
fn every_error_has_a_body_of_its_form_with_the_message_once() {
    for provider in PROVIDERS {
        for name in ErrorName::COMMON {
            let (form, message) = failed(provider, *name);
            let body = message.text();
            let (seen, content_type) =
                (body.matches(&canaries().message).count(), message.header("content-type"));
            match form {
                ErrorBodyForm::Empty => {
                    assert_eq!((body.as_str(), content_type), ("", None), "{provider} {name}")
                }
                ErrorBodyForm::Plain => {
                    assert_eq!((seen, content_type), (1, Some("text/plain")), "{provider} {name}")
                }
                form if is_page(form) => {
                    assert_eq!((seen, content_type), (1, Some("text/html; charset=UTF-8")));
                    assert!(body.starts_with('<'), "{provider} {name}");
                }
                form => {
                    assert_eq!((seen, content_type), (1, Some("application/json")), "{provider} {name}");
                    let body: Value = serde_json::from_str(&body).unwrap();
                    let reported = body.pointer(text_member(form)).unwrap();
                    assert!(reported.to_string().contains(&canaries().message), "{provider} {name}: {body}");
                }
            }
        }
    }
}

#[test]
fn responses_of_the_provider_have_its_headers_and_network_pages_have_none() {
    for provider in PROVIDERS {
        let [request_id, own] = own_headers(provider);
        for name in ErrorName::COMMON {
            let (form, message) = failed(provider, *name);
            let expected = (!is_page(form)).then_some(canaries());
            let seen = (message.header(request_id), message.header(own));
            let expected =
                expected.as_ref().map(|canaries| (&*canaries.request_id, &*canaries.header)).unzip();
            assert_eq!(seen, expected, "{provider} {name}");
        }
        let reply = provider::reply(&chat(provider, false), &SuccessReply::Ok, &canaries());
        assert_eq!(reply.header(request_id), Some(&*canaries().request_id), "{provider}");
    }
}

/// `status form type / code`, as far as a row has them, and a mark if the row is recalled.
fn fact(provider: Provider, name: ErrorName) -> String {
    let (form, message) = failed(provider, name);
    let body: Value = serde_json::from_str(&message.text()).unwrap_or_default();
    let error = if body["error"].is_object() { &body["error"] } else { &body };
    let member = |name: &str| error.get(name).filter(|value| !value.is_null());
    let kind = ["type", "error_type", "title"].into_iter().find_map(member);
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let reported: Vec<_> = [kind, member("code")].into_iter().flatten().map(shown).collect();
    let recalled = provider::catalogue_row(provider, name).confidence == SourceConfidence::Recalled;
    let mark = if recalled { " (recalled)" } else { "" };
    format!("{} {form:?} {}", message.status, reported.join(" / ")).trim_end().to_owned() + mark
}

#[test]
fn the_same_error_at_different_providers() {
    let meanings = [
        ErrorName::InvalidApiKey,
        ErrorName::Quota,
        ErrorName::ContextLength,
        ErrorName::RateLimit,
        ErrorName::Internal,
        ErrorName::BadGateway,
        ErrorName::Overloaded,
    ];
    let table: Vec<_> = meanings
        .iter()
        .map(|name| {
            let rows: Vec<_> = PROVIDERS
                .iter()
                .map(|provider| format!("  {:<10} {}", provider.as_str(), fact(*provider, *name)))
                .collect();
            format!("{name}\n{}", rows.join("\n"))
        })
        .collect();
    insta::assert_snapshot!(table.join("\n"), @"
    invalid_api_key
      mistral    401 Detail
      groq       401 OpenaiSparse invalid_request_error / invalid_api_key
      deepseek   401 Openai authentication_error / invalid_request_error
      together   401 Openai invalid_request_error / invalid_api_key
      fireworks  401 OpenaiSparse invalid_request_error (recalled)
      xai        400 CodeAndError Client specified an invalid argument
      perplexity 401 OpenrestyPage
      openrouter 401 OpenaiSparse 401
      ollama     401 Openai api_error
      vllm       401 Text (recalled)
      tgi        401 Empty
      nvidia     403 Problem Forbidden
    quota
      mistral    402 Flat payment_required
      groq       400 OpenaiSparse invalid_request_error / blocked_api_access (recalled)
      deepseek   402 Openai unknown_error / invalid_request_error
      together   402 Openai credit_limit
      fireworks  412 Openai error / PRECONDITION_FAILED
      xai        429 CodeAndError Some resource has been exhausted
      perplexity 401 OpenrestyPage (recalled)
      openrouter 402 OpenaiSparse 402
      ollama     429 Openai api_error (recalled)
      vllm       402 Openai PaymentRequiredError / 402 (recalled)
      tgi        402 Text
      nvidia     402 Problem Payment Required (recalled)
    context_length
      mistral    400 Flat invalid_request_error / 3051 (recalled)
      groq       413 OpenaiSparse tokens / rate_limit_exceeded
      deepseek   400 Openai invalid_request_error / invalid_request_error (recalled)
      together   403 Openai invalid_request_error
      fireworks  400 Openai invalid_request_error (recalled)
      xai        400 CodeAndError Client specified an invalid argument (recalled)
      perplexity 400 OpenaiSparse bad_request / 400 (recalled)
      openrouter 400 OpenaiSparse 400
      ollama     400 Openai invalid_request_error
      vllm       400 Openai BadRequestError / 400
      tgi        422 Text validation
      nvidia     400 Flat invalid_request_error (recalled)
    rate_limit
      mistral    429 Flat rate_limited / 1300
      groq       429 OpenaiSparse requests / rate_limit_exceeded
      deepseek   429 Openai rate_limit_error / invalid_request_error
      together   429 Openai model_rate_limit
      fireworks  429 Openai error / RATE_LIMITED (recalled)
      xai        429 CodeAndError Some resource has been exhausted (recalled)
      perplexity 429 OpenaiSparse request_rate_limit_exceeded / 429 (recalled)
      openrouter 429 OpenaiSparse 429
      ollama     429 Openai api_error (recalled)
      vllm       429 NginxPage (recalled)
      tgi        429 Text overloaded
      nvidia     429 Problem Too Many Requests (recalled)
    internal
      mistral    500 Flat internal_server_error / 1000
      groq       500 OpenaiSparse internal_server_error
      deepseek   500 Openai internal_server_error / invalid_request_error
      together   500 Openai server_error
      fireworks  500 Openai error / INTERNAL (recalled)
      xai        500 CodeAndError Internal error (recalled)
      perplexity 500 OpenaiSparse internal_server_error / 500 (recalled)
      openrouter 502 OpenaiSparse 502
      ollama     500 Openai api_error
      vllm       500 Openai InternalServerError / 500
      tgi        424 Text generation
      nvidia     500 Problem Internal Server Error (recalled)
    bad_gateway
      mistral    502 CloudflarePage (recalled)
      groq       502 CloudflarePage (recalled)
      deepseek   502 OpenrestyPage (recalled)
      together   502 CloudflarePage (recalled)
      fireworks  520 CloudflareBrandedPage (recalled)
      xai        502 CloudflarePage (recalled)
      perplexity 502 CloudflarePage (recalled)
      openrouter 502 CloudflarePage (recalled)
      ollama     502 NginxPage (recalled)
      vllm       502 NginxPage (recalled)
      tgi        502 NginxPage (recalled)
      nvidia     502 NginxPage (recalled)
    overloaded
      mistral    429 Flat invalid_request_error
      groq       498 OpenaiSparse capacity_exceeded
      deepseek   503 Openai service_unavailable_error / invalid_request_error
      together   503 Openai overloaded_error
      fireworks  503 Openai error / SERVICE_OVERLOADED (recalled)
      xai        503 CodeAndError The service is currently unavailable (recalled)
      perplexity 503 OpenaiSparse overloaded / 503 (recalled)
      openrouter 529 OpenaiSparse 529
      ollama     503 Openai api_error
      vllm       503 Openai ServiceUnavailableError / 503 (recalled)
      tgi        429 Text overloaded
      nvidia     503 Problem Service Unavailable (recalled)
    ");
}

#[test]
fn limits_are_reported_in_each_providers_headers() {
    let limited = |provider, name: &str| {
        let message = failed(provider, ErrorName::RateLimit).1;
        message.header(name).map(str::to_owned)
    };
    for (provider, header, value) in [
        (Provider::Groq, "retry-after", Some("7")),
        (Provider::Groq, "retry-after-ms", None),
        (Provider::Groq, "x-ratelimit-reset-requests", Some("7s")),
        (Provider::Together, "x-ratelimit-remaining", Some("0")),
        (Provider::Together, "x-ratelimit-reset", Some("7")),
        (Provider::Together, "retry-after", None),
        (Provider::Mistral, "x-ratelimit-remaining-req-minute", Some("0")),
        (Provider::Mistral, "ratelimitbysize-limit", Some("30000")),
        (Provider::Mistral, "retry-after", None),
        (Provider::Openrouter, "retry-after", Some("7")),
        (Provider::Openrouter, "x-ratelimit-limit-requests", None),
        (Provider::Tgi, "retry-after", None),
    ] {
        assert_eq!(limited(provider, header).as_deref(), value, "{provider} {header}");
    }
}

fn event(provider: Provider, name: ErrorName, form: Option<EventForm>) -> String {
    let event = provider::error_event(&chat(provider, true), name, form, &canaries());
    String::from_utf8(event.to_vec()).unwrap()
}

#[test]
fn an_error_in_a_stream_that_has_begun_is_one_event_with_the_message_once() {
    for provider in PROVIDERS {
        for name in ErrorName::COMMON {
            let event = event(provider, *name, None);
            let (data, rest) = event.strip_prefix("data: ").unwrap().split_once("\n\n").unwrap();
            assert_eq!(data.matches(&canaries().message).count(), 1, "{provider} {name}");
            // Clients ignore an event without this member.
            let error = &serde_json::from_str::<Value>(data).unwrap()["error"];
            assert!(error.is_object() || error.is_string(), "{provider} {name}: {data}");
            let expected = if provider == Provider::Vllm { "data: [DONE]\n\n" } else { "" };
            assert_eq!(rest, expected, "{provider} {name}");
        }
    }
}

#[test]
fn events_of_an_error_differ_by_provider() {
    let events = [
        (Provider::Openrouter, ErrorName::Overloaded),
        (Provider::Tgi, ErrorName::Overloaded),
        (Provider::Vllm, ErrorName::ModelNotFound),
        (Provider::Ollama, ErrorName::Overloaded),
    ]
    .map(|(provider, name)| format!("{provider}: {}", event(provider, name, None).trim_end()));
    insta::assert_snapshot!(events.join("\n"), @r#"
    openrouter: data: {"id":"gen-req_abc123-main-1","object":"chat.completion.chunk","created":1700000000,"model":"openai/gpt-4o-mini","provider":"OpenAI","error":{"code":529,"message":"The provider is overloaded. (canary-msg-abc123-main-1)"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}
    tgi: data: {"error":{"message":"Model is overloaded (canary-msg-abc123-main-1)","http_status_code":422}}
    vllm: data: {"error":{"message":"The model `meta-llama/Llama-3.1-8B-Instruct` does not exist. (canary-msg-abc123-main-1)","type":"NotFoundError","param":null,"code":404}}

    data: [DONE]
    ollama: data: {"error":{"message":"server busy, please try again.  maximum pending requests exceeded (canary-msg-abc123-main-1)","type":"api_error","param":null,"code":null}}
    "#);
    assert!(event(Provider::Groq, ErrorName::Internal, Some(EventForm::Named)).starts_with("event: error\n"));
}

#[test]
fn an_endpoint_of_another_dialect_has_its_own_error_form_and_types() {
    let reported = |provider, api| {
        let message =
            provider::error(&RequestedCall::plain(provider, api, false), ErrorName::Overloaded, &canaries());
        let body: Value = serde_json::from_str(&message.text()).unwrap();
        (message.status, body)
    };
    let (status, body) = reported(Provider::Ollama, Api::OpenaiChat);
    assert_eq!((status, &body["error"]["type"]), (503, &json!("api_error")));
    let (status, body) = reported(Provider::Ollama, Api::OllamaChat);
    assert_eq!((status, body["error"].is_string()), (503, true));
    for (provider, kind) in [
        (Provider::Ollama, "overloaded_error"),
        (Provider::Deepseek, "api_error"),
        (Provider::Openrouter, "overloaded_error"),
    ] {
        let (_, body) = reported(provider, Api::AnthropicMessages);
        assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!(kind)));
        assert_eq!(body["request_id"], canaries().request_id);
    }
}

#[test]
fn responses_have_the_members_that_a_provider_adds() {
    let events = |provider| {
        let message = provider::reply(&chat(provider, true), &SuccessReply::Ok, &canaries());
        let MessageBody::Events { events, .. } = message.body else { panic!("no stream") };
        events.iter().map(|event| String::from_utf8(event.to_vec()).unwrap()).collect::<Vec<_>>()
    };
    assert!(events(Provider::Openrouter)[0].starts_with(": OPENROUTER PROCESSING\n\ndata: "));
    assert!(events(Provider::Deepseek)[0].starts_with(": keep-alive\n\ndata: "));
    let groq = events(Provider::Groq);
    let (first, last) = (&groq[0], &groq[groq.len() - 1]);
    assert!(first.contains(r#""x_groq":{"id":"req_"#) && last.contains(r#""x_groq":{"id":"req_"#));
    assert!(!groq[1].contains("x_groq"));
    assert!(events(Provider::Together).iter().all(|event| event.contains(r#""role":"assistant""#)));
    assert!(events(Provider::Perplexity).iter().all(|event| event.contains("search_results")));
}

#[test]
fn a_key_is_required_if_the_provider_requires_one() {
    for provider in PROVIDERS {
        let profile = provider::profile(provider);
        let path =
            profile.routes.iter().find(|row| row.api == Api::OpenaiChat).unwrap().post.as_deref().unwrap();
        assert!(path.starts_with(provider::base_path(provider)), "{provider}");
        let received = ReceivedCall { method: "POST", path, headers: &[], body: b"{}" };
        let open = matches!(provider, Provider::Ollama | Provider::Vllm | Provider::Tgi);
        let read = provider::read(provider, &received, &canaries());
        assert_eq!(read.is_ok(), open, "{provider}");
        if let Err((_, refusal)) = read {
            assert_eq!(refusal.status, 401, "{provider}");
        }
    }
}

#[test]
fn a_tool_call_comes_in_one_chunk_if_the_provider_sends_it_so() {
    let arguments = provider::tool_argument_pieces(&canaries()).concat();
    for provider in [Provider::Mistral, Provider::Groq, Provider::Together] {
        let message = provider::reply(&chat(provider, true), &SuccessReply::ToolCall, &canaries());
        let MessageBody::Events { events, .. } = message.body else { panic!("no stream") };
        let parsed = |event: &[u8]| -> Value {
            let event = std::str::from_utf8(event).unwrap();
            serde_json::from_str(event.strip_prefix("data: ").unwrap().trim_end()).unwrap()
        };
        let calls: Vec<_> = events
            .iter()
            .filter_map(|event| parsed(event).pointer("/choices/0/delta/tool_calls/0/function").cloned())
            .collect();
        assert_eq!(calls, [json!({"name": "get_weather", "arguments": arguments})], "{provider}");
    }
}

#[test]
fn responses_of_other_endpoints_have_the_members_that_the_profile_adds() {
    let asked = RequestedCall::plain(Provider::Mistral, Api::OpenaiEmbeddings, false);
    let reply = provider::reply(&asked, &SuccessReply::Ok, &canaries()).text();
    let reply: Value = serde_json::from_str(&reply).unwrap();
    assert_eq!((&reply["id"], &reply["object"]), (&json!(canaries().request_id), &json!("list")));
}
