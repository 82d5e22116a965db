//! The reply while faults edit it: bytes and waits in order. Each fault addresses byte offsets of the reply
//! as the faults before it have left it.

use std::time::Duration;

use bytes::Bytes;

use super::{
    chunks::ChunkActions,
    content_marks::ContentMarks,
    packets::{MAX_PARTS, Packets},
    plan::{Framing, Head, WireAction},
};
use crate::{
    provider::{HeaderField, MessageBody, ProviderMessage},
    scenario::Point,
    wire::frames::Carrier,
};

pub(super) struct Timeline {
    /// The actions before the status line: waits and interim responses.
    pub(super) before: Vec<WireAction>,
    /// `None` if a fault ends the reply before its head.
    pub(super) head: Option<Head>,
    /// Whether other bytes are sent in place of the status line.
    pub(super) garbled: bool,
    /// The body. It contains only `Write`, `Wait`, `Await` and `Raw`, and only a `Write` contains bytes of
    /// the body.
    pub(super) body: Vec<WireAction>,
    /// The length of the terminator at the end of the body; 0 if there is none.
    pub(super) terminator: usize,
    /// The offset in the body after the first n frames of the message, at index n, and after everything that
    /// faults have inserted at that point.
    own_ends: Vec<usize>,
    /// Where the content of the message is; filled in if a fault has a point that is named by content.
    pub(super) content: ContentMarks,
    /// Whether the body is one plain value and not a stream.
    pub(super) whole: bool,
    /// The offset in the body after which a client cannot read on, because of a fault in the head.
    pub(super) unreadable_from: Option<usize>,
    /// How the body is split into packets.
    pub(super) packets: Packets,
    pub(super) ending: WireAction,
    /// The action that replaces a proper end of the reply.
    pub(super) finish: WireAction,
    /// Whether a correct client may either accept or refuse the reply.
    pub(super) doubtful: bool,
    /// Whether a fault of the list ends the reply just before its end, so that no other fault can act later.
    pub(super) ends_before_end: bool,
}

/// The position of a fault: before the head, or at an offset in the body.
#[derive(Clone, Copy)]
pub(super) enum FaultPosition {
    BeforeHead,
    Body(usize),
}

impl FaultPosition {
    /// Returns the offset in the body; 0 for a position before the head.
    pub(super) fn offset(self) -> usize {
        match self {
            Self::BeforeHead => 0,
            Self::Body(offset) => offset,
        }
    }
}

impl Timeline {
    pub(super) fn new(message: ProviderMessage) -> Self {
        let ProviderMessage { status, mut headers, body } = message;
        let mut awaited = None;
        let (writes, terminator, whole) = match body {
            MessageBody::Chunks(chunks) => {
                let kind = headers.iter().find(|(name, _)| name == "content-type");
                let carrier = kind.and_then(|(_, value)| Carrier::of(value));
                let ChunkActions { actions, ends, terminator } = ChunkActions::new(chunks, carrier);
                let whole = carrier.is_none();
                let framing = framing(&mut headers, whole.then(|| length(&actions) as u64));
                let head = Head { status: status.clamp(200, 999), headers, lines: Vec::new(), framing };
                let own_ends = std::iter::once(0).chain(ends).collect();
                return Self::of(head, actions, own_ends, terminator, whole);
            }
            MessageBody::Whole(bytes) => (vec![bytes], 0, true),
            MessageBody::Events { events: mut frames, terminator } => {
                let length = terminator.as_ref().map_or(0, Bytes::len);
                frames.extend(terminator);
                (frames, length, false)
            }
            MessageBody::Session { opening, awaited: kind, mut events, last } => {
                let length = last.len();
                events.push(last);
                awaited = Some((opening.len(), kind));
                (opening.into_iter().chain(events).collect(), length, false)
            }
        };
        let mut body: Vec<_> = writes
            .into_iter()
            .filter(|bytes| !bytes.is_empty())
            .map(|bytes| WireAction::Write { bytes, completes_frame: true })
            .collect();
        let own_ends = std::iter::once(0).chain(ends(&body)).collect();
        let mut framing = framing(&mut headers, whole.then(|| length(&body) as u64));
        if let Some((index, kind)) = awaited {
            body.insert(index, WireAction::Await(kind));
            framing = Framing::WebSocket;
        }
        let head = Head {
            status: status.clamp(if awaited.is_some() { 101 } else { 200 }, 999),
            headers,
            lines: Vec::new(),
            framing,
        };
        Self::of(head, body, own_ends, terminator, whole)
    }

