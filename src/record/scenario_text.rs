//! Writes an exchange as a scenario file that repeats it.

use std::{fmt::Write as _, time::Duration};

use jiff::civil::Date;

use super::{
    allowed::Allowed,
    exchange::{PassedEnd, PassedExchange, PassedReply},
    redact::{redact_body, redacted_header},
    yaml::yaml_text,
};
use crate::{
    observation::Canaries,
    provider::{self, MessageBody, RequestedCall},
    scenario::{Api, ReplyChunk, TurnReply, block_text, load_text},
};

/// The line before the headers of a turn.
const HEADERS: &str = "    headers:";

/// Parts of a plain body that arrive within this time after each other are one text in the file.
const TOGETHER: Duration = Duration::from_millis(5);

/// The pause that a mock makes before it cuts a connection.
const BEFORE_CUT: Duration = Duration::from_millis(100);

/// A recording as a file.
#[derive(Debug)]
pub(super) struct ScenarioText {
    /// The name of the file without its extension and without the day: `openai-chat-429`.
    pub name: String,
    pub text: String,
    /// Equal for two exchanges that differ only in times, numbers and ids.
    pub kind: String,
}

/// Why an exchange cannot be a scenario.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRecorded {
    /// The path is not an endpoint.
    #[error("{0} has no endpoint at this path")]
    NoEndpoint(crate::scenario::Provider),
    /// A mock could not repeat it.
    #[error("{0}")]
    NotRepeatable(String),
    /// A key of the request is in the response, in a place that may stay.
    #[error("the response contains a key of the request; nothing was written")]
    Secret,
    /// The file would not say what was received.
    #[error("a scenario file cannot express it: {0}")]
    Inexact(String),
    /// The file cannot be written.
    #[error("cannot write {name}: {source}")]
    Unwritable {
        /// The name of the file.
        name: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
}

/// Writes an exchange as a scenario, with everything replaced that the allow-list does not contain.
///
/// # Errors
///
/// If a mock cannot repeat the exchange, or a secret of the request would be in the file.
pub(super) fn scenario_text(
    exchange: &PassedExchange,
    day: Date,
    allowed: &Allowed,
) -> Result<ScenarioText, NotRecorded> {
    let api = exchange.api.ok_or(NotRecorded::NoEndpoint(exchange.provider))?;
    if let PassedEnd::NotRepeatable(why) = &exchange.end {
        return Err(NotRecorded::NotRepeatable(why.clone()));
    }
    let result = result(exchange);
    let mut text = head(exchange, api, day, &result);
    let mut faults = Vec::new();
    let first = whole_ms(exchange.first);
    if first > 0 && exchange.end != PassedEnd::Refused {
        faults.push(format!("{{delay: {{at: before_headers, for: {first}ms}}}}"));
    }
    let mut body = Vec::new();
    match &exchange.reply {
        None => {
            text.push_str("  - reply: ok\n");
            faults.extend(cut(&exchange.end, "before_headers"));
        }
        Some(reply) => {
            body = redacted(reply, allowed)?;
            reply_text(&mut text, exchange, reply, &body, allowed);
            let sent: usize = body.iter().map(|(_, bytes)| bytes.len()).sum();
            let at = if sent == 0 { "after_headers".to_owned() } else { format!("{{after_bytes: {sent}}}") };
            let silence = exchange.silence.saturating_sub(BEFORE_CUT);
            if !matches!(exchange.end, PassedEnd::Complete | PassedEnd::ClientLeft) && whole_ms(silence) > 0 {
                faults.push(format!("{{delay: {{at: {at}, for: {}ms}}}}", whole_ms(silence)));
            }
            faults.extend(cut(&exchange.end, &at));
        }
    }
    if !faults.is_empty() {
        let _ = writeln!(text, "    faults: [{}]", faults.join(", "));
    }
    if exchange.secrets.iter().any(|secret| text.contains(secret.as_str())) {
        return Err(NotRecorded::Secret);
    }
    exact(&text, exchange, api, &body)?;
    let shape: Vec<u8> = body.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
    let after = text.lines().skip_while(|line| *line != HEADERS).skip(1);
    let headers: Vec<&str> = after.take_while(|line| line.starts_with("      ")).collect();
    let shape = format!("{}\n{}", headers.join("\n"), String::from_utf8_lossy(&shape));
    let shape: String = shape.chars().filter(|char| !char.is_ascii_digit()).collect();
    let name = format!("{}-{result}", api.as_str().replace('/', "-"));
    Ok(ScenarioText { kind: format!("{name} {} {shape}", exchange.stream), name, text })
}

