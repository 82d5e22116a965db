//! Tests of the plans that faults produce.

mod any;
mod content_points;
mod every;
mod framing;
mod malformed;
mod sound;

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::{
    observation::Identity,
    provider::{self, MessageBody, ProviderMessage, RequestedCall},
    scenario::{
        Api, ContentEncodingFault, ErrorName, EventStreamFault, Fault, Http1Fault, Latency, LatencyPlace,
        LatencyShape, MalformedBody, Point, Provider, SuccessReply,
    },
};

const ORIGIN: Origin<'_> = Origin {
    address: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 80),
    token: "abc",
    deployment: "main",
    attempt: 1,
    seed: 1,
};

fn message(body: MessageBody) -> ProviderMessage {
    ProviderMessage { status: 200, headers: vec![], body }
}

fn whole(text: &str) -> ProviderMessage {
    message(MessageBody::Whole(Bytes::copy_from_slice(text.as_bytes())))
}

fn events() -> ProviderMessage {
    let events = ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"].map(Bytes::from).to_vec();
    message(MessageBody::Events { events, terminator: Some(Bytes::from_static(b"data: [DONE]\n\n")) })
}

/// The events with the type of server-sent events.
fn streamed() -> ProviderMessage {
    ProviderMessage { headers: vec![("content-type".into(), "text/event-stream".into())], ..events() }
}

