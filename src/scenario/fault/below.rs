//! Faults below HTTP/1.1: names, connections, TLS, the frames of HTTP/2.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::point::Point;
use crate::scenario::duration;

/// What goes wrong with the connection itself. `refuse` is a fault of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ConnectionFault {
    /// The host's name does not resolve: it ends in `.invalid` (RFC 6761 section 6.4).
    UnresolvableName,
    /// The kernel completes the TCP handshake, and nobody ever accepts the connection.
    NeverAccepted,
    /// The queue of connections that wait to be accepted is full: further SYNs are dropped.
    BacklogFull,
    /// Accepted, then neither read nor written, for ever.
    AcceptedSilent,
    /// Accepted, then ended by a FIN before anything was read.
    AcceptedClosed,
    /// Accepted, then ended by a TCP RST before anything was read.
    ResetAtOnce,
    /// Accepted and read only after so long; then all is well.
    SlowAccept(
        #[serde(with = "duration")]
        #[schemars(with = "String")]
        Duration,
    ),
    /// The reply is whole and leaves the connection open; the next request on it is answered by a FIN,
    /// unread: a server's idle timeout that runs out as the request is under way (RFC 9112 section 9.5).
    ClosedWhenReused,
}

/// What goes wrong with TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TlsFault {
    /// A certificate of the run's own authority whose time has run out.
    ExpiredCertificate,
    /// A certificate of the run's own authority for another name.
    WrongName,
    /// A certificate that is its own issuer.
    SelfSigned,
    /// A certificate of an authority that nobody was told of.
    UnknownCa,
    /// The client's first message is read and never answered.
    HandshakeStall,
    /// The client's first message is answered by a fatal alert (RFC 8446 section 6.2).
    Alert(TlsAlert),
    /// The body ends with the connection, and the connection ends by a FIN without `close_notify`
    /// (RFC 8446 section 6.1), so that nobody can tell it from one that was cut.
    NoCloseNotify,
}

/// A fatal alert, by its name in RFC 8446 section 6.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TlsAlert {
    /// 40
    HandshakeFailure,
    /// 47
    IllegalParameter,
    /// 49
    AccessDenied,
    /// 70
    ProtocolVersion,
    /// 80
    InternalError,
    /// 112
    UnrecognizedName,
    /// 116
    CertificateRequired,
    /// 120
    NoApplicationProtocol,
}

/// What goes wrong with HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Http2Fault {
    /// The server's SETTINGS never come (RFC 9113 section 3.4), nor anything else.
    SettingsStall,
    /// The server never opens its window (RFC 9113 section 5.2): a request above 65,535 bytes cannot be
    /// sent to its end, and none is answered.
    FlowControlStall,
    /// The stream is ended by RST_STREAM; the connection lives on.
    RstStream(Http2Strike),
    /// The connection is ended by GOAWAY, and by a FIN behind it.
    Goaway(Http2Strike),
}

/// An HTTP/2 error code, and where in the reply it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http2Strike {
    /// The error code.
    pub code: Http2Code,
    /// What is still sent before it.
    pub at: Point,
}

/// An error code of HTTP/2 (RFC 9113 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Http2Code {
    /// 0x00
    NoError,
    /// 0x01
    ProtocolError,
    /// 0x02
    InternalError,
    /// 0x03
    FlowControlError,
    /// 0x04
    SettingsTimeout,
    /// 0x05
    StreamClosed,
    /// 0x06
    FrameSizeError,
    /// 0x07
    RefusedStream,
    /// 0x08
    Cancel,
    /// 0x09
    CompressionError,
    /// 0x0a
    ConnectError,
    /// 0x0b
    EnhanceYourCalm,
    /// 0x0c
    InadequateSecurity,
    /// 0x0d
    #[serde(rename = "http_1_1_required")]
    Http11Required,
}

