//! Properties of the plans for any reply and any list of faults.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::{ORIGIN, bytes, compiled, every, message, sound::assert_sound};
use crate::{
    fault::{FaultContext, Origin, Plan, WireAction, compile},
    observation::Identity,
    provider::{HeaderField, MessageBody, ProviderMessage, RequestedCall, TimedChunk},
    scenario::{
        Api, ErrorName, EventStreamFault, Fault, Http1Fault, Http2Code, Http2Fault, Http2Strike, Latency,
        LatencyPlace, LatencyShape, MalformedBody, Point, Provider,
    },
};

fn point() -> impl Strategy<Value = Point> {
    prop_oneof![
        Just(Point::BeforeHeaders),
        Just(Point::AfterHeaders),
        (0..8u32).prop_map(Point::AfterEvents),
        Just(Point::AfterEvents(u32::MAX)),
        (0..80u64).prop_map(Point::AfterBytes),
        Just(Point::AfterBytes(u64::MAX)),
        Just(Point::AfterContent),
        Just(Point::InsideToolCall),
        Just(Point::AfterToolArguments),
        Just(Point::BeforeEnd),
    ]
}

fn latency() -> impl Strategy<Value = Latency> {
    let time = || (0..5_000_000_000u64).prop_map(Duration::from_nanos);
    let shape = prop_oneof![
        time().prop_map(LatencyShape::Fixed),
        (time(), time())
            .prop_map(|(one, other)| LatencyShape::Uniform { from: one.min(other), to: one.max(other) }),
        (time(), time()).prop_map(|(mean, deviation)| LatencyShape::Normal { mean, deviation }),
        proptest::collection::vec(time(), 1..4).prop_map(LatencyShape::List),
    ];
    let place =
        proptest::sample::select(vec![LatencyPlace::FirstByte, LatencyPlace::EachEvent, LatencyPlace::End]);
    (place, shape).prop_map(|(before, time)| Latency { before, time })
}

/// Faults that change when and in which packets bytes are sent, but not the bytes.
fn pace() -> impl Strategy<Value = Fault> {
    prop_oneof![
        (point(), any::<u32>(), any::<bool>()).prop_map(|(at, ms, stall)| {
            let lasting = Duration::from_millis(ms.into());
            if stall { Fault::Stall { at, lasting: Some(lasting) } } else { Fault::Delay { at, lasting } }
        }),
        any::<u32>().prop_map(|bytes_per_second| Fault::Drip { bytes_per_second }),
        latency().prop_map(Fault::Latency),
        (0..40u32).prop_map(|bytes| Fault::Split { bytes }),
        Just(Fault::SplitCharacters),
    ]
}

/// Any fault with any point, including points that a scenario file cannot specify.
fn fault() -> impl Strategy<Value = Fault> {
    let strike = || {
        (point(), proptest::sample::select(Http2Code::ALL)).prop_map(|(at, code)| Http2Strike { at, code })
    };
    prop_oneof![
        pace(),
        pace(),
        proptest::sample::select(every::faults()),
        proptest::sample::select(every::faults()),
        proptest::sample::select(every::faults()),
        proptest::sample::select(every::faults()),
        (point(), 0..12u32).prop_map(|(at, which)| match which {
            0 => Fault::Hang { at },
            1 => Fault::Stall { at, lasting: None },
            2 => Fault::Reset { at },
            3 => Fault::Close { at },
            4 => Fault::Truncate { at },
            5 => Fault::UnknownEvent { at },
            6 => Fault::Comment { at },
            7 => Fault::Ping { at },
            8 => Fault::Http1(Http1Fault::BadChunkSize { at }),
            9 => Fault::EventStream(EventStreamFault::BadPreludeCrc { at }),
            10 => Fault::EventStream(EventStreamFault::BadMessageCrc { at }),
            _ => Fault::EventStream(EventStreamFault::UnknownMessage { at }),
        }),
        strike().prop_map(|strike| Fault::Http2(Http2Fault::RstStream(strike))),
        strike().prop_map(|strike| Fault::Http2(Http2Fault::Goaway(strike))),
        (point(), proptest::sample::select(ErrorName::ALL)).prop_map(|(at, error)| Fault::ErrorEvent {
            error,
            at,
            form: None
        }),
        proptest::sample::select(ErrorName::ALL).prop_map(|name| Fault::Malform(MalformedBody::Error(name))),
        (0..200u32).prop_map(|levels| Fault::Malform(MalformedBody::DeepNesting(levels))),
        (0..200_000u32).prop_map(|bytes| Fault::Malform(MalformedBody::VeryLarge(bytes))),
    ]
}

