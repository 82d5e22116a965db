//! The response to a caller.

use std::io;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use tungstenite::{
    Utf8Bytes,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    classify::AWS_TYPE,
    dialect::ErrorForm,
    failure::{CallFailure, Cause},
};

/// The response to the caller.
pub(super) struct ProxyReply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: ReplyBody,
}

/// A response body.
pub(super) enum ReplyBody {
    /// A complete body.
    Whole(Bytes),
    /// A body in pieces.
    Stream(BodyPieces),
    /// The session after a 101.
    Session(SessionSource),
    /// No response: the connection is closed instead.
    Nothing,
}

/// The pieces of a body. An error makes hyper abort the caller's connection. Dropping it ends the upstream request.
pub(super) type BodyPieces = BoxStream<'static, io::Result<Bytes>>;

/// The upstream side of a session.
#[derive(Debug)]
pub(super) enum SessionSource {
    /// The connection to the upstream.
    Upstream(Box<reqwest::Upgraded>),
    /// No upstream. The caller gets this close frame, or nothing at all.
    Absent(Option<CloseFrame>),
}

impl ProxyReply {
    pub(super) fn whole(status: u16, content_type: &str, body: Bytes) -> Self {
        let headers = vec![("content-type".into(), content_type.into())];
        Self { status, headers, body: ReplyBody::Whole(body) }
    }

    pub(super) fn session(source: SessionSource) -> Self {
        Self { status: 101, headers: Vec::new(), body: ReplyBody::Session(source) }
    }

    /// Writes a failure.
    pub(super) fn failure(failure: &CallFailure) -> Self {
        let body = failure.error.body().to_string();
        let mut reply = Self::whole(failure.status, "application/json", body.into());
        if failure.error.form == ErrorForm::Aws {
            let error_type = ErrorForm::Aws.error_type(failure.status).unwrap_or_default();
            reply.headers.push((AWS_TYPE.into(), error_type.into()));
        }
        if failure.cause == Cause::Caller && failure.status == 401 {
            // RFC 9110 section 15.5.2: a server that generates a 401 must name the scheme.
            reply.headers.push(("www-authenticate".into(), "Bearer".into()));
        }
        reply.headers.extend(failure.headers.iter().cloned());
        reply
    }
}

/// Builds a close frame.
pub(super) fn close_frame(code: CloseCode, reason: &str) -> CloseFrame {
    CloseFrame { code, reason: Utf8Bytes::from(reason) }
}
