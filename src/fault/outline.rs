//! The parts of a reply without its faults, for checks of scenarios.

use super::{compile::carrier, content_marks::ContentMarks, timeline::Timeline};
use crate::{
    observation::Canaries,
    provider::{self, RequestedCall},
    scenario::{Point, Turn},
};

/// What a reply consists of, without its faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReplyOutline {
    /// The number of frames of a stream, without its terminator; `None` for a plain body.
    pub frames: Option<usize>,
    /// The length of the body in bytes.
    pub bytes: usize,
    content: ContentMarks,
}

impl ReplyOutline {
    /// The outline of the reply of a turn to a request.
    pub(crate) fn of(asked: &RequestedCall, turn: &Turn, canaries: &Canaries) -> Self {
        let message = provider::message(asked, turn, canaries);
        let content = ContentMarks::of(&message, carrier(&message), asked.api);
        let timeline = Timeline::new(message);
        let terminators = usize::from(timeline.terminator > 0);
        let frames = (!timeline.whole).then(|| timeline.frame_ends().count() - terminators);
        Self { frames, bytes: timeline.length(), content }
    }

    /// The number of frames before a point that is named by content; `None` if the reply does not have it.
    pub(crate) fn frames_before(&self, point: Point) -> Option<usize> {
        self.content.frames_before(point)
    }
}
