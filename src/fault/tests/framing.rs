//! The framing of HTTP/1 messages.

use super::*;

#[test]
fn framing_headers_of_a_scenario_decide_the_framing() {
    let mut lying = whole("0123");
    lying.headers.push(("content-length".into(), "99".into()));
    let plan = compiled(lying, &[]);
    let WireAction::Head(head) = &plan.actions[0] else { panic!("{plan}") };
    assert_eq!((head.framing, head.headers.len()), (Framing::Length(99), 0));
}

#[test]
fn a_length_that_is_too_short_leaves_the_rest_unreadable() {
    insta::assert_snapshot!(compiled(whole("0123456789"), &[http1(Http1Fault::ShortContentLength)]), @r#"
    head   200 (content-length 5)
    write  5 bytes, part of a frame: "01234"
    raw    5 bytes, unreadable from here: "56789"
    finish
    "#);
}

#[test]
fn a_later_cut_does_not_change_the_declared_length() {
    let faults = [http1(Http1Fault::ShortContentLength), Fault::Hang { at: Point::AfterBytes(7) }];
    insta::assert_snapshot!(compiled(whole("0123456789"), &faults), @r#"
    head   200 (content-length 5)
    write  5 bytes, part of a frame: "01234"
    raw    2 bytes, unreadable from here: "56"
    hang   (the connection stays open)
    "#);
}

#[test]
fn unreadable_bytes_are_split_into_packets_too() {
    let faults = [http1(Http1Fault::ShortContentLength), Fault::Split { bytes: 4 }];
    insta::assert_snapshot!(compiled(whole("0123456789"), &faults), @r#"
    head   200 (content-length 5)
    write  4 bytes, part of a frame: "0123"
    flush
    write  1 bytes, part of a frame: "4"
    raw    3 bytes, unreadable from here: "567"
    flush
    raw    2 bytes: "89"
    finish
    "#);
}

#[test]
fn a_bad_chunk_size_is_at_its_point_and_contains_the_rest() {
    let fault = http1(Http1Fault::BadChunkSize { at: Point::AfterEvents(2) });
    insta::assert_snapshot!(compiled(events(), &[fault]), @r#"
    head   200 (chunked)
    write  9 bytes: "data: 1\n\n"
    write  9 bytes: "data: 2\n\n"
    raw    4 bytes, unreadable from here: "ZZ\r\n"
    raw    9 bytes: "data: 3\n\n"
    raw    14 bytes: "data: [DONE]\n\n"
    raw    2 bytes: "\r\n"
    wait   100ms
    close  (FIN, framing incomplete)
    "#);
}

#[test]
fn a_garbled_head_replaces_the_status_line_after_an_interim_response() {
    let faults = [http1(Http1Fault::Interim(103)), http1(Http1Fault::GarbageStatusLine)];
    let mut reply = whole("{}");
    reply.headers.push(("x-set".into(), "1".into()));
    insta::assert_snapshot!(compiled(reply, &faults), @r#"
    raw    73 bytes: "HTTP/1.1 103 Early Hints\r\nlink: </upfault.css>; rel=preload; as=style\r\n\r\n"
    raw    63 bytes, unreadable from here: "\x00\x01\xfe\xff this is not a status line\r\nx-set: 1\r\ncontent-length: 2\r\n\r\n"
    raw    2 bytes: "{}"
    wait   100ms
    close  (FIN, framing incomplete)
    "#);
}
