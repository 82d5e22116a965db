//! The functions that apply a defect to the headers and content of a response, and to a failure before it
//! is written.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    Defect,
    classify::AWS_TYPE,
    dialect::{self, DialectError, ErrorForm},
    envelope,
    failure::{CallFailure, Cause, RawUpstreamReply},
    handler::ProxyReply,
    headers, tamper_stream,
};
use crate::{dialect::carrier, proxy::ProxyRoute, scenario::Api};

/// What a defect can use about the request whose failure it changes.
#[derive(Debug)]
pub(super) struct TamperContext<'a> {
    pub route: &'a ProxyRoute,
    /// The API that the caller requested.
    pub api: Api,
    pub stream: bool,
    /// The number of routes that were tried.
    pub routes: usize,
    /// The key that callers send to the proxy.
    pub proxy_key: &'a str,
    /// Whether this is the third, sixth, … error of its route.
    pub is_third_error: bool,
}

/// Applies the defect to the rejection of an invalid request, and to the form in which it is written.
pub(super) fn refusal(
    defect: Option<Defect>,
    mut failure: CallFailure,
    form: ErrorForm,
) -> (CallFailure, ErrorForm) {
    match defect {
        Some(Defect::RefusalAs500) => failure.status = 500,
        Some(Defect::RefusalInOpenaiForm) => return (failure, ErrorForm::Openai),
        _ => {}
    }
    (failure, form)
}

/// Applies the defect to a failure that an upstream caused.
pub(super) fn failure(defect: Option<Defect>, failure: &mut CallFailure, context: &TamperContext<'_>) {
    let Some(defect) = defect else { return };
    let status = failure.status;
    match defect {
        Defect::RateLimitAs500 if status == 429 => failure.status = 500,
        Defect::ClientErrorAs500 if matches!(status, 400 | 404 | 413 | 422) => failure.status = 500,
        Defect::AuthErrorAs500 if matches!(status, 401..=403) => failure.status = 500,
        Defect::AuthErrorAs429 if matches!(status, 401..=403) => failure.status = 429,
        Defect::OverloadAs500 if matches!(failure.cause, Cause::Status(503 | 529)) => failure.status = 500,
        Defect::StreamGatewayErrorAs500
            if context.stream && matches!(failure.cause, Cause::Status(502 | 504)) =>
        {
            failure.status = 500;
        }
        Defect::StreamErrorReworded if context.stream => {
            let message = format!("The stream could not be opened: {}", failure.error.message());
            set(failure, "message", json!(message));
        }
        Defect::StreamHeadersDropped if context.stream => {
            failure.headers.retain(|(name, _)| name == AWS_TYPE);
        }
        Defect::SideGatewayErrorAs500
            if !context.api.is_chat() && matches!(failure.cause, Cause::Status(502 | 504)) =>
        {
            failure.status = 500;
        }
        Defect::SideMessageLost if !context.api.is_chat() => {
            set(failure, "message", json!("Internal error"));
        }
        Defect::ServerErrorAs400 if matches!(failure.cause, Cause::Status(500..)) => failure.status = 400,
        Defect::FailureUnder200 if failure.is_from_upstream() => failure.status = 200,
        Defect::CooldownAs500 if failure.cause == Cause::CoolingDown => failure.status = 500,
        Defect::TimeoutAs500 if failure.cause == Cause::Timeout => failure.status = 500,
        Defect::UnreachableAs200 if failure.cause == Cause::Unreachable => failure.status = 200,
        Defect::UnreachableAs400 if failure.cause == Cause::Unreachable => failure.status = 400,
        Defect::BrokenReplyAs400 if matches!(failure.cause, Cause::Disconnected | Cause::OddBody) => {
            failure.status = 400;
        }
        Defect::DetailLost => set(failure, "message", json!("Internal error")),
        Defect::ServerMessageLost if matches!(failure.cause, Cause::Status(500..)) => {
            set(failure, "message", json!("Internal error"));
        }
        Defect::DetailRepeated => {
            let message = failure.error.message().to_owned();
            append(failure, &format!(" (caused by: {})", message));
        }
        Defect::CodeLost => set(failure, "code", Value::Null),
        Defect::TypeLost => set(failure, "type", json!("api_error")),
        Defect::ParamLost => set(failure, "param", Value::Null),
        Defect::DetailEncodedTwice => {
            let text = failure.error.body().to_string();
            set(failure, "message", json!(text));
        }
        Defect::NoneLiteral => {
            failure
                .error
                .error
                .values_mut()
                .filter(|value| value.is_null())
                .for_each(|value| *value = json!("None"));
        }
        Defect::ErrorTypeAsInt => set(failure, "type", json!(status)),
        Defect::FallbackErrorHidden if context.routes > 1 => {
            let error = envelope::error("The router has no model left to try.".into(), "router_error", None);
            failure.error = DialectError::openai(error).into_form(ErrorForm::of(context.api), status);
        }
        Defect::ThirdMessageLost if context.is_third_error => {
            set(failure, "message", json!("Internal error"));
        }
        Defect::ThirdLimitAs500 if context.is_third_error && status == 429 => failure.status = 500,
        Defect::ThirdRetryAfterLost if context.is_third_error => {
            failure.headers.retain(|(name, _)| name != "retry-after");
        }
        Defect::KeyLeaked => append(failure, &format!(" (key: {})", context.route.api_key)),
        Defect::ProxyKeyLeaked => append(failure, &format!(" (caller: {})", context.proxy_key)),
        Defect::BaseUrlLeaked => append(failure, &format!(" (from {})", context.route.base_url)),
        Defect::TracebackLeaked => append(
            failure,
            "\nTraceback (most recent call last):\n  File \"/app/site-packages/gateway/router.py\", line 214, in route\n    raise",
        ),
        _ => {}
    }
}

