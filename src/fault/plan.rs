//! The plan of one attempt: what the mock does on the wire, decided before the first byte.

use std::{fmt, time::Duration};

use bytes::Bytes;

use crate::{provider::HeaderField, scenario::Http2Code};

/// The pause between the last byte and a cut. The proxy must not receive both at once: an event loop that
/// finds bytes and an error together sometimes drops the bytes, so the same fault would have different
/// effects.
pub(super) const BEFORE_CUT: Duration = Duration::from_millis(100);

/// A printable list of timed actions. All random and timed values are already decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The actions in order. The last one is always an ending (see [`WireAction::is_ending`]).
    pub actions: Vec<WireAction>,
    /// Whether a correct client may either accept or refuse the reply: it is unusual but allowed, or no
    /// standard says how to handle it.
    pub doubtful: bool,
}

impl Plan {
    /// Returns the ending if the plan waits for nothing before it. The pause before a cut does not count as a
    /// wait: it only separates the cut from the bytes before it.
    pub fn ending_at_once(&self) -> Option<&WireAction> {
        let (ending, rest) = self.actions.split_last()?;
        let rest = match rest.split_last() {
            Some((WireAction::Wait(BEFORE_CUT), rest)) => rest,
            _ => rest,
        };
        let waits = |action: &WireAction| matches!(action, WireAction::Wait(_) | WireAction::Await(_));
        (!rest.iter().any(waits) && *ending != WireAction::Hang).then_some(ending)
    }
}

/// One action of the owner of the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireAction {
    /// Send the status line and the headers.
    Head(Head),
    /// Send these body bytes.
    Write {
        /// The bytes.
        bytes: Bytes,
        /// Whether they complete a frame (an event of a stream, or a whole plain body).
        completes_frame: bool,
    },
    /// Send these bytes unchanged. They are not a part of a well-formed message. An action without bytes only
    /// marks that the rest cannot be read.
    Raw {
        /// The bytes.
        bytes: Bytes,
        /// Whether a client can no longer read anything that follows.
        breaks: bool,
        /// Whether they are bytes of the body. The record of the attempt contains them although no client can read them.
        body: bool,
    },
    /// Wait until the client of a WebSocket has sent an event of this type.
    Await(&'static str),
    /// Flush, so that the following bytes are sent in another packet.
    Flush,
    /// Send nothing for this time.
    Wait(Duration),
    /// End the reply properly, with complete HTTP framing.
    Finish,
    /// End the reply properly, then send these bytes on the connection, which stays open.
    Overrun(Bytes),
    /// End the reply properly. Do not read the next request on the connection, but answer it with a FIN.
    CloseWhenReused,
    /// Send a close frame, and a FIN once the client has answered it.
    CloseFrame {
        /// The status code; `None` for an empty frame.
        code: Option<u16>,
        /// The reason text.
        reason: String,
    },
    /// Send a FIN and leave the HTTP framing incomplete.
    Close,
    /// Send a FIN without TLS's `close_notify` and leave the HTTP framing incomplete.
    CloseUnannounced,
    /// Send a TCP RST.
    Reset,
    /// Send nothing more and keep the connection open.
    Hang,
    /// End the HTTP/2 stream with RST_STREAM.
    RstStream(Http2Code),
    /// End the HTTP/2 connection with GOAWAY followed by a FIN.
    Goaway(Http2Code),
}

impl WireAction {
    /// Whether no action can follow this one.
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
    /// The status, 200–999.
    pub status: u16,
    /// The headers in the order in which they are sent, with names in lower case.
    pub headers: Vec<HeaderField>,
    /// Additional header lines that HTTP libraries would not write. They are sent unchanged after the
    /// headers, and each contains its CR LF.
    pub lines: Vec<Bytes>,
    /// How a client can find the end of the body.
    pub framing: Framing,
}

/// How a client can find the end of a body (RFC 9112 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `transfer-encoding: chunked`.
    Chunked,
    /// `content-length`, which may differ from the number of bytes sent.
    Length(u64),
    /// The end of the connection is the end of the body.
    UntilClose,
    /// The body consists of the frames of a WebSocket.
    WebSocket,
    /// No header added by the mock: `lines` contain the framing, or a client cannot read it.
    None,
}

impl Head {
    /// Returns the head with bytes that are not a status line in place of its status line (RFC 9112 section
    /// 4). Without a declared length the body ends with the connection.
    pub(super) fn garbled(&self) -> Bytes {
        let mut bytes = b"\x00\x01\xfe\xff this is not a status line\r\n".to_vec();
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
                    Framing::None => "framing in the raw lines below".to_owned(),
                };
                write!(f, "head   {} ({framing})", head.status)?;
                for (name, value) in &head.headers {
                    write!(f, "\n         {name}: {value}")?;
                }
                for line in &head.lines {
                    write!(f, "\n         raw line: \"{}\"", readable(line))?;
                }
                Ok(())
            }
            Self::Write { bytes, completes_frame } => {
                let note = if *completes_frame { "" } else { ", part of a frame" };
                write!(f, "write  {} bytes{note}: \"{}\"", bytes.len(), readable(bytes))
            }
            Self::Raw { bytes, breaks, .. } => {
                let note = if *breaks { ", unreadable from here" } else { "" };
                write!(f, "raw    {} bytes{note}: \"{}\"", bytes.len(), readable(bytes))
            }
            Self::Flush => f.write_str("flush"),
            Self::Await(kind) => write!(f, "await  `{kind}` from the client"),
            Self::CloseFrame { code, reason } => {
                let code = code.map_or("without a code".to_owned(), |code| code.to_string());
                write!(f, "close  (frame {code}: \"{}\", FIN)", readable(reason.as_bytes()))
            }
            Self::Overrun(bytes) => {
                write!(f, "finish, then {} more bytes: \"{}\"", bytes.len(), readable(bytes))
            }
            Self::CloseWhenReused => f.write_str("finish, then FIN to the next request on the connection"),
            Self::CloseUnannounced => f.write_str("close  (FIN without close_notify)"),
            Self::RstStream(code) => write!(f, "reset  (HTTP/2 RST_STREAM {})", code.as_str()),
            Self::Goaway(code) => write!(f, "close  (HTTP/2 GOAWAY {}, FIN)", code.as_str()),
            Self::Wait(time) => write!(f, "wait   {}", humantime::format_duration(*time)),
            Self::Finish => f.write_str("finish"),
            Self::Close => f.write_str("close  (FIN, framing incomplete)"),
            Self::Reset => f.write_str("reset  (TCP RST)"),
            Self::Hang => f.write_str("hang   (the connection stays open)"),
        }
    }
}

/// Formats the beginning of the bytes on one line: valid text unchanged, other bytes escaped.
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
    fn text_is_shown_unchanged_and_other_bytes_are_escaped() {
        assert_eq!(readable("data: {\"a\": 'ü'}\n\n".as_bytes()), r#"data: {\"a\": 'ü'}\n\n"#);
        assert_eq!(readable(b"\0\x1b[2J\x8a\xffevent"), r"\x00\x1b[2J\x8a\xffevent");
    }

    #[test]
    fn long_text_is_cut_after_160_characters() {
        assert_eq!(readable(&[b'a'; 160]), "a".repeat(160));
        assert_eq!(readable(&[0; 161]), r"\x00".repeat(160) + "…");
    }
}
