//! Faults below HTTP/1.1: name resolution, TCP connections, TLS, and HTTP/2 frames.

use std::time::Duration;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::point::Point;
use crate::scenario::duration;

/// A failure of the TCP connection or of name resolution. A refused connection is the separate fault `refuse`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ConnectionFault {
    /// The upstream's host name does not resolve: it ends in `.invalid` (RFC 6761 section 6.4).
    UnresolvableName,
    /// The kernel completes the TCP handshake, but the server never accepts the connection.
    NeverAccepted,
    /// The listen backlog is full: the kernel drops further SYNs.
    BacklogFull,
    /// The server accepts the connection, then neither reads nor writes, without end.
    AcceptedSilent,
    /// The server accepts the connection and closes it with a FIN before it reads anything.
    AcceptedClosed,
    /// The server accepts the connection and resets it (TCP RST) before it reads anything.
    ResetAtOnce,
    /// The server accepts the connection only after this duration (`1s`), then answers normally.
    SlowAccept(
        #[serde(with = "duration")]
        #[cfg_attr(test, schemars(with = "String"))]
        Duration,
    ),
    /// The server sends a complete response and keeps the connection open, then closes it with a FIN, without
    /// reading, when the next request arrives: an idle timeout that expires while a request is in transit
    /// (RFC 9112 section 9.5).
    ClosedWhenReused,
}

/// A failure of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TlsFault {
    /// The server presents an expired certificate, issued by the run's own CA.
    ExpiredCertificate,
    /// The server presents a certificate for another name, issued by the run's own CA.
    WrongName,
    /// The server presents a self-signed certificate.
    SelfSigned,
    /// The server presents a certificate issued by a CA that the proxy does not trust.
    UnknownCa,
    /// The server reads the ClientHello and never answers it.
    HandshakeStall,
    /// The server answers the ClientHello with a fatal alert (RFC 8446 section 6.2).
    Alert(TlsAlert),
    /// The end of the connection marks the end of the body, and the server closes it with a FIN without
    /// `close_notify` (RFC 8446 section 6.1), so that the client cannot distinguish it from a truncated body.
    NoCloseNotify,
}

/// A fatal TLS alert, by its name in RFC 8446 section 6.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
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

/// A failure of HTTP/2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Http2Fault {
    /// The server never sends its SETTINGS frame (RFC 9113 section 3.4), nor anything else.
    SettingsStall,
    /// The server never extends its flow-control window (RFC 9113 section 5.2): the client cannot finish a
    /// request of more than 65,535 bytes, and the server answers no request.
    FlowControlStall,
    /// The server ends the stream with RST_STREAM; the connection stays open.
    RstStream(Http2Strike),
    /// The server ends the connection with GOAWAY followed by a FIN.
    Goaway(Http2Strike),
}

/// An HTTP/2 error code, and the point of the response at which the server sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Http2Strike {
    /// The HTTP/2 error code.
    pub code: Http2Code,
    /// The point of the response up to which the server sends it unchanged.
    pub at: Point,
}

/// An error code of HTTP/2 (RFC 9113 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
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
    /// Every code, in numerical order.
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

    /// The number on the wire.
    pub fn number(self) -> u32 {
        self as u32
    }

    /// The name in RFC 9113, in the spelling of scenario files.
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
    /// Every alert that a scenario can name, in numerical order.
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

    /// The number on the wire.
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

    /// The name in RFC 8446, in the spelling of scenario files.
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
