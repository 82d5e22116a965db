//! A request as a `curl` command line.

use super::rerun::PROXY_KEY;
use crate::{
    observation::Exchange,
    shell::{printf_format, word},
};

/// Headers that curl adds by itself.
const MADE_BY_CURL: &[&str] = &["host", "content-length", "accept-encoding", "connection"];

/// The words of a shell command that sends `exchange` again, quoted where needed. `$UPFAULT_PROXY_KEY` replaces
/// each of `secrets`, outside of single quotes so that the shell expands it.
pub(crate) fn curl_words(exchange: &Exchange, secrets: &[String]) -> Vec<String> {
    let quoted = |text: &str| quote(text, secrets);
    // curl can send only the handshake of a WebSocket session.
    let is_session = exchange.request_headers.iter().any(|(name, _)| name == "sec-websocket-key");
    let body = if is_session { "" } else { exchange.request_body.as_str() };
    // A terminal would interpret control characters, and an argument cannot contain NUL: printf writes them.
    let piped = body.chars().any(char::is_control);
    let mut words = Vec::new();
    if piped {
        // A multipart body starts with dashes: without `--`, printf would take it as an option.
        words.extend(["printf".to_owned(), "--".to_owned(), quoted(&printf_format(body)), "|".to_owned()]);
    }
    // -i shows status and headers, -N shows a stream as it arrives.
    words.extend(["curl", "-siN", "-X"].map(str::to_owned));
    words.extend([quoted(&exchange.method), quoted(&exchange.url)]);
    for (name, value) in &exchange.request_headers {
        if !MADE_BY_CURL.contains(&name.as_str()) || is_session && name == "connection" {
            words.extend(["-H".to_owned(), quoted(&format!("{name}: {value}"))]);
        }
    }
    match body {
        "" => {}
        _ if piped => words.extend(["--data-binary".to_owned(), "@-".to_owned()]),
        body => words.extend(["--data-raw".to_owned(), quoted(body)]),
    }
    words
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
    use crate::observation::{ExchangeOutcome, ResponseEnd, StepName};

    fn curl_line(exchange: &Exchange, secrets: &[String]) -> String {
        curl_words(exchange, secrets).join(" ")
    }

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
            outcome: ExchangeOutcome::NoAnswer { ending: ResponseEnd::Refused },
            end_ms: 1.0,
            left: None,
            to: None,
            together: false,
            mistake: None,
        }
    }

    #[test]
    fn the_command_contains_the_body_but_not_the_key() {
        insta::assert_snapshot!(
            curl_line(&exchange(r#"{"content":"it's `x`"}"#), &["sk-1".to_owned()]),
            @r#"curl -siN -X POST http://127.0.0.1:1/v1/files -H 'authorization: Bearer '"$UPFAULT_PROXY_KEY" --data-raw '{"content":"it'\''s `x`"}'"#
        );
        insta::assert_snapshot!(curl_line(&exchange(""), &[]), @"curl -siN -X POST http://127.0.0.1:1/v1/files -H 'authorization: Bearer sk-1'");
    }

    #[test]
    fn printf_writes_a_body_with_control_characters() {
        insta::assert_snapshot!(curl_line(&exchange("--b\r\n100% \\ it's\0\r\n"), &[]), @r"printf -- '--b\015\012100%% \\ it'\''s\000\015\012' | curl -siN -X POST http://127.0.0.1:1/v1/files -H 'authorization: Bearer sk-1' --data-binary @-");
    }

    #[test]
    fn a_shell_reads_quoted_words_and_expands_the_key() {
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
