//! Checks of turns and their faults: what cannot happen together is refused at load.

use std::ops::Range;

use super::{
    diagnostic::nearest,
    fault::{Fault, Point},
    file::{At, TurnFile},
    model::{Answer, Combination, Reply, Turn},
    validate::Checker,
};

/// Turns a list as written into turns.
pub(super) fn turns(
    check: &mut Checker<'_>,
    list: &At<Vec<At<TurnFile>>>,
    matrix: &[Combination],
) -> Vec<Turn> {
    if list.value.is_empty() {
        check.error(&list.range, "an upstream without a turn would never answer").help =
            Some("write at least one, for example `- reply: ok`; the last turn repeats".to_owned());
    }
    list.value.iter().filter_map(|turn| one(check, turn, matrix)).collect()
}

fn one(check: &mut Checker<'_>, turn: &At<TurnFile>, matrix: &[Combination]) -> Option<Turn> {
    let file = &turn.value;
    let given: Vec<(&str, &Range<usize>)> = [
        ("reply", file.reply.as_ref().map(|at| &at.range)),
        ("error", file.error.as_ref().map(|at| &at.range)),
        ("status", file.status.as_ref().map(|at| &at.range)),
    ]
    .into_iter()
    .filter_map(|(name, range)| range.map(|range| (name, range)))
    .collect();
    if let [(first, first_at), (second, second_at), ..] = given.as_slice() {
        let error = check.error(second_at, format!("a turn is either `{first}` or `{second}`, not both"));
        *error = error.clone().also((*first_at).clone(), format!("`{first}` is here"));
        return None;
    }
    if let (Some(body), None) = (&file.body, &file.status) {
        check.error(&body.range, "`body` needs `status`").help = Some(
            "a catalogue error and a reply bring their own body; spell out `status` to write another".into(),
        );
    }
    headers(check, file);
    if let Some(body) = &file.body {
        placeholders(check, &body.range, &body.value.to_string());
    }
    let answer = match (&file.reply, &file.error, &file.status) {
        (Some(reply), _, _) => {
            if let Reply::Chunks(n) = reply.value
                && !(1..=10_000).contains(&n)
            {
                check.error(&reply.range, "`chunks` must lie between 1 and 10000");
            }
            Answer::Reply(reply.value)
        }
        (_, Some(error), _) => Answer::Error(error.value),
        (_, _, Some(status)) => {
            if !(200..600).contains(&status.value) {
                check.error(&status.range, format!("{} is no final HTTP status", status.value)).help =
                    Some("write 200 to 599".to_owned());
            }
            Answer::Literal { status: status.value, body: file.body.as_ref().map(|body| body.value.clone()) }
        }
        (None, None, None) => {
            // `- faults: [refuse]` says all there is to say: the answer would never be seen.
            if file.faults.is_empty() {
                check.error(&turn.range, "a turn needs `reply`, `error` or `status`").help =
                    Some("for a plain success write `reply: ok`".to_owned());
                return None;
            }
            Answer::Reply(Reply::Ok)
        }
    };
    faults(check, &file.faults, &answer, matrix);
    Some(Turn {
        answer,
        headers: file
            .headers
            .iter()
            .map(|(name, value)| (name.value.to_ascii_lowercase(), value.as_ref().map(|at| at.value.clone())))
            .collect(),
        faults: file.faults.iter().map(|fault| fault.value.clone()).collect(),
    })
}

fn headers(check: &mut Checker<'_>, file: &TurnFile) {
    for (name, value) in &file.headers {
        if http::HeaderName::from_bytes(name.value.as_bytes()).is_err() {
            check.error(&name.range, format!("`{}` is no header name", name.value));
        }
        if let Some(value) = value {
            placeholders(check, &value.range, &value.value);
        }
        if let Some(value) = value
            && http::HeaderValue::from_str(&value.value).is_err()
        {
            check.error(&value.range, "a header value must not hold control characters");
        }
    }
}

/// Names that may stand in `{{canary.…}}`.
const CANARIES: [&str; 7] = ["message", "code", "type", "param", "request_id", "header", "content"];

