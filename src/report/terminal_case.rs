//! One case in full: findings, both sides of the wire, and the commands that reproduce it.

use std::io;

use anstyle::Style;
use serde_json::Value;

use super::{
    curl::curl_words,
    gateway_properties::GatewayProperty,
    paint::{Painter, cut, diff_style, safe, verdict_style},
    rerun::Rerun,
    sdk_block,
    terminal_origin::{fates, made_by},
};
use crate::{
    event::CaseReport,
    judge::{Finding, PolicyAnswer, PolicyEffect},
    observation::{
        Attempt, AttemptEnd, Exchange, ExchangeOutcome, ReceivedFrame, Response, StepName, is_meaningful,
    },
    scenario::Level,
    snapshot::KnownClaim,
    wire::frames,
};

/// How many characters of a body are shown.
const BODY: usize = 400;

/// How many events are shown at the beginning and at the end of a stream.
const EVENTS: usize = 3;

/// How many headers are shown.
const HEADERS: usize = 6;

/// A delay that is late by less than this (milliseconds) is within the timer's resolution.
pub(super) const LATE_MS: f64 = 1.0;

/// The text after a label such as `caller got` starts in the column after this.
const LABEL: &str = "  upstream sent  ";

/// Prints a case with the evidence for its verdict. With `rerun`, prints the command that runs it again too. Findings
/// that do not fail the case and are `shared` with nearly every case are only named.
pub(super) fn show(
    painter: &mut Painter<'_>,
    case: &CaseReport,
    rerun: Option<&Rerun>,
    shared: &[GatewayProperty],
) -> io::Result<()> {
    let word = case.verdict.as_str().to_uppercase();
    let heading = painter.styled(verdict_style(case.verdict), &word);
    painter.raw(&format!("{heading} {}", painter.styled(Style::new().bold(), &safe(&case.id))))?;
    painter.text(2, Style::new(), &safe(&case.title))?;
    painter.text(2, Style::new().dimmed(), &safe(&case.why))?;
    if let Some(note) = case.time_note() {
        painter.field(2, "speedup: ", &note)?;
    }
    if let Some(rerun) = rerun {
        painter.command(2, "again: ", &rerun.command(case))?;
    }
    if let Some(reason) = &case.reason {
        painter.field(2, "reason: ", &safe(reason))?;
    }
    for line in case.known.iter().filter_map(KnownClaim::describe) {
        painter.field(2, "known: ", &safe(&line))?;
    }
    // What a proxy may do otherwise comes after the evidence, so that the reason for the verdict and the evidence are next to
    // each other.
    let decides = |finding: &&Finding| finding.level == Level::Required || is_new(case, finding);
    let (decisive, advice): (Vec<_>, Vec<_>) = case.findings.iter().partition(decides);
    let mut evidence = Evidence::default();
    for finding in decisive {
        evidence.show(painter, case, finding)?;
    }
    if let Some(change) = case.change.as_ref().filter(|change| !change.is_empty()) {
        painter.gap()?;
        for rule in &change.vanished_findings {
            painter.field(2, "no longer broken: ", &safe(rule))?;
        }
        if !change.is_change() {
            painter.text(2, Style::new(), "only the policy differs: the proxy's behaviour is as accepted")?;
        }
        for PolicyEffect { rule, answers } in &change.eased {
            let by = format!("{rule}, by {}", PolicyAnswer::list(answers));
            painter.field(2, "accepted, and not required now: ", &safe(&by))?;
        }
        for line in change.diff.lines() {
            painter.text(2, diff_style(line), &safe(line))?;
        }
    }
    wire(painter, case, rerun)?;
    let is_shared = |finding: &&Finding| shared.iter().any(|property| property.rule == finding.rule);
    let (only_named, in_full): (Vec<_>, Vec<_>) = advice.into_iter().partition(is_shared);
    for finding in in_full {
        evidence.show(painter, case, finding)?;
    }
    for finding in only_named {
        painter.gap()?;
        painter.field(2, &finding.rule, &format!(" ({}), as in nearly every case", finding.level))?;
    }
    let has_exchanges =
        case.observation.as_ref().is_some_and(|observation| !observation.exchanges.is_empty());
    if let Some(words) = rerun.and_then(|rerun| rerun.by_hand(case)).filter(|_| has_exchanges) {
        painter.gap()?;
        painter.command(2, "requests by hand: ", &words)?;
    }
    Ok(())
}

