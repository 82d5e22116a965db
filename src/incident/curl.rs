//! The output of `curl -i`, also with `-v`, and also pasted together with its command line.

use serde_json::Value;

use super::{
    clue::SeenBreak, error::IncidentError, evidence::IncidentEvidence, gateway::behind_gateway,
    seen_error::SeenError,
};

/// What the output of `curl -i` says. Of several responses (interim ones, redirects) the last one counts.
///
/// # Errors
///
/// If the text contains neither a response nor a failure that curl reports.
pub(crate) fn curl(text: &str) -> Result<IncidentEvidence, IncidentError> {
    let mut found = IncidentEvidence::default();
    let mut state = State::Before;
    let mut body: Vec<&str> = Vec::new();
    for line in text.lines().map(|line| line.trim_end_matches('\r')) {
        let (line, failure) = without_failure(line);
        if let Some(failure) = failure {
            found.broken = failure.or(found.broken);
            if line.is_empty() {
                continue;
            }
        }
        // `-v` marks the lines of a head with `< `, those of the request with `> `, and its own notes with `* `.
        let marked = line.strip_prefix("< ").or((line == "<").then_some(""));
        let unmarked = marked.unwrap_or(line);
        if let Some(status) = status(unmarked) {
            found.status = Some(status);
            found.headers = Some(Vec::new());
            state = State::Head { verbose: marked.is_some() };
            body.clear();
            continue;
        }
        match state {
            State::Before => about_the_request(line, &mut found),
            State::Head { .. } if unmarked.is_empty() => state = State::Body { verbose: marked.is_some() },
            State::Head { verbose } if marked.is_some() == verbose => {
                if let (Some((name, value)), Some(headers)) = (unmarked.split_once(':'), &mut found.headers) {
                    headers.push((name.trim().to_lowercase(), value.trim().to_owned()));
                }
            }
            State::Body { verbose } if !(verbose && is_note(line)) => body.push(line),
            State::Head { .. } | State::Body { .. } => {}
        }
    }
    found.body = joined(&body).into_bytes();
    if found.status.is_none() && found.broken.is_none() && !read_body_alone(text, &mut found) {
        return Err(IncidentError::NothingFound {
            missing: "no HTTP response",
            help: "the output of `curl -i URL` starts with a line such as `HTTP/2 503`; without `-i`, curl prints only the body",
        });
    }
    Ok(behind_gateway(found))
}

/// Reads the output of `curl` without `-i`: only a body, which is an error if it says its status or has the form of a
/// provider's error. Returns whether it is.
fn read_body_alone(text: &str, found: &mut IncidentEvidence) -> bool {
    // The command line before it can contain JSON too, but does not begin with it.
    let start = text.match_indices(['{', '[']).map(|(at, _)| at).find(|at| {
        let line = text[..*at].rfind('\n').map_or(0, |end| end + 1);
        text[line..*at].trim().is_empty()
    });
    let values = start.map(|start| serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>());
    let Some(Ok(body)) = values.and_then(|mut values| values.next()) else { return false };
    let object = if body.is_array() { &body[0] } else { &body };
    let number = |pointer: &str| match object.pointer(pointer)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let mut numbers = ["/error/code", "/code", "/status", "/error/status", "/statusCode", "/status_code"]
        .into_iter()
        .filter_map(number);
    let status = numbers.find(|number| (400..600).contains(number)).and_then(|status| status.try_into().ok());
    let is_error = SeenError::in_json(object.clone(), None).kind.is_some() && !object["error"].is_null();
    if status.is_none() && !is_error {
        return false;
    }
    found.assumed.push(match status {
        Some(status) => format!("the status was {status}, as the body says: the text has no status line"),
        None => "the status: the text has only a body".to_owned(),
    });
    found.status = status;
    found.in_stream = false;
    found.body = body.to_string().into_bytes();
    true
}

#[derive(Clone, Copy)]
enum State {
    /// Before the first response.
    Before,
    Head {
        verbose: bool,
    },
    Body {
        verbose: bool,
    },
}

/// The lines of a body. A blank line at its end belongs to it, because it ends an event of a stream.
fn joined(lines: &[&str]) -> String {
    let mut body = lines.join("\n");
    if lines.last() == Some(&"") {
        body.push('\n');
    }
    body
}

/// The status of a status line: `HTTP/2 503`, `HTTP/1.1 429 Too Many Requests`.
fn status(line: &str) -> Option<u16> {
    let (version, rest) = line.strip_prefix("HTTP/")?.split_once(' ')?;
    let is_version = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let status: u16 = rest.split_whitespace().next()?.parse().ok()?;
    (is_version && (100..1000).contains(&status)).then_some(status)
}

/// Whether a line of `-v` is a note of curl and not a part of the body.
fn is_note(line: &str) -> bool {
    ["* ", "> ", "{ [", "} ["].iter().any(|mark| line.starts_with(mark))
}

/// The line without what curl says at its end, and what that means. A body that ends without a line end has curl's words
/// on its last line: `data: {"chocurl: (18) transfer closed with outstanding read data remaining`.
fn without_failure(line: &str) -> (&str, Option<Option<SeenBreak>>) {
    let Some(at) = line.find("curl: (") else { return (line, None) };
    let said = line[at + "curl: (".len()..].split_once(") ");
    match said.filter(|(code, _)| code.bytes().all(|byte| byte.is_ascii_digit())) {
        Some((code, message)) => (&line[..at], Some(failure(code, message))),
        None => (line, None),
    }
}

