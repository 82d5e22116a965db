//! One case in full, as its page shows it.

use serde::Serialize;

use super::cut::{TextBudget, WireList, WireText, ends};
use crate::{
    event::CaseReport,
    judge::{
        DetailFate, ErrorOrigin, ErrorSource, Finding, PolicyAnswer, PolicyEffect, StepView, TracedDetail,
    },
    observation::{Attempt, Exchange, ExchangeOutcome, Observation, Response, is_meaningful},
    report::{Rerun, curl::curl_words, terminal_case::end_words, terminal_origin::made_by},
    scenario::Level,
    wire::frames,
};

/// How many bytes of a body are shown.
const BODY: usize = 12_000;
/// How many bytes of an event of a stream, or of evidence, are shown.
const EVENT: usize = 3_000;
/// How many bytes of the value of a header are shown.
const HEADER: usize = 1_000;
/// How many bytes of the difference from the accepted snapshot are shown.
const DIFF: usize = 20_000;
/// A longer command is left out: a part of it would not work.
const COMMAND: usize = 16_000;

/// How many items are shown at the beginning and at the end of a list.
const HEADERS: (usize, usize) = (60, 0);
const EVENTS: (usize, usize) = (30, 10);
const ATTEMPTS: (usize, usize) = (20, 5);
const EVIDENCE: (usize, usize) = (12, 0);

/// One case in full.
#[derive(Debug, Serialize)]
pub(super) struct PageDetail {
    title: String,
    why: String,
    /// The scenario's file.
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<WireText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speedup: Option<String>,
    findings: Vec<DetailFinding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<DetailChange>,
    /// The command that runs the case again.
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<String>,
    /// The steps, in the order in which their requests were sent; null if the report does not contain the traffic.
    steps: Option<Vec<DetailStep>>,
}

/// A rule that the proxy broke.
#[derive(Debug, Serialize)]
struct DetailFinding {
    rule: String,
    level: Level,
    expected: WireText,
    observed: WireText,
    evidence: WireList<WireText>,
    /// The policy answers that cause it, as a sentence; empty if the default policy makes the same finding.
    #[serde(skip_serializing_if = "String::is_empty")]
    policy: String,
    /// Whether the accepted snapshot does not contain it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    new: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeats: Option<String>,
}

/// The difference from the accepted snapshot.
#[derive(Debug, Serialize)]
struct DetailChange {
    diff: WireText,
    /// Rules that are no longer broken.
    gone: Vec<String>,
    /// Rules that the policy no longer requires, with its answers.
    eased: Vec<String>,
}

/// One request of the caller, and everything that it caused. Times are in milliseconds since the case began.
#[derive(Debug, Serialize)]
struct DetailStep {
    /// `step 1`, `recovery`.
    name: String,
    /// What is special about the request, as phrases.
    notes: Vec<String>,
    sent_ms: f64,
    end_ms: f64,
    request: WireMessage,
    /// The response; null if there was none.
    response: Option<WireMessage>,
    /// When the head of the response was complete.
    head_ms: Option<f64>,
    /// How the response ended.
    ending: String,
    attempts: WireList<DetailAttempt>,
    /// The source of the error that the caller got, if it got one.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<DetailOrigin>,
    /// How the official SDKs interpret the response.
    sdks: Vec<DetailSdk>,
    /// The request as a command; null if it is too long.
    curl: Option<String>,
}

/// One request that reached an upstream, and the reply.
#[derive(Debug, Serialize)]
struct DetailAttempt {
    /// `primary#1`.
    name: String,
    at_ms: f64,
    end_ms: Option<f64>,
    /// The request; null for a connection without a request.
    request: Option<WireMessage>,
    reply: WireMessage,
    /// How the reply ended, with its faults.
    ending: String,
}

/// A request or a response.
#[derive(Debug, Serialize)]
struct WireMessage {
    /// `POST /v1/chat/completions`, `429`.
    line: WireText,
    /// The headers that are meaningful to a caller come first.
    headers: WireList<(WireText, WireText)>,
    /// How many of the headers are meaningful.
    meaningful: usize,
    /// The body, unless it is a stream of events.
    body: WireText,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<WireList<DetailEvent>>,
}

/// One event of a stream.
#[derive(Debug, Serialize)]
struct DetailEvent {
    /// When the caller received it; null for an event that an upstream sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<WireText>,
    data: WireText,
}

/// The source of an error, and the fate of the provider's details.
#[derive(Debug, Serialize)]
struct DetailOrigin {
    /// The source and the evidence for it.
    source: WireText,
    /// Whether the details are those of the last upstream that failed, because the source is not an upstream.
    of_last: bool,
    details: Vec<DetailTrace>,
}

