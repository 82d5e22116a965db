//! What goes over the wire for one attempt, resolved before the first byte.

use std::{fmt, time::Duration};

use bytes::Bytes;

use crate::provider::Header;

/// A printable list of timed actions: all that is random or timed has been decided here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In order. The last one is always an ending (see [`WireAction::is_ending`]).
    pub actions: Vec<WireAction>,
}

/// One thing that the owner of the socket does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireAction {
    /// Send the status line and the headers.
    Head(Head),
    /// Send these body bytes.
    Write {
        /// The bytes.
        bytes: Bytes,
        /// Whether they complete a frame (an event of a stream, the whole of a plain body).
        completes_frame: bool,
    },
    /// Send nothing for so long.
    Wait(Duration),
    /// End the reply properly: the HTTP framing is completed.
    Finish,
    /// FIN, with the HTTP framing left as it stands.
    Close,
    /// TCP RST.
    Reset,
    /// Nothing more, for ever; the connection stays open.
    Hang,
}

impl WireAction {
    /// Nothing comes after it.
    pub fn is_ending(&self) -> bool {
        matches!(self, Self::Finish | Self::Close | Self::Reset | Self::Hang)
    }
}

/// A status line and headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// 200–599.
    pub status: u16,
    /// Names in lower case, in the order in which they are sent.
    pub headers: Vec<Header>,
    /// How the body's end is told.
    pub framing: Framing,
}

/// How the end of a body is told (RFC 9112 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `transfer-encoding: chunked`.
    Chunked,
    /// `content-length`, whether or not so many bytes are sent.
    Length(u64),
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for action in &self.actions {
            writeln!(f, "{action}")?;
        }
        Ok(())
    }
}

impl fmt::Display for WireAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head) => {
                let framing = match head.framing {
                    Framing::Chunked => "chunked".to_owned(),
                    Framing::Length(n) => format!("content-length {n}"),
                };
                write!(f, "head   {} ({framing})", head.status)?;
                for (name, value) in &head.headers {
                    write!(f, "\n         {name}: {value}")?;
                }
                Ok(())
            }
            Self::Write { bytes, completes_frame } => {
                let note = if *completes_frame { "" } else { ", part of a frame" };
                write!(f, "write  {} bytes{note}: \"{}\"", bytes.len(), readable(bytes))
            }
            Self::Wait(time) => write!(f, "wait   {}", humantime::format_duration(*time)),
            Self::Finish => f.write_str("finish"),
            Self::Close => f.write_str("close  (FIN, framing incomplete)"),
            Self::Reset => f.write_str("reset  (TCP RST)"),
            Self::Hang => f.write_str("hang   (for ever)"),
        }
    }
}

/// The beginning of what is sent, on one line: text as it is, anything else escaped byte by byte.
fn readable(bytes: &[u8]) -> String {
    let mut shown = String::new();
    let mut room = 160_usize;
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            let Some(left) = room.checked_sub(1) else { return shown + "…" };
            room = left;
            match letter {
                '\'' => shown.push(letter),
                control if control.is_ascii_control() => shown.extend(escape_ascii(control as u8)),
                other => shown.extend(other.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            let Some(left) = room.checked_sub(1) else { return shown + "…" };
            room = left;
            shown.extend(escape_ascii(*byte));
        }
    }
    shown
}

fn escape_ascii(byte: u8) -> impl Iterator<Item = char> {
    std::ascii::escape_default(byte).map(char::from)
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn text_is_shown_as_it_is_and_anything_else_byte_by_byte() {
        assert_eq!(readable("data: {\"a\": 'ü'}\n\n".as_bytes()), r#"data: {\"a\": 'ü'}\n\n"#);
        assert_eq!(readable(b"\0\x1b[2J\x8a\xffevent"), r"\x00\x1b[2J\x8a\xffevent");
    }

    #[test]
    fn what_is_long_ends_after_160_letters() {
        assert_eq!(readable(&[b'a'; 160]), "a".repeat(160));
        assert_eq!(readable(&[0; 161]), r"\x00".repeat(160) + "…");
    }
}
