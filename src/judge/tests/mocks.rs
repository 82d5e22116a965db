//! The judge's view of the mocks' responses. Both must agree on every dialect, or upfault would blame a proxy for the
//! differences between them.

use serde_json::json;

use super::seen::{DONE, ObservationBuilder, SideReply, error, events, plain, say, streamed};
use crate::{
    dialect::FinishMeaning,
    judge::{self, AttemptOutcome, Policy},
    observation::{AttemptEnd, SentReply},
    provider::{self, MessageBody, ProviderMessage, RequestedCall},
    scenario::{Api, ErrorName, Level, Provider, SuccessReply, Turn, TurnReply},
};

/// Every endpoint that a provider has.
fn endpoints() -> impl Iterator<Item = (Provider, Api)> {
    Provider::ALL.iter().flat_map(|provider| {
        let mut apis: Vec<Api> = provider::profile(*provider).routes.iter().map(|route| route.api).collect();
        apis.sort();
        apis.dedup();
        apis.into_iter().map(|api| (*provider, api))
    })
}

/// The kinds of calls to an endpoint: plain, streamed, and streamed as an array (Google).
fn requests(provider: Provider, api: Api) -> Vec<RequestedCall> {
    let mut all = vec![RequestedCall::plain(provider, api, false)];
    if api.streams() {
        all.push(RequestedCall::plain(provider, api, true));
    }
    if api == Api::GeminiGenerate {
        all.push(RequestedCall { query: String::new(), ..RequestedCall::plain(provider, api, true) });
    }
    all
}

fn bytes(message: &ProviderMessage) -> Vec<u8> {
    match &message.body {
        MessageBody::Whole(bytes) => bytes.to_vec(),
        MessageBody::Events { events, terminator } => {
            events.iter().chain(terminator).flat_map(|event| event.to_vec()).collect()
        }
        MessageBody::Chunks(chunks) => chunks.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect(),
        MessageBody::Session { opening, events, last, .. } => {
            opening.iter().chain(events).chain([last]).flat_map(|event| event.to_vec()).collect()
        }
    }
}

fn canaries() -> crate::observation::Canaries {
    plain().observation.arrangement.identity.canaries("primary", 1)
}

/// One attempt with this response.
fn tried(
    asked: &RequestedCall,
    message: &ProviderMessage,
    body: &[u8],
    end: AttemptEnd,
) -> ObservationBuilder {
    let api = asked.api.unwrap();
    let seen = if asked.stream { streamed() } else { plain() };
    let mut seen = seen.calling(api, asked.provider).tried_until(SideReply::nothing(), end);
    let mut sent = SentReply {
        status: Some(message.status),
        headers: provider::owned_headers(&message.headers),
        ..SentReply::default()
    };
    sent.set_body(body);
    sent.bytes = body.len() as u64;
    seen.observation.attempts[0].sent = sent;
    seen
}

fn result(seen: &ObservationBuilder) -> AttemptOutcome {
    AttemptOutcome::of(&seen.observation.attempts[0], seen.observation.arrangement.combination)
}

/// The successful response of the mock; `None` if the mock does not serve the endpoint.
fn served(asked: &RequestedCall) -> Option<ProviderMessage> {
    let message = provider::reply(asked, &SuccessReply::Ok, &canaries());
    matches!(message.status, 101 | 200).then_some(message)
}

#[test]
fn every_successful_mock_reply_is_parsed_with_its_content() {
    let mut count = 0;
    for asked in endpoints().flat_map(|(provider, api)| requests(provider, api)) {
        let Some(message) = served(&asked) else { continue };
        let seen = tried(&asked, &message, &bytes(&message), AttemptEnd::Finished);
        let AttemptOutcome::Success(completion) = result(&seen) else {
            panic!("{asked:?}: {:?}\n{message:#?}", result(&seen))
        };
        if asked.api.is_some_and(|api| api.streams() || api.is_session()) {
            let pieces = provider::content_pieces(&SuccessReply::Ok, &canaries());
            assert_eq!(completion.text(), pieces.concat(), "{asked:?}");
            if asked.stream || asked.api.is_some_and(Api::is_session) {
                assert_eq!(completion.pieces, pieces, "{asked:?}");
            }
        }
        count += 1;
    }
    assert!(count > 0, "some endpoint is served");
}

