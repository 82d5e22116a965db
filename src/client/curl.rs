//! An exchange as a line that people can paste into a shell.

use std::borrow::Cow;

use crate::observation::Exchange;

/// The request of `exchange` as one `curl` command for a POSIX shell, every word quoted that needs it.
///
/// `-i` shows status and headers, `-N` shows a stream as it comes. The keys stand in it as they
/// were sent: they are keys of the run, not of a person.
pub fn curl_line(exchange: &Exchange) -> String {
    let mut line = String::from("curl -sS -i -N");
    let mut word = |text: &str| {
        line.push(' ');
        line.push_str(&quoted(text));
    };
    let implied = if exchange.request_body.is_empty() { "GET" } else { "POST" };
    if exchange.method != implied {
        word("-X");
        word(&exchange.method);
    }
    word(&exchange.url);
    for (name, value) in &exchange.request_headers {
        word("-H");
        // `name:` alone would make curl leave the header out.
        word(&if value.is_empty() { format!("{name};") } else { format!("{name}: {value}") });
    }
    if !exchange.request_body.is_empty() {
        word("--data-raw");
        word(&exchange.request_body);
    }
    line
}

/// A word for a POSIX shell: in single quotes unless it is plainly harmless.
fn quoted(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_./:@=,+%".contains(c);
    if !text.is_empty() && text.chars().all(harmless) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Ending, Outcome, StepName};

    fn exchange(method: &str, headers: &[(&str, &str)], body: &str) -> Exchange {
        Exchange {
            step: StepName::Step(1),
            sent_ms: 0.0,
            method: method.into(),
            url: "http://127.0.0.1:1/v1/chat/completions".into(),
            request_headers: headers.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            request_body: body.into(),
            outcome: Outcome::NoAnswer { ending: Ending::Refused },
            end_ms: 1.0,
        }
    }

    #[test]
    fn a_post_is_one_line_that_a_shell_takes_back_whole() {
        let exchange = exchange(
            "POST",
            &[("authorization", "Bearer sk-1"), ("x-empty", "")],
            r#"{"content":"it's $HOME `x`"}"#,
        );
        insta::assert_snapshot!(
            curl_line(&exchange),
            @r#"curl -sS -i -N http://127.0.0.1:1/v1/chat/completions -H 'authorization: Bearer sk-1' -H 'x-empty;' --data-raw '{"content":"it'\''s $HOME `x`"}'"#
        );
    }

    #[test]
    fn a_method_that_curl_would_not_guess_is_named() {
        insta::assert_snapshot!(curl_line(&exchange("GET", &[], "")), @"curl -sS -i -N http://127.0.0.1:1/v1/chat/completions");
        insta::assert_snapshot!(curl_line(&exchange("POST", &[], "")), @"curl -sS -i -N -X POST http://127.0.0.1:1/v1/chat/completions");
    }
}
