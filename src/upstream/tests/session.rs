//! Sessions of a mock with a third-party WebSocket client.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{WebSocketStream, client_async};
use tungstenite::{Error, Message, client::IntoClientRequest, http::header::AUTHORIZATION};

use super::{
    super::{ArmedCase, Upstream},
    stage::{arm, ok, settled, turn},
};
use crate::{
    observation::{Attempt, AttemptEnd, Identity},
    scenario::{CloseFrame, ErrorName, Fault, Point, Turn, TurnReply},
};

const PATH: &str = "/tok/main/v1/realtime?model=m";
const ASK: &str = r#"{"type":"response.create"}"#;

type Client = WebSocketStream<TcpStream>;

async fn open(upstream: &Upstream, path: &str, key: &str) -> Result<Client, Error> {
    let mut request = format!("ws://{}{path}", upstream.address()).into_client_request().unwrap();
    request.headers_mut().insert(AUTHORIZATION, format!("Bearer {key}").parse().unwrap());
    let socket = TcpStream::connect(upstream.address()).await.unwrap();
    client_async(request, socket).await.map(|(client, _)| client)
}

/// Returns the next event's type, or how the session ended.
async fn next(client: &mut Client) -> String {
    match timeout(Duration::from_secs(5), client.next()).await.expect("something arrives") {
        Some(Ok(Message::Text(text))) => {
            let event: serde_json::Value = serde_json::from_str(text.as_str()).unwrap();
            event["type"].as_str().unwrap().to_owned()
        }
        Some(Ok(Message::Close(Some(frame)))) => format!("{} {}", frame.code, frame.reason),
        Some(Ok(Message::Close(None))) => "closed".to_owned(),
        Some(Ok(Message::Ping(payload))) => format!("ping {}", String::from_utf8_lossy(&payload)),
        Some(Ok(other)) => format!("{other:?}"),
        Some(Err(error)) => error.to_string(),
        None => "over".to_owned(),
    }
}

/// Returns everything until the response is complete or the session ends.
async fn all(client: &mut Client) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let what = next(client).await;
        let last = !what.starts_with("session.")
            && !what.starts_with("response.")
            && !what.starts_with("conversation.");
        let done = what == "response.done";
        seen.push(what);
        if last || done {
            return seen;
        }
    }
}

/// Plays a session with one turn. Returns what a client that asks immediately received, and the attempt.
async fn play(turn: Turn) -> (Vec<String>, Attempt) {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![turn]);
    let mut client = open(&upstream, PATH, "sk-x").await.unwrap();
    client.send(Message::text(ASK)).await.unwrap();
    let seen = all(&mut client).await;
    drop(client);
    (seen, last(&case).await)
}

async fn last(case: &ArmedCase) -> Attempt {
    settled(case).await;
    case.attempts().pop().unwrap()
}

fn frame(code: Option<u16>, reason: &str, at: Point) -> Vec<Fault> {
    vec![Fault::CloseFrame(CloseFrame { code, reason: reason.to_owned(), at })]
}