#[test]
fn a_tool_call_has_the_same_arguments_in_every_dialect() {
    let arguments = provider::tool_argument_pieces(&canaries()).concat();
    let expected: serde_json::Value = serde_json::from_str(&arguments).unwrap();
    for asked in endpoints().flat_map(|(provider, api)| requests(provider, api)) {
        if !asked.api.is_some_and(has_tools) || served(&asked).is_none() {
            continue;
        }
        let message = provider::reply(&asked, &SuccessReply::ToolCall, &canaries());
        let AttemptOutcome::Success(completion) =
            result(&tried(&asked, &message, &bytes(&message), AttemptEnd::Finished))
        else {
            panic!("{asked:?}: {message:#?}")
        };
        let [call] = completion.calls.as_slice() else { panic!("{asked:?}: {completion:?}") };
        let got: serde_json::Value = serde_json::from_str(&call.arguments).expect("the arguments are JSON");
        assert_eq!((got, call.name.as_str()), (expected.clone(), "get_weather"), "{asked:?}");
    }
}

#[test]
fn two_calls_a_text_with_a_call_and_half_a_call_have_the_same_content_in_every_dialect() {
    let text = provider::content_pieces(&SuccessReply::TextAndToolCall, &canaries()).concat();
    for asked in endpoints().flat_map(|(provider, api)| requests(provider, api)) {
        let Some(api) = asked.api.filter(|api| has_tools(*api) && served(&asked).is_some()) else { continue };
        let read = |reply| {
            let message = provider::reply(&asked, &reply, &canaries());
            let seen = tried(&asked, &message, &bytes(&message), AttemptEnd::Finished);
            let AttemptOutcome::Success(completion) = result(&seen) else {
                panic!("{asked:?}: {message:#?}")
            };
            completion
        };
        let two = read(SuccessReply::TwoToolCalls);
        let names: Vec<_> = two.calls.iter().map(|call| call.name.as_str()).collect();
        assert_eq!(names, ["get_weather", "get_time"], "{asked:?}");
        assert!(!matches!(two.ended_by(), None | Some(FinishMeaning::Limit)), "{asked:?}: {:?}", two.finish);
        let both = read(SuccessReply::TextAndToolCall);
        assert_eq!((both.said.as_str(), both.calls.len()), (text.as_str(), 1), "{asked:?}");
        let cut = read(SuccessReply::CutToolCall);
        assert_eq!(cut.ended_by(), Some(FinishMeaning::Limit), "{asked:?}");
        let in_part = !matches!(api, Api::GeminiGenerate | Api::OllamaChat);
        assert_eq!(cut.calls.len(), usize::from(in_part), "{asked:?}");
        assert!(!cut.says_the_same(&both) && cut.says_the_same(&cut), "{asked:?}");
    }
}

#[test]
fn every_dialect_has_a_finish_reason_for_the_token_limit() {
    for asked in endpoints().flat_map(|(provider, api)| requests(provider, api)) {
        if !asked.api.is_some_and(Api::streams) || served(&asked).is_none() {
            continue;
        }
        for (reply, meaning) in
            [(SuccessReply::Ok, FinishMeaning::Stop), (SuccessReply::MaxTokens, FinishMeaning::Limit)]
        {
            let message = provider::reply(&asked, &reply, &canaries());
            let seen = tried(&asked, &message, &bytes(&message), AttemptEnd::Finished);
            let AttemptOutcome::Success(completion) = result(&seen) else {
                panic!("{asked:?}: {message:#?}")
            };
            assert_eq!(completion.ended_by(), Some(meaning), "{asked:?}: {:?}", completion.finish);
        }
    }
}

fn has_tools(api: Api) -> bool {
    api.is_session() || api.streams() && !matches!(api, Api::OpenaiCompletions | Api::OllamaGenerate)
}

