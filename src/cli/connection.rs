//! What happens on a connection before a reply is planned, in words.

use crate::scenario::{ConnectionFault, Fault, Http2Fault, TlsFault};

/// What a turn's faults do to a connection.
pub(super) struct Connection {
    /// One for each fault that strikes before a request is read.
    pub(super) lines: Vec<String>,
    /// Whether a reply may follow.
    pub(super) lets_replies_through: bool,
}

pub(super) fn of(faults: &[Fault]) -> Connection {
    let mut connection = Connection { lines: Vec::new(), lets_replies_through: true };
    for fault in faults {
        let (line, through) = match fault {
            Fault::Refuse => ("the connection is refused".to_owned(), false),
            Fault::Connection(fault) => match fault {
                ConnectionFault::UnresolvableName => {
                    ("the host has a name that does not resolve".to_owned(), false)
                }
                ConnectionFault::NeverAccepted => {
                    ("the kernel takes the connection, and nobody ever accepts it".to_owned(), false)
                }
                ConnectionFault::BacklogFull => {
                    ("the queue of connections is full: no SYN is answered".to_owned(), false)
                }
                ConnectionFault::AcceptedSilent => {
                    ("the connection is accepted, then neither read nor written, for ever".to_owned(), false)
                }
                ConnectionFault::AcceptedClosed => {
                    ("the connection is accepted, then ended by a FIN, nothing being read".to_owned(), false)
                }
                ConnectionFault::ResetAtOnce => (
                    "the connection is accepted, then ended by a TCP RST, nothing being read".to_owned(),
                    false,
                ),
                ConnectionFault::SlowAccept(time) => {
                    let time = humantime::format_duration(*time);
                    (format!("the connection is accepted and read {time} late; then:"), true)
                }
                ConnectionFault::ClosedWhenReused => continue,
            },
            Fault::Tls(fault) => match fault {
                TlsFault::ExpiredCertificate => certificate("whose time has run out"),
                TlsFault::WrongName => certificate("for another name"),
                TlsFault::SelfSigned => certificate("that is its own issuer"),
                TlsFault::UnknownCa => certificate("of an authority that nobody was told of"),
                TlsFault::HandshakeStall => {
                    ("the client's first message of TLS is never answered".to_owned(), false)
                }
                TlsFault::Alert(alert) => {
                    let alert = format!("{} ({})", alert.as_str(), alert.number());
                    (format!("the client's first message of TLS is answered by the alert {alert}"), false)
                }
                TlsFault::NoCloseNotify => continue,
            },
            Fault::Http2(Http2Fault::SettingsStall) => {
                ("HTTP/2 is agreed on, and the server's SETTINGS never come".to_owned(), false)
            }
            Fault::Http2(Http2Fault::FlowControlStall) => {
                ("the server's HTTP/2 window is never opened, and no request is answered".to_owned(), false)
            }
            _ => continue,
        };
        connection.lines.push(line);
        connection.lets_replies_through &= through;
    }
    connection
}

fn certificate(which: &str) -> (String, bool) {
    (format!("the server shows a certificate {which}; who takes it all the same gets:"), true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Stage, TlsAlert};

    #[test]
    fn what_strikes_before_a_reply_has_a_line_and_what_strikes_a_reply_has_none() {
        let all = [
            Fault::Refuse,
            Fault::Connection(ConnectionFault::BacklogFull),
            Fault::Connection(ConnectionFault::SlowAccept(std::time::Duration::from_secs(2))),
            Fault::Connection(ConnectionFault::ClosedWhenReused),
            Fault::Tls(TlsFault::WrongName),
            Fault::Tls(TlsFault::Alert(TlsAlert::HandshakeFailure)),
            Fault::Tls(TlsFault::NoCloseNotify),
            Fault::Http2(Http2Fault::SettingsStall),
            Fault::Crlf,
        ];
        for fault in &all {
            let told = !of(std::slice::from_ref(fault)).lines.is_empty();
            assert_eq!(told, fault.stage() != Stage::Reply, "{fault}");
        }
        assert_eq!(of(&all[2..3]).lines, ["the connection is accepted and read 2s late; then:"]);
        assert!(of(&all[2..3]).lets_replies_through && !of(&all[..1]).lets_replies_through);
    }
}
