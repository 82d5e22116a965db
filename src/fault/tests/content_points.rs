//! Points that are named by content, in the stream of every provider at every endpoint.

use super::ORIGIN;
use crate::{
    dialect::{self, Completion, StreamEvent},
    fault::{FaultContext, WireAction, compile},
    observation::Identity,
    provider::{self, MessageBody, ProviderMessage, RequestedCall},
    scenario::{Api, Combination, Fault, Point, Provider, SuccessReply},
    wire::frames::{self, Carrier},
};

/// The reply with a text and a tool call, for each endpoint at which a provider sends it as events.
fn streams() -> Vec<(RequestedCall, ProviderMessage)> {
    let canaries = Identity { token: "abc".into() }.canaries("main", 1);
    let mut streams = Vec::new();
    for &provider in Provider::ALL {
        for &api in Api::ALL.iter().filter(|api| api.streams() || api.is_session()) {
            let stream = api.streams();
            if !provider::asked_endpoints(Combination { api, provider, stream }).contains(&api) {
                continue;
            }
            let asked = RequestedCall::plain(provider, api, stream);
            let message = provider::reply(&asked, &SuccessReply::TextAndToolCall, &canaries);
            if !matches!(message.body, MessageBody::Whole(_)) {
                streams.push((asked, message));
            }
        }
    }
    streams
}

/// What a client has read when the stream is reset at a point.
fn read(asked: &RequestedCall, message: &ProviderMessage, at: Point) -> (Completion, usize) {
    let canaries = Identity { token: "abc".into() }.canaries("main", 1);
    let context = FaultContext { asked, canaries: &canaries, origin: ORIGIN };
    let plan = compile(message.clone(), &[Fault::Reset { at }], &context);
    assert_eq!(plan.actions.last(), Some(&WireAction::Reset));
    let body: Vec<u8> = plan
        .actions
        .iter()
        .filter_map(|action| match action {
            WireAction::Write { bytes, .. } => Some(&bytes[..]),
            _ => None,
        })
        .flatten()
        .copied()
        .collect();
    let carrier = Carrier::of_reply(Some(message.status), |name| message.header(name)).unwrap();
    let mut completion = Completion::default();
    for frame in frames::decode(carrier, &body) {
        let event = dialect::event(asked.api.unwrap(), frame.event.as_deref(), &frame.data);
        if let StreamEvent::Chunk { content, finish } = event {
            completion.add(content, finish);
        }
    }
    (completion, body.len())
}

#[test]
fn a_point_of_content_is_the_same_place_in_every_dialect() {
    let streams = streams();
    assert!(streams.len() > 20, "{}", streams.len());
    let (mut in_pieces, mut at_once) = (0, 0);
    for (asked, message) in &streams {
        let name = format!("{} at {:?}", asked.provider, asked.api);
        // Completions and Ollama's `generate` have no tools.
        let has_tools = !matches!(asked.api, Some(Api::OpenaiCompletions | Api::OllamaGenerate));
        let (text, text_bytes) = read(asked, message, Point::AfterContent);
        assert!(text.said.starts_with("[1] ") && !text.said.contains("[2]"), "{name}: {text:?}");
        assert!(text.finish.is_none() && text.calls.iter().all(|call| call.arguments.is_empty()), "{name}");
        let (begun, begun_bytes) = read(asked, message, Point::InsideToolCall);
        let (all, all_bytes) = read(asked, message, Point::AfterToolArguments);
        if !has_tools {
            continue;
        }
        assert!(begun.said.contains("[5]") && begun.calls.len() == 1, "{name}: {begun:?}");
        assert!(!begun.calls[0].arguments.is_empty() && all.calls[0].is_whole(), "{name}: {all:?}");
        assert!(text_bytes < begun_bytes && begun_bytes <= all_bytes, "{name}");
        match begun.calls[0].is_whole() {
            true => at_once += 1,
            false => in_pieces += 1,
        }
        // What follows is only the end.
        let (whole, whole_bytes) = read(asked, message, Point::BeforeEnd);
        assert!(whole.says_the_same(&all) && all_bytes <= whole_bytes, "{name}");
    }
    assert!(in_pieces > 10 && at_once >= 3, "{in_pieces} {at_once}");
}

#[test]
fn a_plain_body_ends_at_a_point_of_content_before_its_last_byte() {
    let canaries = Identity { token: "abc".into() }.canaries("main", 1);
    let asked = RequestedCall::plain(Provider::Openai, Api::OpenaiChat, false);
    let message = provider::reply(&asked, &SuccessReply::TextAndToolCall, &canaries);
    let MessageBody::Whole(body) = &message.body else { panic!("not a stream") };
    let length = body.len();
    let context = FaultContext { asked: &asked, canaries: &canaries, origin: ORIGIN };
    for at in [Point::AfterContent, Point::InsideToolCall, Point::AfterToolArguments] {
        let plan = compile(message.clone(), &[Fault::Close { at }], &context);
        assert_eq!(super::bytes(&plan).len(), length - 1, "{at}");
    }
}