#[test]
fn a_stream_that_is_cut_before_its_end_is_a_failure() {
    for asked in endpoints().flat_map(|(provider, api)| requests(provider, api)).filter(|asked| asked.stream)
    {
        let Some(message) = served(&asked) else { continue };
        let MessageBody::Events { events, .. } = &message.body else { panic!("{asked:?} is not a stream") };
        let pieces = provider::content_pieces(&SuccessReply::Ok, &canaries());
        // Cuts after each of the first three events.
        for n in 1..=3 {
            let body: Vec<u8> = events[..n].iter().flat_map(|event| event.to_vec()).collect();
            let AttemptOutcome::Cut { before, .. } =
                result(&tried(&asked, &message, &body, AttemptEnd::Reset))
            else {
                panic!("{asked:?} after {n} events")
            };
            assert!(pieces.starts_with(&before.pieces), "{asked:?}: {before:?}");
        }
    }
}

#[test]
fn every_json_error_of_a_mock_is_parsed_with_its_message() {
    for (provider, api) in endpoints() {
        for name in ErrorName::COMMON {
            for asked in requests(provider, api) {
                let message = provider::error(&asked, *name, &canaries());
                // Google refuses a prompt with status 200.
                if message.status == 200 {
                    continue;
                }
                let body = bytes(&message);
                let AttemptOutcome::Status { error, .. } =
                    result(&tried(&asked, &message, &body, AttemptEnd::Finished))
                else {
                    panic!("{name} of {asked:?}")
                };
                if serde_json::from_slice::<serde_json::Value>(&body).is_ok() {
                    let error = error.unwrap_or_else(|| panic!("{name} of {asked:?}: {message:#?}"));
                    assert!(error.message.contains(&canaries().message), "{name} of {asked:?}: {error:?}");
                }
            }
        }
    }
}

#[test]
fn an_error_event_of_a_mock_is_parsed_with_its_message() {
    for asked in endpoints().flat_map(|(provider, api)| requests(provider, api)).filter(|asked| asked.stream)
    {
        let Some(message) = served(&asked) else { continue };
        let MessageBody::Events { events, .. } = &message.body else { panic!("{asked:?} is not a stream") };
        for name in [ErrorName::Internal, ErrorName::Overloaded, ErrorName::RateLimit] {
            let mut body: Vec<u8> = events[..2].iter().flat_map(|event| event.to_vec()).collect();
            body.extend_from_slice(&provider::error_event(&asked, name, None, &canaries()));
            let seen = tried(&asked, &message, &body, AttemptEnd::Finished);
            let AttemptOutcome::ErrorEvent { error, .. } = result(&seen) else {
                panic!("{asked:?}: {:?}", result(&seen))
            };
            assert!(error.raw.to_string().contains(&canaries().message), "{asked:?}: {error:?}");
        }
    }
}

fn turn(name: ErrorName) -> Turn {
    Turn { answer: TurnReply::Error(name), headers: indexmap::IndexMap::new(), faults: Vec::new() }
}

/// The caller gets exactly the bytes that the upstream sent.
fn passed_through(seen: ObservationBuilder) -> ObservationBuilder {
    let sent = seen.observation.attempts[0].sent.clone();
    seen.received(SideReply::exactly(&sent))
}

#[test]
fn a_response_in_the_callers_dialect_may_be_passed_on_unchanged() {
    let native = endpoints().filter(|(provider, api)| api.native_provider() == *provider);
    for asked in native.flat_map(|(provider, api)| requests(provider, api)) {
        let mut all: Vec<(ProviderMessage, Option<ErrorName>)> = ErrorName::COMMON
            .iter()
            .map(|name| (provider::error(&asked, *name, &canaries()), Some(*name)))
            .filter(|(message, _)| serde_json::from_slice::<serde_json::Value>(&bytes(message)).is_ok())
            .collect();
        all.extend(served(&asked).map(|message| (message, None)));
        for (message, name) in all {
            let mut seen = tried(&asked, &message, &bytes(&message), AttemptEnd::Finished);
            seen.observation.attempts[0].turn = name.map(turn);
            let seen = passed_through(seen);
            let mut findings = judge::judge(&seen.observation, &[], &Policy::default());
            findings.retain(|finding| finding.level == Level::Required);
            assert!(findings.is_empty(), "{name:?} of {asked:?}: {findings:#?}");
        }
    }
}