fn any_message() -> impl Strategy<Value = ProviderMessage> {
    let frame = || {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from),
            ".{0,9}".prop_map(|text| Bytes::from(format!("data: {text}\n\n"))),
            Just(Bytes::from_static(b"data: {\"a\":1,\"b\":\"\xc3\xa9\"}\n\n")),
        ]
    };
    let body = prop_oneof![
        frame().prop_map(MessageBody::Whole),
        (proptest::collection::vec(frame(), 0..5), proptest::option::of(frame()))
            .prop_map(|(events, terminator)| MessageBody::Events { events, terminator }),
        proptest::collection::vec((0..40u64, frame()), 0..5).prop_map(|chunks| {
            let timed = |(ms, bytes)| TimedChunk { wait: Duration::from_millis(ms), bytes };
            MessageBody::Chunks(chunks.into_iter().map(timed).collect())
        }),
    ];
    let kind = proptest::sample::select(vec![
        "application/json",
        "text/event-stream",
        "application/x-ndjson",
        "application/vnd.amazon.eventstream",
    ]);
    let status = prop_oneof![9 => Just(200), 1 => proptest::sample::select(vec![204, 304, 429, 500])];
    // Sometimes the scenario sets a length, which may be wrong.
    let length = prop_oneof![8 => Just(None), 1 => (0..60u32).prop_map(Some)];
    (body, kind, status, length).prop_map(|(body, kind, status, length)| {
        let mut headers: Vec<HeaderField> = vec![("content-type".into(), kind.into())];
        headers.extend(length.map(|length| ("content-length".into(), length.to_string().into())));
        ProviderMessage { status, headers, ..message(body) }
    })
}

fn body(message: &ProviderMessage) -> Vec<u8> {
    match &message.body {
        MessageBody::Whole(bytes) => bytes.to_vec(),
        MessageBody::Events { events, terminator } => {
            events.iter().chain(terminator).flat_map(|bytes| bytes.to_vec()).collect()
        }
        MessageBody::Chunks(chunks) => chunks.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect(),
        MessageBody::Session { opening, events, last, .. } => {
            opening.iter().chain(events).chain([last]).flat_map(|bytes| bytes.to_vec()).collect()
        }
    }
}

fn under_seed(seed: u64, message: ProviderMessage, faults: &[Fault]) -> Plan {
    let canaries = Identity { token: "abc".into() }.canaries("main", 1);
    let asked = RequestedCall::plain(Provider::Openai, Api::OpenaiChat, true);
    let origin = Origin { seed, ..ORIGIN };
    compile(message, faults, &FaultContext { asked: &asked, canaries: &canaries, origin })
}

