//! Which requests become attempts and use a turn, and which ones the provider refuses.

use std::sync::Arc;

use tokio::{io::AsyncReadExt, time::Instant};

use super::{
    super::{Armed, Upstream},
    stage::{arm, chat, drain, ok, request, send, turn},
};
use crate::{
    observation::{AttemptEnd, Identity},
    scenario::{Account, Api, Combination, ErrorName, Keys, Provider, Transport, TurnReply},
};

#[tokio::test]
async fn invalid_requests_get_the_providers_errors_and_use_no_turn() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![turn(TurnReply::Error(ErrorName::Internal), vec![])]);
    let good = chat(false);
    for (request, status) in [
        (good.replace("Bearer sk-x", "Basic x"), "401"),
        (request("/tok/main/v1/chat/completions", "{not json"), "400"),
        (request("/tok/main/v1/chat/completions", "[1]"), "400"),
        (request("/tok/main/v1/nothing", "{}"), "404"),
        (request("/tok/main", "{}"), "404"),
        (request("/tok/other/v1/chat/completions", "{}"), "404"),
        (request("/", "{}"), "404"),
        (good.replace("POST", "GET"), "405"),
        (good.replace("sk-x", ""), "401"),
        ("garbage\r\n\r\n".into(), "400"),
        (good, "500"),
    ] {
        let request = request.replace("Host:", "Connection: close\r\nHost:");
        let mut socket = send(upstream.address(), &request).await;
        let (text, end) = drain(&mut socket).await;
        assert!(end.is_ok(), "{request}: {end:?}");
        assert_eq!(text.get(9..12), Some(status), "{request}");
    }
    let attempts = case.attempts();
    // The valid request is the last one and uses the first turn, so the refused ones before it have used
    // none.
    assert_eq!(attempts.iter().filter(|attempt| attempt.turn.is_some()).count(), 1);
    assert!(attempts.last().unwrap().turn.is_some());
    assert!(attempts.iter().all(|attempt| attempt.end == AttemptEnd::Finished));
}

#[tokio::test]
async fn a_base_url_may_be_that_of_a_model_with_an_appended_verb() {
    let upstream = Upstream::start().await.unwrap();
    let combination = Combination { api: Api::GeminiGenerate, provider: Provider::Vertex, stream: false };
    let identity = Identity { token: "tok".into() };
    let deployments = Arc::new([("main".into(), vec![ok(vec![])])].into());
    let case = upstream
        .arm(Armed {
            providers: indexmap::IndexMap::new(),
            identity,
            combination,
            deployments,
            transport: Transport::Plain,
            account: None,
            seed: 1,
        })
        .unwrap();
    let request = request("/tok/main:generateContent", "{}").replace("Host:", "Connection: close\r\nHost:");
    let mut socket = send(upstream.address(), &request).await;
    assert!(drain(&mut socket).await.0.starts_with("HTTP/1.1 200"));
    assert_eq!(case.attempts()[0].path, ":generateContent");
}

#[tokio::test]
async fn an_account_refuses_without_a_turn_and_is_reset_by_a_new_run_and_by_healing() {
    let upstream = Upstream::start().await.unwrap();
    let combination = Combination { api: Api::OpenaiChat, provider: Provider::Openai, stream: true };
    let account = Account { requests_per_minute: Some(2), keys: Some(Keys::default()), ..Account::default() };
    let case = upstream
        .arm(Armed {
            providers: indexmap::IndexMap::new(),
            identity: Identity { token: "tok".into() },
            combination,
            deployments: Arc::new(
                [("main".into(), vec![ok(vec![]), turn(TurnReply::Error(ErrorName::Internal), vec![])])]
                    .into(),
            ),
            transport: Transport::Plain,
            account: Some(account),
            seed: 1,
        })
        .unwrap();
    let good =
        chat(false).replace("sk-x", "sk-canary-tok-main").replace("Host:", "Connection: close\r\nHost:");
    let ask = async |request: &str| drain(&mut send(upstream.address(), request).await).await.0;
    let status = |text: &str| text.get(9..12).unwrap_or_default().to_owned();

    let wrong = good.replace("sk-canary-tok-main", "sk-wrong");
    assert_eq!(status(&ask(&wrong).await), "401");
    let first = ask(&good).await;
    assert_eq!(status(&first), "200");
    assert!(first.contains("x-ratelimit-limit-requests: 2\r\n"), "{first}");
    assert!(first.contains("x-ratelimit-remaining-requests: 1\r\n"), "{first}");
    assert_eq!(status(&ask(&good).await), "500");
    let third = ask(&good).await;
    assert_eq!(status(&third), "429");
    assert!(third.contains("retry-after: "), "{third}");
    let turns: Vec<bool> = case.attempts().iter().map(|attempt| attempt.turn.is_some()).collect();
    assert_eq!(turns, [false, true, true, false]);

    case.begin(Instant::now());
    assert_eq!(status(&ask(&good).await), "200", "the first turn and the first request");
    assert_eq!(status(&ask(&good).await), "500");
    case.heal().unwrap();
    assert_eq!(status(&ask(&wrong).await), "200", "even a wrong key is accepted");
}

#[tokio::test]
async fn an_incomplete_request_is_not_an_attempt_and_does_not_affect_others() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![]);
    let whole = chat(false);
    for length in [1, 20, whole.len() - 1] {
        drop(send(upstream.address(), &whole[..length]).await);
    }
    let mut socket = send(upstream.address(), &whole.replace("Host", "Connection: close\r\nHost")).await;
    assert!(drain(&mut socket).await.0.starts_with("HTTP/1.1 200"));
    assert_eq!(case.attempts().len(), 1);
}

#[tokio::test]
async fn a_body_above_the_limit_gets_the_providers_413() {
    let upstream = Upstream::start().await.unwrap();
    let _case = arm(&upstream, "tok", vec![]);
    let body = " ".repeat(crate::provider::MAX_REQUEST_BYTES + 1);
    let mut socket = send(upstream.address(), &request("/tok/main/v1/chat/completions", &body)).await;
    let mut head = [0; 12];
    socket.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 413");
}
