//! What goes over the wire for one attempt, resolved before the first byte.

use std::{fmt, time::Duration};

use bytes::Bytes;

use crate::{provider::HeaderField, scenario::Http2Code};

/// The pause between the last byte and a cut. What is sent and what cuts it off must not reach the
/// proxy in one go: an event loop that finds both at once may drop the bytes for the error, now
/// and then, and a fault would not be the same fault twice.
pub(super) const BEFORE_CUT: Duration = Duration::from_millis(100);

/// A printable list of timed actions: all that is random or timed has been decided here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In order. The last one is always an ending (see [`WireAction::is_ending`]).
    pub actions: Vec<WireAction>,
    /// Whether a sound client may take the reply or refuse it: what is odd about it is allowed, or
    /// no standard says what to make of it.
    pub doubtful: bool,
}

impl Plan {
    /// Its ending, if nothing in it waits for anything. The pause before a cut is no wait: it only keeps the
    /// cut apart from the bytes before it.
    pub fn ending_at_once(&self) -> Option<&WireAction> {
        let (ending, rest) = self.actions.split_last()?;
        let rest = match rest.split_last() {
            Some((WireAction::Wait(BEFORE_CUT), rest)) => rest,
            _ => rest,
        };
        let waits = |action: &WireAction| matches!(action, WireAction::Wait(_) | WireAction::Await(_));
        (!rest.iter().any(waits) && *ending != WireAction::Hang).then_some(ending)
    }

    /// Whether it asks for what no HTTP library sends, so that the connection's owner must write the
    /// reply's framing itself.
    pub fn is_below_http(&self) -> bool {
        self.actions.iter().any(|action| match action {
            WireAction::Head(head) => {
                !head.lines.is_empty()
                    || matches!(head.framing, Framing::None | Framing::UntilClose | Framing::WebSocket)
            }
            WireAction::Raw { bytes, .. } => !bytes.is_empty(),
            WireAction::Flush
            | WireAction::Overrun(_)
            | WireAction::CloseUnannounced
            | WireAction::CloseWhenReused => true,
            _ => false,
        })
    }
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
    /// Send these bytes as they stand: they are no part of a well-formed message at this place. Without
    /// any bytes it says only that what comes after cannot be read.
    Raw {
        /// The bytes.
        bytes: Bytes,
        /// Whether nothing that comes after can be read any more.
        breaks: bool,
    },
    /// Wait until the client of a WebSocket has sent an event of this type.
    Await(&'static str),
    /// Hand what was written to the network now: what follows goes out in another packet.
    Flush,
    /// Send nothing for so long.
    Wait(Duration),
    /// End the reply properly: the HTTP framing is completed.
    Finish,
    /// End the reply properly, then send these bytes on the connection, which stays open.
    Overrun(Bytes),
    /// End the reply properly; the next request on the connection is not read, but answered by a FIN.
    CloseWhenReused,
    /// A close frame, and a FIN once the client has answered it.
    CloseFrame {
        /// None for an empty frame.
        code: Option<u16>,
        /// What it says.
        reason: String,
    },
    /// FIN, with the HTTP framing left as it stands.
    Close,
    /// FIN without TLS's `close_notify`, with the HTTP framing left as it stands.
    CloseUnannounced,
    /// TCP RST.
    Reset,
    /// Nothing more, for ever; the connection stays open.
    Hang,
    /// End the stream of an HTTP/2 connection by RST_STREAM.
    RstStream(Http2Code),
    /// End an HTTP/2 connection by GOAWAY, and by a FIN behind it.
    Goaway(Http2Code),
}

impl WireAction {
    /// Nothing comes after it.
    pub fn is_ending(&self) -> bool {
        !matches!(
            self,
            Self::Head(_)
                | Self::Write { .. }
                | Self::Raw { .. }
                | Self::Flush
                | Self::Wait(_)
                | Self::Await(_)
        )
    }
}

/// A status line and headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// 200–999.
    pub status: u16,
    /// Names in lower case, in the order in which they are sent.
    pub headers: Vec<HeaderField>,
    /// More lines behind the headers, as they stand, each with its CR LF: what no library would write.
    pub lines: Vec<Bytes>,
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
    /// The end of the connection is the end of the body.
    UntilClose,
    /// No body follows but the frames of a WebSocket.
    WebSocket,
    /// Nothing is said here: `lines` say it, or nobody can read it.
    None,
}

impl Head {
    /// The same head with bytes that are no status line in the place of its own (RFC 9112 section 4). Where
    /// no length is told the body ends with the connection.
    pub(super) fn garbled(&self) -> Bytes {
        let mut bytes = b"\x00\x01\xfe\xff this is no status line\r\n".to_vec();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend(self.lines.iter().flatten());
        bytes.extend_from_slice(
            match self.framing {
                Framing::Length(length) => format!("content-length: {length}\r\n\r\n"),
                _ => "connection: close\r\n\r\n".to_owned(),
            }
            .as_bytes(),
        );
        bytes.into()
    }
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
                    Framing::UntilClose => "until the connection ends".to_owned(),
                    Framing::WebSocket => "a WebSocket".to_owned(),
                    Framing::None => "framing as the lines below say".to_owned(),
                };
                write!(f, "head   {} ({framing})", head.status)?;
                for (name, value) in &head.headers {
                    write!(f, "\n         {name}: {value}")?;
                }
                for line in &head.lines {
                    write!(f, "\n         as it stands: \"{}\"", readable(line))?;
                }
                Ok(())
            }
            Self::Write { bytes, completes_frame } => {
                let note = if *completes_frame { "" } else { ", part of a frame" };
                write!(f, "write  {} bytes{note}: \"{}\"", bytes.len(), readable(bytes))
            }
            Self::Raw { bytes, breaks } => {
                let note = if *breaks { ", unreadable from here" } else { "" };
                write!(f, "raw    {} bytes{note}: \"{}\"", bytes.len(), readable(bytes))
            }
            Self::Flush => f.write_str("flush"),
            Self::Await(kind) => write!(f, "await  `{kind}` of the client"),
            Self::CloseFrame { code, reason } => {
                let code = code.map_or("without a code".to_owned(), |code| code.to_string());
                write!(f, "close  (frame {code}: \"{}\", FIN)", readable(reason.as_bytes()))
            }
            Self::Overrun(bytes) => {
                write!(f, "finish, then {} bytes more: \"{}\"", bytes.len(), readable(bytes))
            }
            Self::CloseWhenReused => f.write_str("finish, then FIN to the next request on the connection"),
            Self::CloseUnannounced => f.write_str("close  (FIN without close_notify)"),
            Self::RstStream(code) => write!(f, "reset  (HTTP/2 RST_STREAM {})", code.as_str()),
            Self::Goaway(code) => write!(f, "close  (HTTP/2 GOAWAY {}, FIN)", code.as_str()),
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
