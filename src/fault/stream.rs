//! Faults of a stream of events, for every format that carries events.

use bytes::Bytes;
use serde_json::json;

use super::{
    plan::WireAction,
    timeline::{FaultPosition, Timeline},
};
use crate::{
    scenario::{Api, EventStreamFault},
    wire::{eventstream, frames::Carrier, websocket},
};

/// The name of an event or a message that no client knows.
const UNKNOWN: &str = "upfault.unknown";

impl Timeline {
    /// Sends the terminator twice, if the reply still has one.
    pub(super) fn duplicate_terminator(&mut self) {
        if self.terminator == 0 {
            return;
        }
        let at = self.split(self.length() - self.terminator);
        let again: Vec<u8> = self.body[at..]
            .iter()
            .filter_map(|action| match action {
                WireAction::Write { bytes, .. } => Some(&bytes[..]),
                _ => None,
            })
            .flatten()
            .copied()
            .collect();
        self.body.push(WireAction::Write { bytes: again.into(), completes_frame: true });
    }

    /// Inserts an event that the provider's API does not have.
    pub(super) fn unknown_event(&mut self, place: FaultPosition, carrier: Carrier) {
        let data = json!({ "type": UNKNOWN });
        let event = match carrier {
            Carrier::Sse => format!("event: {UNKNOWN}\ndata: {data}\n\n").into(),
            Carrier::Ndjson => format!("{data}\n").into(),
            Carrier::Aws => unknown_message(),
            Carrier::WebSocket => websocket::text(&data.to_string()),
        };
        // No document about NDJSON streams says whether lines of an unknown kind may occur.
        self.doubtful |= carrier == Carrier::Ndjson;
        self.put(place, event, true);
    }

    /// Inserts a comment, which clients ignore (WHATWG HTML section 9.2.6).
    pub(super) fn comment(&mut self, place: FaultPosition) {
        self.put(place, Bytes::from_static(b": upfault\n\n"), false);
    }

    /// Inserts the keep-alive of this API: Anthropic's `ping` event, or a comment.
    pub(super) fn ping(&mut self, place: FaultPosition, api: Option<Api>) {
        if api == Some(Api::AnthropicMessages) {
            self.put(place, Bytes::from_static(b"event: ping\ndata: {\"type\":\"ping\"}\n\n"), true);
        } else {
            self.put(place, Bytes::from_static(b": ping\n\n"), false);
        }
    }

    /// Inserts a WebSocket ping, which every client answers automatically (RFC 6455 section 5.5.2).
    pub(super) fn websocket_ping(&mut self, place: FaultPosition) {
        self.put(place, websocket::ping(b"upfault"), false);
    }

    /// Ends every line with CR LF.
    pub(super) fn crlf(&mut self) {
        let mut last = b'\n';
        self.rewrite(|bytes, _| {
            if !bytes.contains(&b'\n') {
                last = bytes.last().copied().unwrap_or(last);
                return bytes.clone();
            }
            let mut changed = Vec::with_capacity(bytes.len() + bytes.len() / 16 + 8);
            for byte in bytes.iter() {
                if *byte == b'\n' && last != b'\r' {
                    changed.push(b'\r');
                }
                changed.push(*byte);
                last = *byte;
            }
            changed.into()
        });
    }

    /// Splits the data of each event into several lines. Joined by line feeds, they are the same JSON.
    pub(super) fn multi_line_data(&mut self) {
        self.rewrite(|bytes, _| if bytes.contains(&b',') { spread(bytes).into() } else { bytes.clone() });
    }