/// One detail that an upstream sent.
#[derive(Debug, Serialize)]
struct DetailTrace {
    detail: WireText,
    sent: WireText,
    /// `kept`, `moved`, `changed`, `in the message`, `lost`, `leaked`.
    fate: &'static str,
    /// The new place or value.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<WireText>,
}

/// How one SDK interprets a response.
#[derive(Debug, Serialize)]
struct DetailSdk {
    /// `openai-python 2.54.0`.
    sdk: String,
    outcome: String,
    /// Whether the call failed without an exception.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    silent: bool,
}

impl PageDetail {
    /// The page of a case. `rerun` contains the options of the command that runs it again.
    pub(super) fn of(case: &CaseReport, rerun: Option<&Rerun>) -> Self {
        let mut budget = TextBudget::of_a_case();
        let new = |rule: &str| case.change.as_ref().is_some_and(|change| change.is_new(rule));
        let findings = case
            .findings
            .iter()
            .map(|finding| DetailFinding {
                new: new(&finding.rule),
                repeats: case.repeated(finding).map(str::to_owned),
                ..DetailFinding::of(finding, &mut budget)
            })
            .collect();
        let change = case.change.as_ref().filter(|change| !change.is_empty()).map(|change| DetailChange {
            diff: budget.take(&change.diff, DIFF),
            gone: change.vanished_findings.clone(),
            eased: change
                .eased
                .iter()
                .map(|PolicyEffect { rule, answers }| format!("{rule}, by {}", PolicyAnswer::list(answers)))
                .collect(),
        });
        let steps = case.observation.as_ref().map(|seen| {
            let step = |exchange| DetailStep::of(case, seen, exchange, &mut budget);
            seen.exchanges.iter().map(step).collect()
        });
        Self {
            title: case.title.clone(),
            why: case.why.clone(),
            file: case.file.clone(),
            reason: case.reason.as_ref().map(|reason| budget.take(reason, EVENT)),
            speedup: case.time_note(),
            findings,
            change,
            again: rerun.map(|rerun| rerun.command(case).join(" ")),
            steps,
        }
    }
}

impl DetailFinding {
    fn of(finding: &Finding, budget: &mut TextBudget) -> Self {
        Self {
            rule: finding.rule.clone(),
            level: finding.level,
            expected: budget.take(&finding.expected, EVENT),
            observed: budget.take(&finding.observed, EVENT),
            evidence: ends(&finding.evidence, EVIDENCE.0, EVIDENCE.1, |line| budget.take(line, EVENT)),
            policy: PolicyAnswer::list(&finding.policy),
            new: false,
            repeats: None,
        }
    }
}

impl DetailStep {
    fn of(case: &CaseReport, seen: &Observation, exchange: &Exchange, budget: &mut TextBudget) -> Self {
        let answer = exchange.answer();
        let attempts: Vec<&Attempt> = seen.attempts_of(exchange).collect();
        let words = curl_words(exchange, &seen.arrangement.proxy_secrets);
        let curl = words.join(" ");
        let views = case.sdk_view.iter().filter(|view| view.step == exchange.step);
        Self {
            name: exchange.step.to_string(),
            notes: notes(exchange),
            sent_ms: exchange.sent_ms,
            end_ms: exchange.end_ms,
            request: WireMessage::new(
                &format!("{} {}", exchange.method, exchange.url),
                &exchange.request_headers,
                &exchange.request_body,
                budget,
            ),
            response: answer.map(|answer| WireMessage::of_response(answer, budget)),
            head_ms: answer.map(|answer| answer.head_ms),
            ending: ending(exchange),
            attempts: ends(&attempts, ATTEMPTS.0, ATTEMPTS.1, |attempt| DetailAttempt::of(attempt, budget)),
            origin: case
                .origins
                .iter()
                .find(|origin| origin.step == exchange.step)
                .map(|origin| DetailOrigin::of(origin, budget)),
            sdks: views.flat_map(sdks).collect(),
            curl: (curl.len() <= COMMAND).then_some(curl),
        }
    }
}

/// What is special about a request.
fn notes(exchange: &Exchange) -> Vec<String> {
    let to = exchange.to.as_ref().map(|to| format!("to {to}"));
    let together = exchange.together.then(|| "sent concurrently with the previous request".to_owned());
    let mistake = exchange.mistake.map(|mistake| format!("the caller {mistake}"));
    let left = exchange.left.as_ref().map(|left| format!("the caller {} ({:.0} ms)", left.how, left.at_ms));
    [to, together, mistake, left].into_iter().flatten().collect()
}

/// How a response ended, and the close frame of a session.
fn ending(exchange: &Exchange) -> String {
    match &exchange.outcome {
        ExchangeOutcome::NoAnswer { ending } => format!("no response: {ending}"),
        ExchangeOutcome::Answer(answer) => {
            let closed = answer.closed.as_ref().map(|closed| format!("; close frame {closed}"));
            let damage = answer.body.damage.as_ref().map(|damage| format!("; {damage}"));
            [Some(answer.ending.to_string()), closed, damage].into_iter().flatten().collect()
        }
    }
}

