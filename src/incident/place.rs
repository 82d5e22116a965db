//! Places in a reply, by meaning.

use std::fmt;

use crate::{
    dialect::{self, StreamEvent},
    observation::Identity,
    provider::{self, MessageBody, RequestedCall},
    scenario::{Api, Combination, Point, Provider, SuccessReply},
    wire::frames,
};

/// Where in a reply something happens, as people say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplyPlace {
    /// Before the status line.
    BeforeHeaders,
    /// After the headers, before the first byte of the body.
    AfterHeaders,
    /// After the first event of a stream that contains text.
    AfterContent,
    /// After the first event of a stream that contains arguments of a tool call.
    InsideToolCall,
    /// After the last event of a stream that contains arguments of a tool call.
    AfterToolArguments,
    /// Before the last frame.
    BeforeEnd,
    /// After this many events of a stream.
    AfterEvents(u32),
    /// After this many bytes of the body.
    AfterBytes(u64),
}

const NAMED: [(&str, ReplyPlace); 6] = [
    ("before_headers", ReplyPlace::BeforeHeaders),
    ("after_headers", ReplyPlace::AfterHeaders),
    ("after_content", ReplyPlace::AfterContent),
    ("inside_tool_call", ReplyPlace::InsideToolCall),
    ("after_tool_arguments", ReplyPlace::AfterToolArguments),
    ("before_end", ReplyPlace::BeforeEnd),
];

impl ReplyPlace {
    /// The names that an option accepts, for help texts.
    pub(crate) fn names() -> String {
        let names: Vec<String> = NAMED.iter().map(|(name, _)| name.replace('_', "-")).collect();
        format!("{}, after-events:N, after-bytes:N", names.join(", "))
    }

    /// The value of an option.
    pub(crate) fn option(self) -> String {
        match self {
            Self::AfterEvents(n) => format!("after-events:{n}"),
            Self::AfterBytes(n) => format!("after-bytes:{n}"),
            named => NAMED
                .iter()
                .filter(|(_, place)| *place == named)
                .map(|(name, _)| name.replace('_', "-"))
                .collect(),
        }
    }

    /// Whether only a stream has it.
    pub(super) fn is_of_stream(self) -> bool {
        matches!(
            self,
            Self::AfterContent | Self::InsideToolCall | Self::AfterToolArguments | Self::AfterEvents(_)
        )
    }

    /// Whether nothing of a response has been sent.
    pub(super) fn is_before_a_reply(self) -> bool {
        self == Self::BeforeHeaders
    }

    /// A reply that has it.
    pub(super) fn reply(self) -> SuccessReply {
        match self {
            Self::InsideToolCall | Self::AfterToolArguments => SuccessReply::ToolCall,
            _ => SuccessReply::Ok,
        }
    }

    /// The point of a scenario: for a place that is named by content, the number of events before it in the stream of
    /// the endpoint that a proxy most likely asks.
    pub(super) fn point(self, provider: Provider, api: Api) -> Point {
        match self {
            Self::BeforeHeaders => Point::BeforeHeaders,
            Self::AfterHeaders => Point::AfterHeaders,
            Self::BeforeEnd => Point::BeforeEnd,
            Self::AfterEvents(n) => Point::AfterEvents(n),
            Self::AfterBytes(n) => Point::AfterBytes(n),
            Self::AfterContent | Self::InsideToolCall | Self::AfterToolArguments => {
                self.event(provider, api).map_or(Point::BeforeEnd, Point::AfterEvents)
            }
        }
    }

    /// The 1-based number of the event at which the place is.
    fn event(self, provider: Provider, api: Api) -> Option<u32> {
        let asked = provider::asked_endpoints(Combination { api, provider, stream: true });
        let endpoint = asked.first().copied().unwrap_or(api);
        let canaries = Identity { token: "place".to_owned() }.canaries("primary", 1);
        let reply =
            provider::reply(&RequestedCall::plain(provider, endpoint, true), &self.reply(), &canaries);
        let MessageBody::Events { events, .. } = &reply.body else { return None };
        let has = |bytes: &[u8]| {
            frames::decode(dialect::carrier(endpoint), bytes).iter().any(|frame| {
                let StreamEvent::Chunk { content, .. } =
                    dialect::event(endpoint, frame.event.as_deref(), &frame.data)
                else {
                    return false;
                };
                match self {
                    Self::AfterContent => !content.text.is_empty(),
                    _ => content.calls.iter().any(|call| !call.arguments.is_empty()),
                }
            })
        };
        let mut found = (1..).zip(events).filter(|(_, event)| has(event)).map(|(n, _)| n);
        if self == Self::AfterToolArguments { found.last() } else { found.next() }
    }
}

