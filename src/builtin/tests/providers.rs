//! The proxy's knowledge of each dialect, held against what the mocks of all providers say.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use crate::{
    builtin::{
        classify,
        dialect::{self, ErrorForm, FrameMeaning},
        headers,
        split::{RawFrame, Splitter},
        upstream_request::{Ask, UpstreamBody},
    },
    observation::{Canaries, Identity},
    provider::{self, MessageBody, ProviderMessage, ReceivedCall, RequestedCall},
    proxy::ProxyRoute,
    scenario::{Api, ErrorName, Provider, SuccessReply},
    wire::frames::Carrier,
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
        timeout_s: 1.0,
        retries: 0,
        fallbacks: vec![],
        pass_through: false,
        keep_alive_s: None,
        group: "case".into(),
    }
}

fn ask_for(api: Api, stream: bool) -> Ask {
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
    Ask { api, stream, body, query, headers: is_form.then_some(kind).into_iter().collect() }
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

/// What the mock makes of what the proxy sends, for every pair that is served.
fn all_asked() -> Vec<(Ask, RequestedCall)> {
    let mut all = Vec::new();
    for api in Api::ALL.iter().copied() {
        for provider in Provider::ALL.iter().copied() {
            if dialect::upstream_api(api, provider).is_none() {
                continue;
            }
            for stream in [false, true].into_iter().filter(|stream| !stream || api.streams()) {
                let ask = ask_for(api, stream);
                let sent = ask.sent(&route(api, provider)).unwrap();
                let headers: HeaderMap = sent
                    .headers
                    .iter()
                    .map(|(name, value)| {
                        let name: HeaderName = name.parse().unwrap();
                        (name, HeaderValue::from_str(value).unwrap())
                    })
                    .collect();
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
                        all.push((ask, asked));
                    }
                    // A profile that does not have its dialect's endpoints yet.
                    Err((_, told)) => assert_eq!(told.status, 404, "{api} from {provider}: {told:?}"),
                }
            }
        }
    }
    all
}

fn frames(api: Api, bytes: &[u8]) -> Vec<RawFrame> {
    let mut splitter = Splitter::new(provider::carrier(api));
    splitter.feed(bytes);
    let mut frames: Vec<_> = std::iter::from_fn(|| splitter.pop()).collect();
    frames.extend(splitter.last());
    frames
}

#[test]
fn every_good_reply_is_known_as_one() {
    let mut problems = Vec::new();
    for (ask, asked) in all_asked() {
        for reply in
            [SuccessReply::Ok, SuccessReply::Chunks(1), SuccessReply::NonAscii, SuccessReply::ToolCall]
        {
            let told = provider::reply(&asked, &reply, &canaries());
            if told.status == 200
                && let Some(problem) = unknown(&ask, asked.api.unwrap(), told)
            {
                let (api, provider) = (ask.api, asked.provider);
                problems.push(format!("{api} from {provider}, stream {}: {reply:?}: {problem}", ask.stream));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What the proxy does not understand of a good reply.
fn unknown(ask: &Ask, upstream: Api, told: ProviderMessage) -> Option<String> {
    let headers = provider::owned_headers(&told.headers);
    let (events, terminator) = match told.body {
        MessageBody::Whole(body) => {
            let judged = classify::whole(upstream, 200, headers, body);
            return match judged {
                Err(failure) => Some(failure.error.message().to_owned()),
                Ok(()) => ask.stream.then(|| "no stream".to_owned()),
            };
        }
        MessageBody::Events { events, terminator } => (events, terminator),
        MessageBody::Session { .. } => return Some("a session".to_owned()),
    };
    let kind = headers::value(&headers, "content-type").unwrap_or_default();
    if Carrier::of(kind) != Some(provider::carrier(upstream)) {
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
    for (ask, asked) in all_asked() {
        for name in ErrorName::ALL {
            let told = provider::error(&asked, *name, &canaries());
            let MessageBody::Whole(body) = told.body else { continue };
            // Some block content with an answer.
            if *name == ErrorName::ContentPolicy && told.status == 200 {
                continue;
            }
            // Some say nothing but their status.
            let has_text = String::from_utf8_lossy(&body).contains(&canaries().message);
            let judged = classify::whole(
                asked.api.unwrap(),
                told.status,
                provider::owned_headers(&told.headers),
                body.clone(),
            );
            let told = judged.map_err(|failure| failure.into_family(ErrorForm::of(ask.api)));
            let kept =
                told.as_ref().is_err_and(|failure| failure.error.message().contains(&canaries().message));
            if told.is_ok() || has_text && !kept {
                let body = String::from_utf8_lossy(&body);
                problems.push(format!("{} from {}: {name}: {body}: {told:?}", ask.api, asked.provider));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_error_event_is_known_as_one_and_keeps_its_text() {
    let mut problems = Vec::new();
    for (ask, asked) in all_asked().into_iter().filter(|(ask, _)| ask.stream) {
        let upstream = asked.api.unwrap();
        for name in ErrorName::ALL {
            let bytes = provider::error_event(&asked, *name, None, &canaries());
            let frames = frames(upstream, &bytes);
            let meaning = frames.first().map(|first| dialect::meaning(upstream, &first.frame));
            match meaning {
                // Some block content with an answer.
                Some(FrameMeaning::Part { .. }) if *name == ErrorName::ContentPolicy => {}
                Some(FrameMeaning::Error(told)) if told.message().contains(&canaries().message) => {}
                other => {
                    let event = String::from_utf8_lossy(&bytes);
                    let (api, provider) = (ask.api, asked.provider);
                    problems.push(format!("{api} from {provider}: {name}: {event}: {other:?}"));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
