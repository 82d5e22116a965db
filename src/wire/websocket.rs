//! The frames of a WebSocket (RFC 6455 section 5): encoder and decoder.
//!
//! The library parses only frame headers. This module handles messages, masks and protocol errors itself, so that
//! no library answers, refuses or repairs anything between the wire and a record.

use std::{fmt, io::Cursor};

use bytes::Bytes;
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

/// The maximum length of a message, in bytes; no message of a test is longer.
const MAX_MESSAGE: u64 = 64 * 1024 * 1024;

/// The maximum payload of a control frame, in bytes (RFC 6455 section 5.5).
const MAX_CONTROL: u64 = 125;

/// A message or control frame of the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WebSocketEvent {
    /// A text message; bytes that are not UTF-8 are replaced.
    Text(String),
    /// A binary message.
    Binary(Bytes),
    /// A ping with its payload; the pong must contain the same payload.
    Ping(Bytes),
    /// A pong.
    Pong,
    /// A close frame with its status code and reason. An empty frame has no code.
    Close(Option<u16>, String),
}

/// The protocol error that made the frames unreadable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken(pub String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Encodes a text message of a server.
pub(crate) fn text(text: &str) -> Bytes {
    encode(OpCode::Data(Data::Text), text.as_bytes(), None)
}

/// Encodes a text message of a client, which is masked.
pub(crate) fn masked_text(text: &str, mask: [u8; 4]) -> Bytes {
    encode(OpCode::Data(Data::Text), text.as_bytes(), Some(mask))
}

/// Encodes a ping of a server.
pub(crate) fn ping(payload: &[u8]) -> Bytes {
    encode(OpCode::Control(Control::Ping), control(payload), None)
}

/// Encodes a pong; a client passes a mask.
pub(crate) fn pong(payload: &[u8], mask: Option<[u8; 4]>) -> Bytes {
    encode(OpCode::Control(Control::Pong), control(payload), mask)
}

/// Encodes a close frame; a client passes a mask. Without a code the reason is dropped; a reason that is too long is
/// cut at a character boundary.
pub(crate) fn close(code: Option<u16>, reason: &str, mask: Option<[u8; 4]>) -> Bytes {
    let mut payload = Vec::new();
    if let Some(code) = code {
        payload.extend_from_slice(&code.to_be_bytes());
        let mut end = reason.len().min(MAX_CONTROL as usize - payload.len());
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        payload.extend_from_slice(&reason.as_bytes()[..end]);
    }
    encode(OpCode::Control(Control::Close), &payload, mask)
}

fn control(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(MAX_CONTROL as usize)]
}

fn encode(opcode: OpCode, payload: &[u8], mask: Option<[u8; 4]>) -> Bytes {
    let header = FrameHeader { opcode, mask, ..FrameHeader::default() };
    let mut frame = Vec::with_capacity(payload.len() + 14);
    // Writing to memory does not fail.
    let _ = header.format(payload.len() as u64, &mut frame);
    let begin = frame.len();
    frame.extend_from_slice(payload);
    unmask(&mut frame[begin..], mask);
    frame.into()
}

/// Removes a mask, or applies it: masking twice restores the payload.
fn unmask(payload: &mut [u8], mask: Option<[u8; 4]>) {
    if let Some(mask) = mask {
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    }
}

/// An incremental decoder of a peer's frames. It stops at the first protocol error, because frame boundaries after it
/// are unknown.
#[derive(Debug, Default)]
pub(crate) struct WebSocketDecoder {
    unread: Vec<u8>,
    /// The incomplete message, and whether it is text.
    begun: Option<(bool, Vec<u8>)>,
    broken: Option<Broken>,
}