/// The error of a proxy that translates carefully: in the caller's dialect, with the provider's status, message, code and
/// Retry-After.
fn translated(api: Api, status: u16, text: &str, sent: &SentReply) -> SideReply {
    let body = match api {
        Api::AnthropicMessages => json!({"type": "error", "error": {"type": "api_error", "message": text}}),
        Api::GeminiGenerate => json!({"error": {"code": status, "message": text, "status": "UNKNOWN"}}),
        Api::BedrockConverse | Api::CohereChat => json!({ "message": text }),
        Api::OllamaChat => json!({ "error": text }),
        _ => {
            let sent: serde_json::Value = serde_json::from_slice(&sent.body_bytes()).unwrap_or_default();
            let code = sent["error"]["code"].as_str();
            json!({"error": {"message": text, "type": "upstream_error", "param": null, "code": code}})
        }
    };
    let mut said = say(status, &body.to_string());
    if api == Api::BedrockConverse {
        said = said.with("x-amzn-errortype", "ModelErrorException");
    }
    match sent.header("retry-after") {
        Some(seconds) => said.with("retry-after", seconds),
        None => said,
    }
}

#[test]
fn an_error_of_any_provider_can_be_translated_into_any_dialect() {
    let callers = [
        Api::OpenaiChat,
        Api::OpenaiResponses,
        Api::AnthropicMessages,
        Api::GeminiGenerate,
        Api::BedrockConverse,
        Api::CohereChat,
        Api::OllamaChat,
    ];
    for (provider, api) in endpoints().filter(|(_, api)| api.streams()) {
        for name in ErrorName::COMMON {
            let asked = RequestedCall::plain(provider, api, false);
            let message = provider::error(&asked, *name, &canaries());
            if message.status == 200 {
                continue;
            }
            for caller in callers {
                let mut seen = tried(&asked, &message, &bytes(&message), AttemptEnd::Finished);
                seen.observation.attempts[0].turn = Some(turn(*name));
                let attempt = &seen.observation.attempts[0];
                let said = translated(caller, message.status, &attempt.canaries.message, &attempt.sent);
                let seen = seen.calling(caller, provider).received(said);
                let mut findings = judge::judge(&seen.observation, &[], &Policy::default());
                findings.retain(|finding| finding.level == Level::Required);
                assert!(findings.is_empty(), "{name} of {provider} for {caller}: {findings:#?}");
            }
        }
    }
}

#[test]
fn the_content_of_any_provider_can_be_translated_into_chat() {
    for asked in endpoints().flat_map(|(provider, api)| requests(provider, api)) {
        let Some(message) = served(&asked).filter(|_| asked.api.is_some_and(Api::streams)) else { continue };
        let seen = tried(&asked, &message, &bytes(&message), AttemptEnd::Finished);
        let pieces = provider::content_pieces(&SuccessReply::Ok, &canaries());
        let chunk = |delta: serde_json::Value, finish: Option<&str>| {
            json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}).to_string()
        };
        let said = if asked.stream {
            let mut data: Vec<String> =
                pieces.iter().map(|piece| chunk(json!({ "content": piece }), None)).collect();
            data.extend([chunk(json!({}), Some("stop")), DONE.to_owned()]);
            events(&data.iter().map(String::as_str).collect::<Vec<_>>())
        } else {
            let reply =
                json!({"choices": [{"message": {"content": pieces.concat()}, "finish_reason": "stop"}]});
            say(200, &reply.to_string())
        };
        let seen = seen.calling(Api::OpenaiChat, asked.provider).received(said);
        let findings = judge::judge(&seen.observation, &[], &Policy::default());
        assert!(findings.is_empty(), "{asked:?}: {findings:#?}");
    }
}

#[test]
fn a_prompt_that_is_refused_with_200_may_be_reported_as_an_error_or_as_a_completion() {
    let asked = RequestedCall::plain(Provider::Gemini, Api::GeminiGenerate, false);
    let body = json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {}}).to_string();
    let message =
        ProviderMessage { status: 200, headers: Vec::new(), body: MessageBody::Whole(body.clone().into()) };
    let refused = || {
        let mut seen = tried(&asked, &message, body.as_bytes(), AttemptEnd::Finished);
        seen.observation.attempts[0].turn = Some(turn(ErrorName::ContentPolicy));
        seen.calling(Api::OpenaiChat, Provider::Gemini)
    };
    let filtered = json!({"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]});
    for response in [error(400), say(200, &filtered.to_string())] {
        let findings = judge::judge(&refused().received(response).observation, &[], &Policy::default());
        assert!(findings.is_empty(), "{findings:#?}");
    }
}
