//! Events that should not be there, or have an unusual form.

use serde_json::{Value, json};

use super::points::{BETWEEN_EVENTS, before, offset};
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
    [errors(), forms(), terminators(), insertions(), lines()].concat()
}

fn error(at: Point, form: Option<EventForm>) -> Fault {
    Fault::ErrorEvent { error: ErrorName::Overloaded, at, form }
}

/// Claims that the body is everything before the point, then one event with the canary of the error.
fn reported_after(at: Point) -> WireClaim {
    WireClaim::new(
        "the body is everything before the point, then one event with the error, without the terminator",
        move |view| {
            let body = &view.reply().body;
            let Some(event) = body.strip_prefix(&before(view.base, at)[..]) else {
                return Err("the bytes before the point differ from those of the provider".to_owned());
            };
            let text = String::from_utf8_lossy(event);
            match (text.matches(&view.base.canaries.message).count(), sse::decode(event).len()) {
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
            .claim(WireClaim::that("a tool call begins before the error", move |view| {
                let begun = before(view.base, at);
                String::from_utf8_lossy(&begun).contains("\"tool_calls\"")
            })),
    );
    exhibits
}

/// Each form of an error event, with an API that has it.
fn forms() -> Vec<Exhibit> {
    let at = Point::AfterEvents(2);
    let of = |api: Api, form: EventForm, says: &str, holds: fn(&str) -> bool| {
        let fault = error(at, Some(form));
        whole(Exhibit::of(FaultLayer::Stream, ClientRequest::new(api, true), [fault], WHOLE)).claim(
            WireClaim::that(says, move |view| {
                let behind = offset(view.base, at);
                let event = view.reply().body.get(behind..).unwrap_or_default();
                view.reply().body.starts_with(&before(view.base, at))
                    && holds(&String::from_utf8_lossy(event))
            }),
        )
    };
    vec![
        of(
            Api::OpenaiResponses,
            EventForm::Flat,
            "the message is a top-level member of the event",
            |event| data(event).is_some_and(|data| data.get("message").is_some()),
        ),
        of(Api::OpenaiResponses, EventForm::Failed, "the event is response.failed", |event| {
            event.starts_with("event: response.failed\n")
        }),
        of(Api::OpenaiChat, EventForm::Named, "the event has a name", |event| {
            event.starts_with("event: error\ndata: ")
        }),
        of(Api::AnthropicMessages, EventForm::Unnamed, "the event has no name", |event| {
            event.starts_with("data: ")
        }),
        of(Api::OpenaiChat, EventForm::Bare, "the event is a line of JSON without `data:`", |event| {
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
            .claim(WireClaim::body("every event, without the terminator", |base| base.events().concat())),
        stream(Fault::DuplicateTerminator)
            .claim(WireClaim::body("every event and two terminators", |base| {
                [&base.events().concat(), base.terminator(), base.terminator()].concat()
            })),
    ]
}

/// Returns the text inserted at the point, if the rest of the body is unchanged.
fn inserted(view: &ExhibitView<'_>, at: Point) -> Option<String> {
    let (body, place) = (&view.reply().body, offset(view.base, at));
    let more = body.len().checked_sub(view.base.body().len()).filter(|more| *more > 0)?;
    let around = [body.get(..place)?, body.get(place + more..)?].concat();
    (around == view.base.body()).then(|| String::from_utf8_lossy(&body[place..place + more]).into_owned())
}

fn insertions() -> Vec<Exhibit> {
    let one = |fault: Fault, at: Point, says: &str, holds: fn(&UnfaultedReply, &str) -> bool| {
        stream(fault).claim(WireClaim::that(says, move |view| {
            inserted(view, at).is_some_and(|text| holds(view.base, &text))
        }))
    };
    let mut exhibits = Vec::new();
    for at in BETWEEN_EVENTS {
        exhibits.extend([
            one(
                Fault::UnknownEvent { at },
                at,
                "an event with an unknown name is at the point, and the rest is unchanged",
                |_, text| matches!(&sse::decode(text.as_bytes())[..], [event] if event.event.is_some()),
            ),
            one(
                Fault::Comment { at },
                at,
                "a comment is at the point, and the rest is unchanged",
                |_, text| {
                    text.starts_with(':') && text.ends_with('\n') && sse::decode(text.as_bytes()).is_empty()
                },
            ),
            // OpenAI's chat API has no ping event.
            one(Fault::Ping { at }, at, "a comment is at the point, and the rest is unchanged", |_, text| {
                text.starts_with(':') && text.ends_with('\n') && sse::decode(text.as_bytes()).is_empty()
            }),
        ]);
    }
    let at = Point::AfterEvents(2);
    let call = ClientRequest::new(Api::AnthropicMessages, true);
    exhibits.push(
        whole(Exhibit::of(FaultLayer::Stream, call, [Fault::Ping { at }], WHOLE))
            .note("Anthropic's own")
            .claim(WireClaim::that(
                "Anthropic's ping event is at the point, and the rest is unchanged",
                move |view| {
                    let events = inserted(view, at).map(|text| sse::decode(text.as_bytes()));
                    matches!(events.as_deref(), Some([event]) if event.event.as_deref() == Some("ping")
                    && parsed(&event.data) == Some(json!({"type": "ping"})))
                },
            )),
    );
    exhibits
}

fn lines() -> Vec<Exhibit> {
    vec![
        stream(Fault::Crlf).claim(WireClaim::body("the stream with CR LF line ends", |base| {
            String::from_utf8_lossy(&base.body()).replace('\n', "\r\n").into_bytes()
        })),
        stream(Fault::MultiLineData)
            .claim(WireClaim::that("there are more data lines", |view| {
                let lines = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches("data:").count();
                lines(&view.reply().body) > lines(&view.base.body())
            }))
            .claim(WireClaim::that("the events mean the same", |view| {
                let meant = |bytes: &[u8]| -> Vec<_> {
                    let events = sse::decode(bytes).into_iter();
                    events.map(|event| (event.event, parsed(&event.data))).collect()
                };
                meant(&view.reply().body) == meant(&view.base.body())
            })),
    ]
}
