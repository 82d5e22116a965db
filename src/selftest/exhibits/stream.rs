//! Events that should not be there, or not like that.

use serde_json::{Value, json};

use super::catalogue::{BETWEEN_EVENTS, before, offset};
use crate::{
    scenario::{Api, ErrorName, EventForm, Fault, Point, SuccessReply, TurnReply},
    selftest::{
        ClientRequest, ClientView, Exhibit, ExhibitView, FaultLayer, MessageFraming, UnfaultedReply,
        WireClaim,
    },
    wire::sse,
};

const WHOLE: ClientView = ClientView::Whole { status: 200 };

fn stream(fault: Fault) -> Exhibit {
    whole(Exhibit::stream(FaultLayer::Stream, [fault], WHOLE))
}

fn whole(exhibit: Exhibit) -> Exhibit {
    exhibit.open().claim(WireClaim::framing(MessageFraming::Whole))
}

pub(super) fn exhibits() -> Vec<Exhibit> {
    [errors(), forms(), terminators(), strangers(), lines()].concat()
}

fn error(at: Point, form: Option<EventForm>) -> Fault {
    Fault::ErrorEvent { error: ErrorName::Overloaded, at, form }
}

/// The stream as it stands before a point, then one event that tells the canary of the error.
fn reported_after(at: Point) -> WireClaim {
    WireClaim::new(
        "what stands before the point, then one event with the error, and no terminator",
        move |sight| {
            let body = &sight.reply().body;
            let Some(event) = body.strip_prefix(&before(sight.base, at)[..]) else {
                return Err("what stands before the point is not what the provider sends".to_owned());
            };
            let text = String::from_utf8_lossy(event);
            match (text.matches(&sight.base.canaries.message).count(), sse::decode(event).len()) {
                (1.., 1..) if !text.contains("[DONE]") => Ok(()),
                _ => Err(text.into_owned()),
            }
        },
    )
}

fn errors() -> Vec<Exhibit> {
    let mut exhibits: Vec<_> =
        BETWEEN_EVENTS.map(|at| stream(error(at, None)).claim(reported_after(at))).to_vec();
    let at = Point::AfterEvents(3);
    exhibits.push(
        stream(error(at, None))
            .answer(TurnReply::Reply(SuccessReply::ToolCall))
            .note("inside a tool call")
            .claim(reported_after(at))
            .claim(WireClaim::that("a tool call has begun before it", move |sight| {
                let begun = before(sight.base, at);
                String::from_utf8_lossy(&begun).contains("\"tool_calls\"")
            })),
    );
    exhibits
}

/// Each form with a dialect that knows it.
fn forms() -> Vec<Exhibit> {
    let at = Point::AfterEvents(2);
    let of = |api: Api, form: EventForm, says: &str, holds: fn(&str) -> bool| {
        let fault = error(at, Some(form));
        whole(Exhibit::of(FaultLayer::Stream, ClientRequest::new(api, true), [fault], WHOLE)).claim(
            WireClaim::that(says, move |sight| {
                let behind = offset(sight.base, at);
                let event = sight.reply().body.get(behind..).unwrap_or_default();
                sight.reply().body.starts_with(&before(sight.base, at))
                    && holds(&String::from_utf8_lossy(event))
            }),
        )
    };
    vec![
        of(Api::OpenaiResponses, EventForm::Flat, "its message stands at the top of the event", |event| {
            data(event).is_some_and(|data| data.get("message").is_some())
        }),
        of(Api::OpenaiResponses, EventForm::Failed, "response.failed comes alone", |event| {
            event.starts_with("event: response.failed\n")
        }),
        of(Api::OpenaiChat, EventForm::Named, "the event has a name", |event| {
            event.starts_with("event: error\ndata: ")
        }),
        of(Api::AnthropicMessages, EventForm::Unnamed, "the event has no name", |event| {
            event.starts_with("data: ")
        }),
        of(Api::OpenaiChat, EventForm::Bare, "a line of JSON stands there without `data:`", |event| {
            event.starts_with('{') && event.lines().next().is_some_and(|line| parsed(line).is_some())
        }),
    ]
}