    /// A timeline without any fault.
    fn of(head: Head, body: Vec<WireAction>, own_ends: Vec<usize>, terminator: usize, whole: bool) -> Self {
        Self {
            before: Vec::new(),
            head: Some(head),
            garbled: false,
            body,
            terminator,
            own_ends,
            content: ContentMarks::default(),
            whole,
            unreadable_from: None,
            packets: Packets::Unchanged,
            ending: WireAction::Finish,
            finish: WireAction::Finish,
            doubtful: false,
            ends_before_end: false,
        }
    }

    /// Replaces the reply with another message. The actions before the head remain.
    pub(super) fn replace(&mut self, message: ProviderMessage) {
        let before = std::mem::take(&mut self.before);
        *self = Self { before, ends_before_end: self.ends_before_end, ..Self::new(message) };
    }

    /// Returns the position of `point` in the reply as it is now. A point after the last one of the reply
    /// means just before its end. Events are those of the message, and what earlier faults have inserted at
    /// the same point comes first: so faults at one point happen in their order.
    pub(super) fn find(&self, point: Point) -> FaultPosition {
        let length = self.length();
        let end = if self.whole { length.saturating_sub(1) } else { length - self.terminator };
        let after_frames = |frames: Option<usize>| {
            let reached = frames.and_then(|n| self.own_ends.get(n)).filter(|_| !self.whole);
            reached.map_or(end, |at| (*at).min(end))
        };
        FaultPosition::Body(match point {
            Point::BeforeHeaders => return FaultPosition::BeforeHead,
            Point::AfterHeaders if self.whole => 0,
            Point::AfterHeaders => self.own_ends[0].min(end),
            Point::AfterEvents(n) => after_frames(Some(n as usize)),
            Point::AfterContent | Point::InsideToolCall | Point::AfterToolArguments => {
                after_frames(self.content.frames_before(point))
            }
            Point::AfterBytes(n) => {
                let last = if self.ends_before_end { end } else { length };
                usize::try_from(n).map_or(last, |n| n.min(last))
            }
            Point::BeforeEnd => end,
        })
    }

    /// Inserts a wait at a position, after the waits that are already there.
    pub(super) fn wait(&mut self, place: FaultPosition, time: Duration) {
        match place {
            FaultPosition::BeforeHead => self.before.push(WireAction::Wait(time)),
            FaultPosition::Body(offset) => {
                let at = self.split(offset);
                self.body.insert(at, WireAction::Wait(time));
            }
        }
    }

    /// Ends the reply at a position and removes everything after it.
    pub(super) fn end(&mut self, place: FaultPosition, ending: WireAction) {
        match place {
            FaultPosition::BeforeHead => {
                self.head = None;
                self.body.clear();
            }
            FaultPosition::Body(offset) => {
                let at = self.split(offset);
                self.body.truncate(at);
            }
        }
        self.terminator = 0;
        self.ending = ending;
    }

    /// Cuts in half the frame that follows a position, or the rest of it, and ends the reply there. The head
    /// is not a frame: the first frame that can be cut is in the body.
    pub(super) fn cut_frame(&mut self, place: FaultPosition, ending: WireAction) {
        let offset = place.offset();
        let next = self.frame_ends().find(|end| *end > offset).unwrap_or(offset);
        self.end(FaultPosition::Body(offset + (next - offset) / 2), ending);
    }

    /// Replaces everything after a position with one last event, and ends the stream properly.
    pub(super) fn end_with_event(&mut self, place: FaultPosition, event: Bytes) {
        self.end(FaultPosition::Body(place.offset()), WireAction::Finish);
        self.body.push(WireAction::Write { bytes: event, completes_frame: true });
        let length = self.length();
        for end in self.own_ends.iter_mut().filter(|end| **end >= place.offset()) {
            *end = length;
        }
    }

    /// Inserts a frame at an offset between two frames.
    pub(super) fn insert_frame(&mut self, offset: usize, bytes: Bytes, completes_frame: bool) {
        for end in self.own_ends.iter_mut().filter(|end| **end >= offset) {
            *end += bytes.len();
        }
        let at = self.split(offset);
        self.body.insert(at, WireAction::Write { bytes, completes_frame });
    }

    /// Whether an offset is a point between two frames of the message.
    pub(super) fn is_between_frames(&self, offset: usize) -> bool {
        offset == 0 || self.own_ends.contains(&offset) || offset == self.length() - self.terminator
    }

    /// Notes that the frame that contains the offset has become longer by this many bytes.
    pub(super) fn lengthen(&mut self, offset: usize, by: usize) {
        for end in self.own_ends.iter_mut().filter(|end| **end > offset) {
            *end += by;
        }
        if offset > self.length() - self.terminator {
            self.terminator += by;
        }
    }

