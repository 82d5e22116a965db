//! Faults that are possible in a session, and faults that are refused with their position.

use super::{HEAD, errors, load_text};

fn list(api: &str, faults: &str) -> String {
    format!("{HEAD}matrix: {{api: [{api}]}}\nupstream:\n  - {{reply: ok, faults: [{faults}]}}\n")
}

#[test]
fn what_ends_a_session_or_fails_in_it_loads() {
    for faults in [
        "{close_frame: {at: after_headers}}",
        "{close_frame: {code: 4999, reason: x, at: {after_events: 3}}}",
        "{close: {at: {after_events: 1}}}",
        "{reset: {at: after_headers}}",
        "{hang: {at: {after_events: 1}}}",
        "{truncate: {at: {after_events: 1}}}",
        "{error_event: {error: quota, at: before_end}}, {close_frame: {code: 1011, at: before_end}}",
        "{ping: {at: after_headers}}, {unknown_event: {at: {after_events: 2}}}",
        "{delay: {at: before_headers, for: 1s}}, {drip: {bytes_per_second: 100}}",
        "{latency: {before: each_event, time: {fixed: 10ms}}}",
        "refuse",
        "{tls: expired_certificate}",
        "{redirect: 307}",
    ] {
        let text = list("openai/realtime", faults);
        load_text("x", "f", &text).unwrap_or_else(|errors| panic!("{faults}: {}", errors.render(false)));
    }
}

#[test]
fn a_fault_of_http_bodies_is_shown_with_both_positions() {
    insta::assert_snapshot!(errors(&list("openai/realtime", "drop_terminator")), @"
    error: `drop_terminator` applies to the end of a stream, and openai/realtime is a session over a WebSocket
     --> scenarios/x.yaml:5:26
      |
    3 | matrix: {api: [openai/realtime]}
      |                --------------- openai/realtime is here
    4 | upstream:
    5 |   - {reply: ok, faults: [drop_terminator]}
      |                          ^^^^^^^^^^^^^^^
      |
      = help: a session can be ended by `close_frame`, `close`, `reset`, `hang` and `truncate`, and fail by `error_event`; before it begins it can be refused by an error or a status
    ");
}

#[test]
fn faults_of_other_stream_formats_are_refused() {
    for faults in [
        "{http1: {interim: 103}}",
        "{malform: empty}",
        "crlf",
        "{comment: {at: after_headers}}",
        "split_characters",
        "{content_type: wrong}",
        "{connection: closed_when_reused}",
        "{http2: settings_stall}",
        "{tls: no_close_notify}",
        "duplicate_terminator",
    ] {
        let refused = load_text("x", "f", &list("openai/realtime", faults)).expect_err(faults);
        assert!(refused.0[0].message.contains("is a session over a WebSocket"), "{faults}: {refused:?}");
    }
}

#[test]
fn a_close_frame_elsewhere_is_shown_with_the_api_that_has_none() {
    insta::assert_snapshot!(errors(&list("openai/chat", "{close_frame: {at: after_headers}}")), @"
    error: `close_frame` ends a WebSocket session, and openai/chat has none
     --> scenarios/x.yaml:5:26
      |
    3 | matrix: {api: [openai/chat]}
      |                ----------- openai/chat is here
    4 | upstream:
    5 |   - {reply: ok, faults: [{close_frame: {at: after_headers}}]}
      |                          ^
      |
      = help: write `matrix: {api: [openai/realtime]}`, or end the response with `close`
    ");
}

#[test]
fn an_invalid_close_frame_is_refused() {
    let with = |frame: &str| errors(&list("openai/realtime", &format!("{{close_frame: {{{frame}}}}}")));
    insta::assert_snapshot!(with("code: 1006, at: after_headers"), @"
    error: 1006 is not allowed in a close frame
     --> scenarios/x.yaml:5:41
      |
    5 |   - {reply: ok, faults: [{close_frame: {code: 1006, at: after_headers}}]}
      |                                         ^^^^
      |
      = help: possible codes are 1000 to 1003, 1007 to 1014 and 3000 to 4999 (RFC 6455 section 7.4)
    ");
    insta::assert_snapshot!(with(&format!("reason: {}, at: after_headers", "x".repeat(81))), @"
    error: `reason` must not be longer than 80 bytes
     --> scenarios/x.yaml:5:41
      |
    5 |   - {reply: ok, faults: [{close_frame: {reason: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, at...
      |                                         ^^^^^^
      |
      = help: a close frame holds 125 bytes with its code (RFC 6455 section 5.5)
    ");
    insta::assert_snapshot!(with("at: before_headers"), @"
    error: an event cannot be inserted at this point
     --> scenarios/x.yaml:5:26
      |
    5 |   - {reply: ok, faults: [{close_frame: {at: before_headers}}]}
      |                          ^
      |
      = help: use `after_headers`, `after_events` or `before_end`
    ");
}

#[test]
fn a_session_excludes_stream_leave_and_http2() {
    let head = format!("{HEAD}upstream: [{{reply: ok}}]\n");
    insta::assert_snapshot!(errors(&format!("{head}matrix: {{api: [openai/realtime], stream: [true]}}")), @"
    error: openai/realtime has no stream
     --> scenarios/x.yaml:4:42
      |
    4 | matrix: {api: [openai/realtime], stream: [true]}
      |                                          ^
      |
      = help: leave `stream` out, or put this API into a separate file
    ");
    insta::assert_snapshot!(errors(&format!("{head}matrix: {{api: [openai/realtime]}}\nsteps: [{{leave: {{at: after_headers}}}}]")), @"
    error: a caller of openai/realtime cannot leave yet
     --> scenarios/x.yaml:5:10
      |
    5 | steps: [{leave: {at: after_headers}}]
      |          ^^^^^
      |
      = help: put the sessions into a separate file
    ");
    insta::assert_snapshot!(errors(&format!("{head}matrix: {{api: [openai/realtime]}}\ntransport: http2")), @"
    error: openai/realtime needs HTTP/1.1
     --> scenarios/x.yaml:5:12
      |
    5 | transport: http2
      |            ^^^^^
      |
      = help: write `transport: tls`, or leave the line out
    ");
}
