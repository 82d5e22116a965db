//! An answer under 200 to a call that asked for a stream. After its 200 nothing is ever asked again.

use serde_json::Value;

use super::{
    body::is_broken,
    kinds::Sdk,
    outcome::{Retry, RetryReason, SdkOutcome},
};
use crate::{
    observation::{ReceivedFrame, Response, ResponseEnd},
    wire::frames::Carrier,
};

/// What one event does to the SDK that reads it.
enum Reaction {
    /// It reads on.
    ReadsOn,
    /// It reads on, and what the dialect has to say is said.
    Ends,
    Raises(&'static str),
    Unknown(&'static str),
}

/// What a stream under 200 comes to.
pub(super) fn streamed(sdk: Sdk, answer: &Response) -> SdkOutcome {
    if answer.carrier() != Some(Carrier::Sse) {
        return no_stream(answer);
    }
    if !answer.body.utf8 {
        return SdkOutcome::not_measured("a stream that is no UTF-8");
    }
    let mut ended = false;
    for frame in &answer.body.frames {
        let reaction = if sdk.is_anthropic() { anthropic(sdk, frame) } else { openai(sdk, frame) };
        match reaction {
            Reaction::ReadsOn if ended => return SdkOutcome::not_measured("events behind the last one"),
            Reaction::ReadsOn => {}
            Reaction::Ends => ended = true,
            Reaction::Raises(_) | Reaction::Unknown(_) if ended => {
                return SdkOutcome::not_measured("events behind the last one");
            }
            Reaction::Raises(class) => return raises(class),
            Reaction::Unknown(why) => return SdkOutcome::not_measured(why),
        }
    }
    let begun = !answer.body.frames.is_empty();
    match &answer.ending {
        ResponseEnd::Complete => SdkOutcome::Returns,
        _ if ended => SdkOutcome::not_measured("a stream that breaks behind its last event"),
        _ if !begun => SdkOutcome::not_measured("a stream that breaks before its first event"),
        ResponseEnd::Closed if answer.header("content-length").is_none() => {
            raises(sdk.by_language("RemoteProtocolError", "TypeError"))
        }
        ResponseEnd::Reset => raises(sdk.by_language("ReadError", "TypeError")),
        ResponseEnd::Deadline if sdk.is_python() => raises("ReadTimeout"),
        ResponseEnd::Deadline => {
            SdkOutcome::not_measured("it has no timeout between events, and waits until the peer closes")
        }
        _ => SdkOutcome::not_measured("a stream that ends so"),
    }
}

/// Their readers look for `data:` only, and find none.
fn no_stream(answer: &Response) -> SdkOutcome {
    let kind = answer.header("content-type").unwrap_or_default();
    let is_json =
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    let body = serde_json::from_str::<Value>(&answer.body.text);
    let is_error = body.is_ok_and(|body| body.get("error").is_some());
    if is_json && is_error && answer.ending == ResponseEnd::Complete {
        SdkOutcome::Returns
    } else {
        SdkOutcome::not_measured("this in the place of a stream")
    }
}

fn raises(class: &str) -> SdkOutcome {
    SdkOutcome::raises(class, Retry::never(RetryReason::Stream))
}

/// Any event whose JSON has an `error` that is not empty; the event's name does not matter.
fn openai(sdk: Sdk, frame: &ReceivedFrame) -> Reaction {
    if frame.data == "[DONE]" {
        return Reaction::Ends;
    }
    match serde_json::from_str::<Value>(&frame.data) {
        Ok(Value::Object(members)) => match members.get("error") {
            None | Some(Value::Null | Value::Bool(false)) => Reaction::ReadsOn,
            Some(Value::String(text)) if text.is_empty() => Reaction::ReadsOn,
            Some(Value::String(_)) => Reaction::Raises("APIError"),
            Some(Value::Object(error)) if !error.is_empty() => Reaction::Raises("APIError"),
            // The two languages disagree on which of these are true.
            Some(_) => Reaction::Unknown("an `error` that is neither text nor an object"),
        },
        Ok(_) => Reaction::Unknown("an event that is no JSON object"),
        Err(error) if is_broken(&frame.data, &error) => {
            Reaction::Raises(sdk.by_language("JSONDecodeError", "SyntaxError"))
        }
        Err(_) => Reaction::Unknown("JSON that not every parser takes"),
    }
}

/// Only `event: error`, whatever is in it; an event without a name is passed over.
fn anthropic(sdk: Sdk, frame: &ReceivedFrame) -> Reaction {
    let is_json = || serde_json::from_str::<Value>(&frame.data).is_ok();
    match frame.event.as_deref() {
        Some("error") => Reaction::Raises(sdk.by_language("APIStatusError", "APIError")),
        Some("message_stop") if is_json() => Reaction::Ends,
        None => Reaction::ReadsOn,
        Some(_) if is_json() => Reaction::ReadsOn,
        Some(_) => Reaction::Unknown("a named event that is no JSON"),
    }
}
