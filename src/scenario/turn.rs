//! Checks of turns and their faults; impossible combinations are refused at load time.

use std::ops::Range;

use super::{
    check::FileChecker,
    chunk_check::chunks,
    diagnostic::nearest,
    fault::FaultStage,
    file::TurnFile,
    fitting::fitting,
    located::Located,
    model::{Combination, SuccessReply, Turn, TurnReply},
    together::together,
};

/// Validates a list of turns.
pub(super) fn turns(
    check: &mut FileChecker<'_>,
    list: &Located<Vec<Located<TurnFile>>>,
    matrix: &[Combination],
) -> Vec<Turn> {
    if list.value.is_empty() {
        check.error(&list.range, "an upstream without a turn would never answer").help =
            Some("write at least one, for example `- reply: ok`; the last turn repeats".to_owned());
    }
    addresses(check, &list.value);
    let mut turns: Vec<Turn> = list.value.iter().filter_map(|turn| one(check, turn, matrix)).collect();
    // Most lists have one turn, and `collect` makes room for four.
    turns.shrink_to_fit();
    turns
}

/// Checks that a fault of the address is in the only turn, because it affects every attempt.
fn addresses(check: &mut FileChecker<'_>, turns: &[Located<TurnFile>]) {
    let faults =
        turns.iter().enumerate().flat_map(|(i, turn)| turn.value.faults.iter().map(move |fault| (i, fault)));
    let found = faults.into_iter().find(|(_, fault)| fault.value.stage() == FaultStage::Address);
    let Some((i, fault)) = found else { return };
    let Some(other) = turns.get(usize::from(i == 0)) else { return };
    let error = check.error(
        &fault.range,
        format!("`{}` affects the whole deployment, which has other turns", fault.value.name()),
    );
    *error = error.clone().also(other.range.clone(), "this turn would never be reached");
    error.help = Some(
        "put it into the only turn, or use a fault of a single connection, such as \
         `connection: reset_at_once`"
            .to_owned(),
    );
}

fn one(check: &mut FileChecker<'_>, turn: &Located<TurnFile>, matrix: &[Combination]) -> Option<Turn> {
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
        error.help = Some(format!("write each as a turn of its own: `- {first}: …` and `- {second}: …`"));
        return None;
    }
    if let (Some(body), None) = (&file.body, &file.status) {
        check.error(&body.range, "`body` needs `status`").help =
            Some("`error` and `reply` have their own body; write `status` to set a different one".into());
    }
    headers(check, file);
    if let Some(body) = &file.body {
        placeholders(check, &body.range, &body.value.to_string());
    }
    bodies(check, file);
    let chunks = chunks(check, file);
    for chunk in file.chunks.iter().flat_map(|chunks| &chunks.value) {
        placeholders(check, &chunk.range, chunk.value.text.as_deref().unwrap_or_default());
    }
    let answer = match (&file.reply, &file.error, &file.status) {
        (Some(reply), _, _) => {
            if let SuccessReply::Chunks(n) = reply.value
                && !(1..=10_000).contains(&n)
            {
                check.error(&reply.range, "`chunks` must be between 1 and 10000");
            }
            if let SuccessReply::LargeText(bytes) | SuccessReply::LargeToolCall(bytes) = reply.value
                && !(1..=4_194_304).contains(&bytes)
            {
                check.error(&reply.range, "a large reply must have between 1 and 4194304 bytes");
            }
            TurnReply::Reply(reply.value)
        }
        (_, Some(error), _) => TurnReply::Error(error.value),
        (_, _, Some(status)) => {
            if !(200..600).contains(&status.value) {
                check.error(&status.range, format!("{} is not a final HTTP status", status.value)).help =
                    Some("write 200 to 599".to_owned());
            }
            TurnReply::Literal {
                status: status.value,
                body: file.body.as_ref().map(|body| body.value.clone()),
                bodies: file.bodies.as_ref().map(|bodies| bodies.value.clone()).unwrap_or_default(),
                chunks,
            }
        }
        // That a body needs a status has been reported.
        (None, None, None) if file.body.is_some() || file.bodies.is_some() => return None,
        (None, None, None) => {
            // `- faults: [refuse]` needs no response, because the client would never see it.
            if file.faults.is_empty() {
                check.error(&turn.range, "a turn needs `reply`, `error` or `status`").help =
                    Some("for a plain success write `reply: ok`".to_owned());
                return None;
            }
            TurnReply::Reply(SuccessReply::Ok)
        }
    };
    together(check, &file.faults);
    for fault in &file.faults {
        fitting(check, fault, &answer, matrix);
    }
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

/// Checks the bodies that are written for single endpoints.
fn bodies(check: &mut FileChecker<'_>, file: &TurnFile) {
    let Some(bodies) = &file.bodies else { return };
    for body in bodies.value.values() {
        placeholders(check, &bodies.range, &body.to_string());
    }
    let problem = match (&file.status, &file.body) {
        (None, _) => (
            "`bodies` needs `status`",
            "`error` and `reply` have a body for every endpoint; write `status` to set different ones",
        ),
        (_, Some(_)) => (
            "a turn has either `body` or `bodies`, not both",
            "`body` is sent at every endpoint, each of `bodies` only at its own",
        ),
        (Some(status), _) if matches!(status.value, 204 | 304) => {
            ("`bodies` needs a status whose replies have a body", "leave `bodies` out")
        }
        _ if bodies.value.values().all(serde_json::Value::is_null) => {
            ("`bodies` has no body", "write one for an endpoint, for example `openai/chat: {…}`")
        }
        _ => return,
    };
    check.error(&bodies.range, problem.0).help = Some(problem.1.to_owned());
}

fn headers(check: &mut FileChecker<'_>, file: &TurnFile) {
    for (name, value) in &file.headers {
        if http::HeaderName::from_bytes(name.value.as_bytes()).is_err() {
            check.error(&name.range, format!("`{}` is not a valid header name", name.value));
        }
        if let Some(value) = value {
            placeholders(check, &value.range, &value.value);
        }
        if let Some(value) = value
            && http::HeaderValue::from_str(&value.value).is_err()
        {
            check.error(&value.range, "a header value must not contain control characters");
        }
    }
}

/// The names that are valid in `{{canary.…}}`.
const CANARIES: [&str; 7] = ["message", "code", "type", "param", "request_id", "header", "content"];

/// Checks that each placeholder exists; an unknown one would be sent verbatim.
pub(super) fn placeholders(check: &mut FileChecker<'_>, range: &Range<usize>, text: &str) {
    for rest in text.split("{{canary.").skip(1) {
        let name = rest.split("}}").next().unwrap_or_default();
        if !CANARIES.contains(&name) {
            let near = nearest(name, CANARIES);
            let place = check.word(range, &format!("{{{{canary.{name}"));
            check.error(&place, format!("unknown canary `{name}`")).help = Some(match near {
                Some(near) => format!("did you mean `{{{{canary.{near}}}}}`?"),
                None => format!("possible values: {}", CANARIES.join(", ")),
            });
        }
    }
}
