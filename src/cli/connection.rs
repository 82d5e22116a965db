//! Descriptions of faults that act on a connection before the reply.

use crate::scenario::{ConnectionFault, Fault, Http2Fault, TlsFault};

/// The effect of a turn's faults on a connection.
pub(super) struct Connection {
    /// A line for each fault that acts before a request is read.
    pub(super) lines: Vec<String>,
    /// Whether a reply can follow.
    pub(super) lets_replies_through: bool,
}

pub(super) fn of(faults: &[Fault]) -> Connection {
    Connection {
        lines: faults.iter().filter_map(line).collect(),
        lets_replies_through: !faults.iter().any(Fault::prevents_replies),
    }
}

fn line(fault: &Fault) -> Option<String> {
    let line = match fault {
        Fault::Refuse => "the connection is refused",
        Fault::Connection(fault) => match fault {
            ConnectionFault::UnresolvableName => "the host name does not resolve",
            ConnectionFault::NeverAccepted => {
                "the kernel completes the TCP handshake, but the server never accepts the connection"
            }
            ConnectionFault::BacklogFull => "the listen queue is full: SYNs get no answer",
            ConnectionFault::AcceptedSilent => {
                "the server accepts the connection, then neither reads nor writes"
            }
            ConnectionFault::AcceptedClosed => {
                "the server accepts the connection and closes it (FIN) without reading"
            }
            ConnectionFault::ResetAtOnce => {
                "the server accepts the connection and resets it (RST) without reading"
            }
            ConnectionFault::SlowAccept(time) => {
                let time = humantime::format_duration(*time);
                return Some(format!("the server accepts the connection after {time}; then:"));
            }
            ConnectionFault::ClosedWhenReused => return None,
        },
        Fault::Tls(fault) => match fault {
            TlsFault::ExpiredCertificate => return Some(certificate("that has expired")),
            TlsFault::WrongName => return Some(certificate("for another name")),
            TlsFault::SelfSigned => return Some(certificate("that is self-signed")),
            TlsFault::UnknownCa => return Some(certificate("of an unknown authority")),
            TlsFault::HandshakeStall => "the server never answers the TLS ClientHello",
            TlsFault::Alert(alert) => {
                let alert = format!("{} ({})", alert.as_str(), alert.number());
                return Some(format!("the server answers the TLS ClientHello with the alert {alert}"));
            }
            TlsFault::NoCloseNotify => return None,
        },
        Fault::Http2(Http2Fault::SettingsStall) => {
            "client and server negotiate HTTP/2, but the server never sends SETTINGS"
        }
        Fault::Http2(Http2Fault::FlowControlStall) => {
            "the server never opens its HTTP/2 flow-control window and answers no request"
        }
        _ => return None,
    };
    Some(line.to_owned())
}

fn certificate(which: &str) -> String {
    format!("the server presents a certificate {which}; a client that accepts it gets:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{FaultStage, TlsAlert};

    #[test]
    fn faults_before_the_reply_have_a_line_and_faults_of_the_reply_have_none() {
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
            let described = !of(std::slice::from_ref(fault)).lines.is_empty();
            assert_eq!(described, fault.stage() != FaultStage::Reply, "{fault}");
        }
        assert_eq!(of(&all[2..3]).lines, ["the server accepts the connection after 2s; then:"]);
        assert!(of(&all[2..3]).lets_replies_through && !of(&all[..1]).lets_replies_through);
    }
}
