//! Checks that a fault is possible with its turn's response and in every case of the matrix.

use std::time::Duration;

use super::{
    check::FileChecker,
    fault::{Fault, FaultNeed, Http1Fault, LatencyShape, MalformedBody, Point},
    located::Located,
    model::{Combination, TurnReply},
    session,
    words::{Api, Provider},
};

/// The longest wait that `latency` accepts: no case takes longer.
const LONGEST: Duration = Duration::from_secs(3600);

/// Checks one fault, independently of the others.
pub(super) fn fitting(
    check: &mut FileChecker<'_>,
    fault: &Located<Fault>,
    answer: &TurnReply,
    matrix: &[Combination],
) {
    if !session::fits(check, fault, matrix) {
        return;
    }
    if needs_events(&fault.value) && !events(check, fault, answer, matrix) {
        return;
    }
    content(check, fault, answer);
    carried(check, fault, matrix);
    numbers(check, fault);
    places(check, fault);
    bodies(check, fault, answer, matrix);
}

fn needs_events(fault: &Fault) -> bool {
    fault.needs(FaultNeed::Events) || fault.at().is_some_and(Point::is_of_stream)
}

/// Checks that the turn's response has the content that names the fault's point.
fn content(check: &mut FileChecker<'_>, fault: &Located<Fault>, answer: &TurnReply) {
    let (Some(point), TurnReply::Reply(reply)) = (fault.value.at(), answer) else { return };
    let (name, content, has_it, instead) = match point {
        Point::AfterContent => ("after_content", "a text", reply.has_text(), "inside_tool_call"),
        Point::InsideToolCall => ("inside_tool_call", "a tool call", reply.has_tool_call(), "after_content"),
        Point::AfterToolArguments => {
            ("after_tool_arguments", "a tool call", reply.has_tool_call(), "after_content")
        }
        _ => return,
    };
    if !has_it {
        let place = check.word(&fault.range, name);
        let help = format!(
            "write `at: {instead}`, or a reply with both: `reply: text_and_tool_call`; docs/scenarios.md lists the replies"
        );
        check.error(&place, format!("`{name}` needs {content}, and this turn's reply has none")).help =
            Some(help);
    }
}

/// Checks that the turn sends events in every case.
fn events(
    check: &mut FileChecker<'_>,
    fault: &Located<Fault>,
    answer: &TurnReply,
    matrix: &[Combination],
) -> bool {
    let name = fault.value.name();
    if !matches!(answer, TurnReply::Reply(_)) {
        check
            .error(&fault.range, format!("`{name}` needs the events of a stream, and this turn sends none"))
            .help =
            Some("use it on a `reply`; inside an error or a literal body use `after_bytes`".to_owned());
        return false;
    }
    let without = |combination: &&Combination| !combination.stream && !combination.api.is_session();
    if matrix.iter().any(|combination| without(&combination)) {
        check
            .error(
                &fault.range,
                format!("`{name}` needs the events of a stream, and not every case of this file is a stream"),
            )
            .help =
            Some(match matrix.iter().filter(without).find(|combination| !combination.api.streams()) {
                Some(Combination { api, .. }) => {
                    format!("{api} has no stream: use the fault in a scenario without it")
                }
                None => "write `matrix: {stream: [true]}`, or a point such as `after_bytes`".to_owned(),
            });
        return false;
    }
    true
}

/// Checks that the streams of every case have the format that the fault applies to.
fn carried(check: &mut FileChecker<'_>, fault: &Located<Fault>, matrix: &[Combination]) {
    let name = fault.value.name();
    let is_sse = |provider: Provider| !matches!(provider.known(), Provider::Bedrock | Provider::Ollama);
    let other =
        |wanted: &dyn Fn(Provider) -> bool| matrix.iter().map(|one| one.provider).find(|one| !wanted(*one));
    if fault.value.needs(FaultNeed::Sse)
        && let Some(provider) = other(&is_sse)
    {
        check
            .error(
                &fault.range,
                format!(
                    "`{name}` applies to server-sent events, and {provider} has streams of another format"
                ),
            )
            .help = Some("choose other providers; `unknown_event` works in every stream format".to_owned());
    }
    if fault.value.needs(FaultNeed::AwsEventStream)
        && let Some(provider) = other(&|provider| provider.known() == Provider::Bedrock)
    {
        check
            .error(
                &fault.range,
                format!("`{name}` applies to AWS's event streams, and {provider} sends none"),
            )
            .help = Some("write `matrix: {provider: [bedrock], stream: [true]}`".to_owned());
    }
}

