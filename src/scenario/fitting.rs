//! Whether a fault fits what it stands on: the turn's answer, and the cases of the matrix.

use std::time::Duration;

use super::{
    fault::{Fault, Http1Fault, Latency, LatencyPlace, LatencyShape, MalformedBody, Point},
    file::Located,
    model::{Combination, TurnReply},
    session,
    validate::FileChecker,
    words::{Api, Provider},
};

/// The longest wait that can be drawn: no case lives to see more.
const LONGEST: Duration = Duration::from_secs(3600);

/// Checks one fault by itself.
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
    carried(check, fault, matrix);
    numbers(check, fault);
    places(check, fault);
    bodies(check, fault, answer, matrix);
}

fn needs_events(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::DropTerminator
            | Fault::DuplicateTerminator
            | Fault::ErrorEvent { .. }
            | Fault::UnknownEvent { .. }
            | Fault::Comment { .. }
            | Fault::Ping { .. }
            | Fault::Crlf
            | Fault::MultiLineData
            | Fault::EventStream(_)
            | Fault::Latency(Latency { before: LatencyPlace::EachEvent, .. })
    ) || matches!(fault.at(), Some(Point::AfterEvents(_)))
}

/// Whether the turn sends events in every case.
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
                format!("`{name}` needs the events of a stream, and not every case here is one"),
            )
            .help =
            Some(match matrix.iter().filter(without).find(|combination| !combination.api.streams()) {
                Some(Combination { api, .. }) => format!("{api} has no stream: leave the fault out for it"),
                None => "write `matrix: {stream: [true]}`, or a point such as `after_bytes`".to_owned(),
            });
        return false;
    }
    true
}

/// Whether the streams of every case are carried in what the fault is about.
fn carried(check: &mut FileChecker<'_>, fault: &Located<Fault>, matrix: &[Combination]) {
    let name = fault.value.name();
    let is_sse = |provider| !matches!(provider, Provider::Bedrock | Provider::Ollama);
    let other =
        |wanted: &dyn Fn(Provider) -> bool| matrix.iter().map(|one| one.provider).find(|one| !wanted(*one));
    match fault.value {
        Fault::Comment { .. } | Fault::Ping { .. } | Fault::Crlf | Fault::MultiLineData => {
            if let Some(provider) = other(&is_sse) {
                check
                    .error(
                        &fault.range,
                        format!(
                            "`{name}` is about server-sent events, and {provider} has streams of another kind"
                        ),
                    )
                    .help =
                    Some("choose other providers; `unknown_event` fits every kind of stream".to_owned());
            }
        }
        Fault::EventStream(_) => {
            if let Some(provider) = other(&|provider| provider == Provider::Bedrock) {
                check
                    .error(
                        &fault.range,
                        format!("`{name}` is about AWS's event streams, and {provider} sends none"),
                    )
                    .help = Some("write `matrix: {provider: [bedrock], stream: [true]}`".to_owned());
            }
        }
        _ => {}
    }
}

/// Whether numbers lie where they can be what they are called.
fn numbers(check: &mut FileChecker<'_>, fault: &Located<Fault>) {
    let said = match &fault.value {
        Fault::Drip { bytes_per_second: 0 } => {
            Some(("`bytes_per_second` must be at least 1", "for silence use `stall` or `hang`"))
        }
        Fault::Split { bytes: 0 } => {
            Some(("`bytes` must be at least 1", "write `split: {bytes: 1}` for a packet for every byte"))
        }
        Fault::Http1(Http1Fault::UnknownStatus(status)) if !(600..=999).contains(status) => Some((
            "`unknown_status` must lie between 600 and 999",
            "a status from 200 to 599 is no fault: write the turn as `status: …`",
        )),
        Fault::Http1(Http1Fault::Interim(status)) if !matches!(status, 100 | 102 | 103) => {
            Some(("`interim` must be 100, 102 or 103", "103 is the one that providers' networks send"))
        }
        Fault::Http1(Http1Fault::OversizedHeader(bytes)) if !(1..=1_048_576).contains(bytes) => Some((
            "`oversized_header` must lie between 1 and 1048576 bytes",
            "most clients have their limit between 8 KiB and 256 KiB",
        )),
        Fault::Redirect(status) if !matches!(status, 301 | 302 | 303 | 307 | 308) => Some((
            "`redirect` must be 301, 302, 303, 307 or 308",
            "307 and 308 ask for the same method and body again, the others need not",
        )),
        Fault::Malform(MalformedBody::DeepNesting(levels)) if !(1..=1_000_000).contains(levels) => Some((
            "`deep_nesting` must lie between 1 and 1000000 levels",
            "many parsers have their limit at 128",
        )),
        Fault::Malform(MalformedBody::VeryLarge(bytes)) if !(1..=1 << 30).contains(bytes) => Some((
            "`very_large` must lie between 1 and 1073741824 bytes",
            "bytes are counted, as in `very_large: 10485760` for 10 MiB",
        )),
        Fault::Latency(latency) => latency_said(&latency.time),
        _ => None,
    };
    if let Some((message, help)) = said {
        check.error(&fault.range, message).help = Some(help.to_owned());
    }
}

