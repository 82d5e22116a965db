//! The ways in which a response or a connection can fail, as evidence shows them.

use super::*;
use crate::incident::clue::SeenBreak;

#[test]
fn streams_and_bodies_with_status_200_are_recognized() {
    let of = |head: &str, body: &str| {
        let action = seen(curl(&format!(
            "> POST /v1/messages HTTP/2\n> Host: api.anthropic.com\nHTTP/2 200\n{head}\n\n{body}"
        )));
        let text = text(&action, &DraftWishes::default());
        text.lines().skip_while(|line| !line.starts_with("upstream:")).collect::<Vec<_>>().join("\n")
    };
    let sse = "content-type: text/event-stream";
    let delta = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"He\"}}\n\n";
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    for (head, body, expected) in [
        (sse, [delta, error].concat(), "error_event: {error: overloaded, at: after_content}"),
        (
            sse,
            [delta, "curl: (56) Recv failure: Connection reset by peer\n"].concat(),
            "reset: {at: after_content}",
        ),
        (sse, delta.to_owned(), "close: {at: after_content}"),
        ("content-type: text/html", "<html></html>".to_owned(), "malform: html"),
        ("content-type: application/json", "{\"id\":".to_owned(), "malform: cut_json"),
        ("content-type: application/json", String::new(), "malform: empty"),
        (
            "content-type: application/json",
            "{\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}".to_owned(),
            "malform: {error: overloaded}",
        ),
    ] {
        let turn = of(head, &body);
        assert!(turn.contains(expected), "{body}: {turn}");
    }
}

#[test]
fn failures_of_the_connection_are_faults() {
    for (text_of, expected) in [
        ("curl: (7) Failed to connect to api.openai.com port 443: Connection refused", "faults: [refuse]"),
        (
            "curl: (60) SSL certificate problem: certificate has expired",
            "faults: [{tls: expired_certificate}]",
        ),
        (
            "curl: (28) Operation timed out after 30001 milliseconds with 0 bytes received",
            "faults: [{hang: {at: before_headers}}]}]\nproxy: {timeout: 3s}",
        ),
        ("curl: (52) Empty reply from server", "faults: [{close: {at: before_headers}}]"),
    ] {
        let text = text(&seen(curl(text_of)), &DraftWishes::default());
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_call_that_did_not_fail_is_an_error_with_a_next_step() {
    for body in ["{\"choices\": []}", "data: {\"choices\":[]}\n\ndata: [DONE]\n\n"] {
        let action = seen(curl(&format!("HTTP/2 200\nopenai-version: x\n\n{body}")));
        let error = draft(&action, &DraftWishes::default()).unwrap_err().to_string();
        assert!(error.contains("nothing failed in the response") && error.contains("--fault"), "{error}");
    }
}

#[test]
fn the_end_of_an_http2_stream_is_a_reset_connection() {
    let entry = serde_json::json!({"log": {"entries": [{
        "request": {"method": "POST", "url": "https://api.openai.com/v1/chat/completions"},
        "response": {"status": 0, "_error": "net::ERR_HTTP2_PROTOCOL_ERROR"},
    }]}});
    for action in [
        seen(har(&entry.to_string(), None)),
        seen(curl("curl: (92) HTTP/2 stream 1 was not closed cleanly: INTERNAL_ERROR (err 2)")),
    ] {
        let text = text(&action, &DraftWishes::default());
        assert!(text.contains("reset: {at: before_headers}"), "{text}");
        assert!(
            text.contains("the connection is HTTP/1.1 and is reset; with HTTP/2 it was a stream"),
            "{text}"
        );
    }
}

#[test]
fn a_failure_without_words_is_unclear() {
    let entry = serde_json::json!({"log": {"entries": [{
        "request": {"method": "POST", "url": "https://api.openai.com/v1/chat/completions"},
        "response": {"status": 0, "_error": "net::ERR_FAILED"},
    }]}});
    let error = draft(&seen(har(&entry.to_string(), None)), &DraftWishes::default()).unwrap_err().to_string();
    assert!(error.starts_with("the evidence does not say how the call failed\nhelp: "), "{error}");
}

#[test]
fn node_and_python_lead_to_the_same_error() {
    let message =
        "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000, Requested 1500.";
    let node = format!(
        "RateLimitError: 429 {message}\n    at APIError.generate (error.js:1:2) {{\n  status: 429,\n  error: {{\n    message: '{message}',\n    type: \
         'tokens',\n    param: null,\n    code: 'rate_limit_exceeded'\n  }}\n}}\n"
    );
    let python = format!(
        "openai.RateLimitError: Error code: 429 - {{'error': {{'message': '{message}', 'type': 'tokens', 'param': None, 'code': 'rate_limit_exceeded'}}}}\n"
    );
    let text_of = |evidence: &str| text(&seen(exception(evidence)), &DraftWishes::default());
    assert_eq!(text_of(&node), text_of(&python));
    assert!(text_of(&node).contains("error: token_limit"));
}

#[test]
fn a_body_that_a_parser_could_not_read_is_malformed() {
    for (words, expected) in [
        ("Unterminated string starting at: line 1 column 15 (char 14)", "malform: cut_json"),
        ("Expecting value: line 1 column 1 (char 0)", "malform: not_json"),
    ] {
        let action = seen(exception(&format!("json.decoder.JSONDecodeError: {words}\n")));
        let text = text(&action, &DraftWishes::default());
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains("is handled"), "{text}");
    }
}

#[test]
fn what_curl_says_is_not_part_of_the_body() {
    let error = r#"{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}"#;
    let head = "> POST /v1beta/models/m:generateContent HTTP/2\n> Host: generativelanguage.googleapis.com\n";
    let found =
        curl(&format!("{head}HTTP/2 503\n\n{error}\ncurl: (22) The requested URL returned error: 503"))
            .unwrap();
    assert_eq!((found.text().trim(), found.broken), (error, None));
    let cut = "HTTP/2 200\ncontent-type: text/event-stream\n\ndata: {\"chocurl: (56) Recv failure: Connection reset by peer";
    let found = curl(cut).unwrap();
    assert_eq!((found.text().trim(), found.broken), ("data: {\"cho", Some(SeenBreak::Reset)));
}

#[test]
fn json_in_place_of_a_stream_is_an_error_of_the_provider() {
    let mut evidence = curl(
        "> POST /v1/chat/completions HTTP/2\n> Host: api.openai.com\nHTTP/2 200\ncontent-type: application/json\n\n{\"error\":{\"message\":\"The server is overloaded\",\"type\":\"server_error\"}}",
    )
    .unwrap();
    evidence.stream = Some(true);
    let text = text(&seen(Ok(evidence)), &DraftWishes::default());
    assert!(text.contains("malform: {error: "), "{text}");
}
