//! The frames of a WebSocket (RFC 6455 section 5): what is said in them, and what breaks them.
//!
//! The library knows a frame's head; whole messages, masks and what a peer does wrong are read here, so
//! that nothing is answered, refused or put right between the wire and a record.

use std::{fmt, io::Cursor};

use bytes::Bytes;
use tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

/// No message of a test is longer.
const MOST: u64 = 64 * 1024 * 1024;

/// The longest payload of a frame that is no data (RFC 6455 section 5.5).
const MOST_CONTROL: u64 = 125;

/// One thing that a peer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebSocketEvent {
    /// A message of text; what is no UTF-8 in it is replaced.
    Text(String),
    /// A message of bytes.
    Binary(Bytes),
    /// A ping with its payload, which wants a pong with the same.
    Ping(Bytes),
    /// A pong.
    Pong,
    /// The end, with its code and its reason. An empty frame has no code.
    Close(Option<u16>, String),
}

/// What made frames unreadable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken(pub String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message of text as a server sends it.
pub fn text(text: &str) -> Bytes {
    encode(OpCode::Data(Data::Text), text.as_bytes(), None)
}

/// A message of text as a client sends it, masked.
pub fn masked_text(text: &str, mask: [u8; 4]) -> Bytes {
    encode(OpCode::Data(Data::Text), text.as_bytes(), Some(mask))
}

/// A ping as a server sends it.
pub fn ping(payload: &[u8]) -> Bytes {
    encode(OpCode::Control(Control::Ping), control(payload), None)
}

/// The answer to a ping; of a client with a mask.
pub fn pong(payload: &[u8], mask: Option<[u8; 4]>) -> Bytes {
    encode(OpCode::Control(Control::Pong), control(payload), mask)
}

/// A close frame; of a client with a mask. A reason without a code cannot be told, and one that is too
/// long is cut between two characters.
pub fn close(code: Option<u16>, reason: &str, mask: Option<[u8; 4]>) -> Bytes {
    let mut payload = Vec::new();
    if let Some(code) = code {
        payload.extend_from_slice(&code.to_be_bytes());
        let mut end = reason.len().min(MOST_CONTROL as usize - payload.len());
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        payload.extend_from_slice(&reason.as_bytes()[..end]);
    }
    encode(OpCode::Control(Control::Close), &payload, mask)
}

fn control(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(MOST_CONTROL as usize)]
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

/// Masking twice is not masking at all.
fn unmask(payload: &mut [u8], mask: Option<[u8; 4]>) {
    if let Some(mask) = mask {
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    }
}

/// Reads what a peer says out of bytes as they come. What breaks the frames ends it: behind that no
/// byte can be told from another.
#[derive(Debug, Default)]
pub struct WebSocketDecoder {
    unread: Vec<u8>,
    /// The message that has begun, and whether it is text.
    begun: Option<(bool, Vec<u8>)>,
    broken: Option<Broken>,
}

impl WebSocketDecoder {
    /// Takes the bytes that came next.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.broken.is_none() {
            self.unread.extend_from_slice(bytes);
        }
    }

    /// Why nothing more can be read.
    pub fn broken(&self) -> Option<&Broken> {
        self.broken.as_ref()
    }

    /// Whether a frame or a message has begun and is not complete.
    pub fn is_inside(&self) -> bool {
        !self.unread.is_empty() || self.begun.is_some()
    }

    /// The next thing that is complete.
    pub fn pop(&mut self) -> Option<WebSocketEvent> {
        while self.broken.is_none() {
            match self.frame() {
                Ok(Some((header, payload))) => match self.take(&header, payload) {
                    Ok(None) => {}
                    Ok(said) => return said,
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

    /// The next frame that is complete.
    fn frame(&mut self) -> Result<Option<(FrameHeader, Vec<u8>)>, Broken> {
        let mut cursor = Cursor::new(&self.unread[..]);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|error| Broken(error.to_string()))?;
        let Some((header, length)) = parsed else { return Ok(None) };
        let most = if matches!(header.opcode, OpCode::Control(_)) { MOST_CONTROL } else { MOST };
        if length > most {
            return Err(Broken(format!("a frame of {length} bytes, where {most} is the most")));
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
            return Err(Broken("a reserved bit, which no extension was agreed on for".to_owned()));
        }
        let (is_text, mut message) = match (header.opcode, self.begun.take()) {
            (OpCode::Control(control), begun) => {
                self.begun = begun;
                if !header.is_final {
                    return Err(Broken("a control frame in several parts".to_owned()));
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
                return Err(Broken("a continuation of no message".to_owned()));
            }
            (OpCode::Data(_), Some(_)) => {
                return Err(Broken("a message inside another".to_owned()));
            }
            (OpCode::Data(kind), None) => (kind == Data::Text, Vec::new()),
        };
        if message.len() as u64 + payload.len() as u64 > MOST {
            return Err(Broken(format!("a message of more than {MOST} bytes")));
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
        [_] => Err(Broken("a close frame with half a code".to_owned())),
        [high, low, reason @ ..] => {
            let reason = String::from_utf8_lossy(reason).into_owned();
            Ok(WebSocketEvent::Close(Some(u16::from_be_bytes([*high, *low])), reason))
        }
    }
}

/// What the one who is asked for a WebSocket answers to the key (RFC 6455 section 4.2.2).
pub fn accept(key: &str) -> String {
    tungstenite::handshake::derive_accept_key(key.as_bytes())
}

#[cfg(test)]
mod tests;