/// Whether the accepted snapshot does not contain this finding.
fn is_new(case: &CaseReport, finding: &Finding) -> bool {
    case.change.as_ref().is_some_and(|change| change.is_new(&finding.rule))
}

/// The lines of evidence that are already shown. Findings of a case often share their evidence: each line is printed once.
#[derive(Default)]
struct Evidence<'c> {
    shown: Vec<&'c str>,
}

impl<'c> Evidence<'c> {
    /// Prints a finding with what was expected and observed.
    fn show(
        &mut self,
        painter: &mut Painter<'_>,
        case: &'c CaseReport,
        finding: &'c Finding,
    ) -> io::Result<()> {
        let mark = if is_new(case, finding) { ", new" } else { "" };
        painter.gap()?;
        if let Some(rule) = case.repeated(finding) {
            let line = format!(" ({}{mark}): expected {}; see {rule}", finding.level, finding.expected);
            return painter.field(2, &finding.rule, &safe(&line));
        }
        let by = match finding.policy.as_slice() {
            [] => String::new(),
            answers => format!(" by {}", PolicyAnswer::list(answers)),
        };
        painter.field(2, &finding.rule, &safe(&format!(" ({}{by}{mark})", finding.level)))?;
        painter.field(4, "expected: ", &safe(&finding.expected))?;
        painter.field(4, "observed: ", &safe(&finding.observed))?;
        for line in finding.evidence.iter().filter(|line| !self.shown.contains(&line.as_str())) {
            painter.field(4, "- ", &safe(&cut(line, BODY)))?;
        }
        self.shown.extend(finding.evidence.iter().map(String::as_str));
        Ok(())
    }
}

/// Prints both sides of the wire.
fn wire(painter: &mut Painter<'_>, case: &CaseReport, rerun: Option<&Rerun>) -> io::Result<()> {
    let Some(observation) = &case.observation else { return Ok(()) };
    let about_recovery = case.findings.iter().any(|finding| finding.rule.starts_with("recovery."));
    for exchange in &observation.exchanges {
        let unwell = exchange.answer().is_none_or(|answer| answer.status >= 400);
        if exchange.step == StepName::Recovery && !about_recovery && !unwell {
            continue;
        }
        painter.gap()?;
        if observation.exchanges.len() > 1 {
            painter.text(2, Style::new().underline(), &heading(exchange))?;
        }
        caller(painter, exchange)?;
        if let Some(view) = case.sdk_view.iter().find(|view| view.step == exchange.step) {
            sdk_block::show(painter, LABEL.len(), view)?;
        }
        let mut reached = false;
        for attempt in observation.attempts_of(exchange) {
            reached = true;
            upstream(painter, attempt)?;
        }
        if !reached {
            field(painter, "upstream saw", "no request")?;
        }
        let origin = case.origins.iter().find(|origin| origin.step == exchange.step);
        if let Some(origin) = origin.filter(|_| !case.findings.is_empty()) {
            field(painter, "error from", &cut(&made_by(origin), BODY))?;
            if let Some(fates) = fates(origin) {
                field(painter, "detail fate", &cut(&fates, 2 * BODY))?;
            }
        }
        // Only a proxy that upfault did not start is still there.
        if rerun.is_some_and(|rerun| rerun.attached) {
            // In a redacted observation these are the placeholders of the secrets.
            painter.command(2, "", &curl_words(exchange, &observation.arrangement.proxy_secrets))?;
        }
    }
    Ok(())
}