/// The failure that curl reports; `None` if it only reports the status.
fn failure(code: &str, message: &str) -> Option<SeenBreak> {
    // The exit codes are documented in the manual of curl. 22 is a status, and its words could be those of a failure.
    if code == "22" {
        return None;
    }
    SeenBreak::of(message).or(match code {
        "6" => Some(SeenBreak::UnknownHost),
        "7" => Some(SeenBreak::Refused),
        "18" | "52" => Some(SeenBreak::Closed),
        "28" => Some(SeenBreak::TimedOut),
        "55" | "56" => Some(SeenBreak::Reset),
        "60" => Some(SeenBreak::UnknownCa),
        "92" => Some(SeenBreak::Http2Reset),
        _ => None,
    })
}

/// Reads the command line, and what `-v` prints about the request.
fn about_the_request(line: &str, found: &mut IncidentEvidence) {
    if let Some(at) = line.find("https://").or_else(|| line.find("http://")).filter(|_| found.host.is_none())
    {
        let url = line[at..].split(|c: char| c.is_whitespace() || matches!(c, '\'' | '"')).next();
        found.set_url(url.unwrap_or_default());
    }
    if let Some(request) = line.strip_prefix("> ") {
        let mut words = request.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some(_), Some(path), Some(version)) if version.starts_with("HTTP/") => {
                found.path = Some(path.split('?').next().unwrap_or(path).to_owned());
            }
            _ => {}
        }
        if let Some(host) = request.strip_prefix("Host: ").or_else(|| request.strip_prefix("host: ")) {
            found.host = Some(host.split(':').next().unwrap_or(host).to_owned());
        }
    }
    let dense: String = line.chars().filter(|c| !c.is_whitespace() && *c != '\\').collect();
    if dense.contains("\"stream\":true") {
        found.stream = Some(true);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_response_counts() {
        let found = curl("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/2 503 \r\nRetry-After: 3\r\n\r\n{\"a\":\r\n1}").unwrap();
        assert_eq!(found.status, Some(503));
        assert_eq!(found.header("retry-after"), Some("3"));
        assert_eq!(found.text(), "{\"a\":\n1}");
    }

    #[test]
    fn a_body_alone_can_say_its_status() {
        let found = curl("$ curl https://generativelanguage.googleapis.com/v1beta/models/m:generateContent -d '{\"contents\":[]}'\n{\n  \"error\": {\"code\": 503, \"message\": \"m\", \"status\": \"UNAVAILABLE\"}\n}\n").unwrap();
        assert_eq!((found.status, found.headers.is_none(), found.assumed.len()), (Some(503), true, 1));
        let found = curl(r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#).unwrap();
        assert_eq!((found.status, found.assumed.len()), (None, 1));
        for other in [r#"{"id":"x","choices":[]}"#, r#"{"log":{"entries":[]}}"#, "no { JSON"] {
            assert!(curl(other).is_err(), "{other}");
        }
    }

    #[test]
    fn the_command_line_and_a_failure_after_the_head_are_read() {
        let found = curl(
            "$ curl -iN 'https://api.openai.com/v1/chat/completions?x=1' -d '{\"stream\": true}'\nHTTP/2 200\ncontent-type: text/event-stream\n\n\
             data: {\"a\":1}\n\ncurl: (18) transfer closed with outstanding read data remaining\n",
        )
        .unwrap();
        assert_eq!(found.host.as_deref(), Some("api.openai.com"));
        assert_eq!(found.path.as_deref(), Some("/v1/chat/completions"));
        assert_eq!((found.stream, found.broken), (Some(true), Some(SeenBreak::Closed)));
        assert_eq!(found.text(), "data: {\"a\":1}\n\n");
    }

    #[test]
    fn verbose_output_is_read_without_its_marks() {
        let found = curl(
            "* Connected to api.anthropic.com (1.2.3.4) port 443\n> POST /v1/messages HTTP/2\n> Host: api.anthropic.com\n> x-api-key: k\n> \n\
             < HTTP/2 529 \n< request-id: r\n< \n{\"type\":\"error\"}\n* Connection #0 left intact\n",
        )
        .unwrap();
        assert_eq!(
            (found.host.as_deref(), found.path.as_deref()),
            (Some("api.anthropic.com"), Some("/v1/messages"))
        );
        assert_eq!((found.status, found.text()), (Some(529), "{\"type\":\"error\"}".to_owned()));
        assert_eq!(found.headers, Some(vec![("request-id".to_owned(), "r".to_owned())]));
    }

    #[test]
    fn a_failure_without_a_response_is_enough_and_nothing_is_an_error() {
        assert_eq!(curl("curl: (52) Empty reply from server\n").unwrap().broken, Some(SeenBreak::Closed));
        assert_eq!(curl("curl: (28) whatever it says\n").unwrap().broken, Some(SeenBreak::TimedOut));
        let error = curl("{\"error\": {}}\n").unwrap_err().to_string();
        assert!(error.contains("no HTTP response") && error.contains("curl -i URL"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(HTTP/[0-9.]{0,3} ?[0-9é]{0,4}|[<>*] |curl: \\(|\r?\n|[a-z:é{} ]{0,5}){0,12}") {
            let _ = curl(&text);
        }
    }
}
