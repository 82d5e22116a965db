//! Checks for sessions over a WebSocket: faults that a session excludes, and faults that need one.

use std::ops::Range;

use super::{
    check::FileChecker,
    fault::{CloseFrame, Fault, FaultNeed},
    located::Located,
    model::{Combination, Step},
    words::{Api, Transport},
};

/// The first API of the matrix that is a session, if any.
fn session(matrix: &[Combination]) -> Option<Api> {
    matrix.iter().map(|one| one.api).find(|api| api.is_session())
}

/// Checks one fault, independently of the others; returns `false` if the file cannot contain it at all.
pub(super) fn fits(check: &mut FileChecker<'_>, fault: &Located<Fault>, matrix: &[Combination]) -> bool {
    if fault.value.needs(FaultNeed::Session)
        && let Some(other) = matrix.iter().find(|one| !one.api.is_session())
    {
        let message =
            format!("`{}` ends a WebSocket session, and {} has none", fault.value.name(), other.api);
        let place = api_place(check, other.api);
        let error = check.error(&fault.range, message);
        if let Some(place) = place {
            *error = error.clone().also(place, format!("{} is here", other.api));
        }
        error.help =
            Some("write `matrix: {api: [openai/realtime]}`, or end the response with `close`".to_owned());
        return false;
    }
    if let Fault::CloseFrame(frame) = &fault.value {
        closing(check, fault, frame);
    }
    let Some(api) = session(matrix) else { return true };
    let Some(why) = why_not(&fault.value) else { return true };
    let message = format!("`{}` {why}, and {api} is a session over a WebSocket", fault.value.name());
    let place = api_place(check, api);
    let error = check.error(&fault.range, message);
    if let Some(place) = place {
        *error = error.clone().also(place, format!("{api} is here"));
    }
    error.help = Some(
        "a session can be ended by `close_frame`, `close`, `reset`, `hang` and `truncate`, and fail by \
         `error_event`; before it begins it can be refused by an error or a status"
            .to_owned(),
    );
    false
}

/// The byte range of an API in the matrix; `None` if the matrix contains it only by default.
fn api_place(check: &FileChecker<'_>, api: Api) -> Option<Range<usize>> {
    let matrix = check.word(&(0..0), "matrix");
    let place = check.word(&matrix, api.as_str());
    (!matrix.is_empty() && place != matrix).then_some(place)
}

fn closing(check: &mut FileChecker<'_>, fault: &Located<Fault>, frame: &CloseFrame) {
    if let Some(code) = frame.code.filter(|code| !CloseFrame::may_be_sent(*code)) {
        check
            .error(&check.word(&fault.range, "code"), format!("{code} is not allowed in a close frame"))
            .help = Some(
            "possible codes are 1000 to 1003, 1007 to 1014 and 3000 to 4999 (RFC 6455 section 7.4)"
                .to_owned(),
        );
    }
    // The frame has room for 123 bytes, and a canary token is longer than its placeholder.
    if frame.reason.len() > 80 {
        check.error(&check.word(&fault.range, "reason"), "`reason` must not be longer than 80 bytes").help =
            Some("a close frame holds 125 bytes with its code (RFC 6455 section 5.5)".to_owned());
    }
}

/// The reason why a fault is impossible in a session, if it is.
fn why_not(fault: &Fault) -> Option<&'static str> {
    fault.traits().needs.iter().find_map(|need| match need {
        FaultNeed::NoSession(why) => Some(*why),
        _ => None,
    })
}

/// Checks that no caller of a session disconnects early.
pub(super) fn stays(
    check: &mut FileChecker<'_>,
    steps: &Located<Vec<Located<Step>>>,
    matrix: &[Combination],
) {
    let Some(api) = session(matrix) else { return };
    if let Some(step) = steps.value.iter().find(|step| step.value.leave.is_some()) {
        let place = check.word(&step.range, "leave");
        check.error(&place, format!("a caller of {api} cannot leave yet")).help =
            Some("put the sessions into a separate file".to_owned());
    }
}

/// Checks that the transport is HTTP/1.1, on which a WebSocket is opened.
pub(super) fn over_http1(
    check: &mut FileChecker<'_>,
    written: Option<&Located<Transport>>,
    matrix: &[Combination],
) {
    if let (Some(api), Some(Located { value: Transport::Http2, range })) = (session(matrix), written) {
        check.error(range, format!("{api} needs HTTP/1.1")).help =
            Some("write `transport: tls`, or leave the line out".to_owned());
    }
}
