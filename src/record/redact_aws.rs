//! Redacts an AWS event stream in place: the payloads, and the headers that are texts. Checksums are computed again.

use super::{
    allowed::{Allowed, TextRule, is_word},
    redact_json::redact_value,
    redact_text::{blank, redact_text},
};

/// The length of the prelude in bytes: both lengths and their checksum.
const PRELUDE: usize = 12;

/// The length of a checksum in bytes.
const CHECKSUM: usize = 4;

/// Redacts every message. Bytes that are not a message are replaced.
pub(super) fn redact_event_stream(mut bytes: &mut [u8], allowed: &Allowed) {
    while let Some((length, headers)) = lengths(bytes) {
        let (message, rest) = bytes.split_at_mut(length);
        let was_valid = number(message, length - CHECKSUM) == Some(checksum(message));
        let (head, payload) = message[PRELUDE..length - CHECKSUM].split_at_mut(headers);
        redact_headers(head, allowed);
        redact_value(payload, allowed);
        // A wrong checksum is a part of the recording, and stays wrong.
        if was_valid {
            let sum = checksum(message);
            message[length - CHECKSUM..].copy_from_slice(&sum.to_be_bytes());
        }
        bytes = rest;
    }
    // A message that is cut off: its lengths stay, its texts go. Without a valid checksum they are not lengths.
    let is_prelude = bytes.get(..8).map(crc32fast::hash) == number(bytes, 8) && bytes.len() >= PRELUDE;
    blank(&mut bytes[if is_prelude { PRELUDE } else { 0 }..]);
}

/// The length of the message at the beginning and that of its headers, if the message is complete.
fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let length = usize::try_from(number(bytes, 0)?).ok()?;
    let headers = usize::try_from(number(bytes, 4)?).ok()?;
    let fits = length <= bytes.len() && headers.checked_add(PRELUDE + CHECKSUM)? <= length;
    fits.then_some((length, headers))
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes)
}

fn checksum(message: &[u8]) -> u32 {
    crc32fast::hash(&message[..message.len() - CHECKSUM])
}

/// Redacts the values of type string and bytes. A name that is not a word ends the walk, and the rest is replaced.
fn redact_headers(mut rest: &mut [u8], allowed: &Allowed) {
    while let Some((range, kind)) = value_of(rest) {
        let end = range.end;
        let is_message = rest[1..].starts_with(b":error-message");
        let value = &mut rest[range];
        match kind {
            // The names of events and errors, and content types.
            7 if !is_message => redact_text(value, TextRule::Word, allowed, false),
            7 => redact_text(value, TextRule::CommonWords, allowed, false),
            6 => value.fill(0),
            _ => {}
        }
        rest = &mut rest[end..];
    }
    blank(rest);
}

/// The range of the value of the first header, and its type (AWS's number for it).
fn value_of(headers: &[u8]) -> Option<(std::ops::Range<usize>, u8)> {
    let name_end = 1 + usize::from(*headers.first()?);
    let name = std::str::from_utf8(headers.get(1..name_end)?).ok()?;
    if !is_word(name.trim_start_matches(':')) {
        return None;
    }
    let kind = *headers.get(name_end)?;
    let start = name_end + 1;
    let range = match kind {
        0 | 1 => start..start,
        2 => start..start + 1,
        3 => start..start + 2,
        4 => start..start + 4,
        5 | 8 => start..start + 8,
        9 => start..start + 16,
        6 | 7 => {
            let length: [u8; 2] = headers.get(start..start + 2)?.try_into().ok()?;
            start + 2..start + 2 + usize::from(u16::from_be_bytes(length))
        }
        _ => return None,
    };
    (range.end <= headers.len()).then_some((range, kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::eventstream::{decode, encode};

    #[test]
    fn bytes_outside_of_messages_are_replaced() {
        let mut text = b"Alice Smith 4711 called".to_vec();
        redact_event_stream(&mut text, &Allowed::new(&[], &[]));
        assert_eq!(text, b"Xxxxx Xxxxx 0000 xxxxxx");
        let mut cut = encode(&[(":message-type", "event")], b"{}").expect("short")[..20].to_vec();
        let prelude = cut[..PRELUDE].to_vec();
        redact_event_stream(&mut cut, &Allowed::new(&[], &[]));
        assert_eq!(cut[..PRELUDE], prelude);
    }

    #[test]
    fn messages_stay_valid() {
        let event = [
            (":event-type", "contentBlockDelta"),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ];
        let error = [
            (":error-code", "InternalFailure"),
            (":error-message", "no access for alice"),
            (":message-type", "error"),
        ];
        let whole = [
            encode(&event, br#"{"contentBlockIndex":0,"delta":{"text":"Hello Alice"},"p":"ab"}"#)
                .expect("short"),
            encode(&error, b"").expect("short"),
        ]
        .concat();
        let mut bytes = whole.clone();
        redact_event_stream(&mut bytes, &Allowed::new(&[], &[]));
        let messages = decode(&bytes);
        assert_eq!((messages.len(), bytes.len()), (2, whole.len()));
        assert_eq!(messages[0].text(":event-type"), Some("contentBlockDelta"));
        assert_eq!(messages[0].text(":content-type"), Some("application/json"));
        assert_eq!(
            messages[0].payload,
            br#"{"contentBlockIndex":0,"delta":{"text":"Xxxxx Xxxxx"},"p":"xx"}"#
        );
        assert_eq!(messages[1].text(":error-message"), Some("no access for xxxxx"));
        for cut in 0..whole.len() {
            let mut bytes = whole[..cut].to_vec();
            redact_event_stream(&mut bytes, &Allowed::new(&[], &[]));
            assert!(!bytes.windows(5).any(|five| five == b"Alice" || five == b"alice"), "{cut}");
        }
    }

    #[test]
    fn a_wrong_checksum_stays_wrong() {
        let mut bytes = encode(&[(":event-type", "a")], b"{}").expect("short").to_vec();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let before = bytes.clone();
        redact_event_stream(&mut bytes, &Allowed::new(&[], &[]));
        assert_eq!(bytes, before);
    }
}