impl WireMessage {
    fn new(line: &str, headers: &[(String, String)], body: &str, budget: &mut TextBudget) -> Self {
        let mut headers: Vec<&(String, String)> = headers.iter().collect();
        headers.sort_by_key(|(name, _)| !is_meaningful(name));
        Self {
            line: budget.take(line, EVENT),
            meaningful: headers.iter().filter(|(name, _)| is_meaningful(name)).count().min(HEADERS.0),
            headers: ends(&headers, HEADERS.0, HEADERS.1, |(name, value)| {
                (budget.take(name, HEADER), budget.take(value, HEADER))
            }),
            body: budget.take(body, BODY),
            events: None,
        }
    }

    fn of_response(answer: &Response, budget: &mut TextBudget) -> Self {
        let body = answer.binary_size();
        let text =
            if answer.body.frames.is_empty() { body.as_deref().unwrap_or(&answer.body.text) } else { "" };
        let message = Self::new(&answer.status.to_string(), &answer.headers, text, budget);
        let events = (!answer.body.frames.is_empty()).then(|| {
            ends(&answer.body.frames, EVENTS.0, EVENTS.1, |frame| DetailEvent {
                at_ms: Some(frame.at_ms),
                event: frame.event.as_ref().map(|event| budget.take(event, HEADER)),
                data: budget.take(&frame.data, EVENT),
            })
        });
        Self { events, ..message }
    }

    /// What an upstream sent.
    fn of_reply(attempt: &Attempt, budget: &mut TextBudget) -> Self {
        let sent = &attempt.sent;
        let line = sent.status.map_or("no status line".to_owned(), |status| status.to_string());
        let frames = sent.carrier().map(|carrier| frames::decode(carrier, &sent.body_bytes()));
        let frames = frames.filter(|frames| !frames.is_empty());
        let binary = sent.binary_size();
        let text = if frames.is_some() { "" } else { binary.as_deref().unwrap_or(&sent.body) };
        let message = Self::new(&line, &sent.headers, text, budget);
        let events = frames.map(|frames| {
            ends(&frames, EVENTS.0, EVENTS.1, |frame| DetailEvent {
                at_ms: None,
                event: frame.event.as_ref().map(|event| budget.take(event, HEADER)),
                data: budget.take(&frame.data, EVENT),
            })
        });
        Self { events, ..message }
    }
}

impl DetailAttempt {
    fn of(attempt: &Attempt, budget: &mut TextBudget) -> Self {
        let line = format!("{} {}", attempt.method, attempt.path);
        let request =
            attempt.was_asked().then(|| WireMessage::new(&line, &attempt.headers, &attempt.body, budget));
        let mut ending = vec![format!("{} bytes, {}", attempt.sent.bytes, end_words(attempt.end))];
        let faults: Vec<String> =
            attempt.turn.iter().flat_map(|turn| &turn.faults).map(ToString::to_string).collect();
        if !faults.is_empty() {
            ending.push(format!("fault: {}", faults.join(", ")));
        }
        ending.extend(attempt.own_reply_note());
        Self {
            name: attempt.name(),
            at_ms: attempt.at_ms,
            end_ms: attempt.end_ms,
            request,
            reply: WireMessage::of_reply(attempt, budget),
            ending: ending.join("; "),
        }
    }
}

impl DetailOrigin {
    fn of(origin: &ErrorOrigin, budget: &mut TextBudget) -> Self {
        Self {
            source: budget.take(&made_by(origin), EVENT),
            of_last: matches!(origin.maker, ErrorSource::Proxy | ErrorSource::Unreported),
            details: origin.details.iter().map(|traced| DetailTrace::of(traced, budget)).collect(),
        }
    }
}

impl DetailTrace {
    fn of(traced: &TracedDetail, budget: &mut TextBudget) -> Self {
        let (fate, now) = match &traced.fate {
            DetailFate::Kept => ("kept", None),
            DetailFate::Moved { to } => ("moved", Some(to)),
            DetailFate::Mapped { to } => ("changed", Some(to)),
            DetailFate::Prose => ("in the message", None),
            DetailFate::Lost => ("lost", None),
            DetailFate::Leaked { at } => ("leaked", Some(at)),
        };
        Self {
            detail: budget.take(&traced.detail, HEADER),
            sent: budget.take(&traced.sent, HEADER),
            fate,
            now: now.map(|now| budget.take(now, HEADER)),
        }
    }
}

fn sdks(view: &StepView) -> impl Iterator<Item = DetailSdk> {
    view.sdks.iter().map(|view| DetailSdk {
        sdk: format!("{} {}", view.sdk.as_str(), view.release),
        outcome: view.describe(),
        silent: view.silent,
    })
}
