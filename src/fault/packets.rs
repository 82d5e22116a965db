//! Into which packets a body goes, whatever its events and chunks are.

use bytes::{Bytes, BytesMut};

use super::{plan::WireAction, timeline::MAX_PARTS};

/// How a body is cut into packets. It is done last of all, so that events are still known as such to every
/// other fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packets {
    /// An event, or a whole body, at a time.
    AsTheyCome,
    /// So many bytes at a time.
    Of(usize),
    /// Each character of several bytes is cut behind its first.
    InsideCharacters,
}

impl Packets {
    /// Cuts a body; a wait ends a packet too.
    pub(super) fn cut(self, body: Vec<WireAction>) -> Vec<WireAction> {
        match self {
            Self::AsTheyCome => body,
            Self::Of(size) => of(size.max(1), body),
            Self::InsideCharacters => inside_characters(body),
        }
    }
}

/// Packets of exactly so many bytes, but for the last one before a wait or the end.
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
    /// Sends what has begun with `part` behind it.
    fn fill(&mut self, part: Bytes, last: bool, out: &mut Vec<WireAction>) {
        if self.begun.is_empty() {
            // The most frequent way, and the one on which nothing is copied.
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

/// A packet ends behind the first byte of every character that has more.
fn inside_characters(body: Vec<WireAction>) -> Vec<WireAction> {
    let mut out = Vec::with_capacity(body.len());
    for action in body {
        let WireAction::Write { mut bytes, completes_frame } = action else {
            out.push(action);
            continue;
        };
        // A lead byte of UTF-8 stands for two bytes or more (RFC 3629 section 3).
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

/// The end of the reply flushes by itself.
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
    fn packets_have_their_size_whatever_the_events_are() {
        let cut = Packets::Of(4).cut(vec![write("abc"), write("defghijk"), write("l")]);
        let wanted = [("abcd", true), ("efgh", false), ("ijkl", true)];
        assert_eq!(packets(&cut), wanted.map(|(text, completes)| (text.to_owned(), completes)));
        assert_eq!(cut.iter().filter(|action| **action == WireAction::Flush).count(), 2);
    }

    #[test]
    fn a_character_of_several_bytes_is_cut_behind_its_first() {
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
    fn a_body_of_a_gibibyte_is_cut_into_so_many_packets_that_they_can_be_held() {
        let long = Bytes::from(vec![b'a'; 3 * MAX_PARTS]);
        for packets in [Packets::Of(1), Packets::InsideCharacters] {
            let body = vec![WireAction::Write { bytes: long.clone(), completes_frame: true }];
            let cut = packets.cut(body);
            assert!(cut.len() <= 2 * MAX_PARTS + 2, "{}", cut.len());
        }
    }
}
