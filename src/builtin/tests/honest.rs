//! The honest proxy.

use std::time::Duration;

use serde_json::json;

use super::stage::*;
use crate::scenario::Cooldown;

/// The code of the one error frame that ends a stream.
fn last_error_code(got: &CallerResult) -> serde_json::Value {
    let frames: Vec<_> = got.text.split_terminator("\n\n").collect();
    assert_eq!(frames.iter().filter(|frame| frame.contains("\"error\"")).count(), 1, "{}", got.text);
    let data = frames.last().and_then(|frame| frame.strip_prefix("data: ")).unwrap();
    serde_json::from_str::<serde_json::Value>(data).unwrap()["error"]["code"].clone()
}

#[tokio::test]
async fn a_success_passes_through_with_the_routes_key_and_model() {
    let (got, stage) = Setup::new([ok()]).run(None).await;
    assert_eq!((got.status, got.header("x-request-id")), (200, Some("req_ok")));
    assert_eq!(got.text, r#"{"choices":[{"index":0,"message":{"content":"hi"}}]}"#);
    let request = stage.main.request(0);
    assert!(request.starts_with("POST /main/v1/chat/completions HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Bearer sk-secret-main\r\n"), "{request}");
    assert!(request.ends_with(r#"{"model":"upstream-main","messages":[]}"#), "{request}");
}

#[tokio::test]
async fn invalid_requests_are_rejected_in_openai_form_and_never_sent_upstream() {
    let stage = Setup::new([ok()]).start(None).await;
    let url = format!("{}/v1/chat/completions", stage.proxy.root());
    let client = reqwest_client();
    let key = stage.proxy.proxy_key();
    let post = |body: &'static str| client.post(&url).bearer_auth(key).body(body);
    for (request, status, code) in [
        (client.post(&url).body("{}"), 401, "invalid_api_key"),
        (client.post(&url).bearer_auth("sk-other").body("{}"), 401, "invalid_api_key"),
        (post("{"), 400, "invalid_json"),
        (post("[]"), 400, "invalid_json"),
        (post("{}"), 400, "missing_model"),
        (post(r#"{"model":"unknown"}"#), 404, "model_not_found"),
        (client.get(&url).bearer_auth(key), 405, "method_not_allowed"),
        (client.post(format!("{}/v1/other", stage.proxy.root())).bearer_auth(key), 404, "not_found"),
    ] {
        let got = take(request).await;
        assert_eq!((got.status, got.error()["code"].as_str()), (status, Some(code)), "{}", got.text);
        assert!(got.error()["message"].is_string() && got.error()["param"].is_null());
    }
    assert_eq!(stage.main.attempts(), 0);
}

#[tokio::test]
async fn upstream_errors_keep_status_and_detail_with_and_without_a_stream() {
    for status in [400, 401, 403, 404, 413, 422, 429, 500, 503, 529] {
        for setup in [Setup::new([error(status, "", "c")]), Setup::streamed([error(status, "", "c")])] {
            let (got, stage) = setup.run(None).await;
            assert_eq!((got.status, stage.main.attempts()), (status, 1));
            assert_eq!(got.header("content-type"), Some("application/json"));
            assert_eq!(got.text, r#"{"error":{"message":"canary c","type":"kind","param":null,"code":"c"}}"#);
        }
    }
}

#[tokio::test]
async fn headers_for_the_caller_pass_and_others_do_not() {
    let headers = "retry-after: 7\r\nretry-after-ms: 7000\r\nx-ratelimit-limit-requests: 3\r\nx-request-id: r\r\nx-should-retry: true\r\nset-cookie: a=b\r\nkeep-alive: timeout=5\r\nopenai-organization: org\r\ncontent-encoding: identity\r\n";
    let (got, _stage) = Setup::new([error(429, headers, "c")]).run(None).await;
    let mut names: Vec<_> = got.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "content-length",
            "content-type",
            "date",
            "retry-after",
            "retry-after-ms",
            "x-ratelimit-limit-requests",
            "x-request-id",
            "x-should-retry"
        ]
    );
}

#[tokio::test]
async fn bodies_without_an_error_object_are_wrapped() {
    let (got, _stage) = Setup::new([json(502, "", "<html><h1>502 Bad Gateway</h1></html>")]).run(None).await;
    assert_eq!(got.status, 502);
    assert_eq!(
        got.error(),
        json!({"message": "502 Bad Gateway", "type": "upstream_error", "param": null, "code": null})
    );
}

#[tokio::test]
async fn invalid_bodies_under_200_and_redirects_become_502() {
    for body in ["", "null", "{\"choi", "<html>", r#"{"id":1}"#] {
        for setup in [Setup::new([json(200, "", body)]), Setup::streamed([json(200, "", body)])] {
            let (got, _stage) = setup.run(None).await;
            assert_eq!(
                (got.status, &got.error()["code"]),
                (502, &json!("invalid_upstream_response")),
                "{body}"
            );
        }
    }
    let (got, _stage) = Setup::new([error(200, "", "hidden")]).run(None).await;
    assert_eq!((got.status, &got.error()["message"]), (502, &json!("canary hidden")));
    let (got, stage) = Setup::new([json(302, "location: http://127.0.0.1:1/\r\n", "")]).run(None).await;
    assert_eq!((got.status, got.header("location"), stage.main.attempts()), (502, None, 1));
}

#[tokio::test]
async fn unreachable_disconnected_and_silent_upstreams_become_502_502_and_504() {
    let (got, _stage) = Setup { refuse: true, ..Setup::new([ok()]) }.run(None).await;
    assert_eq!((got.status, &got.error()["code"]), (502, &json!("upstream_unreachable")));
    for script in [vec![], vec![ScriptStep::Reset]] {
        let (got, _stage) = Setup::new([script]).run(None).await;
        assert_eq!((got.status, &got.error()["code"]), (502, &json!("upstream_disconnected")));
    }
    for stream in [false, true] {
        let (got, stage) =
            Setup { timeout_s: 0.15, stream, ..Setup::new([vec![ScriptStep::Hang]]) }.run(None).await;
        assert_eq!((got.status, &got.error()["code"]), (504, &json!("timeout")));
        assert!(got.took >= Duration::from_millis(150) && got.took < Duration::from_secs(5));
        assert_eq!(stage.main.attempts(), 1);
    }
}

#[tokio::test]
async fn the_timeout_covers_a_whole_plain_body_but_only_the_gaps_of_a_stream() {
    let mut slow = json(200, "", &format!("{}{}", "x".repeat(5), "y"));
    slow.push(ScriptStep::Hang);
    let ScriptStep::Send(text) = &mut slow[0] else { panic!() };
    text.pop();
    let (got, _stage) = Setup { timeout_s: 0.15, ..Setup::new([slow]) }.run(None).await;
    assert_eq!(got.status, 504);

    // Three gaps of 400 ms together are longer than the limit of 1 s, each alone is not.
    let ScriptStep::Send(head) = events(&[], Last::Close)[0].clone() else { panic!() };
    let mut steady = vec![ScriptStep::Send(head)];
    for event in [ONE, TWO, STOP, DONE] {
        steady.extend([ScriptStep::Send(format!("{:x}\r\n{event}\r\n", event.len())), ScriptStep::Wait(400)]);
    }
    let (got, _stage) = Setup { timeout_s: 1.0, ..Setup::streamed([steady]) }.run(None).await;
    assert_eq!((got.text, got.end), ([ONE, TWO, STOP, DONE].concat(), ScriptEnd::Complete));
}

#[tokio::test]
async fn only_failures_that_may_pass_are_retried() {
    let flaky = [error(503, "", "a"), vec![ScriptStep::Reset], ok()];
    let (got, stage) = Setup { retries: 2, ..Setup::new(flaky.clone()) }.run(None).await;
    assert_eq!((got.status, stage.main.attempts()), (200, 3));
    let (got, stage) = Setup { retries: 1, ..Setup::new(flaky) }.run(None).await;
    assert_eq!((got.status, stage.main.attempts()), (502, 2));
    for status in [400, 401, 403, 404, 413, 422] {
        let (got, stage) = Setup { retries: 2, ..Setup::new([error(status, "", "a")]) }.run(None).await;
        assert_eq!((got.status, stage.main.attempts()), (status, 1));
    }
}

#[tokio::test]
async fn the_proxy_waits_for_a_short_retry_after_and_passes_a_long_one_on() {
    let (got, stage) = Setup { retries: 1, ..Setup::new([error(429, "retry-after-ms: 300\r\n", "a"), ok()]) }
        .run(None)
        .await;
    assert_eq!(got.status, 200);
    assert!(stage.main.first_gap() >= Duration::from_millis(300));
    let (got, stage) =
        Setup { retries: 1, ..Setup::new([error(429, "retry-after: 30\r\n", "a"), ok()]) }.run(None).await;
    assert_eq!((got.status, got.header("retry-after"), stage.main.attempts()), (429, Some("30"), 1));
}

#[tokio::test]
async fn fallbacks_replace_failures_that_may_pass_and_the_first_upstream_error_is_sent_if_all_fail() {
    let with_backup =
        |script: Script, backup: Script| Setup { backup: Some(vec![backup]), ..Setup::new([script]) };
    for script in [error(429, "", "a"), error(503, "", "a"), vec![]] {
        let (got, stage) = with_backup(script, ok()).run(None).await;
        assert_eq!((got.status, stage.main.attempts(), stage.backup.attempts()), (200, 1, 1));
    }
    let (got, stage) = with_backup(error(400, "", "a"), ok()).run(None).await;
    assert_eq!((got.status, stage.backup.attempts()), (400, 0));
    let (got, _stage) = with_backup(error(429, "", "first"), error(503, "", "second")).run(None).await;
    assert_eq!((got.status, &got.error()["code"]), (429, &json!("first")));
    let (got, _stage) = with_backup(vec![], error(503, "", "second")).run(None).await;
    assert_eq!((got.status, &got.error()["code"]), (503, &json!("second")));
}

#[tokio::test]
async fn a_stream_that_fails_before_its_first_event_falls_back() {
    let good = events(&[ONE, STOP, DONE], Last::End);
    let setup = Setup { backup: Some(vec![good]), ..Setup::streamed([events(&[ERROR], Last::End)]) };
    let (got, _stage) = setup.run(None).await;
    assert_eq!((got.status, got.text), (200, [ONE, STOP, DONE].concat()));
}

#[tokio::test]
async fn a_route_that_keeps_failing_goes_into_cooldown_and_the_error_gives_the_reason() {
    let cooldown = Some(Cooldown { after: 2, lasting: Duration::from_secs(30) });
    for (status, expected) in [(429, 429), (500, 503)] {
        let stage = Setup { cooldown, ..Setup::new([error(status, "", "why")]) }.start(None).await;
        stage.send().await;
        assert_eq!(stage.send().await.status, status);
        let got = stage.send().await;
        assert_eq!((got.status, &got.error()["message"]), (expected, &json!("canary why")));
        assert!(matches!(got.header("retry-after"), Some("29" | "30")));
        assert_eq!(stage.main.attempts(), 2);
    }
    let stage = Setup { cooldown, ..Setup::new([error(400, "", "why")]) }.start(None).await;
    for _ in 0..4 {
        assert_eq!(stage.send().await.status, 400);
    }
}

#[tokio::test]
async fn a_successful_stream_passes_byte_for_byte() {
    let odd = "event: x\r\ndata:  {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"ü\"}}]}\r\n\r\n";
    let (got, _stage) =
        Setup::streamed([events(&[ROLE, ": note\n\n", odd, STOP, DONE], Last::End)]).run(None).await;
    assert_eq!((got.status, got.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!((got.header("x-ratelimit-remaining-requests"), got.header("set-cookie")), (Some("9"), None));
    assert_eq!((got.text, got.end), ([ROLE, ": note\n\n", odd, STOP, DONE].concat(), ScriptEnd::Complete));
}

#[tokio::test]
async fn a_stream_with_crlf_line_ends_keeps_them_to_its_last_byte() {
    let all = [ONE, STOP, DONE].map(|event| event.replace('\n', "\r\n"));
    let (got, _stage) =
        Setup::streamed([events(&all.each_ref().map(String::as_str), Last::End)]).run(None).await;
    assert_eq!(got.text, all.concat());
}

#[tokio::test]
async fn streams_that_break_off_count_towards_the_cooldown_and_successful_ones_reset_it() {
    let cooldown = Some(Cooldown { after: 2, lasting: Duration::from_secs(30) });
    let (bad, good) = (events(&[ONE], Last::Close), events(&[ONE, STOP, DONE], Last::End));
    let scripts = [bad.clone(), good, bad, events(&[ONE, ERROR], Last::End)];
    let stage = Setup { cooldown, ..Setup::streamed(scripts) }.start(None).await;
    for _ in 0..4 {
        assert_eq!(stage.send().await.status, 200);
    }
    let got = stage.send().await;
    assert_eq!((got.status, &got.error()["message"]), (429, &json!("canary mid")));
    assert_eq!(stage.main.attempts(), 4);
}

#[tokio::test]
async fn an_error_as_the_first_event_becomes_a_status() {
    let (got, _stage) = Setup::streamed([events(&[ERROR, DONE], Last::End)]).run(None).await;
    assert_eq!((got.status, got.header("content-type")), (429, Some("application/json")));
    assert_eq!(got.error()["message"], "canary mid");
    for script in [events(&[], Last::End), events(&[DONE], Last::End), events(&[": ping\n\n"], Last::Close)] {
        let (got, _stage) = Setup::streamed([script]).run(None).await;
        assert_eq!(got.status, 502, "{}", got.text);
    }
    let bare = events(&["{\"error\":{\"message\":\"canary bare\"}}\n"], Last::End);
    let (got, _stage) = Setup::streamed([bare]).run(None).await;
    assert_eq!((got.status, &got.error()["message"]), (502, &json!("canary bare")));
}

#[tokio::test]
async fn an_error_event_passes_once_and_ends_the_stream_without_done() {
    let (got, stage) =
        Setup { retries: 2, ..Setup::streamed([events(&[ONE, ERROR, DONE], Last::End)]) }.run(None).await;
    assert_eq!((got.text, got.end), ([ONE, ERROR].concat(), ScriptEnd::Complete));
    assert_eq!(stage.main.attempts(), 1);
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_with_one_error_frame() {
    for (last, code) in [
        (Last::Close, "stream_interrupted"),
        (Last::Reset, "stream_interrupted"),
        (Last::End, "stream_interrupted"),
        (Last::Hang, "timeout"),
    ] {
        let timeout_s = if last == Last::Hang { 1.0 } else { 20.0 };
        let setup = Setup { timeout_s, retries: 2, ..Setup::streamed([events(&[ONE, TWO], last)]) };
        let (got, stage) = setup.run(None).await;
        assert!(got.text.starts_with(&[ONE, TWO].concat()), "{}", got.text);
        assert_eq!((last_error_code(&got), got.end), (json!(code), ScriptEnd::Complete));
        assert_eq!(stage.main.attempts(), 1, "nothing is tried again after content");
    }
    let (got, _stage) = Setup::streamed([events(&[ONE, "data: {\"cho\n\n"], Last::End)]).run(None).await;
    assert_eq!(last_error_code(&got), "stream_interrupted");
}

#[tokio::test]
async fn a_finished_stream_without_done_is_a_success() {
    for last in [Last::End, Last::Close] {
        let (got, _stage) = Setup::streamed([events(&[ONE, STOP], last)]).run(None).await;
        assert_eq!((got.text, got.end), ([ONE, STOP, DONE].concat(), ScriptEnd::Complete));
    }
}

#[tokio::test]
async fn no_response_contains_a_secret_of_the_proxy() {
    let body = r#"{"error":{"message":"bad key sk-secret-main","code":null}}"#;
    let (got, _stage) = Setup::new([json(401, "x-request-id: sk-secret-backup\r\n", body)]).run(None).await;
    assert_eq!(got.status, 401);
    assert!(
        !got.text.contains("sk-secret") && !format!("{:?}", got.headers).contains("sk-secret"),
        "{got:?}"
    );
    let event = "data: {\"error\":{\"message\":\"canary sk-secret-main\",\"type\":\"t\"}}\n\n";
    let (got, _stage) = Setup::streamed([events(&[ONE, event], Last::End)]).run(None).await;
    assert!(got.text.contains("canary [key]") && !got.text.contains("sk-secret"), "{}", got.text);
}

#[tokio::test]
async fn the_upstream_request_ends_when_the_caller_leaves() {
    for setup in [Setup::new([vec![ScriptStep::Hang]]), Setup::streamed([events(&[ONE], Last::Hang)])] {
        let stage = setup.start(None).await;
        let caller = tokio::spawn(take(stage.request()));
        eventually(|| stage.main.attempts() == 1).await;
        caller.abort();
        eventually(|| stage.main.left() == 1).await;
    }
}

#[tokio::test]
async fn stopping_and_dropping_end_everything_at_once() {
    let stage = Setup::streamed([events(&[ONE], Last::Hang)]).start(None).await;
    let (root, caller) = (stage.proxy.root(), tokio::spawn(take(stage.request())));
    eventually(|| stage.main.attempts() == 1).await;
    tokio::time::timeout(Duration::from_secs(5), stage.proxy.stop()).await.expect("it stops");
    assert_eq!(caller.await.map(|got| got.end).unwrap_or(ScriptEnd::Cut), ScriptEnd::Cut);
    assert!(reqwest_client().get(root).send().await.is_err());

    let stage = Setup::new([vec![ScriptStep::Hang]]).start(None).await;
    let request = stage.request().send();
    let caller = tokio::spawn(request);
    eventually(|| stage.main.attempts() == 1).await;
    drop(stage.proxy);
    assert!(caller.await.unwrap().is_err());
}
