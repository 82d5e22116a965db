//! The proxy's knowledge of each dialect, tested against the mocks of all providers.

use serde_json::json;

use crate::{
    builtin::{
        classify,
        dialect::{self, ErrorForm, FrameMeaning},
        headers,
        upstream_request::{CallerRequest, UpstreamBody},
    },
    observation::{Canaries, Identity},
    provider::{self, Header, MessageBody, ProviderMessage, ReceivedCall, RequestedCall},
    proxy::ProxyRoute,
    scenario::{Api, ErrorName, Provider, ProxySettings, SuccessReply},
    wire::frames::{Carrier, RawFrame, Splitter},
};

fn canaries() -> Canaries {
    Identity { token: "tokentoken12".into() }.canaries("primary", 1)
}

fn route(api: Api, provider: Provider) -> ProxyRoute {
    ProxyRoute {
        model: "alias".into(),
        api,
        provider,
        upstream_model: provider::model(provider).to_owned(),
        base_url: format!("http://127.0.0.1:9/case{}", provider::base_path(provider)),
        api_key: "sk-canary".into(),
        fallbacks: vec![],
        settings: ProxySettings::default(),
        group: "case".into(),
        own: serde_json::Value::Null,
    }
}

fn request_for(api: Api, stream: bool) -> CallerRequest {
    let body = match api {
        Api::OpenaiModels | Api::OpenaiRealtime => UpstreamBody::None,
        Api::OpenaiTranscriptions | Api::OpenaiFiles => {
            let form = FORM.replace('\n', "\r\n");
            let at = form.find("alias").unwrap();
            UpstreamBody::Form { bytes: form.into(), model: Some(at..at + 5) }
        }
        _ => {
            let body = json!({"model": "alias", "stream": stream, "messages": []});
            UpstreamBody::Json(body.as_object().cloned().unwrap())
        }
    };
    let events = stream && api == Api::GeminiGenerate;
    let query = events.then(|| ("alt".to_owned(), "sse".to_owned())).into_iter().collect();
    let is_form = matches!(body, UpstreamBody::Form { .. });
    let kind = ("content-type".to_owned(), "multipart/form-data; boundary=b".to_owned());
    CallerRequest { api, stream, body, query, headers: is_form.then_some(kind).into_iter().collect() }
}

const FORM: &str = "--b
content-disposition: form-data; name=\"model\"

alias
--b
content-disposition: form-data; name=\"purpose\"

batch
--b
content-disposition: form-data; name=\"file\"; filename=\"a.wav\"

sound
--b--
";

/// How the mock reads each request that the proxy sends, for every pair of an API and a provider that is
/// served.
fn all_calls() -> Vec<(CallerRequest, RequestedCall)> {
    let mut all = Vec::new();
    for api in Api::ALL.iter().copied() {
        for provider in Provider::ALL.iter().copied() {
            if dialect::upstream_api(api, provider).is_none() {
                continue;
            }
            for stream in [false, true].into_iter().filter(|stream| !stream || api.streams()) {
                let call = request_for(api, stream);
                let sent = call.for_route(&route(api, provider)).unwrap();
                let sent_headers = sent.headers.iter();
                let headers: Vec<_> =
                    sent_headers.map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
                let received = ReceivedCall {
                    method: sent.method.as_str(),
                    path: sent.url.strip_prefix("http://127.0.0.1:9/case").unwrap(),
                    headers: &headers,
                    body: &sent.body.unwrap_or_default(),
                };
                match provider::read(provider, &received, &canaries()) {
                    Ok(asked) => {
                        let what = format!("{api} from {provider}: {}", sent.url);
                        assert_eq!((asked.api, asked.stream), (Some(sent.api), stream), "{what}");
                        assert!(matches!(asked.key.as_deref(), None | Some("sk-canary")), "{what}");
                        all.push((call, asked));
                    }
                    // The profile does not have the endpoints of its dialect yet.
                    Err((_, error)) => assert_eq!(error.status, 404, "{api} from {provider}: {error:?}"),
                }
            }
        }
    }
    all
}

fn frames(api: Api, bytes: &[u8]) -> Vec<RawFrame> {
    let mut splitter = Splitter::new(crate::dialect::carrier(api));
    splitter.feed(bytes);
    let mut frames: Vec<_> = std::iter::from_fn(|| splitter.pop()).collect();
    frames.extend(splitter.last());
    frames
}

