//! From a message and its faults to the plan.

use super::{
    plan::{Plan, WireAction},
    timeline::Timeline,
};
use crate::{
    observation::Canaries,
    provider::{self, Asked, Header, Message},
    scenario::{Fault, Malform, Turn},
};

/// What faults need to know that put other bytes of the provider's in place of a reply's own.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The request that is being answered.
    pub asked: &'a Asked,
    /// The tokens of this attempt.
    pub canaries: &'a Canaries,
}

/// The whole plan of a turn: its message, then its faults.
pub fn plan(asked: &Asked, turn: &Turn, canaries: &Canaries) -> Plan {
    let message = provider::message(asked, turn, canaries);
    compile(message, &turn.faults, &Context { asked, canaries })
}

/// The plan of a message without any fault.
pub fn unharmed(message: Message) -> Plan {
    Timeline::new(message).into_plan()
}

/// Applies faults in their order, each to what the ones before it left.
///
/// A point that the reply does not have (`after_events: 50` of a short stream, any number of
/// events of a plain body) means before the end. `refuse` has no part in a plan: the listener
/// performs it.
pub fn compile(message: Message, faults: &[Fault], context: &Context<'_>) -> Plan {
    // Only a malformed reply needs to know what it stood for.
    let malforms = faults.iter().any(|fault| matches!(fault, Fault::Malform(_)));
    let headers = if malforms { message.headers.clone() } else { Vec::new() };
    let mut timeline = Timeline::new(message);
    for fault in faults {
        match fault {
            Fault::Refuse => {}
            Fault::Hang { at } | Fault::Stall { at, lasting: None } => {
                timeline.end(timeline.find(*at), WireAction::Hang);
            }
            Fault::Stall { at, lasting: Some(time) } | Fault::Delay { at, lasting: time } => {
                timeline.wait(timeline.find(*at), *time);
            }
            Fault::Drip { bytes_per_second } => timeline.drip(*bytes_per_second),
            Fault::Reset { at } => timeline.end(timeline.find(*at), WireAction::Reset),
            Fault::Close { at } => timeline.end(timeline.find(*at), WireAction::Close),
            Fault::Truncate { at } => timeline.cut_frame(timeline.find(*at), WireAction::Close),
            Fault::DropTerminator => timeline.drop_terminator(),
            Fault::ErrorEvent { error, at, form } if !timeline.whole => {
                let place = timeline.find(*at);
                let after = timeline.frames_before(place);
                let event =
                    provider::error_event_after(context.asked, *error, *form, after, context.canaries);
                timeline.end_with_event(place, event);
            }
            // A proxy that does not stream upstream cannot get an event: the same failure reaches
            // it as a provider would tell it there, by its status.
            Fault::ErrorEvent { error, .. } => {
                timeline.replace(provider::error(context.asked, *error, context.canaries));
            }
            Fault::Malform(malform) => timeline.replace(malformed(&headers, *malform, context)),
        }
    }
    timeline.into_plan()
}