/// The end of the file's name: the status, and how the response ended if it was not complete.
fn result(exchange: &PassedExchange) -> String {
    let end = match exchange.end {
        PassedEnd::Complete | PassedEnd::NotRepeatable(_) => "",
        PassedEnd::Refused => "refused",
        PassedEnd::Reset => "reset",
        PassedEnd::Closed => "closed",
        PassedEnd::ClientLeft => "silent",
    };
    let status = exchange.status().map(|status| status.to_string());
    let parts: Vec<&str> =
        status.as_deref().into_iter().chain([end]).filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

/// The head of the file, up to the turn.
fn head(exchange: &PassedExchange, api: Api, day: Date, result: &str) -> String {
    let provider = exchange.provider;
    let mut text = format!(
        "# Recorded by `upfault record` on {day}. Texts that the allow-list does not contain were replaced.\n"
    );
    if exchange.end == PassedEnd::ClientLeft {
        text.push_str("# The client left before the end. What the provider would have sent is unknown: here it stays silent.\n");
    }
    let stream = if exchange.stream { ", stream" } else { "" };
    let result = result.replace('-', ", then ").replace("silent", "silence");
    let _ = writeln!(text, "title: {provider} answers {api}{stream} with {result} (recorded)");
    text.push_str("why: A provider sent this response; it can send it again.\ntags: [recorded]\n");
    let _ = writeln!(text, "recorded: {day}");
    let mut axes = Vec::new();
    if provider != api.native_provider() {
        axes.push(format!("provider: [{provider}]"));
    }
    if api != Api::OpenaiChat {
        axes.push(format!("api: [{api}]"));
    }
    if exchange.stream {
        axes.push("stream: [true]".to_owned());
    }
    if !axes.is_empty() {
        let _ = writeln!(text, "matrix: {{{}}}", axes.join(", "));
    }
    text.push_str("upstream:\n");
    text
}

/// The fault that ends a reply early.
fn cut(end: &PassedEnd, at: &str) -> Option<String> {
    Some(match end {
        PassedEnd::Complete | PassedEnd::NotRepeatable(_) => return None,
        PassedEnd::Refused => "refuse".to_owned(),
        PassedEnd::Reset => format!("{{reset: {{at: {at}}}}}"),
        PassedEnd::Closed => format!("{{close: {{at: {at}}}}}"),
        PassedEnd::ClientLeft => format!("{{hang: {{at: {at}}}}}"),
    })
}

/// The parts of the body, redacted, each with its wait in milliseconds. The sums of the waits are exact, so that the
/// rounding does not add up.
fn redacted(reply: &PassedReply, allowed: &Allowed) -> Result<Vec<(u64, Vec<u8>)>, NotRecorded> {
    if let Some(coding) = crate::wire::content_coding::declared(reply.header("content-encoding")) {
        return Err(NotRecorded::NotRepeatable(format!(
            "the body is compressed ({coding}) although the request did not ask for it, so it could not be redacted"
        )));
    }
    let mut whole = reply.body();
    redact_body(&mut whole, reply.header("content-type"), allowed);
    let mut rest = whole.as_slice();
    let (mut elapsed, mut written) = (Duration::ZERO, 0);
    let mut parts = Vec::new();
    for (wait, bytes) in &reply.parts {
        let (part, after) = rest.split_at(bytes.len().min(rest.len()));
        rest = after;
        elapsed += *wait;
        let wait = whole_ms(elapsed) - written;
        written += wait;
        parts.push((wait, part.to_vec()));
    }
    Ok(parts)
}

/// The status, the headers and the body of the turn.
fn reply_text(
    text: &mut String,
    exchange: &PassedExchange,
    reply: &PassedReply,
    body: &[(u64, Vec<u8>)],
    allowed: &Allowed,
) {
    let _ = writeln!(text, "  - status: {}", reply.status);
    let headers = headers(exchange, reply, !body.is_empty(), allowed);
    if !headers.is_empty() {
        let _ = writeln!(text, "{HEADERS}");
        for (name, value) in headers {
            let value = value.map_or("null".to_owned(), |value| block_text(&value));
            let _ = writeln!(text, "      {}: {value}", block_text(&name));
        }
    }
    if body.is_empty() {
        return;
    }
    if let Some(whole) = plain(reply, body) {
        let _ = writeln!(text, "    body: {}", yaml_text(&whole, 6));
        return;
    }
    text.push_str("    chunks:\n");
    for (wait, bytes) in body {
        let mut lead = "      - ";
        if *wait > 0 {
            let _ = writeln!(text, "{lead}after: {wait}ms");
            lead = "        ";
        }
        let chunk = ReplyChunk::of(None, bytes);
        let _ = match (chunk.text, chunk.base64) {
            (Some(part), _) => writeln!(text, "{lead}text: {}", yaml_text(&part, 10)),
            (None, coded) => writeln!(text, "{lead}base64: {}", coded.unwrap_or_default()),
        };
    }
}

/// A body that is one text: `body` says all about it.
fn plain(reply: &PassedReply, body: &[(u64, Vec<u8>)]) -> Option<String> {
    let chunked = reply.header("content-length").is_none();
    let at_once = body.iter().all(|(wait, _)| Duration::from_millis(*wait) < TOGETHER);
    if reply.carrier().is_some() || !at_once || (chunked && body.len() > 1) {
        return None;
    }
    let whole: Vec<u8> = body.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
    let text = ReplyChunk::of(None, &whole).text?;
    // A literal text that looks like a stream of events is sent event by event.
    (!provider::looks_like_events(&text)).then_some(text)
}

/// The headers of the turn: what was received, and `None` for those that the mock would add.
fn headers(
    exchange: &PassedExchange,
    reply: &PassedReply,
    has_body: bool,
    allowed: &Allowed,
) -> Vec<(String, Option<String>)> {
    let cut = exchange.end != PassedEnd::Complete;
    let framed_by_length = reply.carrier().is_some() || cut;
    let mut headers: Vec<(String, Option<String>)> = Vec::new();
    for (name, value) in &reply.headers {
        if name == "date" || (name == "content-length" && !framed_by_length) {
            continue;
        }
        match headers.iter_mut().find(|(known, _)| known == name) {
            // Several fields of one name mean the same as one with a comma (RFC 9110 section 5.3), except for cookies.
            Some((_, Some(first))) if name != "set-cookie" => {
                let _ = write!(first, ", {}", redacted_header(name, value, allowed));
            }
            Some(_) => {}
            None => headers.push((name.clone(), Some(redacted_header(name, value, allowed)))),
        }
    }
    if has_body && reply.header("content-length").is_none() && reply.carrier().is_none() {
        headers.push(("transfer-encoding".to_owned(), Some("chunked".to_owned())));
    }
    let added = provider::own_request_ids(exchange.provider);
    let missing = ["content-type"].into_iter().filter(|_| has_body).chain(added);
    let missing: Vec<&str> = missing.filter(|name| reply.header(name).is_none()).collect();
    headers.extend(missing.into_iter().map(|name| (name.to_owned(), None)));
    headers
}

/// Checks that the file loads, and that a mock sends the redacted response by it.
fn exact(
    text: &str,
    exchange: &PassedExchange,
    api: Api,
    body: &[(u64, Vec<u8>)],
) -> Result<(), NotRecorded> {
    let scenario = load_text("recorded", "the recording", text)
        .map_err(|errors| NotRecorded::Inexact(errors.render(false)))?;
    let turn = scenario.deployments.values().flatten().next();
    let Some(turn) = turn.filter(|turn| matches!(turn.answer, TurnReply::Literal { .. })) else {
        return Ok(());
    };
    let asked = RequestedCall::plain(exchange.provider, api, exchange.stream);
    let message = provider::message(&asked, turn, &Canaries::with_stem("record"));
    let sent: Vec<u8> = match &message.body {
        MessageBody::Whole(bytes) => bytes.to_vec(),
        MessageBody::Chunks(chunks) => chunks.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect(),
        MessageBody::Events { .. } | MessageBody::Session { .. } => Vec::new(),
    };
    let received: Vec<u8> = body.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
    match sent == received && Some(message.status) == exchange.status() {
        true => Ok(()),
        false => Err(NotRecorded::Inexact("it would send other bytes than were received".to_owned())),
    }
}

fn whole_ms(time: Duration) -> u64 {
    u64::try_from((time + Duration::from_micros(500)).as_millis()).unwrap_or(u64::MAX)
}
