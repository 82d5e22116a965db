//! Malformed bodies and events.

use super::*;

#[test]
fn a_malformed_reply_keeps_the_headers_that_were_set() {
    let mut original = events();
    original.headers.push(("content-type".into(), "text/event-stream".into()));
    original.headers.push(("x-set".into(), "1".into()));
    let plan = compiled(original, &[Fault::Malform(MalformedBody::Null)]);
    let WireAction::Head(head) = &plan.actions[0] else { panic!("{plan}") };
    assert_eq!(head.framing, Framing::Length(4));
    assert!(head.headers.contains(&("x-set".into(), "1".into())));
    assert!(head.headers.contains(&("content-type".into(), "application/json".into())));
    assert_eq!(bytes(&plan), b"null");
}

/// Returns the plan of an endpoint's answer with one fault, and the bytes of its body.
fn answered(
    provider: Provider,
    api: Api,
    stream: bool,
    reply: &SuccessReply,
    fault: Fault,
) -> (Plan, Vec<u8>) {
    let canaries = Identity { token: "abc".into() }.canaries("main", 1);
    let asked = RequestedCall::plain(provider, api, stream);
    let message = provider::reply(&asked, reply, &canaries);
    let plan =
        compile(message, &[fault], &FaultContext { asked: &asked, canaries: &canaries, origin: ORIGIN });
    let bytes = bytes(&plan);
    (plan, bytes)
}
#[test]
fn a_malformed_answer_still_contains_the_answer() {
    for stream in [false, true] {
        let answer = |malform| {
            answered(Provider::Openai, Api::OpenaiChat, stream, &SuccessReply::Ok, Fault::Malform(malform))
        };
        let (plan, plain) = answered(
            Provider::Openai,
            Api::OpenaiChat,
            stream,
            &SuccessReply::Ok,
            Fault::Delay { at: Point::BeforeHeaders, lasting: second() },
        );
        assert!(!plan.doubtful);
        let kind = |plan: &Plan| {
            plan.actions.iter().find_map(|action| match action {
                WireAction::Head(head) => {
                    head.headers.iter().find(|(name, _)| name == "content-type").cloned()
                }
                _ => None,
            })
        };

        let (marked, bytes) = answer(MalformedBody::ByteOrderMark);
        assert_eq!(bytes.strip_prefix(b"\xef\xbb\xbf"), Some(&plain[..]));
        assert_eq!(kind(&marked), kind(&plan));
        assert!(marked.doubtful);

        let (_, bytes) = answer(MalformedBody::InvalidUtf8);
        let at = bytes.windows(2).position(|pair| pair == b"\xff\xfe").unwrap();
        assert!(bytes[at + 2..].starts_with(b"canary-"), "{}", String::from_utf8_lossy(&bytes));
        assert_eq!([&bytes[..at], &bytes[at + 2..]].concat(), plain);

        let (nested, bytes) = answer(MalformedBody::DeepNesting(1_000_000));
        assert_eq!(
            bytes.iter().filter(|byte| **byte == b'[').count(),
            1_000_000 + plain.iter().filter(|byte| **byte == b'[').count()
        );
        assert!(nested.doubtful);

        let (large, bytes) = answer(MalformedBody::VeryLarge(100_000));
        assert_eq!(bytes.len(), plain.len() + 100_000 + ",\"upfault_padding\":\"\"".len());
        sound::assert_sound(&large);
        if !stream {
            assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }
    }
}

#[test]
fn a_gibibyte_repeats_one_part() {
    let (plan, _) = {
        let canaries = Identity { token: "abc".into() }.canaries("main", 1);
        let asked = RequestedCall::plain(Provider::Openai, Api::OpenaiChat, false);
        let message = provider::reply(&asked, &SuccessReply::Ok, &canaries);
        let fault = Fault::Malform(MalformedBody::VeryLarge(1 << 30));
        (compile(message, &[fault], &FaultContext { asked: &asked, canaries: &canaries, origin: ORIGIN }), ())
    };
    let mut parts: Vec<_> = plan
        .actions
        .iter()
        .filter_map(|action| match action {
            WireAction::Write { bytes, .. } if bytes.len() > 1000 => Some(bytes.as_ptr()),
            _ => None,
        })
        .collect();
    assert_eq!(parts.len(), 16_384);
    parts.dedup();
    assert_eq!(parts.len(), 1);
    let WireAction::Head(head) = &plan.actions[0] else { panic!() };
    assert!(matches!(head.framing, Framing::Length(length) if length > 1 << 30));
}

