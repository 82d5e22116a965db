//! Responses with status 200 to calls that requested a stream. The SDKs never retry after a 200.

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

/// How an SDK reacts to one event.
enum Reaction {
    /// It continues to read.
    ReadsOn,
    /// It continues to read, but the message is complete.
    Ends,
    Raises(&'static str),
    Unknown(&'static str),
}

/// The outcome of a stream with status 200.
pub(super) fn streamed(sdk: Sdk, answer: &Response) -> SdkOutcome {
    if answer.carrier() != Some(Carrier::Sse) {
        return no_stream(answer);
    }
    let coded = answer.body.coded.as_ref();
    if answer.body.undecodable().is_some() && answer.body.frames.is_empty() {
        return raises(sdk.by_language("DecodingError", "TypeError"));
    }
    // Compressed bytes contain no events. The Python SDKs fail to read them as text, the Node SDKs do not.
    if coded.is_some_and(|coded| coded.undeclared.is_some()) && answer.ending == ResponseEnd::Complete {
        return if sdk.is_python() { raises("UnicodeDecodeError") } else { SdkOutcome::Returns };
    }
    if coded.is_some_and(|coded| coded.error.is_some()) {
        return SdkOutcome::not_measured("a stream that cannot be decoded after its first events");
    }
    if !answer.body.utf8 {
        return SdkOutcome::not_measured("a stream that is invalid UTF-8");
    }
    let mut ended = false;
    for frame in &answer.body.frames {
        let reaction = if sdk.is_anthropic() { anthropic(sdk, frame) } else { openai(sdk, frame) };
        match reaction {
            Reaction::ReadsOn if ended => return SdkOutcome::not_measured("events after the last one"),
            Reaction::ReadsOn => {}
            Reaction::Ends => ended = true,
            Reaction::Raises(_) | Reaction::Unknown(_) if ended => {
                return SdkOutcome::not_measured("events after the last one");
            }
            Reaction::Raises(class) => return raises(class),
            Reaction::Unknown(why) => return SdkOutcome::not_measured(why),
        }
    }
    let begun = !answer.body.frames.is_empty();
    match &answer.ending {
        ResponseEnd::Complete => SdkOutcome::Returns,
        _ if ended => SdkOutcome::not_measured("a stream that breaks after its last event"),
        _ if !begun => SdkOutcome::not_measured("a stream that breaks before its first event"),
        ResponseEnd::Closed if answer.header("content-length").is_none() => {
            raises(sdk.by_language("RemoteProtocolError", "TypeError"))
        }
        ResponseEnd::Reset => raises(sdk.by_language("ReadError", "TypeError")),
        ResponseEnd::Deadline if sdk.is_python() => raises("ReadTimeout"),
        ResponseEnd::Deadline => SdkOutcome::not_measured(
            "this SDK has no timeout between events, and waits until the proxy closes the connection",
        ),
        _ => SdkOutcome::not_measured("a stream that ends like this"),
    }
}

/// The outcome of a response that is not an event stream. The SDKs search only for `data:` lines and find none.
fn no_stream(answer: &Response) -> SdkOutcome {
    let kind = answer.header("content-type").unwrap_or_default();
    let is_json =
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    let body = serde_json::from_str::<Value>(&answer.body.text);
    let is_error = body.is_ok_and(|body| body.get("error").is_some());
    if is_json && is_error && answer.ending == ResponseEnd::Complete {
        SdkOutcome::Returns
    } else {
        SdkOutcome::not_measured("this body instead of a stream")
    }
}

fn raises(class: &str) -> SdkOutcome {
    SdkOutcome::raises(class, Retry::never(RetryReason::Stream))
}

/// The OpenAI SDKs raise an exception for any event whose JSON has an `error` that is not empty. They ignore the
/// event's name.
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
            // Python and JavaScript disagree on which of these values are true.
            Some(_) => Reaction::Unknown("an `error` that is neither text nor an object"),
        },
        Ok(_) => Reaction::Unknown("an event that is not a JSON object"),
        Err(error) if is_broken(&frame.data, &error) => {
            Reaction::Raises(sdk.by_language("JSONDecodeError", "SyntaxError"))
        }
        Err(_) => Reaction::Unknown("JSON that only some parsers accept"),
    }
}

/// The Anthropic SDKs raise an exception only for `event: error`, whatever it contains. They ignore events without a
/// name.
fn anthropic(sdk: Sdk, frame: &ReceivedFrame) -> Reaction {
    let is_json = || serde_json::from_str::<Value>(&frame.data).is_ok();
    match frame.event.as_deref() {
        Some("error") => Reaction::Raises(sdk.by_language("APIStatusError", "APIError")),
        Some("message_stop") if is_json() => Reaction::Ends,
        None => Reaction::ReadsOn,
        Some(_) if is_json() => Reaction::ReadsOn,
        Some(_) => Reaction::Unknown("a named event that is not JSON"),
    }
}