    /// Damages a message of an AWS event stream, or inserts one of an unknown type.
    pub(super) fn event_stream(&mut self, fault: EventStreamFault) {
        let place = self.find(fault.at());
        let begin = self.boundary(place);
        // A frame may contain several messages. The first four bytes are the length of the first one.
        let length: Vec<u8> = self.bytes_from(begin).take(4).collect();
        let length = <[u8; 4]>::try_from(length).map(u32::from_be_bytes).ok();
        let ends = length.map(|length| begin + length as usize).filter(|end| *end <= self.length());
        let flipped = match (fault, ends) {
            (EventStreamFault::UnknownMessage { .. }, _) => return self.put(place, unknown_message(), true),
            (_, None) => return,
            // The prelude checksum follows the two lengths of four bytes each.
            (EventStreamFault::BadPreludeCrc { .. }, Some(_)) => begin + 8,
            (EventStreamFault::BadMessageCrc { .. }, Some(end)) => end - 1,
        };
        let mut offset = 0;
        for action in &mut self.body {
            let WireAction::Write { bytes, .. } = action else { continue };
            if (offset..offset + bytes.len()).contains(&flipped) {
                let mut damaged = bytes.to_vec();
                damaged[flipped - offset] ^= 0xff;
                *bytes = damaged.into();
                break;
            }
            offset += bytes.len();
        }
        let at = self.split(begin);
        self.body.insert(at, WireAction::Raw { bytes: Bytes::new(), breaks: true, body: false });
    }

    fn bytes_from(&self, offset: usize) -> impl Iterator<Item = u8> {
        let writes = self.body.iter().filter_map(|action| match action {
            WireAction::Write { bytes, .. } => Some(bytes),
            _ => None,
        });
        writes.flatten().copied().skip(offset)
    }

    /// Inserts a frame after the one that contains `place`.
    fn put(&mut self, place: FaultPosition, bytes: Bytes, completes_frame: bool) {
        self.insert_frame(self.boundary(place), bytes, completes_frame);
    }

    /// Returns the end of the frame that contains `place`.
    fn boundary(&self, place: FaultPosition) -> usize {
        match place.offset() {
            offset if self.is_between_frames(offset) => offset,
            offset => self.frame_ends().find(|end| *end >= offset).unwrap_or_else(|| self.length()),
        }
    }
}

/// Returns a valid message of an unknown type. Clients should ignore it.
fn unknown_message() -> Bytes {
    let headers =
        [(":event-type", UNKNOWN), (":content-type", "application/json"), (":message-type", "event")];
    // The message is far below all size limits, so encoding it cannot fail.
    eventstream::encode(&headers, b"{}").unwrap_or_default()
}

/// Splits an event's JSON: a new `data:` line begins after each comma between members.
fn spread(event: &[u8]) -> Vec<u8> {
    let mut spread = Vec::with_capacity(event.len() * 2);
    for line in event.split_inclusive(|byte| *byte == b'\n') {
        let Some(data) = line.strip_prefix(b"data: ").filter(|data| data.starts_with(b"{")) else {
            spread.extend_from_slice(line);
            continue;
        };
        let end: &[u8] = if line.ends_with(b"\r\n") { b"\r\n" } else { b"\n" };
        spread.extend_from_slice(b"data: ");
        let (mut inside, mut escaped) = (false, false);
        for byte in data {
            spread.push(*byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' if inside => escaped = true,
                b'"' => inside = !inside,
                b',' if !inside => {
                    spread.extend_from_slice(end);
                    spread.extend_from_slice(b"data: ");
                }
                _ => {}
            }
        }
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::sse;

    #[test]
    fn data_on_several_lines_is_the_same_json() {
        let value = json!({"a": "x, \"y\", \\", "b": [1, 2, {"c": "é,"}], "d": ""});
        for end in ["\n", "\r\n"] {
            let event = format!("event: e{end}data: {value}{end}{end}");
            let spread = spread(event.as_bytes());
            assert_eq!(spread.windows(6).filter(|window| window == b"data: ").count(), 5);
            let mut decoder = sse::SseDecoder::strict();
            decoder.feed(&spread).unwrap();
            let read = decoder.pop().unwrap();
            assert_eq!(read.event.as_deref(), Some("e"));
            assert_eq!(serde_json::from_str::<serde_json::Value>(&read.data).unwrap(), value);
        }
        assert_eq!(spread(b"data: [DONE]\n\n"), b"data: [DONE]\n\n");
    }

    #[test]
    fn the_unknown_message_is_valid() {
        let message = eventstream::decode(&unknown_message()).remove(0);
        assert_eq!(message.text(":event-type"), Some(UNKNOWN));
    }
}