/// What is printed above the two sides of a request if there are several.
fn heading(exchange: &Exchange) -> String {
    match exchange.step {
        StepName::Step(_) => named(exchange),
        StepName::Recovery => format!("{}: the next request, to a healthy provider", named(exchange)),
    }
}

/// The step, its target, and whether it ran concurrently.
pub(super) fn named(exchange: &Exchange) -> String {
    let to = exchange.to.as_ref().map(|to| format!(", to {to}"));
    let together = if exchange.together { ", concurrent with the previous one" } else { "" };
    format!("{}{}{together}", exchange.step, to.unwrap_or_default())
}

/// Prints what the caller sent and got.
pub(super) fn caller(painter: &mut Painter<'_>, exchange: &Exchange) -> io::Result<()> {
    field(painter, "caller sent", &format!("{} {}", exchange.method, exchange.url))?;
    if let Some(mistake) = exchange.mistake {
        more(painter, &format!("(it {mistake})"))?;
    }
    more(painter, &exchange.request_body)?;
    let answer = match &exchange.outcome {
        ExchangeOutcome::NoAnswer { ending } => {
            let after = seconds(exchange.duration_ms());
            return field(painter, "caller got", &format!("no response: {ending} (after {after})"));
        }
        ExchangeOutcome::Answer(answer) => answer,
    };
    let after = seconds(exchange.duration_ms());
    field(painter, "caller got", &format!("{}, {} (after {after})", answer.status, answer.ending))?;
    headers(painter, &answer.headers)?;
    body(painter, answer)
}

/// Prints what an upstream saw and sent.
pub(super) fn upstream(painter: &mut Painter<'_>, attempt: &Attempt) -> io::Result<()> {
    let first = if attempt.n == 1 { ", the first request to it" } else { "" };
    let saw = if attempt.was_asked() {
        format!("{}{first}: {} {}", attempt.name(), attempt.method, attempt.path)
    } else {
        format!("{}: a connection without a request", attempt.name())
    };
    field(painter, "upstream saw", &saw)?;
    more(painter, &attempt.body)?;
    let status = attempt.sent.status.map_or("no status line".to_owned(), |status| status.to_string());
    let faults: Vec<String> =
        attempt.turn.iter().flat_map(|turn| &turn.faults).map(ToString::to_string).collect();
    let faults = if faults.is_empty() { String::new() } else { format!("; fault: {}", faults.join(", ")) };
    let end = end_words(attempt.end);
    let late = attempt.sent.timer_error_ms;
    let late = if late >= LATE_MS { format!(" (delays up to {late:.1}ms late)") } else { String::new() };
    field(painter, "upstream sent", &format!("{status}, {} bytes, {end}{faults}{late}", attempt.sent.bytes))?;
    if let Some(note) = attempt.own_reply_note() {
        more(painter, &format!("({note})"))?;
    }
    headers(painter, &attempt.sent.headers)?;
    let frames = attempt.sent.carrier().map(|carrier| frames::decode(carrier, &attempt.sent.body_bytes()));
    match frames.filter(|frames| !frames.is_empty()) {
        Some(frames) => {
            let line = |frame: &frames::Frame| event_line(frame.event.as_deref(), &frame.data);
            events(painter, &frames.iter().map(line).collect::<Vec<_>>())
        }
        None => more(painter, &attempt.sent.binary_size().unwrap_or_else(|| attempt.sent.body.clone())),
    }
}

pub(super) fn end_words(end: AttemptEnd) -> &'static str {
    match end {
        AttemptEnd::Open => "still open when the case ended",
        AttemptEnd::Finished => "finished",
        AttemptEnd::Reset => "then cut by RST",
        AttemptEnd::Closed => "then cut by FIN",
        AttemptEnd::StreamReset => "then cut by RST_STREAM",
        AttemptEnd::GoneAway => "then cut by GOAWAY",
        AttemptEnd::HandshakeFailed => "but the TLS handshake failed",
        AttemptEnd::ClientLeft => "until the proxy closed the connection",
    }
}