/// The malformed body under the original's headers, so that those a scenario has set stay.
fn malformed(headers: &[Header], malform: Malform, context: &Context<'_>) -> Message {
    let mut message = provider::malformed(context.asked, malform, context.canaries);
    for (name, value) in headers {
        if message.header(name).is_none() {
            message.headers.push((name.clone(), value.clone()));
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        fault::Framing,
        observation::Identity,
        provider::MessageBody,
        scenario::{Api, ErrorName, Point, Provider, Reply},
    };

    fn message(body: MessageBody) -> Message {
        Message { status: 200, headers: vec![], body }
    }

    fn whole(text: &str) -> Message {
        message(MessageBody::Whole(Bytes::copy_from_slice(text.as_bytes())))
    }

    fn events() -> Message {
        let events = ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"].map(Bytes::from).to_vec();
        message(MessageBody::Events { events, terminator: Some(Bytes::from_static(b"data: [DONE]\n\n")) })
    }

    fn compiled(message: Message, faults: &[Fault]) -> Plan {
        let canaries = Identity { token: "abc".into() }.canaries("main", 1);
        let asked = Asked::plain(Provider::Openai, Api::OpenaiChat, true);
        compile(message, faults, &Context { asked: &asked, canaries: &canaries })
    }

    fn bytes(plan: &Plan) -> Vec<u8> {
        plan.actions
            .iter()
            .filter_map(|action| match action {
                WireAction::Write { bytes, .. } => Some(&bytes[..]),
                _ => None,
            })
            .collect::<Vec<_>>()
            .concat()
    }

    fn second() -> Duration {
        Duration::from_secs(1)
    }

    #[test]
    fn a_reset_after_events_sends_exactly_those_events() {
        let plan = compiled(events(), &[Fault::Reset { at: Point::AfterEvents(2) }]);
        insta::assert_snapshot!(plan, @r#"
        head   200 (chunked)
        write  9 bytes: "data: 1\n\n"
        write  9 bytes: "data: 2\n\n"
        wait   100ms
        reset  (TCP RST)
        "#);
    }

    #[test]
    fn before_headers_nothing_is_sent_but_the_waits_stand() {
        let at = Point::BeforeHeaders;
        let plan = compiled(events(), &[Fault::Delay { at, lasting: second() }, Fault::Close { at }]);
        insta::assert_snapshot!(plan, @"
        wait   1s
        close  (FIN, framing incomplete)
        ");
    }

    #[test]
    fn truncate_cuts_the_frame_behind_its_point_in_half() {
        insta::assert_snapshot!(compiled(events(), &[Fault::Truncate { at: Point::BeforeEnd }]), @r#"
        head   200 (chunked)
        write  9 bytes: "data: 1\n\n"
        write  9 bytes: "data: 2\n\n"
        write  9 bytes: "data: 3\n\n"
        write  7 bytes, part of a frame: "data: ["
        wait   100ms
        close  (FIN, framing incomplete)
        "#);
        insta::assert_snapshot!(compiled(whole("0123456789"), &[Fault::Truncate { at: Point::AfterHeaders }]), @r#"
        head   200 (content-length 10)
        write  5 bytes, part of a frame: "01234"
        wait   100ms
        close  (FIN, framing incomplete)
        "#);
    }

    #[test]
    fn a_plain_body_stops_before_its_last_byte_where_its_end_or_its_events_are_named() {
        for at in [Point::BeforeEnd, Point::AfterEvents(0), Point::AfterEvents(3)] {
            let plan = compiled(whole("0123456789"), &[Fault::Hang { at }]);
            assert_eq!(bytes(&plan), b"012345678", "{at}");
        }
    }

    #[test]
    fn a_stream_that_is_too_short_is_struck_before_its_terminator() {
        let plan = compiled(events(), &[Fault::Reset { at: Point::AfterEvents(50) }]);
        assert_eq!(bytes(&plan), b"data: 1\n\ndata: 2\n\ndata: 3\n\n");
    }

    #[test]
    fn without_its_terminator_a_stream_still_finishes() {
        let plan = compiled(events(), &[Fault::Drip { bytes_per_second: 100 }, Fault::DropTerminator]);
        assert_eq!(bytes(&plan), b"data: 1\n\ndata: 2\n\ndata: 3\n\n");
        assert_eq!(plan.actions.last(), Some(&WireAction::Finish));
    }

    #[test]
    fn an_error_event_has_the_number_that_follows_in_a_stream_that_counts() {
        let canaries = Identity { token: "abc".into() }.canaries("main", 1);
        let asked = Asked::plain(Provider::Openai, Api::OpenaiResponses, true);
        for (point, number) in [(Point::AfterHeaders, 0), (Point::AfterEvents(5), 5), (Point::BeforeEnd, 12)]
        {
            let fault = Fault::ErrorEvent { error: ErrorName::Internal, at: point, form: None };
            let reply = provider::reply(&asked, &Reply::Ok, &canaries);
            let plan = compile(reply, &[fault], &Context { asked: &asked, canaries: &canaries });
            let sent = String::from_utf8(bytes(&plan)).unwrap();
            let error = sent.split("event: error\n").nth(1).unwrap();
            let wanted = format!("data: {{\"type\":\"error\",\"sequence_number\":{number},");
            assert!(error.starts_with(&wanted), "{error}");
        }
    }

    #[test]
    fn an_error_event_is_the_last_thing_in_a_stream() {
        let fault = Fault::ErrorEvent { error: ErrorName::Internal, at: Point::AfterEvents(1), form: None };
        let text = String::from_utf8(bytes(&compiled(events(), std::slice::from_ref(&fault)))).unwrap();
        assert!(text.starts_with("data: 1\n\ndata: {\"error\":{\"message\":"), "{text}");
        assert!(text.ends_with("\"code\":null}}\n\n"), "{text}");

        let plan = compiled(whole("{}"), &[fault]);
        assert!(matches!(&plan.actions[0], WireAction::Head(head) if head.status == 500), "{plan}");
    }

    #[test]
    fn a_drip_is_as_fast_as_it_says() {
        for (speed, ticks) in [(1, 10), (7, 10), (50, 4), (1_000_000, 1)] {
            let plan = compiled(whole("0123456789"), &[Fault::Drip { bytes_per_second: speed }]);
            let waits: Vec<_> = plan
                .actions
                .iter()
                .filter_map(|action| if let WireAction::Wait(time) = action { Some(*time) } else { None })
                .collect();
            assert_eq!(waits.len(), ticks, "{speed}");
            let total = waits.iter().sum::<Duration>().as_secs_f64();
            assert!((total - 10.0 / f64::from(speed)).abs() < 1e-6, "{speed}: {total}");
        }
    }

    #[test]
    fn a_malformed_reply_keeps_the_headers_that_were_set() {
        let mut original = events();
        original.headers.push(("content-type".into(), "text/event-stream".into()));
        original.headers.push(("x-set".into(), "1".into()));
        let plan = compiled(original, &[Fault::Malform(Malform::Null)]);
        let WireAction::Head(head) = &plan.actions[0] else { panic!("{plan}") };
        assert_eq!(head.framing, Framing::Length(4));
        assert!(head.headers.contains(&("x-set".into(), "1".into())));
        assert!(head.headers.contains(&("content-type".into(), "application/json".into())));
        assert_eq!(bytes(&plan), b"null");
    }

    #[test]
    fn framing_headers_of_a_scenario_decide_the_framing() {
        let mut lying = whole("0123");
        lying.headers.push(("content-length".into(), "99".into()));
        let plan = compiled(lying, &[]);
        let WireAction::Head(head) = &plan.actions[0] else { panic!("{plan}") };
        assert_eq!((head.framing, head.headers.len()), (Framing::Length(99), 0));
    }

    fn point() -> impl Strategy<Value = Point> {
        prop_oneof![
            Just(Point::BeforeHeaders),
            Just(Point::AfterHeaders),
            (0..8u32).prop_map(Point::AfterEvents),
            Just(Point::AfterEvents(u32::MAX)),
            (0..80u64).prop_map(Point::AfterBytes),
            Just(Point::AfterBytes(u64::MAX)),
            Just(Point::BeforeEnd),
        ]
    }

    fn wait() -> impl Strategy<Value = Fault> {
        (point(), any::<u32>(), any::<bool>()).prop_map(|(at, ms, stall)| {
            let lasting = Duration::from_millis(ms.into());
            if stall { Fault::Stall { at, lasting: Some(lasting) } } else { Fault::Delay { at, lasting } }
        })
    }

    fn fault() -> impl Strategy<Value = Fault> {
        prop_oneof![
            wait(),
            Just(Fault::Refuse),
            Just(Fault::DropTerminator),
            any::<u32>().prop_map(|bytes_per_second| Fault::Drip { bytes_per_second }),
            point().prop_map(|at| Fault::Hang { at }),
            point().prop_map(|at| Fault::Stall { at, lasting: None }),
            point().prop_map(|at| Fault::Reset { at }),
            point().prop_map(|at| Fault::Close { at }),
            point().prop_map(|at| Fault::Truncate { at }),
            (point(), proptest::sample::select(ErrorName::ALL)).prop_map(|(at, error)| Fault::ErrorEvent {
                error,
                at,
                form: None
            }),
            proptest::sample::select(ErrorName::ALL).prop_map(|name| Fault::Malform(Malform::Error(name))),
            proptest::sample::select(vec![Malform::NotJson, Malform::Empty, Malform::Html, Malform::CutJson])
                .prop_map(Fault::Malform),
        ]
    }

    fn any_message() -> impl Strategy<Value = Message> {
        let frame = || proptest::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from);
        prop_oneof![
            frame().prop_map(|bytes| message(MessageBody::Whole(bytes))),
            (proptest::collection::vec(frame(), 0..5), proptest::option::of(frame()))
                .prop_map(|(events, terminator)| message(MessageBody::Events { events, terminator })),
        ]
    }

    fn body(message: &Message) -> Vec<u8> {
        match &message.body {
            MessageBody::Whole(bytes) => bytes.to_vec(),
            MessageBody::Events { events, terminator } => {
                events.iter().chain(terminator).flat_map(|bytes| bytes.to_vec()).collect()
            }
        }
    }

    proptest! {
        #[test]
        fn any_plan_ends_once_and_at_its_end(
            message in any_message(), faults in proptest::collection::vec(fault(), 0..6),
        ) {
            let plan = compiled(message, &faults);
            let endings: Vec<_> = plan.actions.iter().map(WireAction::is_ending).collect();
            prop_assert_eq!(endings.iter().filter(|ending| **ending).count(), 1);
            prop_assert_eq!(endings.last(), Some(&true));
            let heads = plan.actions.iter().position(|action| matches!(action, WireAction::Head(_)));
            let first_write = plan.actions.iter().position(|action| matches!(action, WireAction::Write { .. }));
            prop_assert!(first_write.is_none() || heads < first_write);
        }

        #[test]
        fn waits_and_drips_never_change_the_bytes(
            message in any_message(), waits in proptest::collection::vec(wait(), 0..5), speed in any::<u32>(),
        ) {
            let mut faults = waits;
            prop_assert_eq!(bytes(&compiled(message.clone(), &[])), body(&message));
            faults.insert(faults.len() / 2, Fault::Drip { bytes_per_second: speed });
            prop_assert_eq!(bytes(&compiled(message.clone(), &faults)), body(&message));
        }

        #[test]
        fn a_reset_after_bytes_sends_exactly_so_many(message in any_message(), n in 0..120u64) {
            let plan = compiled(message.clone(), &[Fault::Reset { at: Point::AfterBytes(n) }]);
            let all = body(&message);
            prop_assert_eq!(bytes(&plan), &all[..all.len().min(n as usize)]);
        }

        #[test]
        fn what_is_cut_is_a_prefix_of_what_would_have_been_sent(message in any_message(), at in point()) {
            let all = body(&message);
            for fault in [Fault::Truncate { at }, Fault::Close { at }, Fault::Hang { at }] {
                prop_assert!(all.starts_with(&bytes(&compiled(message.clone(), &[fault]))));
            }
        }
    }
}
