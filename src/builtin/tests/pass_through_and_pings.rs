//! Pass-through routes, and streams that start with pings before the upstream has answered.

use super::stage::*;

fn passing(script: Script) -> Setup {
    Setup { pass_through: true, ..Setup::new([script]) }
}

const PATH: &str = "/pass-through/main/chat/completions";

#[tokio::test]
async fn a_pass_through_forwards_the_request_with_the_routes_key_and_the_response_byte_for_byte() {
    let headers = "content-type: text/html\r\nset-cookie: a=b\r\nkeep-alive: timeout=9\r\n";
    let stage = passing(json(520, headers, "<p>no")).start(None).await;
    let body = r#"{ "model": "theirs" }"#;
    let got = stage.post(PATH, body).await;
    assert_eq!((got.status, got.text.as_str(), got.end), (520, "<p>no", ScriptEnd::Complete));
    assert_eq!(got.header("set-cookie"), Some("a=b"), "Set-Cookie is an end-to-end header");
    assert_eq!(got.header("keep-alive"), None);
    let request = stage.main.request(0);
    assert!(request.starts_with("POST /main/v1/chat/completions HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Bearer sk-secret-main\r\n"), "{request}");
    assert!(!request.contains(stage.proxy.proxy_key()) && request.ends_with(body), "{request}");
}

#[tokio::test]
async fn a_pass_through_breaks_off_at_the_same_byte_as_its_upstream() {
    let stage = passing(events(&[ONE, TWO], Last::Close)).start(None).await;
    let got = stage.post(PATH, "{}").await;
    assert_eq!((got.status, got.text, got.end), (200, [ONE, TWO].concat(), ScriptEnd::Cut));
}

#[tokio::test]
async fn a_pass_through_needs_a_route_that_allows_it_and_the_key_of_the_proxy() {
    let stage = Setup::new([ok()]).start(None).await;
    assert_eq!(stage.post(PATH, "{}").await.status, 404);
    let stage = passing(ok()).start(None).await;
    let url = format!("{}{PATH}", stage.proxy.root());
    assert_eq!(take(reqwest_client().post(url).body("{}")).await.status, 401);
    assert_eq!(stage.main.attempts(), 0);
}

#[tokio::test]
async fn a_failure_after_pings_is_an_error_event_and_one_before_them_a_status() {
    let slow = [vec![ScriptStep::Wait(300)], error(429, "", "c")].concat();
    let pinged = |script: Script, every| Setup { keep_alive_s: Some(every), ..Setup::streamed([script]) };
    let (got, _stage) = pinged(slow, 0.05).run(None).await;
    assert_eq!((got.status, got.end), (200, ScriptEnd::Complete));
    assert!(got.text.starts_with(": ping\n\n"), "{}", got.text);
    let event = r#"data: {"error":{"message":"canary c","type":"kind","param":null,"code":"c"}}"#;
    assert_eq!(got.text.replace(": ping\n\n", "").trim_end(), event);
    let (got, _stage) = pinged(error(429, "", "c"), 30.0).run(None).await;
    assert_eq!(got.status, 429);
}

#[tokio::test]
async fn a_response_after_pings_is_complete() {
    let slow = [vec![ScriptStep::Wait(300)], events(&[ONE, STOP, DONE], Last::End)].concat();
    let (got, _stage) = Setup { keep_alive_s: Some(0.05), ..Setup::streamed([slow]) }.run(None).await;
    assert_eq!(got.text.replace(": ping\n\n", ""), [ONE, STOP, DONE].concat());
    assert_ne!(got.text, [ONE, STOP, DONE].concat());
}