fn data(event: &str) -> Option<Value> {
    parsed(&sse::decode(event.as_bytes()).first()?.data)
}

fn parsed(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

fn terminators() -> Vec<Exhibit> {
    vec![
        stream(Fault::DropTerminator)
            .claim(WireClaim::body("every event and no terminator", |base| base.events().concat())),
        stream(Fault::DuplicateTerminator)
            .claim(WireClaim::body("every event and two terminators", |base| {
                [&base.events().concat(), base.terminator(), base.terminator()].concat()
            })),
    ]
}

/// The body without what stands at the point and is none of the provider's.
fn inserted(sight: &ExhibitView<'_>, at: Point) -> Option<String> {
    let (body, place) = (&sight.reply().body, offset(sight.base, at));
    let more = body.len().checked_sub(sight.base.body().len()).filter(|more| *more > 0)?;
    let around = [body.get(..place)?, body.get(place + more..)?].concat();
    (around == sight.base.body()).then(|| String::from_utf8_lossy(&body[place..place + more]).into_owned())
}

fn strangers() -> Vec<Exhibit> {
    let one = |fault: Fault, at: Point, says: &str, holds: fn(&UnfaultedReply, &str) -> bool| {
        stream(fault).claim(WireClaim::that(says, move |sight| {
            inserted(sight, at).is_some_and(|text| holds(sight.base, &text))
        }))
    };
    let mut exhibits = Vec::new();
    for at in BETWEEN_EVENTS {
        exhibits.extend([
            one(
                Fault::UnknownEvent { at },
                at,
                "an event of a strange name stands there, and all else",
                |_, text| matches!(&sse::decode(text.as_bytes())[..], [event] if event.event.is_some()),
            ),
            one(Fault::Comment { at }, at, "a comment stands there, and all else", |_, text| {
                text.starts_with(':') && text.ends_with('\n') && sse::decode(text.as_bytes()).is_empty()
            }),
            // OpenAI's chat has no event of its own for it.
            one(Fault::Ping { at }, at, "a comment stands there, and all else", |_, text| {
                text.starts_with(':') && text.ends_with('\n') && sse::decode(text.as_bytes()).is_empty()
            }),
        ]);
    }
    let at = Point::AfterEvents(2);
    let call = ClientRequest::new(Api::AnthropicMessages, true);
    exhibits.push(
        whole(Exhibit::of(FaultLayer::Stream, call, [Fault::Ping { at }], WHOLE))
            .note("Anthropic's own")
            .claim(WireClaim::that("the dialect's own ping stands there, and all else", move |sight| {
                let events = inserted(sight, at).map(|text| sse::decode(text.as_bytes()));
                matches!(events.as_deref(), Some([event]) if event.event.as_deref() == Some("ping")
                    && parsed(&event.data) == Some(json!({"type": "ping"})))
            })),
    );
    exhibits
}

fn lines() -> Vec<Exhibit> {
    vec![
        stream(Fault::Crlf).claim(WireClaim::body("the stream with CR LF at its lines' ends", |base| {
            String::from_utf8_lossy(&base.body()).replace('\n', "\r\n").into_bytes()
        })),
        stream(Fault::MultiLineData)
            .claim(WireClaim::that("there are more data lines", |sight| {
                let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches("data:").count();
                lines(&sight.reply().body) > lines(&sight.base.body())
            }))
            .claim(WireClaim::that("the events mean the same", |sight| {
                let meant = |bytes: &[u8]| -> Vec<_> {
                    let events = sse::decode(bytes).into_iter();
                    events.map(|event| (event.event, parsed(&event.data))).collect()
                };
                meant(&sight.reply().body) == meant(&sight.base.body())
            })),
    ]
}
