//! A request as a `curl` command line.

use super::rerun::PROXY_KEY;
use crate::{
    observation::Exchange,
    shell::{printf_format, word},
};

/// Headers that curl makes itself.
const MADE_BY_CURL: &[&str] = &["host", "content-length", "accept-encoding", "connection"];

/// A command that sends `exchange` again. Where one of `secrets` stands, `$UPFAULT_PROXY_KEY`
/// is put instead, outside the single quotes so that a shell fills it in.
pub(super) fn curl_line(exchange: &Exchange, secrets: &[String]) -> String {
    let quoted = |text: &str| quote(text, secrets);
    // Of a session curl can send the handshake; what comes behind it is shown as it came.
    let is_session = exchange.request_headers.iter().any(|(name, _)| name == "sec-websocket-key");
    let body = if is_session { "" } else { exchange.request_body.as_str() };
    // What a terminal would eat on the way, or no argument can hold, is written by printf.
    let piped = body.chars().any(char::is_control);
    // A form begins with dashes, which printf takes for an option without `--`.
    let written =
        if piped { format!("printf -- {} | ", quoted(&printf_format(body))) } else { String::new() };
    // -i shows status and headers, -N a stream as it comes.
    let mut line = format!("{written}curl -siN -X {} {}", quoted(&exchange.method), quoted(&exchange.url));
    for (name, value) in &exchange.request_headers {
        if !MADE_BY_CURL.contains(&name.as_str()) || is_session && name == "connection" {
            line.push_str(&format!(" -H {}", quoted(&format!("{name}: {value}"))));
        }
    }
    match body {
        "" => {}
        _ if piped => line.push_str(" --data-binary @-"),
        body => line.push_str(&format!(" --data-raw {}", quoted(body))),
    }
    line
}

/// One argument for a POSIX shell.
fn quote(text: &str, secrets: &[String]) -> String {
    let mut out = String::new();
    let mut rest = text;
    loop {
        let next = secrets
            .iter()
            .filter(|secret| !secret.is_empty())
            .filter_map(|secret| rest.find(secret.as_str()).map(|at| (at, secret.len())))
            .min_by_key(|(at, length)| (*at, std::cmp::Reverse(*length)));
        let Some((at, length)) = next else { break };
        if at > 0 {
            out.push_str(&word(&rest[..at]));
        }
        out.push_str(&format!("\"${PROXY_KEY}\""));
        rest = &rest[at + length..];
    }
    if !rest.is_empty() || out.is_empty() {
        out.push_str(&word(rest));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Ending, Outcome, StepName};

    fn exchange(body: &str) -> Exchange {
        Exchange {
            step: StepName::Step(1),
            sent_ms: 0.0,
            method: "POST".into(),
            url: "http://127.0.0.1:1/v1/files".into(),
            request_headers: vec![
                ("host".into(), "127.0.0.1:1".into()),
                ("authorization".into(), "Bearer sk-1".into()),
            ],
            request_body: body.into(),
            outcome: Outcome::NoAnswer { ending: Ending::Refused },
            end_ms: 1.0,
            left: None,
            to: None,
            together: false,
            mistake: None,
        }
    }

    #[test]
    fn a_body_stands_in_the_line_and_the_key_does_not() {
        insta::assert_snapshot!(
            curl_line(&exchange(r#"{"content":"it's `x`"}"#), &["sk-1".to_owned()]),
            @r#"curl -siN -X POST http://127.0.0.1:1/v1/files -H 'authorization: Bearer '"$UPFAULT_PROXY_KEY" --data-raw '{"content":"it'\''s `x`"}'"#
        );
        insta::assert_snapshot!(curl_line(&exchange(""), &[]), @"curl -siN -X POST http://127.0.0.1:1/v1/files -H 'authorization: Bearer sk-1'");
    }

    #[test]
    fn a_form_goes_through_printf_since_no_argument_holds_its_bytes() {
        insta::assert_snapshot!(curl_line(&exchange("--b\r\n100% \\ it's\0\r\n"), &[]), @r"printf -- '--b\015\012100%% \\ it'\''s\000\015\012' | curl -siN -X POST http://127.0.0.1:1/v1/files -H 'authorization: Bearer sk-1' --data-binary @-");
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted_and_fills_in_the_key() {
        let secrets = ["sk-1".to_owned()];
        assert_eq!(quote("it's", &secrets), r"'it'\''s'");
        assert_eq!(
            quote("authorization: Bearer sk-1", &secrets),
            r#"'authorization: Bearer '"$UPFAULT_PROXY_KEY""#
        );
        assert_eq!(quote("sk-1", &secrets), r#""$UPFAULT_PROXY_KEY""#);
        assert_eq!(quote("", &secrets), "''");
        assert_eq!(quote("$(rm) `x` \\", &[]), r"'$(rm) `x` \'");
    }
}
