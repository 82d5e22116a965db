//! Sessions through the embedded proxy, and each of their defects compared with the honest relay.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::client_async;
use tungstenite::{Error, Message, client::IntoClientRequest, http::header::AUTHORIZATION};

use super::stage::*;
use crate::{
    builtin::Defect::{self, *},
    wire::websocket,
};

const CREATED: &str = r#"{"type":"session.created"}"#;
const FIRST: &str = r#"{"type":"response.output_text.delta","delta":"[1] a"}"#;
const MORE: &str = r#"{"type":"response.output_text.delta","delta":"[2]"}"#;
const FAILED: &str = r#"{"type":"error","error":{"type":"kind","code":"c","message":"canary"}}"#;

/// An upstream that answers 101, sends all frames at once, and then does what `last` says.
fn session(frames: &[bytes::Bytes], last: Last) -> Setup {
    let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nx-request-id: r\r\n\r\n";
    let mut script = vec![ScriptStep::Send(head.to_owned()), ScriptStep::Bytes(frames.concat())];
    match last {
        Last::Hang => script.push(ScriptStep::Hang),
        Last::Reset => script.extend([ScriptStep::Wait(30), ScriptStep::Reset]),
        Last::Close | Last::End => {}
    }
    Setup::new([script])
}

fn says(events: &[&str], last: Last) -> Setup {
    session(&events.iter().map(|event| websocket::text(event)).collect::<Vec<_>>(), last)
}

fn closes(code: u16) -> Setup {
    session(&[websocket::text(CREATED), websocket::close(Some(code), "over", None)], Last::Hang)
}

/// Everything that a caller receives, one message or event per line.
async fn seen(setup: Setup, defect: Option<Defect>) -> String {
    let stage = setup.start(defect).await;
    let host = stage.proxy.root().replace("http://", "");
    let mut request = format!("ws://{host}/v1/realtime?model=main").into_client_request().unwrap();
    let key = format!("Bearer {}", stage.proxy.proxy_key());
    request.headers_mut().insert(AUTHORIZATION, key.parse().unwrap());
    let (mut caller, _) = match client_async(request, TcpStream::connect(host).await.unwrap()).await {
        Ok(both) => both,
        Err(Error::Http(reply)) => {
            let body = reply.body().clone().unwrap_or_default();
            return format!("{} {}", reply.status().as_u16(), String::from_utf8(body).unwrap());
        }
        Err(error) => panic!("{error}"),
    };
    let mut lines = Vec::new();
    loop {
        // Messages arrive within a few milliseconds or never.
        match timeout(Duration::from_millis(500), caller.next()).await {
            Err(_) => lines.push("silence".to_owned()),
            Ok(Some(Ok(Message::Text(text)))) => {
                lines.push(text.to_string());
                continue;
            }
            Ok(Some(Ok(Message::Close(frame)))) => lines.push(match frame {
                Some(frame) => format!("closed {} {}", frame.code, frame.reason),
                None => "closed".to_owned(),
            }),
            Ok(_) => lines.push("cut".to_owned()),
        }
        return lines.join("\n");
    }
}

/// The upstream with which a defect of sessions shows, and what the caller then receives.
fn shown(defect: Defect) -> Option<(Setup, &'static str)> {
    let refusing = || failing_handshake();
    let failed = || says(&[CREATED, FAILED], Last::Hang);
    Some(match defect {
        SessionLeftOpen => (closes(1011), "{\"type\":\"session.created\"}\nsilence"),
        SessionEndAsGoodbye => (closes(1011), "{\"type\":\"session.created\"}\nclosed 1000 over"),
        SessionErrorAsGoodbye => (failed(), "{\"type\":\"session.created\"}\nclosed 1000 "),
        SessionErrorSwallowed => (failed(), "{\"type\":\"session.created\"}\nsilence"),
        SessionDetailLost => (
            failed(),
            "{\"type\":\"session.created\"}\n{\"type\":\"error\",\"error\":{\"type\":\"kind\",\"code\":\"c\",\"message\":\"Internal error\"}}\nsilence",
        ),
        SessionErrorAsString => {
            (failed(), "{\"type\":\"session.created\"}\n{\"type\":\"error\",\"error\":\"canary\"}\nsilence")
        }
        SessionEventLost => (
            says(&[FIRST, MORE], Last::Hang),
            "{\"type\":\"response.output_text.delta\",\"delta\":\"[2]\"}\nsilence",
        ),
        SessionForged => (
            closes(1011),
            "{\"type\":\"session.created\"}\n{\"type\":\"response.done\",\"response\":{\"object\":\"realtime.response\",\"status\":\"completed\"}}\nclosed 1011 over",
        ),
        SessionCut => (closes(1011), "{\"type\":\"session.created\"}\ncut"),
        CloseCodeReplaced => (closes(4001), "{\"type\":\"session.created\"}\nclosed 1011 over"),
        CloseReasonLost => (closes(4001), "{\"type\":\"session.created\"}\nclosed 4001 "),
        RefusalUpgraded => (refusing(), "silence"),
        RefusalAsClose => (refusing(), "closed 1011 canary c"),
        _ => return None,
    })
}