#[tokio::test]
async fn a_session_waits_for_its_caller_and_answers_event_by_event() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![ok(vec![])]);
    let mut client = open(&upstream, PATH, "sk-x").await.unwrap();
    assert_eq!(next(&mut client).await, "session.created");
    // The mock does not respond to another event, and answers a ping while it waits.
    client.send(Message::text(r#"{"type":"session.update"}"#)).await.unwrap();
    client.send(Message::Ping("p".into())).await.unwrap();
    assert!(next(&mut client).await.starts_with("Pong"));
    client.send(Message::text(ASK)).await.unwrap();
    let answer = all(&mut client).await;
    assert_eq!(answer.first().map(String::as_str), Some("response.created"));
    assert_eq!(answer.last().map(String::as_str), Some("response.done"));
    assert_eq!(answer.iter().filter(|kind| *kind == "response.output_text.delta").count(), 5);
    let attempt = last(&case).await;
    assert_eq!((attempt.end, attempt.sent.status), (AttemptEnd::Finished, Some(101)));
    assert_eq!(attempt.sent.frames as usize, 1 + answer.len());
    assert_eq!(attempt.body, format!("{}\n{ASK}\n", r#"{"type":"session.update"}"#));
    client.close(None).await.unwrap();
    assert_eq!(next(&mut client).await, "closed");
}

#[tokio::test]
async fn a_close_frame_has_its_code_and_reason_and_is_in_the_ledger() {
    let at = Point::AfterEvents(1);
    let (seen, attempt) = play(ok(frame(Some(4001), "spent ({{canary.message}})", at))).await;
    let reason = format!("spent ({})", attempt.canaries.message);
    assert_eq!(seen, ["session.created".to_owned(), format!("4001 {reason}")]);
    let closed = attempt.sent.closed.expect("it is in the ledger");
    assert_eq!((closed.code, closed.reason, attempt.end), (Some(4001), reason, AttemptEnd::Closed));
    let (seen, attempt) = play(ok(frame(Some(1000), "", Point::AfterHeaders))).await;
    assert_eq!((seen, attempt.end), (vec!["1000 ".to_owned()], AttemptEnd::Finished));
    let (seen, _) = play(ok(frame(None, "", Point::AfterHeaders))).await;
    assert_eq!(seen, ["closed"]);
}

#[tokio::test]
async fn a_reset_a_fin_and_half_a_frame_do_not_count_as_close_frames() {
    let at = Point::AfterEvents(1);
    for (fault, end) in [
        (Fault::Reset { at }, AttemptEnd::Reset),
        (Fault::Close { at }, AttemptEnd::Closed),
        (Fault::Truncate { at }, AttemptEnd::Closed),
    ] {
        let (seen, attempt) = play(ok(vec![fault.clone()])).await;
        assert_eq!(seen.len(), 2, "{fault}: {seen:?}");
        assert_eq!(attempt.end, end, "{fault}");
        assert!(attempt.sent.closed.is_none());
        let reset = seen[1].contains("reset by peer");
        assert_eq!(reset, end == AttemptEnd::Reset, "{fault}: {seen:?}");
    }
}

#[tokio::test]
async fn an_error_event_leaves_the_session_open_and_a_close_may_follow_it() {
    let at = Point::AfterEvents(1);
    let error = Fault::ErrorEvent { error: ErrorName::Quota, at, form: None };
    let (seen, attempt) = play(ok(vec![error.clone()])).await;
    assert_eq!(seen, ["session.created", "error"]);
    assert_eq!(attempt.end, AttemptEnd::Finished);
    let faults = [vec![error], frame(Some(1011), "over", Point::BeforeEnd)].concat();
    let upstream = Upstream::start().await.unwrap();
    let _case = arm(&upstream, "tok", vec![ok(faults)]);
    let mut client = open(&upstream, PATH, "sk-x").await.unwrap();
    client.send(Message::text(ASK)).await.unwrap();
    let seen = [next(&mut client).await, next(&mut client).await, next(&mut client).await];
    assert_eq!(seen, ["session.created", "error", "1011 over"]);
}

#[tokio::test]
async fn a_hang_answers_nothing_not_even_a_ping() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![ok(vec![Fault::Hang { at: Point::AfterHeaders }])]);
    let mut client = open(&upstream, PATH, "sk-x").await.unwrap();
    client.send(Message::Ping("p".into())).await.unwrap();
    client.send(Message::text(ASK)).await.unwrap();
    assert!(timeout(Duration::from_millis(200), client.next()).await.is_err(), "nothing arrives");
    drop(client);
    assert_eq!(last(&case).await.end, AttemptEnd::ClientLeft);
}

#[tokio::test]
async fn a_refused_handshake_has_the_providers_status_and_body() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![turn(TurnReply::Error(ErrorName::RateLimit), vec![])]);
    let Err(Error::Http(reply)) = open(&upstream, PATH, "sk-x").await else { panic!("it is refused") };
    let body = String::from_utf8(reply.body().clone().unwrap()).unwrap();
    assert_eq!((reply.status().as_u16(), body.contains("rate_limit_exceeded")), (429, true), "{body}");
    assert!(reply.headers().contains_key("retry-after"));
    assert_eq!(case.attempts()[0].sent.status, Some(429));
}

#[tokio::test]
async fn a_session_under_another_path_is_found_by_its_key() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![ok(vec![])]);
    let key = Identity { token: "tok".into() }.key("main");
    let mut client = open(&upstream, "/v1/realtime?model=m", &key).await.unwrap();
    assert_eq!(next(&mut client).await, "session.created");
    assert_eq!(case.attempts()[0].path, "/v1/realtime?model=m");
    for key in ["sk-x", "sk-canary-tok-other", "sk-canary-other-main"] {
        let refused = open(&upstream, "/v1/realtime?model=m", key).await;
        assert!(matches!(&refused, Err(Error::Http(reply)) if reply.status() == 404), "{key}");
    }
}

#[tokio::test]
async fn a_request_without_an_upgrade_opens_no_session() {
    let upstream = Upstream::start().await.unwrap();
    let _case = arm(&upstream, "tok", vec![ok(vec![])]);
    let request = "GET /tok/main/v1/realtime?model=m HTTP/1.1\r\nhost: mock\r\nconnection: close\r\nauthorization: Bearer sk-x\r\n\r\n";
    let mut socket = super::stage::send(upstream.address(), request).await;
    let (text, _) = super::stage::drain(&mut socket).await;
    assert!(text.starts_with("HTTP/1.1 400 ") && text.contains("upgrade to a WebSocket"), "{text}");
}
