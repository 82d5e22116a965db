//! An exchange as a line that people can paste into a shell.

use std::borrow::Cow;

use crate::observation::Exchange;

/// The request of `exchange` as one `curl` command for a POSIX shell, every word quoted that needs it.
///
/// `-i` shows status and headers, `-N` shows a stream as it comes. The keys stand in it as they
/// were sent: they are keys of the run, not of a person.
pub fn curl_line(exchange: &Exchange) -> String {
    let body = &exchange.request_body;
    // What a terminal would eat on the way, or no argument can hold, is written by printf.
    let piped = body.chars().any(|c| c.is_control() && c != '\n');
    let mut line = String::new();
    if piped {
        line.push_str(&format!("printf {} | ", quoted(&escaped(body))));
    }
    line.push_str("curl -sS -i -N");
    let mut word = |text: &str| {
        line.push(' ');
        line.push_str(&quoted(text));
    };
    let implied = if body.is_empty() { "GET" } else { "POST" };
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
    match body.as_str() {
        "" => {}
        _ if piped => {
            word("--data-binary");
            word("@-");
        }
        body => {
            word("--data-raw");
            word(body);
        }
    }
    line
}

/// A format of printf's that writes `text`: octal numbers in place of control characters.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '%' => out.push_str("%%"),
            '\\' => out.push_str(r"\\"),
            c if c.is_ascii_control() => out.push_str(&format!("\\{:03o}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
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
    fn a_form_goes_through_printf_since_no_argument_holds_its_bytes() {
        insta::assert_snapshot!(
            curl_line(&exchange("POST", &[], "--b\r\n100% \\ it's\0\r\n")),
            @r"printf '--b\015\012100%% \\ it'\''s\000\015\012' | curl -sS -i -N http://127.0.0.1:1/v1/chat/completions --data-binary @-"
        );
    }

    #[test]
    fn a_method_that_curl_would_not_guess_is_named() {
        insta::assert_snapshot!(curl_line(&exchange("GET", &[], "")), @"curl -sS -i -N http://127.0.0.1:1/v1/chat/completions");
        insta::assert_snapshot!(curl_line(&exchange("POST", &[], "")), @"curl -sS -i -N -X POST http://127.0.0.1:1/v1/chat/completions");
    }
}
