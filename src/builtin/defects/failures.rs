//! Defects that change a failure before it is written, or that write it in the wrong form.

use std::io;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::{
    builtin::{
        dialect::{self, DialectError, ErrorForm, TypedStream},
        envelope,
        extension::{Extension, FailureContext},
        failure::{CallFailure, Cause, RawUpstreamReply},
        reply::{ProxyReply, ReplyBody},
    },
    dialect::carrier,
    scenario::Api,
};

/// Replaces the status of some failures.
#[derive(Debug)]
pub(super) struct StatusReplaced(pub u16, pub fn(&CallFailure, &FailureContext<'_>) -> bool);

impl Extension for StatusReplaced {
    fn failure(&self, failure: &mut CallFailure, context: &FailureContext<'_>) {
        if (self.1)(failure, context) {
            failure.status = self.0;
        }
    }
}

/// Changes a failure.
#[derive(Debug)]
pub(super) struct FailureChanged(pub fn(&mut CallFailure, &FailureContext<'_>));

impl Extension for FailureChanged {
    fn failure(&self, failure: &mut CallFailure, context: &FailureContext<'_>) {
        (self.0)(failure, context);
    }
}

/// Replaces the reply to some failures.
#[derive(Debug)]
pub(super) struct ReplyReplaced(pub fn(&CallFailure, &FailureContext<'_>) -> Option<ProxyReply>);

impl Extension for ReplyReplaced {
    fn reply_instead(&self, failure: &CallFailure, context: &FailureContext<'_>) -> Option<ProxyReply> {
        (self.0)(failure, context)
    }
}

/// Changes the rejection of an invalid request.
#[derive(Debug)]
pub(super) struct RejectionChanged(pub fn(&mut CallFailure, &mut ErrorForm));

impl Extension for RejectionChanged {
    fn rejection(&self, failure: &mut CallFailure, form: &mut ErrorForm) {
        (self.0)(failure, form);
    }
}

/// Sets a member of the error object. Other dialects do not have all members of an OpenAI error.
pub(super) fn set(failure: &mut CallFailure, member: &str, value: Value) {
    let error = &mut failure.error.error;
    if failure.error.form == ErrorForm::Openai || error.contains_key(member) {
        error.insert(member.to_owned(), value);
    }
}

/// Replaces the message.
pub(super) fn lose_message(failure: &mut CallFailure) {
    set(failure, "message", json!("Internal error"));
}

/// Adds a text to the message.
pub(super) fn append(failure: &mut CallFailure, text: &str) {
    if let Some(Value::String(message)) = failure.error.error.get_mut("message") {
        message.push_str(text);
    }
}

/// Gives OpenAI's error for used-up money the code of a rate limit.
pub(super) fn generalize_limit(failure: &mut CallFailure, _: &FailureContext<'_>) {
    if failure.error.error.get("type").is_some_and(|kind| kind == "insufficient_quota") {
        set(failure, "code", json!("rate_limit_exceeded"));
    }
}

pub(super) fn repeat_message(failure: &mut CallFailure, _: &FailureContext<'_>) {
    let text = format!(" (caused by: {})", failure.error.message());
    append(failure, &text);
}

pub(super) fn encode_twice(failure: &mut CallFailure, _: &FailureContext<'_>) {
    let text = failure.error.body().to_string();
    set(failure, "message", json!(text));
}

/// Puts the whole error into the message as JSON text that is escaped once more.
pub(super) fn escape_twice(failure: &mut CallFailure, _: &FailureContext<'_>) {
    let text = Value::from(failure.error.body().to_string());
    set(failure, "message", json!(format!("Error: {text}")));
}

/// Writes the message as a language prints an exception with two arguments.
pub(super) fn as_tuple(failure: &mut CallFailure, _: &FailureContext<'_>) {
    let text = format!("({}, '{}')", failure.status, failure.error.message());
    set(failure, "message", json!(text));
}

/// Keeps only the members that every error of OpenAI has.
pub(super) fn lose_other_members(failure: &mut CallFailure, _: &FailureContext<'_>) {
    let known = ["message", "Message", "type", "code", "param", "status"];
    failure.error.error.retain(|name, _| known.contains(&name.as_str()));
}

/// Replaces the message unless the upstream sent it as `error.message`.
pub(super) fn lose_other_words(failure: &mut CallFailure, _: &FailureContext<'_>) {
    let body = failure.raw.as_ref().and_then(|raw| serde_json::from_slice::<Value>(&raw.body).ok());
    if body.is_none_or(|body| body["error"]["message"].is_null()) && failure.is_from_upstream() {
        lose_message(failure);
    }
}

/// Answers 502 for an error at the start of a stream, with a message of its own.
pub(super) fn first_error_as_502(failure: &mut CallFailure, context: &FailureContext<'_>) {
    if failure.cause == Cause::FirstEvent {
        let error = envelope::error("The upstream's response is empty.".into(), "api_error", None);
        failure.status = 502;
        failure.error = DialectError::openai(error).into_form(ErrorForm::of(context.api), 502);
    }
}

pub(super) fn none_for_null(failure: &mut CallFailure, _: &FailureContext<'_>) {
    let nulls = failure.error.error.values_mut().filter(|value| value.is_null());
    nulls.for_each(|value| *value = json!("None"));
}

pub(super) fn reword_stream(failure: &mut CallFailure, context: &FailureContext<'_>) {
    if context.stream {
        let message = format!("The stream could not be opened: {}", failure.error.message());
        set(failure, "message", json!(message));
    }
}

pub(super) fn hide_chain(failure: &mut CallFailure, context: &FailureContext<'_>) {
    if context.routes > 1 {
        let error = envelope::error("The router has no model left to try.".into(), "router_error", None);
        failure.error = DialectError::openai(error).into_form(ErrorForm::of(context.api), failure.status);
    }
}

pub(super) fn add_traceback(failure: &mut CallFailure, _: &FailureContext<'_>) {
    append(
        failure,
        "\nTraceback (most recent call last):\n  File \"/app/site-packages/gateway/router.py\", line 214, in route\n    raise",
    );
}

/// Whether the upstream of a side endpoint answered with one of these statuses; chat is not a side endpoint.
pub(super) fn is_gateway_error(failure: &CallFailure) -> bool {
    matches!(failure.cause, Cause::Status(502 | 504))
}

pub(super) fn is_server_error(failure: &CallFailure) -> bool {
    matches!(failure.cause, Cause::Status(500..))
}

fn json_reply(failure: &CallFailure, body: &Value) -> Option<ProxyReply> {
    Some(ProxyReply::whole(failure.status, "application/json", body.to_string().into()))
}

pub(super) fn error_as_string(failure: &CallFailure, _: &FailureContext<'_>) -> Option<ProxyReply> {
    json_reply(failure, &json!({ "error": failure.error.message() }))
}

pub(super) fn in_anthropic_form(failure: &CallFailure, _: &FailureContext<'_>) -> Option<ProxyReply> {
    let error = json!({"type": failure.error.error.get("type"), "message": failure.error.message()});
    json_reply(failure, &json!({"type": "error", "error": error}))
}

pub(super) fn in_openai_form(failure: &CallFailure, _: &FailureContext<'_>) -> Option<ProxyReply> {
    json_reply(failure, &failure.error.clone().into_form(ErrorForm::Openai, failure.status).body())
}

pub(super) fn as_html(failure: &CallFailure, _: &FailureContext<'_>) -> Option<ProxyReply> {
    let body = failure.error.body().to_string();
    Some(ProxyReply::whole(failure.status, "text/html; charset=utf-8", body.into()))
}

/// The upstream's own body, unless it is JSON.
pub(super) fn pass_html(failure: &CallFailure, _: &FailureContext<'_>) -> Option<ProxyReply> {
    let raw = failure.raw.as_ref().filter(|_| matches!(failure.cause, Cause::Status(_)))?;
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&raw.body).is_ok();
    (!is_json).then(|| unchanged(failure.status, raw))
}

/// The upstream's own invalid body, with status 200.
pub(super) fn pass_odd_body(failure: &CallFailure, _: &FailureContext<'_>) -> Option<ProxyReply> {
    failure.raw.as_ref().filter(|_| failure.cause == Cause::OddBody).map(|raw| unchanged(200, raw))
}

fn unchanged(status: u16, raw: &RawUpstreamReply) -> ProxyReply {
    let content_type =
        raw.headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
    ProxyReply::whole(status, content_type.unwrap_or("application/octet-stream"), raw.body.clone())
}

/// The error as an event of a stream with status 200.
pub(super) fn as_event(failure: &CallFailure, context: &FailureContext<'_>) -> Option<ProxyReply> {
    let frame =
        dialect::error_frame(context.api, failure.error.clone(), failure.status, &TypedStream::default());
    context.stream.then(|| event_stream(context.api, frame))
}

/// The beginning of a body with status 200, for a plain response whose upstream broke off.
pub(super) fn break_off(failure: &CallFailure, context: &FailureContext<'_>) -> Option<ProxyReply> {
    let begun = stream::once(async { Ok(Bytes::from_static(b"{\"id\": ")) });
    let cut = stream::once(async {
        // While the body waits, hyper writes what it has got.
        tokio::task::yield_now().await;
        Err(io::ErrorKind::ConnectionAborted.into())
    });
    let headers = vec![("content-type".into(), "application/json".into())];
    let body = ReplyBody::Stream(begun.chain(cut).boxed());
    (failure.cause == Cause::Disconnected && !context.stream).then_some(ProxyReply {
        status: 200,
        headers,
        body,
    })
}

/// No response at all.
pub(super) fn close(_: &CallFailure, _: &FailureContext<'_>) -> Option<ProxyReply> {
    Some(ProxyReply { status: 502, headers: Vec::new(), body: ReplyBody::Nothing })
}

/// An empty completion, for a stream that begins with an error event.
pub(super) fn finish_first_error(failure: &CallFailure, context: &FailureContext<'_>) -> Option<ProxyReply> {
    (failure.cause == Cause::FirstEvent).then(|| empty_stream(context.api))
}

/// An empty completion.
pub(super) fn empty_completion(context: &FailureContext<'_>) -> Option<ProxyReply> {
    if context.stream {
        return Some(empty_stream(context.api));
    }
    let body = dialect::empty_response(context.api)?;
    Some(ProxyReply::whole(200, "application/json", body.to_string().into()))
}

fn empty_stream(api: Api) -> ProxyReply {
    event_stream(api, [dialect::finish(api), dialect::closing(api)].concat().into())
}

fn event_stream(api: Api, body: Bytes) -> ProxyReply {
    ProxyReply::whole(200, carrier(api).content_type(), body)
}
