//! Faults below HTTP/1.1: name resolution, TCP connections, TLS, and HTTP/2 frames.

use std::time::Duration;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::point::Point;
use crate::scenario::{duration, words::words};

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

words! {
    /// A fatal TLS alert, by its name in RFC 8446 section 6.2.
    TlsAlert {
        /// 40
        HandshakeFailure = "handshake_failure",
        /// 47
        IllegalParameter = "illegal_parameter",
        /// 49
        AccessDenied = "access_denied",
        /// 70
        ProtocolVersion = "protocol_version",
        /// 80
        InternalError = "internal_error",
        /// 112
        UnrecognizedName = "unrecognized_name",
        /// 116
        CertificateRequired = "certificate_required",
        /// 120
        NoApplicationProtocol = "no_application_protocol",
    }
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

words! {
    /// An error code of HTTP/2 (RFC 9113 section 7).
    Http2Code {
        /// 0x00
        NoError = "no_error",
        /// 0x01
        ProtocolError = "protocol_error",
        /// 0x02
        InternalError = "internal_error",
        /// 0x03
        FlowControlError = "flow_control_error",
        /// 0x04
        SettingsTimeout = "settings_timeout",
        /// 0x05
        StreamClosed = "stream_closed",
        /// 0x06
        FrameSizeError = "frame_size_error",
        /// 0x07
        RefusedStream = "refused_stream",
        /// 0x08
        Cancel = "cancel",
        /// 0x09
        CompressionError = "compression_error",
        /// 0x0a
        ConnectError = "connect_error",
        /// 0x0b
        EnhanceYourCalm = "enhance_your_calm",
        /// 0x0c
        InadequateSecurity = "inadequate_security",
        /// 0x0d
        Http11Required = "http_1_1_required",
    }
}

impl Http2Code {
    /// The number on the wire.
    pub fn number(self) -> u32 {
        self as u32
    }
}

impl TlsAlert {
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
}
