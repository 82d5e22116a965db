//! Splits a body into packets, independent of its events and chunks.

use bytes::{Bytes, BytesMut};

use super::plan::WireAction;

/// The maximum number of parts of a dripped or split body. The rest is sent in one piece. At twenty parts a
/// second this takes more than an hour, longer than any case runs.
pub(super) const MAX_PARTS: usize = 100_000;

/// How to split a body into packets. The split is the last step, so that every other fault can still
/// recognize events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packets {
    /// One event, or a whole plain body, at a time.
    Unchanged,
    /// This number of bytes at a time.
    Of(usize),
    /// Each multi-byte character is split after its first byte.
    InsideCharacters,
}

impl Packets {
    /// Splits a body. A wait also ends a packet.
    pub(super) fn cut(self, body: Vec<WireAction>) -> Vec<WireAction> {
        match self {
            Self::Unchanged => body,
            Self::Of(size) => of(size.max(1), body),
            Self::InsideCharacters => inside_characters(body),
        }
    }
}

/// Splits a body into packets of exactly this size. Only the last one before a wait or the end may be
/// smaller.
fn of(size: usize, body: Vec<WireAction>) -> Vec<WireAction> {
    let mut out = Vec::with_capacity(body.len());
    let mut packet = Packet { begun: BytesMut::new(), completes_frame: false, parts: 0 };
    for action in body {
        let WireAction::Write { mut bytes, completes_frame } = action else {
            packet.send(&mut out);
            out.push(action);
            continue;
        };
        while packet.begun.len() + bytes.len() >= size && packet.parts < MAX_PARTS {
            let part = bytes.split_to(size - packet.begun.len());
            let last = bytes.is_empty() && completes_frame;
            packet.fill(part, last, &mut out);
            if bytes.is_empty() {
                break;
            }
        }
        if packet.parts >= MAX_PARTS && !bytes.is_empty() {
            packet.send(&mut out);
            out.push(WireAction::Write { bytes, completes_frame });
        } else if !bytes.is_empty() {
            packet.begun.extend_from_slice(&bytes);
            packet.completes_frame |= completes_frame;
        }
    }
    packet.send(&mut out);
    without_last_flush(out)
}

struct Packet {
    begun: BytesMut,
    completes_frame: bool,
    parts: usize,
}

impl Packet {
    /// Sends the packet that has begun, followed by `part`.
    fn fill(&mut self, part: Bytes, last: bool, out: &mut Vec<WireAction>) {
        if self.begun.is_empty() {
            // This is the most frequent case, and nothing is copied in it.
            self.push(part, last, out);
        } else {
            self.begun.extend_from_slice(&part);
            self.completes_frame |= last;
            self.send(out);
        }
    }

    fn send(&mut self, out: &mut Vec<WireAction>) {
        if !self.begun.is_empty() {
            let bytes = self.begun.split().freeze();
            let completes_frame = std::mem::take(&mut self.completes_frame);
            self.push(bytes, completes_frame, out);
        }
    }

    fn push(&mut self, bytes: Bytes, completes_frame: bool, out: &mut Vec<WireAction>) {
        self.parts += 1;
        out.push(WireAction::Write { bytes, completes_frame });
        out.push(WireAction::Flush);
    }
}

/// Ends a packet after the first byte of every multi-byte character.
fn inside_characters(body: Vec<WireAction>) -> Vec<WireAction> {
    let mut out = Vec::with_capacity(body.len());
    for action in body {
        let WireAction::Write { mut bytes, completes_frame } = action else {
            out.push(action);
            continue;
        };
        // A UTF-8 lead byte begins a character of two bytes or more (RFC 3629 section 3).
        while let Some(lead) = bytes
            .iter()
            .position(|byte| (0xc2..=0xf4).contains(byte))
            .filter(|lead| lead + 1 < bytes.len() && out.len() < 2 * MAX_PARTS)
        {
            out.push(WireAction::Write { bytes: bytes.split_to(lead + 1), completes_frame: false });
            out.push(WireAction::Flush);
        }
        out.push(WireAction::Write { bytes, completes_frame });
    }
    out
}

/// Removes the last flush, because the end of the reply flushes anyway.
fn without_last_flush(mut out: Vec<WireAction>) -> Vec<WireAction> {
    out.pop_if(|last| *last == WireAction::Flush);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &str) -> WireAction {
        WireAction::Write { bytes: Bytes::copy_from_slice(text.as_bytes()), completes_frame: true }
    }

    fn packets(plan: &[WireAction]) -> Vec<(String, bool)> {
        plan.iter()
            .filter_map(|action| match action {
                WireAction::Write { bytes, completes_frame } => {
                    Some((String::from_utf8_lossy(bytes).into_owned(), *completes_frame))
                }
                _ => None,
            })
            .collect()
    }

    #[test]
    fn packets_have_their_size_independent_of_the_events() {
        let cut = Packets::Of(4).cut(vec![write("abc"), write("defghijk"), write("l")]);
        let wanted = [("abcd", true), ("efgh", false), ("ijkl", true)];
        assert_eq!(packets(&cut), wanted.map(|(text, completes)| (text.to_owned(), completes)));
        assert_eq!(cut.iter().filter(|action| **action == WireAction::Flush).count(), 2);
    }

    #[test]
    fn a_multi_byte_character_is_split_after_its_first_byte() {
        let cut = Packets::InsideCharacters.cut(vec![write("a\u{e9}b"), write("\u{6f22}\u{1f600}")]);
        let lengths: Vec<usize> = cut
            .iter()
            .filter_map(
                |action| if let WireAction::Write { bytes, .. } = action { Some(bytes.len()) } else { None },
            )
            .collect();
        assert_eq!(lengths, [2, 2, 1, 3, 3]);
    }

    #[test]
    fn a_large_body_is_split_into_a_limited_number_of_packets() {
        let long = Bytes::from(vec![b'a'; 3 * MAX_PARTS]);
        for packets in [Packets::Of(1), Packets::InsideCharacters] {
            let body = vec![WireAction::Write { bytes: long.clone(), completes_frame: true }];
            let cut = packets.cut(body);
            assert!(cut.len() <= 2 * MAX_PARTS + 2, "{}", cut.len());
        }
    }
}
