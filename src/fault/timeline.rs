//! A reply on its way to the wire, as faults edit it: bytes and waits in order, cut and filled at
//! byte offsets, so that every edit sees what the edits before it made.

use std::time::Duration;

use bytes::Bytes;

use super::{
    packets::Packets,
    plan::{Framing, Head, WireAction},
};
use crate::{
    provider::{HeaderField, MessageBody, ProviderMessage},
    scenario::Point,
};

/// The most parts that a dripped or split body is cut into; what is left then goes out in one piece. At
/// twenty parts a second this is more than an hour, which no case lives to see.
pub(super) const MAX_PARTS: usize = 100_000;

pub(super) struct Timeline {
    /// What comes before the status line: waits, interim replies.
    pub(super) before: Vec<WireAction>,
    /// `None` once a fault struck before it.
    pub(super) head: Option<Head>,
    /// Whether what is no status line is sent in place of it.
    pub(super) garbled: bool,
    /// Nothing but `Write`, `Wait`, `Await` and `Raw`; of these only a `Write` holds bytes of the body.
    pub(super) body: Vec<WireAction>,
    /// Length of the terminator at the end of the body; 0 where there is none (any more).
    pub(super) terminator: usize,
    /// Whether the body is one plain value and not a stream.
    pub(super) whole: bool,
    /// Body bytes behind which nobody can read on, as the head has it.
    pub(super) unreadable_from: Option<usize>,
    /// Into which packets the body goes.
    pub(super) packets: Packets,
    pub(super) ending: WireAction,
    /// What a proper end of the reply is turned into.
    pub(super) finish: WireAction,
    /// Whether a client may refuse what is sent.
    pub(super) doubtful: bool,
}

/// Where a fault strikes: before the head, or at an offset into the body.
#[derive(Clone, Copy)]
pub(super) enum FaultPosition {
    BeforeHead,
    Body(usize),
}

impl FaultPosition {
    /// Before the head there is no body to strike at but its first byte.
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
        Self {
            before: Vec::new(),
            head: Some(head),
            garbled: false,
            body,
            terminator,
            whole,
            unreadable_from: None,
            packets: Packets::AsTheyCome,
            ending: WireAction::Finish,
            finish: WireAction::Finish,
            doubtful: false,
        }
    }

    /// Starts over with another message; what comes before the head stays.
    pub(super) fn replace(&mut self, message: ProviderMessage) {
        let before = std::mem::take(&mut self.before);
        *self = Self { before, ..Self::new(message) };
    }

    /// Where `point` is in the reply as it stands now. A point behind the last one that the reply
    /// has means before its end.
    pub(super) fn find(&self, point: Point) -> FaultPosition {
        let length = self.length();
        let end = if self.whole { length.saturating_sub(1) } else { length - self.terminator };
        FaultPosition::Body(match point {
            Point::BeforeHeaders => return FaultPosition::BeforeHead,
            Point::AfterHeaders => 0,
            Point::AfterEvents(0) if !self.whole => 0,
            Point::AfterEvents(_) if self.whole => end,
            Point::AfterEvents(n) => self.frame_ends().nth(n as usize - 1).map_or(end, |at| at.min(end)),
            Point::AfterBytes(n) => usize::try_from(n).map_or(length, |n| n.min(length)),
            Point::BeforeEnd => end,
        })
    }

    /// Puts a wait at a place, behind the waits that stand there already.
    pub(super) fn wait(&mut self, place: FaultPosition, time: Duration) {
        match place {
            FaultPosition::BeforeHead => self.before.push(WireAction::Wait(time)),
            FaultPosition::Body(offset) => {
                let at = self.split(offset);
                self.body.insert(at, WireAction::Wait(time));
            }
        }
    }

    /// Ends the reply at a place: what came after it is gone.
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

    /// Cuts in two the frame that follows an offset (or what is left of it there), and ends the
    /// reply in the middle of it. The head is no frame; the first one that can be cut is the body's.
    pub(super) fn cut_frame(&mut self, place: FaultPosition, ending: WireAction) {
        let offset = place.offset();
        let next = self.frame_ends().find(|end| *end > offset).unwrap_or(offset);
        self.end(FaultPosition::Body(offset + (next - offset) / 2), ending);
    }

    /// Puts a last event in place of what follows, and ends the stream properly behind it.
    pub(super) fn end_with_event(&mut self, place: FaultPosition, event: Bytes) {
        self.end(FaultPosition::Body(place.offset()), WireAction::Finish);
        self.body.push(WireAction::Write { bytes: event, completes_frame: true });
    }

    /// Leaves out the terminator, if the reply still has one.
    pub(super) fn drop_terminator(&mut self) {
        if self.terminator > 0 {
            let ending = self.ending.clone();
            self.end(FaultPosition::Body(self.length() - self.terminator), ending);
        }
    }

    /// Spreads the body's bytes over time, in ten to twenty parts a second where the speed allows,
    /// never less than a byte at a time.
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

    /// Bytes of the body.
    pub(super) fn length(&self) -> usize {
        length(&self.body)
    }

    /// Has the head say what the body's length is by now, where it says the true one and no other.
    pub(super) fn count_again(&mut self, before: usize) {
        let now = self.length() as u64;
        if let Some(Head { framing: Framing::Length(told), .. }) = &mut self.head
            && *told == before as u64
        {
            *told = now;
        }
    }

    /// How many whole frames are sent before a place.
    pub(super) fn frames_before(&self, place: FaultPosition) -> usize {
        match place {
            FaultPosition::BeforeHead => 0,
            FaultPosition::Body(offset) => self.frame_ends().take_while(|end| *end <= offset).count(),
        }
    }

    /// The offsets behind each whole frame.
    pub(super) fn frame_ends(&self) -> impl Iterator<Item = usize> {
        self.body
            .iter()
            .scan(0, |offset, action| {
                let WireAction::Write { bytes, completes_frame } = action else { return Some(None) };
                *offset += bytes.len();
                Some(completes_frame.then_some(*offset))
            })
            .flatten()
    }

    /// The index into `body` of what comes after `offset` bytes and after the waits there; a write
    /// that reaches over the offset is split.
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

/// Takes framing headers that a scenario has set out of `headers`: they decide the framing, even
/// where they lie about the body.
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

fn length(body: &[WireAction]) -> usize {
    body.iter()
        .map(|action| match action {
            WireAction::Write { bytes, .. } => bytes.len(),
            _ => 0,
        })
        .sum()
}