fn failing_handshake() -> Setup {
    Setup::new([error(429, "retry-after: 7\r\n", "c")])
}

/// Whether a defect shows only in sessions.
pub(super) fn shows_in_a_session(defect: Defect) -> bool {
    shown(defect).is_some()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_defect_of_a_session_shows_and_the_honest_proxy_never_does_the_same() {
    let mut runs = tokio::task::JoinSet::new();
    for defect in Defect::ALL.iter().copied().filter(|defect| shows_in_a_session(*defect)) {
        for with in [None, Some(defect)] {
            runs.spawn(async move {
                let (setup, expected) = shown(defect).expect("it shows in a session");
                let got = seen(setup, with).await;
                assert_eq!(got == expected, with.is_some(), "{defect}, run with {with:?}: {got}");
            });
        }
    }
    while let Some(run) = runs.join_next().await {
        run.unwrap();
    }
}

#[tokio::test]
async fn the_caller_gets_the_upstreams_messages_and_its_end_of_the_session() {
    let created = CREATED.to_owned() + "\n";
    assert_eq!(seen(closes(4001), None).await, created.clone() + "closed 4001 over");
    let empty = session(&[websocket::text(CREATED), websocket::close(None, "", None)], Last::Hang);
    assert_eq!(
        seen(empty, None).await,
        created.clone() + "closed 1011 The upstream closed the session without a code."
    );
    for last in [Last::Close, Last::Reset] {
        assert_eq!(
            seen(says(&[CREATED], last), None).await,
            created.clone() + "closed 1011 The upstream's connection was lost."
        );
    }
}

#[tokio::test]
async fn a_refused_handshake_is_refused_with_the_upstreams_error() {
    assert_eq!(
        seen(failing_handshake(), None).await,
        r#"429 {"error":{"message":"canary c","type":"kind","param":null,"code":"c"}}"#
    );
}

#[tokio::test]
async fn a_key_in_a_message_or_a_close_reason_is_removed() {
    let leaking = session(
        &[
            websocket::text("{\"a\":\"sk-secret-main\"}"),
            websocket::close(Some(1008), "sk-secret-main", None),
        ],
        Last::Hang,
    );
    let got = seen(leaking, None).await;
    assert!(!got.contains("sk-secret-main") && got.contains("closed 1008"), "{got}");
}

#[tokio::test]
async fn a_session_path_requires_the_upgrade() {
    let stage = Setup::new([ok()]).start(None).await;
    let url = format!("{}/v1/realtime?model=main", stage.proxy.root());
    let got = take(reqwest_client().get(&url).bearer_auth(stage.proxy.proxy_key())).await;
    assert_eq!((got.status, stage.main.attempts()), (426, 0));
}

#[tokio::test]
async fn a_caller_that_closes_gets_a_close_frame_and_the_upstream_session_ends() {
    let stage = says(&[CREATED], Last::Hang).start(None).await;
    let host = stage.proxy.root().replace("http://", "");
    let mut request = format!("ws://{host}/v1/realtime?model=main").into_client_request().unwrap();
    let key = format!("Bearer {}", stage.proxy.proxy_key());
    request.headers_mut().insert(AUTHORIZATION, key.parse().unwrap());
    let (mut caller, _) = client_async(request, TcpStream::connect(host).await.unwrap()).await.unwrap();
    caller.next().await.unwrap().unwrap();
    caller.send(Message::Close(None)).await.unwrap();
    while let Some(Ok(_)) = caller.next().await {}
    eventually(|| stage.main.left() == 1).await;
}
