//! Faults that are impossible, alone or together, are refused with their positions and a help line.

use super::{HEAD, errors, load_text};

fn list(faults: &str) -> String {
    turn(&format!("{{reply: ok, faults: [{faults}]}}"))
}

fn turn(turn: &str) -> String {
    format!("{HEAD}matrix: {{stream: [true]}}\nupstream:\n  - {turn}\n")
}

/// The first line of the error for a list of faults, the number of labels, and whether there is a help line.
fn refused(faults: &str) -> String {
    let text = list(faults);
    let Err(refused) = load_text("x", "f", &text) else { panic!("this loads: {faults}") };
    for one in &refused.0 {
        assert!(one.help.is_some(), "{one:?}");
    }
    refused
        .0
        .iter()
        .map(|one| format!("{} [{}]", one.message, one.labels.len()))
        .collect::<Vec<_>>()
        .join("; ")
}

#[test]
fn two_framing_faults_are_shown_with_both_positions() {
    let text = list("{http1: short_content_length}, {http1: trailing_bytes}");
    insta::assert_snapshot!(errors(&text), @"
    error: `http1: trailing_bytes` excludes another fault of the framing
     --> scenarios/x.yaml:5:57
      |
    5 |   - {reply: ok, faults: [{http1: short_content_length}, {http1: trailing_bytes}]}
      |                          -                              ^
      |                          |
      |                          `http1: short_content_length` is here
      |
      = help: a response marks its end in one way only: put the two into separate turns
    ");
}

#[test]
fn contradicting_faults_are_refused() {
    let pairs = [
        "refuse, {hang: {at: after_headers}}",
        "{delay: {at: before_headers, for: 1s}}, {connection: accepted_silent}",
        "{tls: handshake_stall}, crlf",
        "{http2: settings_stall}, crlf",
        "{connection: {slow_accept: 1s}}, {connection: {slow_accept: 2s}}",
        "{tls: self_signed}, {tls: unknown_ca}",
        "{http1: {unknown_status: 799}}, {http1: body_on_204}",
        "{http1: garbage_status_line}, {http1: chunked_not_sent}",
        "{http1: short_content_length}, {tls: no_close_notify}",
        "{http1: trailing_bytes}, {connection: closed_when_reused}",
        "{http1: missing_last_chunk}, {delay: {at: after_headers, for: 1s}}",
        "{redirect: 307}, crlf",
        "crlf, {redirect: 307}",
        "{drip: {bytes_per_second: 10}}, {malform: html}",
        "{http1: {unknown_status: 799}}, {malform: invalid_utf8}",
        "{split: {bytes: 1}}, split_characters",
        "drop_terminator, duplicate_terminator",
        "duplicate_terminator, {error_event: {error: internal, at: before_end}}",
        "{error_event: {error: internal, at: before_end}}, drop_terminator",
        "{comment: {at: {after_events: 2}}}, {hang: {at: {after_events: 1}}}",
        "{ping: {at: before_end}}, {reset: {at: {after_events: 3}}}",
        "{delay: {at: {after_events: 2}, for: 1s}}, {error_event: {error: internal, at: {after_events: 1}}}",
        "duplicate_terminator, {close: {at: {after_events: 3}}}",
        "{content_type: wrong}, {reset: {at: before_headers}}",
        "crlf, {hang: {at: after_headers}}",
        "{latency: {before: end, time: {fixed: 1s}}}, {truncate: {at: {after_events: 1}}}",
        "{comment: {at: {after_events: 1}}}, {reset: {at: {after_bytes: 900}}}",
        "{ping: {at: {after_events: 1}}}, {http2: {goaway: {code: no_error, at: {after_bytes: 900}}}}",
        "{unknown_event: {at: before_end}}, {truncate: {at: {after_bytes: 900}}}",
        "drop_terminator, {hang: {at: {after_bytes: 900}}}",
        "{latency: {before: each_event, time: {fixed: 1s}}}, {close: {at: {after_bytes: 900}}}",
        "{error_event: {error: internal, at: {after_events: 1}}}, {stall: {at: {after_bytes: 900}}}",
        "{delay: {at: {after_bytes: 9}, for: 1s}}, {reset: {at: {after_events: 2}}}",
        "{stall: {at: {after_bytes: 9}, for: 1s}}, {error_event: {error: internal, at: {after_events: 2}}}",
        "{http1: trailing_bytes}, {reset: {at: before_end}}",
        "{malform: html}, {reset: {at: after_headers}}",
        "crlf, crlf",
        "{content_encoding: cut_gzip}, {comment: {at: after_headers}}",
        "{http1: short_content_length}, {content_encoding: double_gzip}",
        "{http1: chunked_not_sent}, {ping: {at: before_end}}",
        "{malform: empty}, {http1: short_content_length}",
        "{drip: {bytes_per_second: 10}}, multi_line_data",
        "{malform: {very_large: 16777217}}, {content_encoding: double_gzip}",
    ];
    let reported: Vec<_> = pairs.iter().map(|pair| format!("{pair}\n  {}", refused(pair))).collect();
    assert!(reported.iter().all(|reported| reported.contains("[2]")), "{reported:#?}");
    insta::assert_snapshot!(reported.join("\n"), @"
    refuse, {hang: {at: after_headers}}
      `hang` excludes every other fault: with one of the two no response is ever sent [2]
    {delay: {at: before_headers, for: 1s}}, {connection: accepted_silent}
      `connection: accepted_silent` excludes every other fault: with one of the two no response is ever sent [2]
    {tls: handshake_stall}, crlf
      `crlf` excludes every other fault: with one of the two no response is ever sent [2]
    {http2: settings_stall}, crlf
      `crlf` excludes every other fault: with one of the two no response is ever sent [2]
    {connection: {slow_accept: 1s}}, {connection: {slow_accept: 2s}}
      `connection: slow_accept` is specified twice [2]
    {tls: self_signed}, {tls: unknown_ca}
      `tls: unknown_ca` presents a second certificate [2]
    {http1: {unknown_status: 799}}, {http1: body_on_204}
      `http1: body_on_204` writes the status line a second time [2]
    {http1: garbage_status_line}, {http1: chunked_not_sent}
      `http1: chunked_not_sent` excludes another fault of the framing [2]
    {http1: short_content_length}, {tls: no_close_notify}
      `tls: no_close_notify` excludes another fault of the framing [2]
    {http1: trailing_bytes}, {connection: closed_when_reused}
      `connection: closed_when_reused` needs a response that leaves the connection in a valid state [2]
    {http1: missing_last_chunk}, {delay: {at: after_headers, for: 1s}}
      `delay` never happens: the fault before it ends the response [2]
    {redirect: 307}, crlf
      `crlf` never happens: the fault before it ends the response [2]
    crlf, {redirect: 307}
      `redirect` replaces the response that an earlier fault edits [2]
    {drip: {bytes_per_second: 10}}, {malform: html}
      `malform` replaces the body that an earlier fault edits [2]
    {http1: {unknown_status: 799}}, {malform: invalid_utf8}
      `malform` replaces the body that an earlier fault edits [2]
    {split: {bytes: 1}}, split_characters
      `split_characters` specifies a second time how the body is split into packets [2]
    drop_terminator, duplicate_terminator
      `duplicate_terminator` contradicts the other: a stream ends without its terminator, or has two [2]
    duplicate_terminator, {error_event: {error: internal, at: before_end}}
      `error_event` never happens: a stream that ends in an error has no terminator [2]
    {error_event: {error: internal, at: before_end}}, drop_terminator
      `drop_terminator` never happens: a stream that ends in an error has no terminator [2]
    {comment: {at: {after_events: 2}}}, {hang: {at: {after_events: 1}}}
      `hang` ends the response before the point at which an earlier fault of the list takes effect [2]
    {ping: {at: before_end}}, {reset: {at: {after_events: 3}}}
      `reset` ends the response before the point at which an earlier fault of the list takes effect [2]
    {delay: {at: {after_events: 2}, for: 1s}}, {error_event: {error: internal, at: {after_events: 1}}}
      `error_event` ends the response before the point at which an earlier fault of the list takes effect [2]
    duplicate_terminator, {close: {at: {after_events: 3}}}
      `close` ends the response before the point at which an earlier fault of the list takes effect [2]
    {content_type: wrong}, {reset: {at: before_headers}}
      `reset` ends the response before the point at which an earlier fault of the list takes effect [2]
    crlf, {hang: {at: after_headers}}
      `hang` ends the response before the point at which an earlier fault of the list takes effect [2]
    {latency: {before: end, time: {fixed: 1s}}}, {truncate: {at: {after_events: 1}}}
      `truncate` ends the response before the point at which an earlier fault of the list takes effect [2]
    {comment: {at: {after_events: 1}}}, {reset: {at: {after_bytes: 900}}}
      `reset` may end the response before an earlier fault of the list takes effect: the order of the two points depends on the lengths of the events [2]
    {ping: {at: {after_events: 1}}}, {http2: {goaway: {code: no_error, at: {after_bytes: 900}}}}
      `http2: goaway` may end the response before an earlier fault of the list takes effect: the order of the two points depends on the lengths of the events [2]
    {unknown_event: {at: before_end}}, {truncate: {at: {after_bytes: 900}}}
      `truncate` may end the response before an earlier fault of the list takes effect: the order of the two points depends on the lengths of the events [2]
    drop_terminator, {hang: {at: {after_bytes: 900}}}
      `hang` may end the response before an earlier fault of the list takes effect: the order of the two points depends on the lengths of the events [2]
    {latency: {before: each_event, time: {fixed: 1s}}}, {close: {at: {after_bytes: 900}}}
      `close` may end the response before an earlier fault of the list takes effect: the order of the two points depends on the lengths of the events [2]
    {error_event: {error: internal, at: {after_events: 1}}}, {stall: {at: {after_bytes: 900}}}
      `stall` may end the response before an earlier fault of the list takes effect: the order of the two points depends on the lengths of the events [2]
    {delay: {at: {after_bytes: 9}, for: 1s}}, {reset: {at: {after_events: 2}}}
      `reset` may end the response before an earlier fault of the list takes effect: the order of the two points depends on the lengths of the events [2]
    {stall: {at: {after_bytes: 9}, for: 1s}}, {error_event: {error: internal, at: {after_events: 2}}}
      `error_event` may end the response before an earlier fault of the list takes effect: the order of the two points depends on the lengths of the events [2]
    {http1: trailing_bytes}, {reset: {at: before_end}}
      `reset` ends the response before the trailing bytes are sent [2]
    {malform: html}, {reset: {at: after_headers}}
      `reset` ends the response before the point at which an earlier fault of the list takes effect [2]
    crlf, crlf
      `crlf` is specified twice [2]
    {content_encoding: cut_gzip}, {comment: {at: after_headers}}
      `comment` comes too late: the body is already encoded [2]
    {http1: short_content_length}, {content_encoding: double_gzip}
      `content_encoding` comes too late: the headers already contain the length of the body [2]
    {http1: chunked_not_sent}, {ping: {at: before_end}}
      `ping` comes too late: the headers already contain the length of the body [2]
    {malform: empty}, {http1: short_content_length}
      `http1: short_content_length` needs a body, and an earlier fault has removed it [2]
    {drip: {bytes_per_second: 10}}, multi_line_data
      `multi_line_data` comes too late: it changes whole events, and an earlier fault has cut them into parts [2]
    {malform: {very_large: 16777217}}, {content_encoding: double_gzip}
      `content_encoding` compresses the body before it is sent, and the body is too large [2]
    ");
}

#[test]
fn faults_at_one_point_or_before_the_end_of_the_reply_are_possible() {
    for pair in [
        "{comment: {at: {after_events: 1}}}, {hang: {at: {after_events: 1}}}",
        "{error_event: {error: internal, at: {after_events: 2}}}, {reset: {at: {after_events: 2}}}",
        "{error_event: {error: internal, at: {after_events: 2}}}, {reset: {at: before_end}}",
        "{ping: {at: after_headers}}, {close: {at: {after_events: 0}}}",
        "{comment: {at: after_headers}}, {reset: {at: {after_bytes: 900}}}",
        "{stall: {at: {after_bytes: 9}, for: 1s}}, {reset: {at: before_end}}",
        "{stall: {at: {after_bytes: 9}, for: 1s}}, {reset: {at: {after_bytes: 9}}}",
        "{split: {bytes: 3}}, {reset: {at: {after_events: 1}}}",
        "{delay: {at: before_headers, for: 1s}}, {reset: {at: before_headers}}",
        "{http1: {interim: 103}}, {reset: {at: before_headers}}",
        "{content_type: wrong}, {reset: {at: after_headers}}",
        "drop_terminator, {reset: {at: before_end}}",
    ] {
        if let Err(refused) = load_text("x", "f", &list(pair)) {
            panic!("{pair}: {:?}", refused.0);
        }
    }
}

#[test]
fn impossible_faults_are_refused() {
    let faults = [
        "{http1: {unknown_status: 599}}",
        "{http1: {interim: 101}}",
        "{http1: {oversized_header: 0}}",
        "{http1: {oversized_header: 1048577}}",
        "{http1: {bad_chunk_size: {at: before_headers}}}",
        "{split: {bytes: 0}}",
        "{drip: {bytes_per_second: 0}}",
        "{redirect: 304}",
        "{malform: {deep_nesting: 1000001}}",
        "{malform: {very_large: 0}}",
        "{latency: {time: {uniform: {from: 2s, to: 1s}}}}",
        "{latency: {time: {list: []}}}",
        "{latency: {time: {fixed: 2h}}}",
        "{unknown_event: {at: {after_bytes: 3}}}",
        "{ping: {at: before_headers}}",
        "{truncate: {at: before_headers}}",
        "{event_stream: {bad_message_crc: {at: after_headers}}}",
    ];
    let reported: Vec<_> = faults.iter().map(|fault| format!("{fault}\n  {}", refused(fault))).collect();
    insta::assert_snapshot!(reported.join("\n"), @"
    {http1: {unknown_status: 599}}
      `unknown_status` must be between 600 and 999 [1]
    {http1: {interim: 101}}
      `interim` must be 100, 102 or 103 [1]
    {http1: {oversized_header: 0}}
      `oversized_header` must be between 1 and 1048576 bytes [1]
    {http1: {oversized_header: 1048577}}
      `oversized_header` must be between 1 and 1048576 bytes [1]
    {http1: {bad_chunk_size: {at: before_headers}}}
      there is no chunk before the headers [1]
    {split: {bytes: 0}}
      `bytes` must be at least 1 [1]
    {drip: {bytes_per_second: 0}}
      `bytes_per_second` must be at least 1 [1]
    {redirect: 304}
      `redirect` must be 301, 302, 303, 307 or 308 [1]
    {malform: {deep_nesting: 1000001}}
      `deep_nesting` must be between 1 and 1000000 levels [1]
    {malform: {very_large: 0}}
      `very_large` must be between 1 and 1073741824 bytes [1]
    {latency: {time: {uniform: {from: 2s, to: 1s}}}}
      `from` must not be more than `to` [1]
    {latency: {time: {list: []}}}
      a `list` of waits needs at least one [1]
    {latency: {time: {fixed: 2h}}}
      a wait of `latency` must not be longer than 1h [1]
    {unknown_event: {at: {after_bytes: 3}}}
      an event cannot be inserted at this point [1]
    {ping: {at: before_headers}}
      an event cannot be inserted at this point [1]
    {truncate: {at: before_headers}}
      there is no frame to cut before the headers [1]
    {event_stream: {bad_message_crc: {at: after_headers}}}
      `event_stream` applies to AWS's event streams, and openai sends none [1]
    ");
}

#[test]
fn the_stream_format_is_derived_from_the_matrix() {
    let text = |provider: &str, fault: &str| {
        format!(
            "{HEAD}matrix: {{provider: [openai, {provider}], stream: [true]}}\nupstream: [{{reply: ok, faults: [{fault}]}}]\n"
        )
    };
    insta::assert_snapshot!(errors(&text("bedrock", "crlf")), @"
    error: `crlf` applies to server-sent events, and bedrock has streams of another format
     --> scenarios/x.yaml:4:33
      |
    4 | upstream: [{reply: ok, faults: [crlf]}]
      |                                 ^^^^
      |
      = help: choose other providers; `unknown_event` works in every stream format
    ");
    insta::assert_snapshot!(errors(&text("bedrock", "{event_stream: {unknown_message: {at: before_end}}}")), @"
    error: `event_stream` applies to AWS's event streams, and openai sends none
     --> scenarios/x.yaml:4:33
      |
    4 | upstream: [{reply: ok, faults: [{event_stream: {unknown_message: {at: before_end}}}]}]
      |                                 ^
      |
      = help: write `matrix: {provider: [bedrock], stream: [true]}`
    ");
    for fault in ["{comment: {at: before_end}}", "{ping: {at: before_end}}", "multi_line_data"] {
        assert!(
            errors(&text("ollama", fault)).contains("applies to server-sent events, and ollama"),
            "{fault}"
        );
    }
    assert!(load_text("x", "f", &text("ollama", "{unknown_event: {at: before_end}}")).is_ok());
}

#[test]
fn a_fault_of_the_address_needs_to_be_the_only_turn() {
    for fault in ["refuse", "{connection: backlog_full}"] {
        let text = format!("{HEAD}upstream:\n  - reply: ok\n  - faults: [{fault}]\n");
        assert!(errors(&text).contains("affects the whole deployment"), "{fault}");
    }
    let text = format!("{HEAD}upstream:\n  - faults: [refuse]\n  - reply: ok\n");
    insta::assert_snapshot!(errors(&text), @"
    error: `refuse` affects the whole deployment, which has other turns
     --> scenarios/x.yaml:4:14
      |
    4 |   - faults: [refuse]
      |              ^^^^^^
    5 |   - reply: ok
      |     - this turn would never be reached
      |
      = help: put it into the only turn, or use a fault of a single connection, such as `connection: reset_at_once`
    ");
}

#[test]
fn a_fault_of_the_body_needs_a_body() {
    for turn_text in [
        "{status: 204, body: a, faults: [{http1: short_content_length}]}",
        "{status: 503, faults: [{split: {bytes: 1}}]}",
    ] {
        assert!(errors(&turn(turn_text)).contains("needs a body, and this turn sends none"), "{turn_text}");
    }
    let speech = format!(
        "{HEAD}matrix: {{api: [openai/speech]}}\nupstream: [{{reply: ok, faults: [{{malform: byte_order_mark}}]}}]\n"
    );
    assert!(errors(&speech).contains("edits JSON, and the response of openai/speech is not JSON"));
}

#[test]
fn faults_of_http1_need_http1() {
    for fault in ["{http1: folded_header}", "{connection: closed_when_reused}"] {
        let text = list(fault).replace("upstream:", "transport: http2\nupstream:");
        assert!(errors(&text).contains("has no effect: these upstreams use HTTP/2"), "{fault}");
    }
}

#[test]
fn faults_that_let_responses_through_combine_with_other_faults() {
    for faults in [
        "{connection: {slow_accept: 1s}}, {reset: {at: before_headers}}",
        "{tls: expired_certificate}, {hang: {at: before_headers}}",
        "{tls: wrong_name}, {connection: {slow_accept: 1s}}, crlf",
        "{http1: {interim: 100}}, {http1: {interim: 103}}, {malform: empty}",
        "{latency: {time: {fixed: 1s}}}, {redirect: 308}",
        "{malform: {very_large: 10}}, {content_encoding: double_gzip}, {http1: short_content_length}, \
         {split: {bytes: 1}}, {latency: {before: end, time: {fixed: 1s}}}, {reset: {at: before_end}}",
    ] {
        assert!(load_text("x", "f", &list(faults)).is_ok(), "{}", errors(&list(faults)));
    }
}
