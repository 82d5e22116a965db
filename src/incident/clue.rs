//! How connections fail, in the words of clients.

use crate::scenario::{ConnectionFault, Fault, Point, TlsFault};

/// A failure of a connection, as a client reported it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeenBreak {
    /// Nothing listened on the port.
    Refused,
    /// The host name did not resolve.
    UnknownHost,
    /// The certificate had expired.
    ExpiredCertificate,
    /// The certificate was for another name.
    WrongName,
    /// The certificate was its own issuer.
    SelfSigned,
    /// The certificate was signed by an unknown authority.
    UnknownCa,
    /// The connection was reset.
    Reset,
    /// The connection was closed before the message was complete.
    Closed,
    /// The client stopped waiting.
    TimedOut,
    /// An HTTP/2 stream was reset.
    Http2Reset,
}

use SeenBreak::{
    Closed, ExpiredCertificate, Http2Reset, Refused, Reset, SelfSigned, TimedOut, UnknownCa, UnknownHost,
    WrongName,
};

/// Parts of messages of curl, Python (httpx, requests, aiohttp), Node, browsers and Go, in lower case. The first row that
/// a text contains counts, so the more exact ones come first.
const MESSAGES: &[(&str, SeenBreak)] = &[
    ("certificate has expired", ExpiredCertificate),
    ("cert_has_expired", ExpiredCertificate),
    ("err_cert_date_invalid", ExpiredCertificate),
    ("hostname mismatch", WrongName),
    ("no alternative certificate subject name", WrongName),
    ("altname_invalid", WrongName),
    ("err_cert_common_name_invalid", WrongName),
    ("self-signed certificate in certificate chain", UnknownCa),
    ("self signed certificate in certificate chain", UnknownCa),
    ("self-signed certificate", SelfSigned),
    ("self signed certificate", SelfSigned),
    ("depth_zero_self_signed_cert", SelfSigned),
    ("unable to get local issuer certificate", UnknownCa),
    ("unable to verify the first certificate", UnknownCa),
    ("certificate signed by unknown authority", UnknownCa),
    ("err_cert_authority_invalid", UnknownCa),
    ("certificate_verify_failed", UnknownCa),
    ("connection refused", Refused),
    ("econnrefused", Refused),
    ("err_connection_refused", Refused),
    ("couldn't connect to server", Refused),
    ("could not resolve host", UnknownHost),
    ("name or service not known", UnknownHost),
    ("nodename nor servname provided", UnknownHost),
    ("temporary failure in name resolution", UnknownHost),
    ("no such host", UnknownHost),
    ("getaddrinfo", UnknownHost),
    ("enotfound", UnknownHost),
    ("err_name_not_resolved", UnknownHost),
    ("http/2 stream", Http2Reset),
    ("err_http2_protocol_error", Http2Reset),
    ("connection reset", Reset),
    ("connection was reset", Reset),
    ("econnreset", Reset),
    ("err_connection_reset", Reset),
    ("readerror", Reset),
    ("peer closed connection", Closed),
    ("incomplete chunked read", Closed),
    ("server disconnected", Closed),
    ("remote end closed connection", Closed),
    ("response ended prematurely", Closed),
    ("response payload is not completed", Closed),
    ("transfer closed with", Closed),
    ("empty reply from server", Closed),
    ("premature close", Closed),
    ("other side closed", Closed),
    ("socket hang up", Closed),
    ("unexpected eof", Closed),
    ("err_incomplete_chunked_encoding", Closed),
    ("err_content_length_mismatch", Closed),
    ("err_connection_closed", Closed),
    ("err_empty_response", Closed),
    ("typeerror: terminated", Closed),
    ("timed out", TimedOut),
    ("timeout on reading", TimedOut),
    ("timedout", TimedOut),
    ("readtimeout", TimedOut),
    ("apitimeouterror", TimedOut),
    ("timeout error", TimedOut),
    ("deadline exceeded", TimedOut),
    ("litellm.timeout", TimedOut),
    // What OpenAI's SDK says about every failure of a connection.
    ("connection error.", Reset),
];

impl SeenBreak {
    /// The failure that a message reports, if it reports one.
    pub(super) fn of(text: &str) -> Option<Self> {
        let text = text.to_lowercase();
        MESSAGES.iter().find(|(part, _)| text.contains(part)).map(|(_, seen)| *seen)
    }

    /// Whether no response can have begun.
    pub(super) fn is_before_a_reply(self) -> bool {
        !matches!(self, Reset | Closed | TimedOut | Http2Reset)
    }

    /// The fault that makes a client report it, at this point of the reply if it happens in a reply.
    pub(super) fn fault(self, at: Point) -> Fault {
        match self {
            Refused => Fault::Refuse,
            UnknownHost => Fault::Connection(ConnectionFault::UnresolvableName),
            ExpiredCertificate => Fault::Tls(TlsFault::ExpiredCertificate),
            WrongName => Fault::Tls(TlsFault::WrongName),
            SelfSigned => Fault::Tls(TlsFault::SelfSigned),
            UnknownCa => Fault::Tls(TlsFault::UnknownCa),
            // Most proxies use HTTP/1.1 towards providers: they would never see the end of an HTTP/2 stream.
            Reset | Http2Reset => Fault::Reset { at },
            Closed => Fault::Close { at },
            TimedOut => Fault::Hang { at },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_clients_are_recognized() {
        for (text, expected) in [
            ("curl: (18) transfer closed with outstanding read data remaining", Some(Closed)),
            ("curl: (56) Recv failure: Connection reset by peer", Some(Reset)),
            (
                "httpx.RemoteProtocolError: peer closed connection without sending complete message body",
                Some(Closed),
            ),
            ("httpcore.ReadTimeout: The read operation timed out", Some(TimedOut)),
            (
                "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired",
                Some(ExpiredCertificate),
            ),
            ("Error: connect ECONNREFUSED 127.0.0.1:1", Some(Refused)),
            ("net::ERR_INCOMPLETE_CHUNKED_ENCODING 200 (OK)", Some(Closed)),
            ("TypeError: terminated", Some(Closed)),
            ("socket.gaierror: [Errno -2] Name or service not known", Some(UnknownHost)),
            ("curl: (92) HTTP/2 stream 1 was not closed cleanly: INTERNAL_ERROR (err 2)", Some(Http2Reset)),
            (
                "json.decoder.JSONDecodeError: Unterminated string starting at: line 1 column 15 (char 14)",
                None,
            ),
            ("all is well", None),
        ] {
            assert_eq!(SeenBreak::of(text), expected, "{text}");
        }
    }

    #[test]
    fn every_message_is_in_lower_case_and_none_hides_another() {
        for (n, (part, seen)) in MESSAGES.iter().enumerate() {
            assert_eq!(*part, part.to_lowercase());
            assert_eq!(SeenBreak::of(part), Some(*seen), "row {n}: {part}");
        }
    }
}