/// Checks the ranges of numbers.
fn numbers(check: &mut FileChecker<'_>, fault: &Located<Fault>) {
    let problem = match &fault.value {
        Fault::Drip { bytes_per_second: 0 } => {
            Some(("`bytes_per_second` must be at least 1", "for silence use `stall` or `hang`"))
        }
        Fault::Split { bytes: 0 } => Some((
            "`bytes` must be at least 1",
            "write `split: {bytes: 1}` to send each byte in its own packet",
        )),
        Fault::Http1(Http1Fault::UnknownStatus(status)) if !(600..=999).contains(status) => Some((
            "`unknown_status` must be between 600 and 999",
            "a status from 200 to 599 is not a fault: write the turn as `status: …`",
        )),
        Fault::Http1(Http1Fault::Interim(status)) if !matches!(status, 100 | 102 | 103) => {
            Some(("`interim` must be 100, 102 or 103", "103 is the one that providers' networks send"))
        }
        Fault::Http1(Http1Fault::OversizedHeader(bytes)) if !(1..=1_048_576).contains(bytes) => Some((
            "`oversized_header` must be between 1 and 1048576 bytes",
            "most clients have their limit between 8 KiB and 256 KiB",
        )),
        Fault::Redirect(status) if !matches!(status, 301 | 302 | 303 | 307 | 308) => Some((
            "`redirect` must be 301, 302, 303, 307 or 308",
            "307 and 308 require the same method and body again, the others do not",
        )),
        Fault::Malform(MalformedBody::DeepNesting(levels)) if !(1..=1_000_000).contains(levels) => {
            Some(("`deep_nesting` must be between 1 and 1000000 levels", "many parsers have a limit of 128"))
        }
        Fault::Malform(MalformedBody::VeryLarge(bytes)) if !(1..=1 << 30).contains(bytes) => Some((
            "`very_large` must be between 1 and 1073741824 bytes",
            "the unit is bytes: `very_large: 10485760` means 10 MiB",
        )),
        Fault::Latency(latency) => latency_problem(&latency.time),
        _ => None,
    };
    if let Some((message, help)) = problem {
        check.error(&fault.range, message).help = Some(help.to_owned());
    }
}

fn latency_problem(shape: &LatencyShape) -> Option<(&'static str, &'static str)> {
    match shape {
        LatencyShape::Uniform { from, to } if from > to => {
            Some(("`from` must not be more than `to`", "swap the two"))
        }
        LatencyShape::List(list) if list.is_empty() => {
            Some(("a `list` of waits needs at least one", "leave the fault out for no wait"))
        }
        shape if shape.longest() > LONGEST => {
            Some(("a wait of `latency` must not be longer than 1h", "for silence without end use `hang`"))
        }
        _ => None,
    }
}

/// Checks that the fault can take effect at its point.
fn places(check: &mut FileChecker<'_>, fault: &Located<Fault>) {
    let between = fault.value.needs(FaultNeed::BetweenEvents);
    let problem = match (&fault.value, fault.value.at()) {
        (_, Some(Point::BeforeHeaders | Point::AfterBytes(_))) if between => Some((
            "an event cannot be inserted at this point",
            "use `after_headers`, `after_events` or `before_end`",
        )),
        (Fault::Truncate { .. }, Some(Point::BeforeHeaders)) => {
            Some(("there is no frame to cut before the headers", "use `close: {at: before_headers}`"))
        }
        (Fault::Http1(Http1Fault::BadChunkSize { .. }), Some(Point::BeforeHeaders)) => Some((
            "there is no chunk before the headers",
            "use `after_headers`, or `http1: garbage_status_line`",
        )),
        _ => None,
    };
    if let Some((message, help)) = problem {
        check.error(&fault.range, message).help = Some(help.to_owned());
    }
}

/// Checks that the turn's response has the body that the fault needs.
fn bodies(check: &mut FileChecker<'_>, fault: &Located<Fault>, answer: &TurnReply, matrix: &[Combination]) {
    let without = match answer {
        TurnReply::Literal { status: 204 | 304, .. } => true,
        TurnReply::Literal { body, bodies, chunks, .. } => {
            body.is_none() && bodies.is_empty() && chunks.is_empty()
        }
        TurnReply::Reply(_) | TurnReply::Error(_) => false,
    };
    let problem = if fault.value.needs(FaultNeed::Body) && without {
        (
            format!("`{}` needs a body, and this turn sends none", fault.value.name()),
            "give the turn a `body`; for a 204 or a 304 with one use `http1: body_on_204` or `body_on_304`",
        )
    } else if fault.value.needs(FaultNeed::Success) && !matches!(answer, TurnReply::Reply(_)) {
        (
            "`malform` replaces the body of a successful response, and this turn is not one".to_owned(),
            "write the body yourself: `status: …` with `body: …`",
        )
    } else if fault.value.needs(FaultNeed::Json) && matrix.iter().any(|one| one.api == Api::OpenaiSpeech) {
        (
            format!("`{:#}` edits JSON, and the response of openai/speech is not JSON", fault.value),
            "leave this API out, or use `not_json`, `empty` or `html`",
        )
    } else {
        return;
    };
    let (message, help) = problem;
    check.error(&fault.range, message).help = Some(help.to_owned());
}