fn latency_said(shape: &LatencyShape) -> Option<(&'static str, &'static str)> {
    match shape {
        LatencyShape::Uniform { from, to } if from > to => {
            Some(("`from` must not be more than `to`", "exchange the two"))
        }
        LatencyShape::List(list) if list.is_empty() => {
            Some(("a `list` of waits needs at least one", "for no wait leave the fault out"))
        }
        shape if shape.longest() > LONGEST => {
            Some(("a wait of `latency` must not be longer than 1h", "for silence without end use `hang`"))
        }
        _ => None,
    }
}

/// Whether it can strike at its point.
fn places(check: &mut FileChecker<'_>, fault: &Located<Fault>) {
    let between = matches!(
        fault.value,
        Fault::ErrorEvent { .. }
            | Fault::UnknownEvent { .. }
            | Fault::Comment { .. }
            | Fault::Ping { .. }
            | Fault::EventStream(_)
            | Fault::CloseFrame(_)
    );
    let said = match (&fault.value, fault.value.at()) {
        (_, Some(Point::BeforeHeaders | Point::AfterBytes(_))) if between => {
            Some(("an event cannot be put there", "use `after_headers`, `after_events` or `before_end`"))
        }
        (Fault::Truncate { .. }, Some(Point::BeforeHeaders)) => {
            Some(("there is no frame to cut before the headers", "use `close: {at: before_headers}`"))
        }
        (Fault::Http1(Http1Fault::BadChunkSize { .. }), Some(Point::BeforeHeaders)) => Some((
            "there is no chunk before the headers",
            "use `after_headers`, or `http1: garbage_status_line`",
        )),
        _ => None,
    };
    if let Some((message, help)) = said {
        check.error(&fault.range, message).help = Some(help.to_owned());
    }
}

/// Whether it is about the bytes of a body.
fn needs_body(fault: &Fault) -> bool {
    match fault {
        Fault::Http1(fault) => fault.is_about_framing(),
        Fault::Split { .. } | Fault::SplitCharacters | Fault::ContentEncoding(_) => true,
        _ => false,
    }
}

/// Whether the turn's answer has the body that it needs.
fn bodies(check: &mut FileChecker<'_>, fault: &Located<Fault>, answer: &TurnReply, matrix: &[Combination]) {
    let name = fault.value.name();
    match (&fault.value, answer) {
        (
            fault_value,
            TurnReply::Literal { status: 204 | 304, .. } | TurnReply::Literal { body: None, .. },
        ) if needs_body(fault_value) => {
            check.error(&fault.range, format!("`{name}` needs a body, and this turn sends none")).help = Some(
                "give the turn a `body`; for a 204 or a 304 with one use `http1: body_on_204` or `body_on_304`"
                    .to_owned(),
            );
        }
        (Fault::Malform(_), TurnReply::Error(_) | TurnReply::Literal { .. }) => {
            check
                .error(
                    &fault.range,
                    "`malform` replaces the body of a successful reply, and this turn is none",
                )
                .help = Some("write the body that you want: `status: …` with `body: …`".to_owned());
        }
        (Fault::Malform(malform), _)
            if malform.keeps_the_answer() && matrix.iter().any(|one| one.api == Api::OpenaiSpeech) =>
        {
            let message = format!("`malform: {malform}` edits JSON, and the answer of openai/speech is none");
            check.error(&fault.range, message).help =
                Some("leave the API out here; `not_json`, `empty` and `html` fit it".to_owned());
        }
        _ => {}
    }
}
