//! Defects in the headers of responses, and in successful bodies.

use bytes::Bytes;

use crate::{
    builtin::{
        extension::{Extension, Headers},
        headers,
    },
    proxy::ProxyRoute,
};

/// Drops the headers with these names from those that are passed on.
#[derive(Debug)]
pub(super) struct HeadersDropped(pub fn(&str) -> bool);

impl Extension for HeadersDropped {
    fn head(&self, passed: &mut Headers, _: &Headers, _: &ProxyRoute) {
        passed.retain(|(name, _)| !(self.0)(name));
    }
}

/// Adds the base URL of the upstream.
#[derive(Debug)]
pub(super) struct BaseUrlAdded;

impl Extension for BaseUrlAdded {
    fn head(&self, passed: &mut Headers, _: &Headers, route: &ProxyRoute) {
        passed.push(("x-upstream".into(), route.base_url.clone()));
    }
}

/// Passes on all headers but those that would break HTTP.
#[derive(Debug)]
pub(super) struct AllHeadersPassed;

impl Extension for AllHeadersPassed {
    fn head(&self, passed: &mut Headers, upstream: &Headers, _: &ProxyRoute) {
        let meant = headers::passed(upstream);
        let poison =
            upstream.iter().filter(|header| !headers::is_framing(&header.0) && !meant.contains(header));
        passed.extend(poison.cloned());
    }
}

/// Puts a digit before the number of units that `RateLimit` says are left.
#[derive(Debug)]
pub(super) struct QuotaLoosened;

impl Extension for QuotaLoosened {
    fn head(&self, passed: &mut Headers, _: &Headers, _: &ProxyRoute) {
        for (_, value) in passed.iter_mut().filter(|(name, _)| name == "ratelimit") {
            *value = value.replace(";r=", ";r=9");
        }
    }
}

/// Sends streams without a content type.
#[derive(Debug)]
pub(super) struct StreamTypeDropped;

impl Extension for StreamTypeDropped {
    fn stream_head(&self, headers: &mut Headers) {
        headers.retain(|(name, _)| name != "content-type");
    }
}

/// Replaces these words in the parts of successful responses.
#[derive(Debug)]
pub(super) struct WordsReplaced(pub &'static [(&'static str, &'static str)]);

/// How each dialect reports the token limit, and how it reports a normal end.
pub(super) const LIMIT_AS_STOP: &[(&str, &str)] = &[
    (r#""finish_reason":"length""#, r#""finish_reason":"stop""#),
    (r#""done_reason":"length""#, r#""done_reason":"stop""#),
    (r#""stop_reason":"max_tokens""#, r#""stop_reason":"end_turn""#),
    (r#""finishReason": "MAX_TOKENS""#, r#""finishReason": "STOP""#),
    (r#""finishReason":"MAX_TOKENS""#, r#""finishReason":"STOP""#),
    (r#""finish_reason":"MAX_TOKENS""#, r#""finish_reason":"COMPLETE""#),
];

/// How each dialect reports a refusal or a filter, and how it reports a normal end.
pub(super) const FILTER_AS_STOP: &[(&str, &str)] = &[
    (r#""finish_reason":"content_filter""#, r#""finish_reason":"stop""#),
    (r#""stop_reason":"refusal""#, r#""stop_reason":"end_turn""#),
    (r#""finishReason": "SAFETY""#, r#""finishReason": "STOP""#),
    (r#""finishReason":"SAFETY""#, r#""finishReason":"STOP""#),
    (r#""finishReason":"RECITATION""#, r#""finishReason":"STOP""#),
    (r#""stopReason":"content_filtered""#, r#""stopReason":"end_turn""#),
];

/// How each dialect reports tool calls, and how it reports a normal end.
pub(super) const TOOL_CALLS_AS_STOP: &[(&str, &str)] = &[
    (r#""finish_reason":"tool_calls""#, r#""finish_reason":"stop""#),
    (r#""stop_reason":"tool_use""#, r#""stop_reason":"end_turn""#),
    (r#""finish_reason":"TOOL_CALL""#, r#""finish_reason":"COMPLETE""#),
];

/// How each dialect reports the token limit, and how it reports tool calls.
pub(super) const LIMIT_AS_TOOL_CALLS: &[(&str, &str)] = &[
    (r#""finish_reason":"length""#, r#""finish_reason":"tool_calls""#),
    (r#""stop_reason":"max_tokens""#, r#""stop_reason":"tool_use""#),
];

/// The reasons of an incomplete response, and the absence of a reason.
pub(super) const INCOMPLETE_WITHOUT_REASON: &[(&str, &str)] = &[
    (r#""incomplete_details":{"reason":"max_output_tokens"}"#, r#""incomplete_details":null"#),
    (r#""incomplete_details":{"reason":"content_filter"}"#, r#""incomplete_details":null"#),
];

/// How a plain chat reports the token limit, and no finish reason.
pub(super) const LIMIT_AS_NULL: &[(&str, &str)] =
    &[(r#""finish_reason":"length"}],"usage""#, r#""finish_reason":null}],"usage""#)];

impl Extension for WordsReplaced {
    fn content(&self, bytes: Bytes) -> Bytes {
        let Ok(text) = std::str::from_utf8(&bytes) else { return bytes };
        self.0.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to)).into()
    }
}
