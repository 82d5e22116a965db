//! Where the content of a stream is: the number of its frames before each point that is named by content.

use bytes::Bytes;

use super::chunks;
use crate::{
    dialect::{self, StreamEvent},
    provider::{MessageBody, ProviderMessage},
    scenario::{Api, Point},
    wire::frames::{self, Carrier},
};

/// The 1-based numbers of the frames of a message after which content has been sent; `None` if no frame has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ContentMarks {
    /// The first frame with text.
    text: Option<usize>,
    /// The first frame with arguments of a tool call.
    first_arguments: Option<usize>,
    /// The last frame with arguments of a tool call.
    last_arguments: Option<usize>,
}

impl ContentMarks {
    /// Reads the frames of a stream as a client of this API does. Empty frames do not count, as in a timeline.
    pub(super) fn of(message: &ProviderMessage, carrier: Option<Carrier>, api: Option<Api>) -> Self {
        let (Some(carrier), Some(api)) = (carrier, api) else { return Self::default() };
        let frames: Vec<Bytes> = match &message.body {
            MessageBody::Whole(_) => return Self::default(),
            MessageBody::Events { events, terminator } => events.iter().chain(terminator).cloned().collect(),
            MessageBody::Session { opening, events, last, .. } => {
                opening.iter().chain(events).chain([last]).cloned().collect()
            }
            MessageBody::Chunks(parts) => {
                chunks::frames(parts, carrier).0.into_iter().map(|frame| frame.raw).collect()
            }
        };
        let mut marks = Self::default();
        for (n, frame) in (1..).zip(frames.into_iter().filter(|frame| !frame.is_empty())) {
            for event in frames::decode(carrier, &frame) {
                let StreamEvent::Chunk { content, .. } =
                    dialect::event(api, event.event.as_deref(), &event.data)
                else {
                    continue;
                };
                if !content.text.is_empty() {
                    marks.text.get_or_insert(n);
                }
                if content.calls.iter().any(|call| !call.arguments.is_empty()) {
                    marks.first_arguments.get_or_insert(n);
                    marks.last_arguments = Some(n);
                }
            }
        }
        marks
    }

    /// The number of frames before a point; `None` if the message does not have it, or if content does not name it.
    pub(super) fn frames_before(&self, point: Point) -> Option<usize> {
        match point {
            Point::AfterContent => self.text,
            Point::InsideToolCall => self.first_arguments,
            Point::AfterToolArguments => self.last_arguments,
            _ => None,
        }
    }
}
