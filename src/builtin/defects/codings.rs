//! Defects in the content coding of responses.

use crate::{
    builtin::{
        extension::{Extension, FailureContext, Headers, ProxyStep, Unextended},
        failure::{CallFailure, Cause},
        headers,
        reply::ProxyReply,
    },
    proxy::ProxyRoute,
};

/// Keeps the Content-Encoding of a body that the proxy has decompressed.
#[derive(Debug)]
pub(super) struct LabelKept;

impl Extension for LabelKept {
    fn head(&self, passed: &mut Headers, upstream: &Headers, _: &ProxyRoute) {
        passed.extend(headers::coding(upstream).map(|coding| ("content-encoding".into(), coding.to_owned())));
    }
}

/// Passes compressed bodies on without their Content-Encoding.
#[derive(Debug)]
pub(super) struct LabelDropped;

impl Extension for LabelDropped {
    fn takes(&self, step: ProxyStep) -> bool {
        step != ProxyStep::Decompress && Unextended.takes(step)
    }

    fn reply_instead(&self, failure: &CallFailure, _: &FailureContext<'_>) -> Option<ProxyReply> {
        let raw = failure.raw.as_ref().filter(|raw| headers::coding(&raw.headers).is_some())?;
        let status = match failure.cause {
            Cause::Status(status) => status,
            _ => 200,
        };
        let content_type = headers::value(&raw.headers, "content-type").unwrap_or("application/json");
        Some(ProxyReply::whole(status, content_type, raw.body.clone()))
    }
}
