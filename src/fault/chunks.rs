//! The body of a recording: its parts and waits as actions, and the events in it.

use std::time::Duration;

use super::plan::WireAction;
use crate::{
    provider::TimedChunk,
    wire::frames::{Carrier, RawFrame, Splitter},
};

/// A body in parts, as a timeline needs it.
pub(super) struct ChunkActions {
    /// One write for each part, after its wait.
    pub(super) actions: Vec<WireAction>,
    /// The end of each event. Events and parts can overlap in any way.
    pub(super) ends: Vec<usize>,
    /// The length of the event that completes the stream; 0 if the last event is not one.
    pub(super) terminator: usize,
}

impl ChunkActions {
    /// `carrier` is the format of the events; `None` for one plain body.
    pub(super) fn new(chunks: Vec<TimedChunk>, carrier: Option<Carrier>) -> Self {
        let length = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        let (ends, terminator) = match carrier {
            Some(carrier) => events(&chunks, carrier),
            None => (vec![length], 0),
        };
        let mut actions = Vec::with_capacity(2 * chunks.len());
        let mut offset = 0;
        for TimedChunk { wait, bytes } in chunks {
            if wait > Duration::ZERO {
                actions.push(WireAction::Wait(wait));
            }
            offset += bytes.len();
            if !bytes.is_empty() {
                actions.push(WireAction::Write { bytes, completes_frame: ends.contains(&offset) });
            }
        }
        Self { actions, ends, terminator }
    }
}

/// The events in the parts, and whether the parts end with a complete event.
pub(super) fn frames(chunks: &[TimedChunk], carrier: Carrier) -> (Vec<RawFrame>, bool) {
    let mut splitter = Splitter::new(carrier);
    for chunk in chunks {
        splitter.feed(&chunk.bytes);
    }
    let mut frames = Vec::new();
    frames.extend(std::iter::from_fn(|| splitter.pop()));
    frames.extend(splitter.last());
    (frames, splitter.waiting() == 0)
}

fn events(chunks: &[TimedChunk], carrier: Carrier) -> (Vec<usize>, usize) {
    let (frames, complete) = frames(chunks, carrier);
    let last = frames.last().filter(|last| complete && last.frame.data == "[DONE]");
    let terminator = last.map_or(0, |last| last.raw.len());
    let ends = frames.iter().scan(0, |end, frame| {
        *end += frame.raw.len();
        Some(*end)
    });
    (ends.collect(), terminator)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn chunk(ms: u64, text: &'static str) -> TimedChunk {
        TimedChunk { wait: Duration::from_millis(ms), bytes: Bytes::from_static(text.as_bytes()) }
    }

    #[test]
    fn events_and_parts_can_overlap() {
        let chunks = vec![chunk(0, "data: 1\n\nda"), chunk(7, "ta: 2\n\ndata: [DONE]\n\n")];
        let body = ChunkActions::new(chunks, Some(Carrier::Sse));
        assert_eq!((body.ends, body.terminator), (vec![9, 18, 32], 14));
        let write = |text: &'static str, completes_frame| WireAction::Write {
            bytes: Bytes::from_static(text.as_bytes()),
            completes_frame,
        };
        assert_eq!(
            body.actions,
            [
                write("data: 1\n\nda", false),
                WireAction::Wait(Duration::from_millis(7)),
                write("ta: 2\n\ndata: [DONE]\n\n", true),
            ]
        );
    }

    #[test]
    fn a_body_without_events_is_one_value() {
        let body = ChunkActions::new(vec![chunk(0, "{"), chunk(0, "}")], None);
        assert_eq!((body.ends, body.terminator, body.actions.len()), (vec![2], 0, 2));
    }
}