fn headers(painter: &mut Painter<'_>, headers: &[(String, String)]) -> io::Result<()> {
    let mut shown: Vec<&(String, String)> = headers.iter().filter(|(name, _)| is_meaningful(name)).collect();
    // Clients act on some headers. There are many rate-limit headers: they come last.
    let acted_on = |name: &str| name == "content-type" || name.contains("retry");
    shown.sort_by_key(|(name, _)| {
        (!acted_on(name), name.contains("ratelimit"), name.starts_with("llm_provider"))
    });
    for (name, value) in shown.iter().take(HEADERS) {
        more(painter, &format!("{name}: {value}"))?;
    }
    match shown.len().saturating_sub(HEADERS) {
        0 => Ok(()),
        left => more(painter, &format!("... {left} more headers ...")),
    }
}

fn body(painter: &mut Painter<'_>, answer: &Response) -> io::Result<()> {
    let frames = &answer.body.frames;
    if frames.is_empty() {
        return match answer.body.text.is_empty() {
            true => more(painter, "(no body)"),
            false => more(painter, &answer.binary_size().unwrap_or_else(|| answer.body.text.clone())),
        };
    }
    let line = |frame: &ReceivedFrame| event_line(frame.event.as_deref(), &frame.data);
    events(painter, &frames.iter().map(line).collect::<Vec<_>>())
}

fn events(painter: &mut Painter<'_>, lines: &[String]) -> io::Result<()> {
    let left_out = if lines.len() > 2 * EVENTS + 1 { lines.len() - 2 * EVENTS } else { 0 };
    let (head, tail) = if left_out > 0 { (EVENTS, EVENTS) } else { (lines.len(), 0) };
    for line in &lines[..head] {
        more(painter, line)?;
    }
    if left_out > 0 {
        more(painter, &format!("... {left_out} more events ..."))?;
    }
    for line in &lines[lines.len() - tail..] {
        more(painter, line)?;
    }
    Ok(())
}

/// One event of a stream. Of a chunk, only the delta and the finish reason are shown.
pub(super) fn event_line(event: Option<&str>, data: &str) -> String {
    let name = event.map(|name| format!("event: {name} ")).unwrap_or_default();
    let chunk = serde_json::from_str::<Value>(data).ok();
    let choice =
        chunk.as_ref().filter(|chunk| chunk.get("error").is_none()).and_then(|chunk| chunk["choices"].get(0));
    let Some(delta) = choice.and_then(|choice| choice.get("delta")) else {
        return format!("{name}data: {data}");
    };
    let finish = choice.and_then(|choice| choice["finish_reason"].as_str());
    let finish = finish.map(|finish| format!(",\"finish_reason\":\"{finish}\"")).unwrap_or_default();
    format!("{name}data: {{...\"choices\":[{{\"delta\":{delta}{finish}}}]}}")
}

fn field(painter: &mut Painter<'_>, label: &str, text: &str) -> io::Result<()> {
    let width = LABEL.len() - 2;
    painter.field(2, &format!("{label:width$}"), &safe(text))
}

/// Text below the last field. Prints nothing if `text` is blank.
fn more(painter: &mut Painter<'_>, text: &str) -> io::Result<()> {
    let text = text.trim();
    if text.is_empty() { Ok(()) } else { painter.text(LABEL.len(), Style::new(), &safe(&cut(text, BODY))) }
}

/// `12ms`, `1.5s`.
pub(super) fn seconds(ms: f64) -> String {
    if ms < 1000.0 { format!("{ms:.0}ms") } else { format!("{:.1}s", ms / 1000.0) }
}