fn waits(plan: &Plan) -> Vec<Duration> {
    let wait = |action: &WireAction| if let WireAction::Wait(time) = action { Some(*time) } else { None };
    plan.actions.iter().filter_map(wait).collect()
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
        let position = |wanted: fn(&WireAction) -> bool| plan.actions.iter().position(wanted);
        let head = position(|action| matches!(action, WireAction::Head(_)));
        let first_write = position(|action| matches!(action, WireAction::Write { .. }));
        prop_assert!(first_write.is_none() || (head.is_some() && head < first_write), "{}", plan);
        let heads = plan.actions.iter().filter(|action| matches!(action, WireAction::Head(_)));
        prop_assert!(heads.count() <= 1);
    }

    #[test]
    fn one_fault_makes_a_sound_plan_of_any_reply(message in any_message(), fault in fault()) {
        assert_sound(&compiled(message, &[fault]));
    }

    #[test]
    fn pace_never_changes_the_bytes(
        message in any_message(), faults in proptest::collection::vec(pace(), 0..5),
    ) {
        let mut all = if matches!(message.status, 204 | 304) { Vec::new() } else { body(&message) };
        // No more bytes are sent than declared.
        if let Some(declared) = message.header("content-length") {
            all.truncate(declared.parse().unwrap());
        }
        prop_assert_eq!(&bytes(&compiled(message.clone(), &[])), &all);
        let plan = compiled(message, &faults);
        prop_assert_eq!(&bytes(&plan), &all);
        prop_assert!(!plan.doubtful);
        assert_sound(&plan);
    }

    #[test]
    fn the_same_seed_draws_the_same_waits_within_their_bounds(
        message in any_message(), latency in latency(), seed in any::<u64>(),
    ) {
        // Its own waits have no bounds.
        prop_assume!(!matches!(message.body, MessageBody::Chunks(_)));
        let faults = [Fault::Latency(latency.clone())];
        let plan = under_seed(seed, message.clone(), &faults);
        prop_assert_eq!(&plan, &under_seed(seed, message.clone(), &faults));
        let events = match &message.body {
            MessageBody::Whole(_) | MessageBody::Chunks(_) => 1,
            MessageBody::Events { events, terminator } => events.len() + usize::from(terminator.is_some()),
            MessageBody::Session { opening, events, .. } => opening.len() + events.len() + 1,
        };
        let mut waits = waits(&plan);
        // A reply that is shorter than declared ends with a pause and a cut.
        if plan.actions.last() == Some(&WireAction::Close) {
            waits.pop();
        }
        prop_assert!(waits.iter().all(|time| *time <= latency.time.longest()));
        if let LatencyShape::Uniform { from, .. } = latency.time {
            prop_assert!(waits.iter().all(|time| *time >= from));
        }
        let total: Duration = waits.iter().sum();
        prop_assert!(total <= faults[0].wait(u32::try_from(events).unwrap()));
    }

    #[test]
    fn packets_have_the_specified_size(message in any_message(), size in 1..40u32) {
        // A wait in the reply ends a packet.
        prop_assume!(!matches!(message.body, MessageBody::Chunks(_)));
        let plan = compiled(message, &[Fault::Split { bytes: size }]);
        let sizes: Vec<_> = plan
            .actions
            .iter()
            .filter_map(|action| if let WireAction::Write { bytes, .. } = action { Some(bytes.len()) } else { None })
            .collect();
        if let Some((last, others)) = sizes.split_last() {
            prop_assert!(others.iter().all(|length| *length == size as usize), "{:?}", sizes);
            prop_assert!(*last <= size as usize);
        }
    }

    #[test]
    fn a_reset_after_bytes_sends_exactly_these_bytes(message in any_message(), n in 0..120u64) {
        prop_assume!(message.status == 200 && message.header("content-length").is_none());
        let plan = compiled(message.clone(), &[Fault::Reset { at: Point::AfterBytes(n) }]);
        let all = body(&message);
        prop_assert_eq!(bytes(&plan), &all[..all.len().min(n as usize)]);
    }

    #[test]
    fn a_cut_reply_is_a_prefix_of_the_whole_reply(
        message in any_message(), at in point(), paces in proptest::collection::vec(pace(), 0..3),
    ) {
        prop_assume!(message.status == 200);
        let all = body(&message);
        let strike = Http2Strike { code: Http2Code::Cancel, at };
        for fault in [
            Fault::Truncate { at },
            Fault::Close { at },
            Fault::Hang { at },
            Fault::Http1(Http1Fault::BadChunkSize { at }),
            Fault::Http2(Http2Fault::RstStream(strike)),
            Fault::Http2(Http2Fault::Goaway(strike)),
        ] {
            let faults: Vec<_> = paces.iter().cloned().chain([fault]).collect();
            prop_assert!(all.starts_with(&bytes(&compiled(message.clone(), &faults))));
        }
    }
}
