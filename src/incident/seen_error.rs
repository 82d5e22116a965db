//! An error as evidence shows it.

use serde_json::Value;

use super::{evidence::IncidentEvidence, redact::redacted};
use crate::dialect;

/// An error that a provider sent, as far as evidence shows it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SeenError {
    /// The status; `None` if it is unknown, or only a guess.
    pub status: Option<u16>,
    /// A status that is only a guess.
    pub guessed_status: Option<u16>,
    /// The type, or its equivalent.
    pub kind: Option<String>,
    /// The code. A code that repeats the status does not count.
    pub code: Option<String>,
    /// The text.
    pub message: String,
    /// Whether the body is a page of the network in front of the provider.
    pub is_page: bool,
    /// The body as JSON.
    pub json: Option<Value>,
}

impl SeenError {
    /// The error in the body of a response.
    pub(super) fn of(evidence: &IncidentEvidence) -> Self {
        let text = evidence.text();
        let known = evidence.status.filter(|_| !evidence.is_status_guessed && !evidence.in_stream);
        let guessed = evidence.status.filter(|_| known.is_none());
        let mut seen = match serde_json::from_str::<Value>(text.trim()) {
            Ok(json) => Self::in_json(json, evidence.header("x-amzn-errortype")),
            Err(_) => Self {
                is_page: text.trim_start().starts_with('<'),
                message: text.trim().to_owned(),
                ..Self::default()
            },
        };
        (seen.status, seen.guessed_status) = (known, guessed);
        seen.code = seen.code.filter(|code| evidence.status.is_none_or(|status| *code != status.to_string()));
        if seen.is_page {
            seen.set_status_of_page();
        }
        seen
    }

    /// The error in JSON, of a body or of an event. `amazon` is the name that AWS sends next to it.
    pub(super) fn in_json(json: Value, amazon: Option<&str>) -> Self {
        let word = |value: &Value| match value {
            Value::String(word) if !word.is_empty() => Some(word.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let amazon =
            amazon.or_else(|| json["__type"].as_str().map(|name| name.rsplit('#').next().unwrap_or(name)));
        match dialect::any_error(&json, amazon) {
            Some(error) => Self {
                // AWS may write `ThrottlingException:http://internal.amazon.com/…`.
                kind: word(&error.kind).map(|kind| kind.split(":http").next().unwrap_or(&kind).to_owned()),
                code: word(&error.code),
                message: error.message,
                json: Some(json),
                ..Self::default()
            },
            None => Self { message: json.to_string(), json: Some(json), ..Self::default() },
        }
    }

    /// The title of a page says its status: `<title>502 Bad Gateway</title>`.
    fn set_status_of_page(&mut self) {
        let title = self.message.to_lowercase();
        let title = title.split("<title>").nth(1).unwrap_or_default();
        let digits: String = title.trim_start().chars().take_while(char::is_ascii_digit).collect();
        if let Some(status) = digits.parse().ok().filter(|status| (400..600).contains(status))
            && self.status.is_none()
        {
            self.status = Some(status);
        }
    }

    /// What people read: `529 overloaded_error "Overloaded"`.
    pub(super) fn shown(&self) -> String {
        let status = self.status.or(self.guessed_status).map(|status| status.to_string());
        let message =
            if self.is_page { "an HTML page".to_owned() } else { excerpt(&redacted(&self.message).0) };
        let parts =
            [status, self.kind.clone(), self.code.clone().filter(|code| Some(code) != self.kind.as_ref())];
        let mut parts: Vec<String> = parts.into_iter().flatten().collect();
        parts.extend(Some(message).filter(|message| !message.is_empty()));
        parts.join(" ")
    }
}

/// The beginning of a text on one line.
fn excerpt(text: &str) -> String {
    const MOST: usize = 80;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("\"{}…\"", &line[..at]),
        None if line.is_empty() => line,
        None => format!("\"{line}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: u16, body: &str) -> SeenError {
        SeenError::of(&IncidentEvidence {
            status: Some(status),
            body: body.into(),
            ..IncidentEvidence::default()
        })
    }

    #[test]
    fn errors_of_every_family_are_read() {
        for (status, body, shown) in [
            (
                429,
                r#"{"error":{"message":"m","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
                r#"429 tokens rate_limit_exceeded "m""#,
            ),
            (503, r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#, r#"503 UNAVAILABLE "m""#),
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
                r#"529 overloaded_error "Overloaded""#,
            ),
            (
                429,
                r#"{"__type":"com.amazon#ThrottlingException","message":"Too many"}"#,
                r#"429 ThrottlingException "Too many""#,
            ),
            (502, "<html>\n<title>502 Bad Gateway</title>", "502 an HTML page"),
            (500, "upstream  failed\n", r#"500 "upstream failed""#),
            (500, "", "500"),
        ] {
            assert_eq!(seen(status, body).shown(), shown);
        }
    }

    #[test]
    fn the_title_of_a_page_replaces_a_guessed_status() {
        let body = b"<html><head><title>504 Gateway Time-out</title>".to_vec();
        let guessed = IncidentEvidence {
            status: Some(500),
            is_status_guessed: true,
            body,
            ..IncidentEvidence::default()
        };
        assert_eq!(SeenError::of(&guessed).status, Some(504));
    }
}