#[test]
fn a_wrong_checksum_ends_an_event_stream_for_its_reader() {
    use crate::wire::eventstream;
    for (fault, frames) in [
        (EventStreamFault::BadPreludeCrc { at: Point::AfterEvents(3) }, 3),
        (EventStreamFault::BadMessageCrc { at: Point::AfterHeaders }, 0),
    ] {
        let (plan, bytes) = answered(
            Provider::Bedrock,
            Api::BedrockConverse,
            true,
            &SuccessReply::Ok,
            Fault::EventStream(fault),
        );
        assert_eq!(eventstream::decode(&bytes).len(), frames);
        let before: usize = plan
            .actions
            .iter()
            .take_while(|action| !matches!(action, WireAction::Raw { breaks: true, .. }))
            .filter(|action| matches!(action, WireAction::Write { .. }))
            .count();
        assert_eq!(before, frames);
    }
    let unknown = Fault::EventStream(EventStreamFault::UnknownMessage { at: Point::BeforeEnd });
    let (plan, bytes) = answered(Provider::Bedrock, Api::BedrockConverse, true, &SuccessReply::Ok, unknown);
    let messages = eventstream::decode(&bytes);
    let names: Vec<_> = messages.iter().map(|message| message.text(":event-type").unwrap()).collect();
    // The last two messages end a stream of this operation.
    assert_eq!(names[names.len() - 3..], ["upfault.unknown", "messageStop", "metadata"]);
    assert!(!plan.doubtful);
}

#[test]
fn an_unknown_event_has_the_format_of_its_stream() {
    let unknown = || Fault::UnknownEvent { at: Point::AfterEvents(1) };
    for (provider, api) in [
        (Provider::Openai, Api::OpenaiChat),
        (Provider::Ollama, Api::OllamaChat),
        (Provider::Bedrock, Api::BedrockConverse),
    ] {
        let (plan, _) = answered(provider, api, true, &SuccessReply::Ok, unknown());
        let second =
            plan.actions.iter().filter(|action| matches!(action, WireAction::Write { .. })).nth(1).unwrap();
        assert!(second.to_string().contains("upfault.unknown"), "{plan}");
        let (whole, _) = answered(provider, api, false, &SuccessReply::Ok, unknown());
        assert!(!whole.to_string().contains("upfault.unknown"));
    }
}

#[test]
fn a_ping_is_an_event_for_anthropic_and_a_comment_otherwise() {
    let ping = || Fault::Ping { at: Point::AfterHeaders };
    let (_, bytes) = answered(Provider::Anthropic, Api::AnthropicMessages, true, &SuccessReply::Ok, ping());
    assert!(bytes.starts_with(b"event: ping\ndata: {"));
    let (_, bytes) = answered(Provider::Openai, Api::OpenaiChat, true, &SuccessReply::Ok, ping());
    assert!(bytes.starts_with(b": ping\n\ndata: {"));
}

#[test]
fn other_line_ends_and_packets_do_not_change_the_content() {
    use crate::wire::frames::{Carrier, decode};
    for api in
        [Api::OpenaiChat, Api::OpenaiResponses, Api::AnthropicMessages, Api::GeminiGenerate, Api::CohereChat]
    {
        let provider = api.native_provider();
        let play = |fault| answered(provider, api, true, &SuccessReply::NonAscii, fault);
        let (_, plain) = play(Fault::Split { bytes: 7 });
        let frames = decode(Carrier::Sse, &plain);
        let (_, crlf) = play(Fault::Crlf);
        assert_eq!(decode(Carrier::Sse, &crlf), frames, "{api}");
        assert_eq!(
            crlf.iter().filter(|byte| **byte == b'\r').count(),
            plain.iter().filter(|byte| **byte == b'\n').count()
        );
        let (characters, bytes) = play(Fault::SplitCharacters);
        assert_eq!(bytes, plain);
        let flushes = characters.actions.iter().filter(|action| **action == WireAction::Flush).count();
        assert!(flushes >= 4, "{api}: {flushes}");
        let (_, lines) = play(Fault::MultiLineData);
        let json = |frames: Vec<crate::wire::frames::Frame>| -> Vec<_> {
            frames.iter().map(|frame| serde_json::from_str::<serde_json::Value>(&frame.data).ok()).collect()
        };
        assert!(lines.len() > plain.len());
        assert_eq!(json(decode(Carrier::Sse, &lines)), json(frames), "{api}");
    }
}