fn compiled(message: ProviderMessage, faults: &[Fault]) -> Plan {
    let canaries = Identity { token: "abc".into() }.canaries("main", 1);
    let asked = RequestedCall::plain(Provider::Openai, Api::OpenaiChat, true);
    compile(message, faults, &FaultContext { asked: &asked, canaries: &canaries, origin: ORIGIN })
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
fn before_headers_nothing_is_sent_but_waits_remain() {
    let at = Point::BeforeHeaders;
    let plan = compiled(events(), &[Fault::Delay { at, lasting: second() }, Fault::Close { at }]);
    insta::assert_snapshot!(plan, @"
    wait   1s
    close  (FIN, framing incomplete)
    ");
}

#[test]
fn truncate_cuts_the_frame_after_its_point_in_half() {
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
fn in_a_plain_body_the_end_and_all_event_points_are_before_the_last_byte() {
    for at in [Point::BeforeEnd, Point::AfterEvents(0), Point::AfterEvents(3)] {
        let plan = compiled(whole("0123456789"), &[Fault::Hang { at }]);
        assert_eq!(bytes(&plan), b"012345678", "{at}");
    }
}

#[test]
fn a_point_after_the_last_event_is_before_the_terminator() {
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
fn an_error_event_has_the_next_sequence_number() {
    let canaries = Identity { token: "abc".into() }.canaries("main", 1);
    let asked = RequestedCall::plain(Provider::Openai, Api::OpenaiResponses, true);
    for (point, number) in [(Point::AfterHeaders, 0), (Point::AfterEvents(5), 5), (Point::BeforeEnd, 12)] {
        let fault = Fault::ErrorEvent { error: ErrorName::Internal, at: point, form: None };
        let reply = provider::reply(&asked, &SuccessReply::Ok, &canaries);
        let plan =
            compile(reply, &[fault], &FaultContext { asked: &asked, canaries: &canaries, origin: ORIGIN });
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

fn http1(fault: Http1Fault) -> Fault {
    Fault::Http1(fault)
}

#[test]
fn each_event_has_its_own_wait_and_a_list_repeats() {
    let times = |numbers: &[u64]| numbers.iter().copied().map(Duration::from_millis).collect::<Vec<_>>();
    let latency = |before, time| Fault::Latency(Latency { before, time });
    let each = latency(LatencyPlace::EachEvent, LatencyShape::List(times(&[1, 2])));
    insta::assert_snapshot!(compiled(events(), &[each]), @r#"
    head   200 (chunked)
    write  9 bytes: "data: 1\n\n"
    wait   1ms
    write  9 bytes: "data: 2\n\n"
    wait   2ms
    write  9 bytes: "data: 3\n\n"
    wait   1ms
    write  14 bytes: "data: [DONE]\n\n"
    finish
    "#);

    let once = latency(LatencyPlace::FirstByte, LatencyShape::List(times(&[1, 2])));
    let canaries = Identity { token: "abc".into() }.canaries("main", 1);
    let asked = RequestedCall::plain(Provider::Openai, Api::OpenaiChat, true);
    for (attempt, wanted) in [(1, 1), (2, 2), (3, 1)] {
        let context =
            FaultContext { asked: &asked, canaries: &canaries, origin: Origin { attempt, ..ORIGIN } };
        let plan = compile(events(), std::slice::from_ref(&once), &context);
        assert_eq!(plan.actions[0], WireAction::Wait(Duration::from_millis(wanted)));
    }
}

#[test]
fn a_normal_latency_is_drawn_around_its_mean() {
    let second = Duration::from_secs(1);
    let time = LatencyShape::Normal { mean: second, deviation: second / 10 };
    let fault = Fault::Latency(Latency { before: LatencyPlace::FirstByte, time });
    let canaries = Identity { token: "abc".into() }.canaries("main", 1);
    let asked = RequestedCall::plain(Provider::Openai, Api::OpenaiChat, true);
    let mut total = Duration::ZERO;
    for seed in 0..1000 {
        let context = FaultContext { asked: &asked, canaries: &canaries, origin: Origin { seed, ..ORIGIN } };
        let plan = compile(events(), std::slice::from_ref(&fault), &context);
        let WireAction::Wait(time) = plan.actions[0] else { panic!("{plan}") };
        assert!(time <= second + second / 10 * 4, "{time:?}");
        total += time;
    }
    // The mean of a thousand values has a deviation of 3 ms. The seeds are always the same, so the test is
    // not random.
    let mean = total / 1000;
    assert!(mean.abs_diff(second) < Duration::from_millis(10), "{mean:?}");
}

#[test]
fn a_cut_or_double_gzip_decompresses_accordingly() {
    use std::io::Read as _;
    let unpacked = |bytes: &[u8]| {
        let mut out = Vec::new();
        flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).map(|_| out)
    };
    let encoding = |fault| [Fault::ContentEncoding(fault)];
    for message in [whole("0123456789"), events()] {
        let plain = bytes(&compiled(message.clone(), &[]));
        let twice = compiled(message.clone(), &encoding(ContentEncodingFault::DoubleGzip));
        assert_eq!(unpacked(&unpacked(&bytes(&twice)).unwrap()).unwrap(), plain);
        let cut = compiled(message.clone(), &encoding(ContentEncodingFault::CutGzip));
        assert_eq!(unpacked(&bytes(&cut)).unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
        let not = compiled(message, &encoding(ContentEncodingFault::GzipNotSent));
        assert_eq!(bytes(&not), plain);
        for (plan, doubtful) in [(twice, true), (cut, false), (not, true)] {
            let WireAction::Head(head) = &plan.actions[0] else { panic!("{plan}") };
            assert!(head.headers.contains(&("content-encoding".into(), "gzip".into())));
            assert_eq!(plan.doubtful, doubtful, "whether a client that looks at the bytes can read it");
        }
    }
}

#[test]
fn a_stream_that_is_compressed_twice_is_still_sent_event_by_event() {
    let plan = compiled(
        events(),
        &[
            Fault::ContentEncoding(ContentEncodingFault::DoubleGzip),
            Fault::Hang { at: Point::AfterEvents(2) },
        ],
    );
    assert_eq!(plan.actions.iter().filter(|action| matches!(action, WireAction::Write { .. })).count(), 2);
}

#[test]
fn faults_at_one_point_happen_in_their_order() {
    let at = Point::AfterEvents(1);
    let comment = Fault::Comment { at };
    let insert = || vec![comment.clone(), Fault::UnknownEvent { at }, Fault::Comment { at }];
    let first = b"data: 1\n\n".to_vec();
    let inserted = [
        &b"data: 1\n\n: upfault\n\n"[..],
        b"event: upfault.unknown\ndata: {\"type\":\"upfault.unknown\"}\n\n: upfault\n\n",
    ]
    .concat();
    for end in [Fault::Hang { at }, Fault::Reset { at }, Fault::Close { at }] {
        let plan = compiled(streamed(), &[insert(), vec![end.clone()]].concat());
        assert_eq!(bytes(&plan), inserted, "{plan}");
        assert_eq!(bytes(&compiled(streamed(), &[end])), first);
    }
    let plan = compiled(streamed(), &[insert(), vec![Fault::Truncate { at }]].concat());
    assert_eq!(bytes(&plan), [&inserted[..], b"data"].concat());
    let plan = compiled(streamed(), &[comment.clone(), Fault::Delay { at, lasting: second() }]);
    let waits = |action: &WireAction| matches!(action, WireAction::Wait(_));
    assert_eq!(plan.actions.iter().position(waits), Some(3), "{plan}");
    let plan = compiled(streamed(), &[Fault::Delay { at, lasting: second() }, comment]);
    assert_eq!(plan.actions.iter().position(waits), Some(2), "{plan}");
}

#[test]
fn an_error_event_is_sent_before_the_end_after_it() {
    for at in [Point::AfterEvents(2), Point::BeforeEnd] {
        let event = Fault::ErrorEvent { error: ErrorName::Overloaded, at: Point::AfterEvents(2), form: None };
        let plan = compiled(streamed(), &[event, Fault::Reset { at }]);
        let sent = String::from_utf8(bytes(&plan)).unwrap();
        assert!(sent.starts_with("data: 1\n\ndata: 2\n\ndata: {\"error\""), "{plan}");
        assert_eq!(plan.actions.last(), Some(&WireAction::Reset));
    }
}

#[test]
fn inserted_events_do_not_count_as_events_of_the_reply() {
    let insert = [
        Fault::UnknownEvent { at: Point::AfterHeaders },
        Fault::Comment { at: Point::AfterEvents(1) },
        Fault::Crlf,
        Fault::Reset { at: Point::AfterEvents(2) },
    ];
    let sent = String::from_utf8(bytes(&compiled(streamed(), &insert))).unwrap();
    assert!(sent.ends_with("data: 1\r\n\r\n: upfault\r\n\r\ndata: 2\r\n\r\n"), "{sent}");
}

#[test]
fn a_redirect_replaces_the_reply_and_leads_to_another_origin() {
    insta::assert_snapshot!(compiled(events(), &[Fault::Redirect(307)]), @r#"
    head   307 (content-length 0)
             location: http://localhost:80/abc/main/elsewhere
    finish
    "#);
}

#[test]
fn a_204_that_must_be_written_below_http_has_no_length() {
    let mut message = whole("0123");
    message.status = 204;
    insta::assert_snapshot!(compiled(message.clone(), &[http1(Http1Fault::FoldedHeader)]), @r#"
    head   204 (framing in the raw lines below)
             raw line: "x-upfault-folded: one\r\n two\r\n"
    finish
    "#);
    insta::assert_snapshot!(compiled(message, &[http1(Http1Fault::BodyOn204)]), @r#"
    head   204 (framing in the raw lines below)
             raw line: "content-length: 4\r\n"
    raw    4 bytes, unreadable from here: "0123"
    finish
    "#);
}