impl Http2Code {
    /// Every code, in the order of its number.
    pub const ALL: [Self; 14] = [
        Self::NoError,
        Self::ProtocolError,
        Self::InternalError,
        Self::FlowControlError,
        Self::SettingsTimeout,
        Self::StreamClosed,
        Self::FrameSizeError,
        Self::RefusedStream,
        Self::Cancel,
        Self::CompressionError,
        Self::ConnectError,
        Self::EnhanceYourCalm,
        Self::InadequateSecurity,
        Self::Http11Required,
    ];

    /// The number that goes over the wire.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// The name of RFC 9113, as it is written in a file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoError => "no_error",
            Self::ProtocolError => "protocol_error",
            Self::InternalError => "internal_error",
            Self::FlowControlError => "flow_control_error",
            Self::SettingsTimeout => "settings_timeout",
            Self::StreamClosed => "stream_closed",
            Self::FrameSizeError => "frame_size_error",
            Self::RefusedStream => "refused_stream",
            Self::Cancel => "cancel",
            Self::CompressionError => "compression_error",
            Self::ConnectError => "connect_error",
            Self::EnhanceYourCalm => "enhance_your_calm",
            Self::InadequateSecurity => "inadequate_security",
            Self::Http11Required => "http_1_1_required",
        }
    }
}

impl TlsAlert {
    /// Every alert that can be asked for, in the order of its number.
    pub const ALL: [Self; 8] = [
        Self::HandshakeFailure,
        Self::IllegalParameter,
        Self::AccessDenied,
        Self::ProtocolVersion,
        Self::InternalError,
        Self::UnrecognizedName,
        Self::CertificateRequired,
        Self::NoApplicationProtocol,
    ];

    /// The number that goes over the wire.
    pub fn number(self) -> u8 {
        match self {
            Self::HandshakeFailure => 40,
            Self::IllegalParameter => 47,
            Self::AccessDenied => 49,
            Self::ProtocolVersion => 70,
            Self::InternalError => 80,
            Self::UnrecognizedName => 112,
            Self::CertificateRequired => 116,
            Self::NoApplicationProtocol => 120,
        }
    }

    /// The name of RFC 8446, as it is written in a file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HandshakeFailure => "handshake_failure",
            Self::IllegalParameter => "illegal_parameter",
            Self::AccessDenied => "access_denied",
            Self::ProtocolVersion => "protocol_version",
            Self::InternalError => "internal_error",
            Self::UnrecognizedName => "unrecognized_name",
            Self::CertificateRequired => "certificate_required",
            Self::NoApplicationProtocol => "no_application_protocol",
        }
    }
}

impl TlsFault {
    /// Whether the server shows a certificate that no client should take.
    pub fn is_certificate(self) -> bool {
        matches!(self, Self::ExpiredCertificate | Self::WrongName | Self::SelfSigned | Self::UnknownCa)
    }
}

impl fmt::Display for ConnectionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnresolvableName => "unresolvable_name",
            Self::NeverAccepted => "never_accepted",
            Self::BacklogFull => "backlog_full",
            Self::AcceptedSilent => "accepted_silent",
            Self::AcceptedClosed => "accepted_closed",
            Self::ResetAtOnce => "reset_at_once",
            Self::SlowAccept(time) => {
                return write!(f, "slow_accept {}", humantime::format_duration(*time));
            }
            Self::ClosedWhenReused => "closed_when_reused",
        })
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExpiredCertificate => "expired_certificate",
            Self::WrongName => "wrong_name",
            Self::SelfSigned => "self_signed",
            Self::UnknownCa => "unknown_ca",
            Self::HandshakeStall => "handshake_stall",
            Self::Alert(alert) => return write!(f, "alert {}", alert.as_str()),
            Self::NoCloseNotify => "no_close_notify",
        })
    }
}

impl fmt::Display for Http2Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SettingsStall => f.write_str("settings_stall"),
            Self::FlowControlStall => f.write_str("flow_control_stall"),
            Self::RstStream(strike) => write!(f, "rst_stream {}", strike.code.as_str()),
            Self::Goaway(strike) => write!(f, "goaway {}", strike.code.as_str()),
        }
    }
}