    /// Applies `change` to the bytes of every write. Its second argument says whether it is the last one.
    pub(super) fn rewrite(&mut self, mut change: impl FnMut(&Bytes, bool) -> Bytes) {
        let before = self.length();
        let terminated = before - self.terminator;
        let last = self.body.iter().rposition(|action| matches!(action, WireAction::Write { .. }));
        let (mut offset, mut length, mut terminator) = (0, 0, 0);
        let mut ends = self.own_ends.iter_mut().skip_while(|end| **end == 0).peekable();
        for (i, action) in self.body.iter_mut().enumerate() {
            let WireAction::Write { bytes, .. } = action else { continue };
            let closing = offset >= terminated;
            offset += bytes.len();
            *bytes = change(bytes, Some(i) == last);
            length += bytes.len();
            if closing {
                terminator += bytes.len();
            }
            while let Some(end) = ends.next_if(|end| **end == offset) {
                *end = length;
            }
        }
        self.terminator = terminator;
        self.count_again(before);
    }

    /// Removes the terminator, if the reply still has one.
    pub(super) fn drop_terminator(&mut self) {
        if self.terminator > 0 {
            let ending = self.ending.clone();
            self.end(FaultPosition::Body(self.length() - self.terminator), ending);
        }
    }

    /// Slows the body down to this speed: ten to twenty parts a second if the speed allows it, and at least
    /// one byte at a time.
    pub(super) fn drip(&mut self, bytes_per_second: u32) {
        let speed = bytes_per_second.max(1);
        let part = speed.div_ceil(20) as usize;
        let time = |bytes: usize| Duration::from_secs_f64(bytes as f64 / f64::from(speed));
        let mut dripped = Vec::new();
        for action in self.body.drain(..) {
            let WireAction::Write { mut bytes, completes_frame } = action else {
                dripped.push(action);
                continue;
            };
            while bytes.len() > part && dripped.len() < 2 * MAX_PARTS {
                dripped.push(WireAction::Wait(time(part)));
                dripped.push(WireAction::Write { bytes: bytes.split_to(part), completes_frame: false });
            }
            dripped.push(WireAction::Wait(time(bytes.len())));
            dripped.push(WireAction::Write { bytes, completes_frame });
        }
        self.body = dripped;
    }

    /// Returns the length of the body in bytes.
    pub(super) fn length(&self) -> usize {
        length(&self.body)
    }

    /// Updates the length in the head if it was the true length `before` the change.
    pub(super) fn count_again(&mut self, before: usize) {
        let now = self.length() as u64;
        if let Some(Head { framing: Framing::Length(declared), .. }) = &mut self.head
            && *declared == before as u64
        {
            *declared = now;
        }
    }

    /// Returns the number of whole frames before a position.
    pub(super) fn frames_before(&self, place: FaultPosition) -> usize {
        match place {
            FaultPosition::BeforeHead => 0,
            FaultPosition::Body(offset) => self.frame_ends().take_while(|end| *end <= offset).count(),
        }
    }

    /// Returns the end offset of each whole frame.
    pub(super) fn frame_ends(&self) -> impl Iterator<Item = usize> {
        ends(&self.body)
    }

    /// Returns the index in `body` of the action after the first `offset` bytes and the waits there. Splits a
    /// write that contains the offset.
    pub(super) fn split(&mut self, offset: usize) -> usize {
        let mut seen = 0;
        let mut index = 0;
        while let Some(action) = self.body.get_mut(index) {
            if let WireAction::Write { bytes, .. } = action {
                if seen == offset {
                    break;
                }
                if seen + bytes.len() > offset {
                    let bytes = bytes.split_to(offset - seen);
                    self.body.insert(index, WireAction::Write { bytes, completes_frame: false });
                    return index + 1;
                }
                seen += bytes.len();
            }
            index += 1;
        }
        index
    }
}

/// Removes the framing headers that a scenario has set from `headers` and returns the framing. They decide it
/// even if they are wrong about the body.
fn framing(headers: &mut Vec<HeaderField>, whole: Option<u64>) -> Framing {
    let mut framing = whole.map_or(Framing::Chunked, Framing::Length);
    headers.retain(|(name, value)| match &**name {
        "content-length" => {
            if let Ok(n) = value.trim().parse() {
                framing = Framing::Length(n);
            }
            false
        }
        "transfer-encoding" => {
            if value.trim().eq_ignore_ascii_case("chunked") {
                framing = Framing::Chunked;
            }
            false
        }
        _ => true,
    });
    framing
}

/// Returns the end offset of each whole frame of a body.
fn ends(body: &[WireAction]) -> impl Iterator<Item = usize> {
    body.iter()
        .scan(0, |offset, action| {
            let WireAction::Write { bytes, completes_frame } = action else { return Some(None) };
            *offset += bytes.len();
            Some(completes_frame.then_some(*offset))
        })
        .flatten()
}

fn length(body: &[WireAction]) -> usize {
    body.iter()
        .map(|action| match action {
            WireAction::Write { bytes, .. } => bytes.len(),
            _ => 0,
        })
        .sum()
}