#[test]
fn every_successful_reply_is_recognised() {
    let mut problems = Vec::new();
    for (call, asked) in all_calls() {
        for reply in
            [SuccessReply::Ok, SuccessReply::Chunks(1), SuccessReply::NonAscii, SuccessReply::ToolCall]
        {
            let message = provider::reply(&asked, &reply, &canaries());
            if message.status == 200
                && let Some(problem) = problem(&call, asked.api.unwrap(), message)
            {
                let (api, provider) = (call.api, asked.provider);
                problems.push(format!("{api} from {provider}, stream {}: {reply:?}: {problem}", call.stream));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The part of a successful reply that the proxy does not understand; `None` if there is none.
fn problem(call: &CallerRequest, upstream: Api, message: ProviderMessage) -> Option<String> {
    let headers = provider::owned_headers(&message.headers);
    let (events, terminator) = match message.body {
        MessageBody::Whole(body) => {
            let result = classify::whole(upstream, 200, headers, body);
            return match result {
                Err(failure) => Some(failure.error.message().to_owned()),
                Ok(()) => call.stream.then(|| "no stream".to_owned()),
            };
        }
        MessageBody::Events { events, terminator } => (events, terminator),
        MessageBody::Session { .. } | MessageBody::Chunks(_) => return Some("another body".to_owned()),
    };
    let kind = headers::value(&headers, "content-type").unwrap_or_default();
    if Carrier::of(kind) != Some(crate::dialect::carrier(upstream)) {
        return Some(format!("carried by {kind}"));
    }
    let bytes: Vec<u8> = events.iter().chain(&terminator).flat_map(|frame| frame.to_vec()).collect();
    let (mut parts, mut ended) = (0, false);
    for frame in frames(upstream, &bytes) {
        match dialect::meaning(upstream, &frame.frame) {
            FrameMeaning::Part { has_content, choices } => {
                parts += usize::from(has_content);
                ended |= choices.iter().any(|choice| choice.1);
            }
            FrameMeaning::Done { is_whole } => ended |= is_whole,
            other => return Some(format!("{other:?} of {frame:?}")),
        }
    }
    (parts == 0 || !ended).then(|| format!("{parts} pieces, ended: {ended}"))
}

#[test]
fn every_error_keeps_its_text_on_its_way_to_the_caller() {
    let mut problems = Vec::new();
    for (call, asked) in all_calls() {
        for name in ErrorName::COMMON {
            let error = provider::error(&asked, *name, &canaries());
            let MessageBody::Whole(body) = error.body else { continue };
            // Some providers report blocked content in a successful response.
            if *name == ErrorName::ContentPolicy && error.status == 200 {
                continue;
            }
            // Some errors have only a status.
            let has_text = String::from_utf8_lossy(&body).contains(&canaries().message);
            let result = classify::whole(
                asked.api.unwrap(),
                error.status,
                provider::owned_headers(&error.headers),
                body.clone(),
            );
            let result = result.map_err(|failure| failure.into_form(ErrorForm::of(call.api)));
            let kept =
                result.as_ref().is_err_and(|failure| failure.error.message().contains(&canaries().message));
            if result.is_ok() || has_text && !kept {
                let body = String::from_utf8_lossy(&body);
                problems.push(format!("{} from {}: {name}: {body}: {result:?}", call.api, asked.provider));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_error_event_is_recognised_and_keeps_its_text() {
    let mut problems = Vec::new();
    for (call, asked) in all_calls().into_iter().filter(|(call, _)| call.stream) {
        let upstream = asked.api.unwrap();
        for name in ErrorName::COMMON {
            let bytes = provider::error_event(&asked, *name, None, &canaries());
            let frames = frames(upstream, &bytes);
            let meaning = frames.first().map(|first| dialect::meaning(upstream, &first.frame));
            match meaning {
                // Some providers report blocked content in a successful response.
                Some(FrameMeaning::Part { .. }) if *name == ErrorName::ContentPolicy => {}
                Some(FrameMeaning::Error(error)) if error.message().contains(&canaries().message) => {}
                other => {
                    let event = String::from_utf8_lossy(&bytes);
                    let (api, provider) = (call.api, asked.provider);
                    problems.push(format!("{api} from {provider}: {name}: {event}: {other:?}"));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