fn set(failure: &mut CallFailure, member: &str, value: Value) {
    let error = &mut failure.error.error;
    // Other dialects do not have all members of an OpenAI error.
    if failure.error.form == ErrorForm::Openai || error.contains_key(member) {
        error.insert(member.to_owned(), value);
    }
}

fn append(failure: &mut CallFailure, text: &str) {
    if let Some(Value::String(message)) = failure.error.error.get_mut("message") {
        message.push_str(text);
    }
}

/// Writes the failure in the wrong form if the defect is about the form; `None` otherwise.
pub(super) fn form(
    defect: Option<Defect>,
    failure: &CallFailure,
    context: &TamperContext<'_>,
) -> Option<ProxyReply> {
    let reply = |status, content_type: &str, body: Bytes| Some(ProxyReply::whole(status, content_type, body));
    let error = || failure.error.body();
    match defect? {
        Defect::ErrorAsString => reply(
            failure.status,
            "application/json",
            json!({ "error": failure.error.message() }).to_string().into(),
        ),
        Defect::AnthropicEnvelope => {
            let body = json!({
                "type": "error",
                "error": {"type": failure.error.error.get("type"), "message": failure.error.message()},
            });
            reply(failure.status, "application/json", body.to_string().into())
        }
        Defect::OpenaiEnvelope => {
            let converted = failure.error.clone().into_form(ErrorForm::Openai, failure.status);
            reply(failure.status, "application/json", converted.body().to_string().into())
        }
        Defect::ErrorContentType => {
            reply(failure.status, "text/html; charset=utf-8", error().to_string().into())
        }
        Defect::HtmlPassedThrough => {
            let raw = failure.raw.as_ref().filter(|_| matches!(failure.cause, Cause::Status(_)))?;
            let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&raw.body).is_ok();
            (!is_json).then(|| unchanged(failure.status, raw))
        }
        Defect::NullBody => {
            failure.raw.as_ref().filter(|_| failure.cause == Cause::OddBody).map(|raw| unchanged(200, raw))
        }
        Defect::StreamErrorAsSse if context.stream => {
            let frame = dialect::error_frame(context.api, failure.error.clone(), failure.status, 0);
            reply(200, carrier(context.api).content_type(), frame)
        }
        Defect::SuccessMadeUp if context.stream => {
            let (finish, done) = (tamper_stream::finish(context.api), tamper_stream::done(context.api));
            let body = [finish.bytes, done.bytes].concat();
            reply(200, carrier(context.api).content_type(), body.into())
        }
        Defect::SuccessMadeUp => {
            let body = dialect::empty_response(context.api)?;
            reply(200, "application/json", body.to_string().into())
        }
        Defect::FirstErrorEmptySuccess if failure.cause == Cause::FirstEvent => {
            let (finish, done) = (tamper_stream::finish(context.api), tamper_stream::done(context.api));
            let body = [finish.bytes, done.bytes].concat();
            reply(200, carrier(context.api).content_type(), body.into())
        }
        _ => None,
    }
}

