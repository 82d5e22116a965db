//! Defects on pass-through routes.

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, future, stream};
use http::HeaderMap;

use crate::builtin::{
    extension::{Extension, Headers},
    headers,
    reply::BodyPieces,
};

/// Changes the status and the headers.
#[derive(Debug)]
pub(super) struct PassedHeadChanged(pub fn(&mut u16, &mut Headers, &HeaderMap));

impl Extension for PassedHeadChanged {
    fn passed_head(&self, status: &mut u16, passed: &mut Headers, upstream: &HeaderMap) {
        (self.0)(status, passed, upstream);
    }
}

pub(super) fn make_502(status: &mut u16, _: &mut Headers, _: &HeaderMap) {
    if *status >= 500 {
        *status = 502;
    }
}

pub(super) fn make_json(_: &mut u16, passed: &mut Headers, _: &HeaderMap) {
    if !headers::value(passed, "content-type").is_some_and(|kind| kind.contains("event-stream")) {
        passed.retain(|(name, _)| name != "content-type");
        passed.push(("content-type".into(), "application/json".into()));
    }
}

pub(super) fn pass_hop_by_hop(_: &mut u16, passed: &mut Headers, upstream: &HeaderMap) {
    *passed = headers::texts(upstream, |name| {
        !matches!(name, "content-length" | "transfer-encoding" | "connection")
    });
}

/// Rewrites every body but streams.
#[derive(Debug)]
pub(super) struct PassedBodyRewritten(pub fn(&[u8]) -> Option<String>);

impl Extension for PassedBodyRewritten {
    fn passed_body(&self, is_stream: bool, mut pieces: BodyPieces) -> BodyPieces {
        let rewrite = self.0;
        if is_stream {
            return pieces;
        }
        let whole = async move {
            let mut body = BytesMut::new();
            while let Some(Ok(bytes)) = pieces.next().await {
                body.extend_from_slice(&bytes);
            }
            Ok(rewrite(&body).map_or_else(|| body.freeze(), Bytes::from))
        };
        stream::once(whole).boxed()
    }
}

/// An error object around a body that is not JSON.
pub(super) fn wrap(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
    (!is_json).then(|| serde_json::json!({"error": {"message": text, "type": "upstream_error"}}).to_string())
}

/// The body with bytes replaced that are not UTF-8.
pub(super) fn repair(body: &[u8]) -> Option<String> {
    Some(String::from_utf8_lossy(body).into_owned())
}

/// Ends an incomplete body like a complete one.
#[derive(Debug)]
pub(super) struct PassedCutFinished;

impl Extension for PassedCutFinished {
    fn passed_body(&self, _: bool, pieces: BodyPieces) -> BodyPieces {
        pieces.take_while(|piece| future::ready(piece.is_ok())).boxed()
    }
}