/// A placeholder that does not exist would go over the wire as it stands.
fn placeholders(check: &mut Checker<'_>, range: &Range<usize>, text: &str) {
    for rest in text.split("{{canary.").skip(1) {
        let name = rest.split("}}").next().unwrap_or_default();
        if !CANARIES.contains(&name) {
            let near = nearest(name, CANARIES);
            let place = check.word(range, &format!("{{{{canary.{name}"));
            check.error(&place, format!("there is no canary `{name}`")).help = Some(match near {
                Some(near) => format!("did you mean `{{{{canary.{near}}}}}`?"),
                None => format!("possible are: {}", CANARIES.join(", ")),
            });
        }
    }
}

fn faults(check: &mut Checker<'_>, faults: &[At<Fault>], answer: &Answer, matrix: &[Combination]) {
    let last = faults.iter().position(|fault| fault.value.is_final());
    if let Some(ending) = last
        && let Some(after) = faults.get(ending + 1)
    {
        conflict(check, &faults[ending], after, "never happens: the fault before it ends the reply").help =
            Some("a list may hold one fault that ends the reply, as its last".to_owned());
    }
    for (i, fault) in faults.iter().enumerate() {
        if let Some(twin) = faults[..i].iter().find(|other| {
            other.value.name() == fault.value.name()
                && matches!(fault.value, Fault::Drip { .. } | Fault::Malform(_))
        }) {
            conflict(check, twin, fault, "stands twice").help = Some("keep one of them".to_owned());
        }
        if let (Fault::Refuse, true) = (&fault.value, faults.len() > 1) {
            let other = &faults[usize::from(i == 0)];
            conflict(check, other, fault, "leaves nothing for another fault to edit").help =
                Some("let `refuse` stand alone".to_owned());
        }
        single(check, fault, answer, matrix);
    }
}

fn conflict<'c>(
    check: &'c mut Checker<'_>,
    first: &At<Fault>,
    second: &At<Fault>,
    what: &str,
) -> &'c mut super::Diagnostic {
    let error = check.error(&second.range, format!("`{}` {what}", second.value.name()));
    *error = error.clone().also(first.range.clone(), format!("`{}` is here", first.value.name()));
    error
}

fn single(check: &mut Checker<'_>, fault: &At<Fault>, answer: &Answer, matrix: &[Combination]) {
    let name = fault.value.name();
    let needs_events = matches!(fault.value, Fault::DropTerminator | Fault::ErrorEvent { .. })
        || matches!(fault.value.at(), Some(Point::AfterEvents(_)));
    if needs_events {
        if !matches!(answer, Answer::Reply(_)) {
            check
                .error(
                    &fault.range,
                    format!("`{name}` needs the events of a stream, and this turn sends none"),
                )
                .help =
                Some("use it on a `reply`; inside an error or a literal body use `after_bytes`".to_owned());
        } else if matrix.iter().any(|combination| !combination.stream) {
            check
                .error(
                    &fault.range,
                    format!("`{name}` needs the events of a stream, and not every case here is one"),
                )
                .help = Some(match matrix.iter().find(|combination| !combination.api.streams()) {
                Some(Combination { api, .. }) => format!("{api} has no stream: leave the fault out for it"),
                None => "write `matrix: {stream: [true]}`, or a point such as `after_bytes`".to_owned(),
            });
        }
    }
    match &fault.value {
        Fault::Drip { bytes_per_second: 0 } => {
            check.error(&fault.range, "`bytes_per_second` must be at least 1").help =
                Some("for silence use `stall` or `hang`".to_owned());
        }
        Fault::ErrorEvent { at: Point::BeforeHeaders | Point::AfterBytes(_), .. } => {
            check.error(&fault.range, "an event cannot be put there").help =
                Some("use `after_headers`, `after_events` or `before_end`".to_owned());
        }
        Fault::Truncate { at: Point::BeforeHeaders } => {
            check.error(&fault.range, "there is no frame to cut before the headers").help =
                Some("use `close: {at: before_headers}`".to_owned());
        }
        Fault::Malform(_) if !matches!(answer, Answer::Reply(_)) => {
            check
                .error(
                    &fault.range,
                    "`malform` replaces the body of a successful reply, and this turn is none",
                )
                .help = Some("write the body that you want: `status: …` with `body: …`".to_owned());
        }
        _ => {}
    }
}
