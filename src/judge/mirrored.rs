//! Whether a proxy passed a response of a provider on unchanged.

use super::{attempt_outcome, facts::Facts};
use crate::observation::{Attempt, AttemptEnd, Response, ResponseEnd};

impl<'a> Facts<'a> {
    /// The attempt whose response the caller got byte for byte, with its status and the headers that describe its body. If
    /// its connection was cut, the caller's was cut as well. Such a response was written by the provider.
    pub fn mirrored(&self) -> Option<&'a Attempt> {
        let answer = self.raw_response()?;
        let (attempt, _) = self.attempts.last()?;
        let same = attempt.sent.status == Some(answer.status)
            && if self.response.session().is_some() {
                self.same_session(attempt, answer)
            } else {
                same_content_type(attempt, answer) && same_coded_body(attempt, answer)
            };
        same.then_some(attempt)
    }

    /// Whether the caller got the body of the last attempt byte for byte, with the same Content-Encoding.
    pub fn has_coded_body_as_sent(&self) -> bool {
        let last = self.attempts.last().zip(self.raw_response());
        last.is_some_and(|((attempt, _), answer)| same_coded_body(attempt, answer))
    }

    /// Whether the call was sent on a pass-through route.
    pub fn is_pass_through(&self) -> bool {
        self.arrangement.proxy.pass_through
    }

    fn same_session(&self, attempt: &Attempt, answer: &Response) -> bool {
        let sent = attempt_outcome::frames(&attempt.sent, self.api()).unwrap_or_default();
        let got = &answer.body.frames;
        let same_end = match (&attempt.sent.closed, &answer.closed) {
            (Some(sent), Some(got)) => (sent.code, &sent.reason) == (got.code, &got.reason),
            (None, None) => attempt.end_as_planned().is_cut() && answer.ending != ResponseEnd::Complete,
            _ => false,
        };
        same_end && sent.len() == got.len() && sent.iter().zip(got).all(|(sent, got)| sent.data == got.data)
    }
}

fn same_coded_body(attempt: &Attempt, answer: &Response) -> bool {
    attempt.sent.header("content-encoding") == answer.header("content-encoding")
        && same_message(attempt, answer)
}

/// Whether both messages have the same content type, without parameters that have no meaning.
pub(super) fn same_content_type(attempt: &Attempt, answer: &Response) -> bool {
    let [sent, got] = [attempt.sent.header("content-type"), answer.header("content-type")];
    sent.map(meaning) == got.map(meaning)
}

/// JSON and event streams are always UTF-8, so a parameter that says this has no meaning (RFC 8259 sections 8.1 and 11, HTML
/// section 9.2).
fn meaning(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    let mut parts = kind.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_utf8 = matches!(essence, "text/event-stream" | "application/json") || essence.ends_with("+json");
    let parameters = parts.filter(|part| !(is_utf8 && part.replace('"', "") == "charset=utf-8"));
    parameters.fold(essence.to_owned(), |kind, part| kind + ";" + part)
}

/// Whether both messages have the same body: the part of what was written that belongs to the message.
fn same_message(attempt: &Attempt, answer: &Response) -> bool {
    let complete = attempt.end_as_planned() == AttemptEnd::Finished && answer.ending == ResponseEnd::Complete;
    if matches!(answer.status, 204 | 304) {
        // These have no body, whatever follows their head (RFC 9112, section 6.3).
        return complete && answer.body.bytes == 0;
    }
    let length = attempt.sent.header("content-length").and_then(|length| length.parse().ok());
    let is_longer = |length: &u64| attempt.sent.coded.is_none() && *length < attempt.sent.bytes;
    if let Some(length) = length.filter(is_longer) {
        let bytes = attempt.sent.body_bytes();
        let said = String::from_utf8_lossy(&bytes[..bytes.len().min(length as usize)]);
        return complete && answer.body.bytes == length && answer.body.text == said;
    }
    same_body(attempt, answer)
}

fn same_body(attempt: &Attempt, answer: &Response) -> bool {
    let bytes = attempt.sent.body_bytes();
    let (sent, got) = (String::from_utf8_lossy(&bytes), answer.body.text.as_str());
    let undecodable = attempt.sent.coded.as_ref().and_then(|coded| coded.error.as_deref());
    if undecodable != answer.body.undecodable() {
        return false;
    }
    match attempt.end_as_planned() {
        AttemptEnd::Finished => {
            answer.ending == ResponseEnd::Complete && attempt.sent.bytes == answer.body.bytes && sent == got
        }
        // What was on its way when the connection broke may be lost, even inside a character. The proxy itself breaks the
        // connection of a provider that has fallen silent.
        end if end.is_cut() || matches!(end, AttemptEnd::Open | AttemptEnd::ClientLeft) => {
            matches!(answer.ending, ResponseEnd::Closed | ResponseEnd::Reset)
                && sent.starts_with(got.trim_end_matches(char::REPLACEMENT_CHARACTER))
        }
        _ => false,
    }
}