fn unchanged(status: u16, raw: &RawUpstreamReply) -> ProxyReply {
    let content_type =
        raw.headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
    ProxyReply::whole(status, content_type.unwrap_or("application/octet-stream"), raw.body.clone())
}

/// The proxy's own headers of a stream.
pub(super) fn stream_head(defect: Option<Defect>, api: Api) -> Vec<(String, String)> {
    let mut head = vec![
        ("content-type".to_owned(), carrier(api).content_type().to_owned()),
        ("cache-control".to_owned(), "no-cache".to_owned()),
    ];
    if defect == Some(Defect::StreamTypeLost) {
        head.remove(0);
    }
    head
}

/// Applies the defect to the headers of a response. `upstream` contains every header that the upstream sent.
pub(super) fn head(
    defect: Option<Defect>,
    reply_headers: &mut Vec<(String, String)>,
    upstream: &[(String, String)],
    route: &ProxyRoute,
) {
    match defect {
        Some(Defect::RetryAfterDropped) => reply_headers.retain(|(name, _)| name != "retry-after"),
        Some(Defect::RetryAfterMsDropped) => reply_headers.retain(|(name, _)| name != "retry-after-ms"),
        Some(Defect::BaseUrlInHeader) => reply_headers.push(("x-upstream".into(), route.base_url.clone())),
        Some(Defect::LimitHeadersDropped) => reply_headers.retain(|(name, _)| !name.contains("ratelimit")),
        Some(Defect::RequestIdDropped) => {
            reply_headers.retain(|(name, _)| !headers::REQUEST_IDS.contains(&name.as_str()))
        }
        Some(Defect::PoisonHeadersForwarded) => {
            let passed = headers::passed(upstream);
            let poison =
                upstream.iter().filter(|header| !headers::is_framing(&header.0) && !passed.contains(header));
            reply_headers.extend(poison.cloned());
        }
        _ => {}
    }
}

/// Applies the defect to a part of a successful response: a complete body, or one frame of a stream.
pub(super) fn success(defect: Option<Defect>, bytes: Bytes) -> Bytes {
    if defect != Some(Defect::LimitAsStop) {
        return bytes;
    }
    // How each dialect reports the token limit, and how it reports a normal end.
    let words = [
        (r#""finish_reason":"length""#, r#""finish_reason":"stop""#),
        (r#""done_reason":"length""#, r#""done_reason":"stop""#),
        (r#""stop_reason":"max_tokens""#, r#""stop_reason":"end_turn""#),
        (r#""finishReason": "MAX_TOKENS""#, r#""finishReason": "STOP""#),
        (r#""finishReason":"MAX_TOKENS""#, r#""finishReason":"STOP""#),
        (r#""finish_reason":"MAX_TOKENS""#, r#""finish_reason":"COMPLETE""#),
    ];
    let Ok(text) = std::str::from_utf8(&bytes) else { return bytes };
    let bent = words.iter().fold(text.to_owned(), |text, (limit, end)| text.replace(limit, end));
    bent.into()
}
