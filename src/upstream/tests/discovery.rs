//! Requests of a proxy that looks at an upstream before it uses it.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;

use super::{
    super::{Armed, Upstream},
    stage::{arm, chat, drain, last, ok, send},
};
use crate::{
    observation::Identity,
    scenario::{Api, Combination, Fault, Provider, Transport, Turn},
};

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: mock\r\n\r\n")
}

#[tokio::test]
async fn a_look_at_an_upstream_is_not_an_attempt_and_consumes_no_turn() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![ok(vec![])]);
    let mut socket = send(upstream.address(), &get("/tok/main/health")).await;
    for path in ["/tok/main/v1/models", "/tok/main/v1/models/upfault-tok-main", "/tok/main/get_model_info"] {
        socket.write_all(get(path).as_bytes()).await.unwrap();
    }
    socket.write_all(last(&get("/tok/main")).as_bytes()).await.unwrap();
    let (text, _) = drain(&mut socket).await;
    assert_eq!(text.matches("HTTP/1.1 200 ").count(), 5, "{text}");
    assert_eq!(text.matches(r#""id":"upfault-tok-main""#).count(), 2, "{text}");
    assert_eq!(case.attempts().len(), 0);
    let mut socket = send(upstream.address(), &last(&chat(false))).await;
    drain(&mut socket).await.1.unwrap();
    assert_eq!(case.attempts().iter().map(|attempt| attempt.n).collect::<Vec<_>>(), [1]);
}

#[tokio::test]
async fn an_unknown_model_and_other_methods_are_attempts() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![ok(vec![])]);
    let mut socket = send(upstream.address(), &get("/tok/main/v1/models/other")).await;
    let post = chat(false).replace("/v1/chat/completions", "/health");
    socket.write_all(last(&post).as_bytes()).await.unwrap();
    drain(&mut socket).await.1.unwrap();
    assert_eq!(case.attempts().len(), 2);
}

fn stateless(turn: Turn) -> Armed {
    Armed {
        providers: indexmap::IndexMap::new(),
        identity: Identity { token: "tok".into() },
        combination: Combination { api: Api::OpenaiChat, provider: Provider::Openai, stream: false },
        deployments: Arc::new([("main".into(), vec![turn])].into()),
        transport: Transport::Plain,
        account: None,
        seed: 1,
    }
}

#[tokio::test]
async fn mocks_for_unknown_clients_answer_with_their_turns() {
    let upstream = Upstream::start().await.unwrap();
    let _cases = upstream.arm_stateless(vec![stateless(ok(vec![]))]).unwrap();
    let mut socket = send(upstream.address(), &last(&get("/tok/main/health"))).await;
    let (text, _) = drain(&mut socket).await;
    assert!(!text.starts_with("HTTP/1.1 200"), "{text}");
}

#[tokio::test]
async fn a_stateless_mock_takes_the_place_of_another_one_at_once() {
    let upstream = Upstream::start().await.unwrap();
    let status = async || {
        let mut socket = send(upstream.address(), &last(&chat(false))).await;
        drain(&mut socket).await.0[9..12].to_owned()
    };
    let old = upstream.arm_stateless(vec![stateless(ok(vec![Fault::Redirect(307)]))]).unwrap();
    assert_eq!(status().await, "307");
    let new = upstream.arm_stateless(vec![stateless(ok(vec![]))]).unwrap();
    assert_eq!(status().await, "200");
    drop(old);
    assert_eq!(status().await, "200");
    drop(new);
    assert_eq!(status().await, "404");
}

/// A chat request below the base URL that all deployments share.
fn shared(key: &str, model: &str) -> String {
    let body = format!(r#"{{"model": "{model}", "messages": [{{"role": "user", "content": "hi"}}]}}"#);
    format!(
        "POST /any/v1/chat/completions HTTP/1.1\r\nHost: mock\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn below_the_shared_base_url_a_request_is_for_the_deployment_whose_key_or_model_it_contains() {
    let upstream = Upstream::start().await.unwrap();
    let cases = ["one", "two"].map(|token| arm(&upstream, token, vec![ok(vec![])]));
    let [one, two] = ["one", "two"].map(|token| Identity { token: token.into() });
    for request in [shared(&one.key("main"), "upfault"), shared("sk-other", &two.model("main"))] {
        let mut socket = send(upstream.address(), &last(&request)).await;
        let (text, _) = drain(&mut socket).await;
        assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    }
    assert_eq!(cases.each_ref().map(|case| case.attempts().len()), [1, 1]);
    assert_eq!(cases[0].attempts()[0].path, "/v1/chat/completions");
    let mut socket = send(upstream.address(), &last(&shared("sk-other", "upfault"))).await;
    let (text, _) = drain(&mut socket).await;
    assert!(text.starts_with("HTTP/1.1 404"), "{text}");
}

#[tokio::test]
async fn the_shared_upstream_has_one_model_and_is_healthy() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![ok(vec![])]);
    let mut socket = send(upstream.address(), &get("/any/health")).await;
    socket.write_all(last(&get("/any/v1/models?x=1")).as_bytes()).await.unwrap();
    let (text, _) = drain(&mut socket).await;
    assert_eq!(text.matches("HTTP/1.1 200 ").count(), 2, "{text}");
    assert!(text.contains(r#""id":"upfault""#), "{text}");
    assert_eq!(case.attempts().len(), 0);
}
