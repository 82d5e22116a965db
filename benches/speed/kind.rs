//! The requests, and the replies of every server.

use std::time::Duration;

use upfault::internals::{
    observation::Identity,
    provider::{self, ProviderMessage, RequestedCall},
    scenario::{Api, ErrorName, Fault, Point, Provider, SuccessReply, Turn, TurnReply},
};

/// The deployment of the only case.
pub const DEPLOYMENT: &str = "main";

/// The injected delay.
pub const DELAY: Duration = Duration::from_millis(100);

/// The number of events before a stream hangs.
pub const BEFORE_HANG: usize = 2;

/// A kind of reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A plain reply of OpenAI's chat API.
    Success,
    /// A 429 from the catalogue of errors.
    Limited,
    /// A stream of 20 events.
    Stream,
    /// A plain reply after a delay.
    Delayed,
    /// A stream that stops after [`BEFORE_HANG`] events and stays open.
    Hung,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Success, Self::Limited, Self::Stream, Self::Delayed, Self::Hung];

    pub fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Limited => "429",
            Self::Stream => "stream of 20 events",
            Self::Delayed => "delayed",
            Self::Hung => "hung",
        }
    }

    pub fn streams(self) -> bool {
        matches!(self, Self::Stream | Self::Hung)
    }

    /// The turn with which the mock is armed.
    pub fn turn(self) -> Turn {
        let answer = match self {
            Self::Success | Self::Delayed => TurnReply::Reply(SuccessReply::Ok),
            Self::Limited => TurnReply::Error(ErrorName::RateLimit),
            // 20 events in total, with the role, the finish reason and `[DONE]`.
            Self::Stream | Self::Hung => TurnReply::Reply(SuccessReply::Chunks(17)),
        };
        let faults = match self {
            Self::Delayed => vec![Fault::Delay { at: Point::BeforeHeaders, lasting: DELAY }],
            Self::Hung => vec![Fault::Hang { at: Point::AfterEvents(BEFORE_HANG as u32) }],
            _ => Vec::new(),
        };
        Turn { answer, headers: Default::default(), faults }
    }

    /// The reply of the mock to its first request, without faults. The other servers send the same bytes.
    pub fn message(self) -> ProviderMessage {
        let asked = RequestedCall::plain(Provider::Openai, Api::OpenaiChat, self.streams());
        provider::message(&asked, &self.turn(), &identity().canaries(DEPLOYMENT, 1))
    }

    /// A request as an SDK sends it, with a [`NUMBER`](crate::connection::NUMBER) in its prompt.
    pub fn request(self) -> Vec<u8> {
        let body = serde_json::json!({
            "model": provider::model(Provider::Openai),
            "messages": [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": "Question 00000000: what is the weather in Paris today?"},
            ],
            "temperature": 0.7,
            "stream": self.streams(),
        })
        .to_string();
        let identity = identity();
        format!(
            "POST /{}/v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n\
             accept-encoding: gzip, deflate\r\nuser-agent: OpenAI/Python 2.8.1\r\nx-stainless-lang: python\r\n\
             authorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            identity.path(DEPLOYMENT),
            identity.key(DEPLOYMENT),
            body.len(),
        )
        .into_bytes()
    }
}

/// The identity whose path and key the requests contain.
pub fn identity() -> Identity {
    Identity { token: "a1b2c3d4e5f6".into() }
}