impl std::str::FromStr for ReplyPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.trim().to_lowercase().replace(['-', ' '], "_");
        if let Some((_, place)) = NAMED.iter().find(|(name, _)| *name == wanted) {
            return Ok(*place);
        }
        let number = wanted.split_once([':', '=']).map(|(name, number)| (name, number.trim_matches('_')));
        match number {
            Some(("after_events", n)) => n.parse().map(Self::AfterEvents).map_err(|_| None::<()>),
            Some(("after_bytes", n)) => n.parse().map(Self::AfterBytes).map_err(|_| None),
            _ => Err(None),
        }
        .map_err(|_| format!("the places are: {}", Self::names()))
    }
}

impl fmt::Display for ReplyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeHeaders => f.write_str("before its response"),
            Self::AfterHeaders => f.write_str("after the headers"),
            Self::AfterContent => f.write_str("in mid-answer"),
            Self::InsideToolCall => f.write_str("inside a tool call"),
            Self::AfterToolArguments => f.write_str("after the arguments of a tool call"),
            Self::BeforeEnd => f.write_str("before the end"),
            Self::AfterEvents(1) => f.write_str("after 1 event"),
            Self::AfterEvents(n) => write!(f, "after {n} events"),
            Self::AfterBytes(1) => f.write_str("after 1 byte"),
            Self::AfterBytes(n) => write!(f, "after {n} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_event_of_the_stream_that_the_provider_sends() {
        use Provider::{Anthropic, Bedrock, Openai};
        let chat = Api::OpenaiChat;
        assert_eq!(ReplyPlace::AfterContent.point(Openai, chat), Point::AfterEvents(2));
        // `message_start`, `content_block_start` and a ping come first.
        assert_eq!(ReplyPlace::AfterContent.point(Anthropic, chat), Point::AfterEvents(4));
        let (inside, after) = (ReplyPlace::InsideToolCall, ReplyPlace::AfterToolArguments);
        for provider in [Openai, Anthropic, Bedrock] {
            let (Point::AfterEvents(a), Point::AfterEvents(b)) =
                (inside.point(provider, chat), after.point(provider, chat))
            else {
                panic!("{provider}")
            };
            assert!(a < b, "{provider}: {a} {b}");
        }
    }

    #[test]
    fn every_chat_stream_has_content_and_a_tool_call() {
        for provider in Provider::ALL.iter().copied() {
            for place in
                [ReplyPlace::AfterContent, ReplyPlace::InsideToolCall, ReplyPlace::AfterToolArguments]
            {
                let point = place.point(provider, Api::OpenaiChat);
                assert!(matches!(point, Point::AfterEvents(_)), "{provider} {place:?}: {point:?}");
            }
        }
    }

    #[test]
    fn places_are_written_in_several_ways() {
        for (text, expected) in [
            ("after-content", Some(ReplyPlace::AfterContent)),
            ("inside_tool_call", Some(ReplyPlace::InsideToolCall)),
            ("After Headers", Some(ReplyPlace::AfterHeaders)),
            ("after-events:3", Some(ReplyPlace::AfterEvents(3))),
            ("after_bytes=70", Some(ReplyPlace::AfterBytes(70))),
            ("after_events: 3", Some(ReplyPlace::AfterEvents(3))),
            ("after-events:x", None),
            ("middle", None),
        ] {
            assert_eq!(text.parse::<ReplyPlace>().ok(), expected, "{text}");
            if let Some(place) = expected {
                assert_eq!(place.option().parse(), Ok(place));
            }
        }
    }
}