impl WebSocketDecoder {
    /// Decodes the next bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if self.broken.is_none() {
            self.unread.extend_from_slice(bytes);
        }
    }

    /// The protocol error that stopped the decoder, if any.
    pub(crate) fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    /// Returns the next message or control frame, if one is complete.
    pub(crate) fn pop(&mut self) -> Option<WebSocketEvent> {
        while self.broken.is_none() {
            match self.frame() {
                Ok(Some((header, payload))) => match self.take(&header, payload) {
                    Ok(None) => {}
                    Ok(event) => return event,
                    Err(broken) => self.end(broken),
                },
                Ok(None) => return None,
                Err(broken) => self.end(broken),
            }
        }
        None
    }

    fn end(&mut self, broken: Broken) {
        self.unread.clear();
        self.begun = None;
        self.broken = Some(broken);
    }

    /// Returns the next frame, if one is complete.
    fn frame(&mut self) -> Result<Option<(FrameHeader, Vec<u8>)>, Broken> {
        let mut cursor = Cursor::new(&self.unread[..]);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|error| Broken(error.to_string()))?;
        let Some((header, length)) = parsed else { return Ok(None) };
        let max = if matches!(header.opcode, OpCode::Control(_)) { MAX_CONTROL } else { MAX_MESSAGE };
        if length > max {
            return Err(Broken(format!("a frame of {length} bytes, more than the maximum of {max}")));
        }
        let begin = cursor.position() as usize;
        let end = begin + length as usize;
        if self.unread.len() < end {
            return Ok(None);
        }
        let mut payload = self.unread[begin..end].to_vec();
        self.unread.drain(..end);
        unmask(&mut payload, header.mask);
        Ok(Some((header, payload)))
    }

    fn take(&mut self, header: &FrameHeader, payload: Vec<u8>) -> Result<Option<WebSocketEvent>, Broken> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(Broken("a reserved bit without a negotiated extension".to_owned()));
        }
        let (is_text, mut message) = match (header.opcode, self.begun.take()) {
            (OpCode::Control(control), begun) => {
                self.begun = begun;
                if !header.is_final {
                    return Err(Broken("a fragmented control frame".to_owned()));
                }
                return Ok(Some(match control {
                    Control::Close => closing(&payload)?,
                    Control::Ping => WebSocketEvent::Ping(payload.into()),
                    Control::Pong => WebSocketEvent::Pong,
                    Control::Reserved(code) => return Err(Broken(format!("an unknown opcode {code}"))),
                }));
            }
            (OpCode::Data(Data::Reserved(code)), _) => {
                return Err(Broken(format!("an unknown opcode {code}")));
            }
            (OpCode::Data(Data::Continue), Some(begun)) => begun,
            (OpCode::Data(Data::Continue), None) => {
                return Err(Broken("a continuation frame without a message".to_owned()));
            }
            (OpCode::Data(_), Some(_)) => {
                return Err(Broken("a new message before the previous one is complete".to_owned()));
            }
            (OpCode::Data(kind), None) => (kind == Data::Text, Vec::new()),
        };
        if message.len() as u64 + payload.len() as u64 > MAX_MESSAGE {
            return Err(Broken(format!("a message of more than {MAX_MESSAGE} bytes")));
        }
        message.extend_from_slice(&payload);
        if !header.is_final {
            self.begun = Some((is_text, message));
            return Ok(None);
        }
        Ok(Some(match is_text {
            true => WebSocketEvent::Text(String::from_utf8_lossy(&message).into_owned()),
            false => WebSocketEvent::Binary(message.into()),
        }))
    }
}

fn closing(payload: &[u8]) -> Result<WebSocketEvent, Broken> {
    match payload {
        [] => Ok(WebSocketEvent::Close(None, String::new())),
        [_] => Err(Broken("a close frame with half a status code".to_owned())),
        [high, low, reason @ ..] => {
            let reason = String::from_utf8_lossy(reason).into_owned();
            Ok(WebSocketEvent::Close(Some(u16::from_be_bytes([*high, *low])), reason))
        }
    }
}

/// The value of `Sec-WebSocket-Accept` for a key (RFC 6455 section 4.2.2).
pub(crate) fn accept(key: &str) -> String {
    tungstenite::handshake::derive_accept_key(key.as_bytes())
}

#[cfg(test)]
mod tests;
