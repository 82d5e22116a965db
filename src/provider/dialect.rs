//! A provider's responses to requests, for every provider.

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use serde_json::Value;

use super::{
    bedrock,
    canned::{fill, fill_value, in_chunks, literal},
    catalogue::{ErrorBodyForm, ErrorRow, Limits},
    endpoint::error_form,
    failure::ProviderError,
    form, google,
    header::{HeaderField, header},
    limits::{self, LimitState},
    message::{MessageBody, ProviderMessage},
    profile::{self, Profile},
    received::ReceivedCall,
    request::RequestedCall,
    route, stream_error, writer,
};
use crate::{
    observation::Canaries,
    scenario::{Api, ErrorName, EventForm, Provider, SuccessReply, Turn, TurnReply},
};

/// The largest request body that a mock accepts, in bytes; a larger one gets the provider's own 413.
pub(crate) const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;

/// The response of a turn before its faults: its reply, error or literal, with the turn's headers set.
pub fn message(asked: &RequestedCall, turn: &Turn, canaries: &Canaries) -> ProviderMessage {
    let set = |wanted: &str| turn.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let wait = limits::asked_wait(|name| set(name)?.1.as_deref());
    let elsewhere = asked.api.is_some_and(|api| !turn.answer.is_written_for(api));
    let mut message = match &turn.answer {
        TurnReply::Reply(kind) => reply(asked, kind, canaries),
        TurnReply::Error(name) => error_asking(asked, *name, wait, canaries),
        TurnReply::Literal { status, .. } if elsewhere => own_reply(asked, *status, wait, canaries),
        TurnReply::Literal { status, chunks, .. } if !chunks.is_empty() => {
            in_chunks(asked, *status, chunks, canaries)
        }
        TurnReply::Literal { status, body, bodies, .. } => {
            let own = asked.api.and_then(|api| bodies.get(&api));
            literal(asked, *status, own.or(body.as_ref()), canaries)
        }
    };
    // `retry-after-ms` gives the same time in another unit: a scenario that sets one header does not intend the two
    // to contradict each other.
    if set("retry-after").is_some() {
        message.set_header("retry-after-ms", None);
    }
    // Headers such as Content-Type describe the body that is not sent.
    let describes = |name: &str| elsewhere && name.to_ascii_lowercase().starts_with("content-");
    for (name, value) in turn.headers.iter().filter(|(name, _)| !describes(name)) {
        message.set_header(
            &name.to_ascii_lowercase(),
            value.as_deref().map(|value| fill(value, canaries).into()),
        );
    }
    message
}

/// The wait that the headers of a message ask for, if a scenario has set them.
pub(crate) fn asked_wait(message: &ProviderMessage) -> Option<Duration> {
    limits::asked_wait(|name| message.header(name))
}

/// Returns a successful response in the dialect of the requested endpoint.
pub(crate) fn reply(asked: &RequestedCall, reply: &SuccessReply, canaries: &Canaries) -> ProviderMessage {
    let profile = profile::of(asked.provider);
    let served = asked.api.and_then(|api| writer::success(api, reply, asked, canaries));
    let Some((content_type, mut body)) = served else {
        return refused(asked, &profile.refusals.not_found, canaries);
    };
    if let (Some(members), MessageBody::Whole(whole)) =
        (asked.api.and_then(|api| profile.replies.get(&api)), &mut body)
        && let Ok(Value::Object(mut object)) = serde_json::from_slice(whole)
    {
        object.extend(members.iter().map(|(name, value)| (name.clone(), fill_value(value, canaries))));
        *whole = Value::Object(object).to_string().into();
    }
    if let MessageBody::Session { .. } = body {
        let mut headers = vec![header("upgrade", "websocket"), header("connection", "Upgrade")];
        headers.extend(own_headers(profile, canaries));
        return ProviderMessage { status: 101, headers, body };
    }
    let mut headers = vec![header("content-type", content_type)];
    headers.extend(own_headers(profile, canaries));
    if let Some(api) = asked.api.filter(|api| api.native_provider() == Provider::Bedrock) {
        headers.extend(bedrock::headers(api, reply, asked, canaries));
    }
    headers.extend(limits::headers(profile.limits, &LimitState::standard(Limits::None, Duration::ZERO)));
    ProviderMessage { status: 200, headers, body }
}

/// Returns what the provider itself would say with this status, if a scenario has a literal body only for other
/// endpoints: a success, or the catalogue's error with this status.
fn own_reply(
    asked: &RequestedCall,
    status: u16,
    wait: Option<Duration>,
    canaries: &Canaries,
) -> ProviderMessage {
    match status {
        ..300 => {
            let mut message = reply(asked, &SuccessReply::Ok, canaries);
            // A session begins with a 101.
            if message.status == 200 {
                message.status = status;
            }
            message
        }
        300..400 => literal(asked, status, None, canaries),
        400.. => {
            let usual = if status < 500 { ErrorName::BadRequest } else { ErrorName::Internal };
            let mut names = ErrorName::COMMON.iter().copied();
            let name = names.find(|name| row_of(asked, *name).status == status).unwrap_or(usual);
            let row = ErrorRow { status, ..row_of(asked, name).clone() };
            written(asked, &row, &form::message(&row, asked, canaries), &standard(&row, wait), canaries)
        }
    }
}

/// Returns an error in the provider's own form, with its status, body and headers.
pub(crate) fn error(asked: &RequestedCall, name: ErrorName, canaries: &Canaries) -> ProviderMessage {
    error_asking(asked, name, None, canaries)
}

/// Like [`error`], for an error that asks the client to wait this long wherever it states a wait.
pub(crate) fn error_asking(
    asked: &RequestedCall,
    name: ErrorName,
    wait: Option<Duration>,
    canaries: &Canaries,
) -> ProviderMessage {
    let row = row_of(asked, name);
    written(asked, row, &form::message(row, asked, canaries), &standard(row, wait), canaries)
}

/// The state of the limits that an error reports without an account.
fn standard(row: &ErrorRow, wait: Option<Duration>) -> LimitState {
    LimitState::standard(row.limits, wait.unwrap_or(Duration::from_secs(row.wait.into())))
}

/// Returns the error of a used-up limit, with headers that report the state of the limits.
pub(crate) fn limited(
    asked: &RequestedCall,
    name: ErrorName,
    state: &LimitState,
    canaries: &Canaries,
) -> ProviderMessage {
    let row = row_of(asked, name);
    written(asked, row, &form::message(row, asked, canaries), state, canaries)
}

/// Returns the error for a request of more tokens than a whole minute allows. Waiting does not help, so no header
/// asks the client to wait.
pub(crate) fn beyond(asked: &RequestedCall, state: &LimitState, canaries: &Canaries) -> ProviderMessage {
    // The provider's own text about a limit says that the request will pass later, which is wrong here.
    let row = ErrorRow {
        message:
            "Request too large for {model} on tokens per min (TPM): Limit {limit}, Requested {requested}. \
                  The input or output tokens must be reduced in order to run successfully."
                .into(),
        ..profile::catalogue_row(asked.provider, ErrorName::TokenLimit).clone()
    };
    let mut message = written(asked, &row, &form::message(&row, asked, canaries), state, canaries);
    for name in ["retry-after", "retry-after-ms"] {
        message.set_header(name, None);
    }
    message
}

/// Replaces the limit headers of a success with the account's real state, except those that `turn` sets.
pub(crate) fn show_limits(
    message: &mut ProviderMessage,
    provider: Provider,
    turn: &Turn,
    state: &LimitState,
) {
    if !matches!(turn.answer, TurnReply::Reply(_)) {
        return;
    }
    for (name, value) in limits::headers(profile::of(provider).limits, state) {
        if message.header(&name).is_some() && !turn.headers.keys().any(|set| set.eq_ignore_ascii_case(&name))
        {
            message.set_header(&name, Some(value));
        }
    }
}

fn refused(asked: &RequestedCall, row: &ErrorRow, canaries: &Canaries) -> ProviderMessage {
    let text = form::message(row, asked, canaries);
    written(asked, row, &text, &standard(row, None), canaries)
}

fn written(
    asked: &RequestedCall,
    row: &ErrorRow,
    text: &str,
    limits: &LimitState,
    canaries: &Canaries,
) -> ProviderMessage {
    let profile = profile::of(asked.provider);
    let form = form_of(asked, row);
    let text = &limits::fill_in(text, limits);
    if form == ErrorBodyForm::Guardrail
        && let Some((mut headers, body)) =
            asked.api.and_then(|api| bedrock::intervened(api, text, asked, canaries))
    {
        headers.extend(own_headers(profile, canaries));
        return ProviderMessage { status: row.status, headers, body };
    }
    let row = &limits::fill_in_row(&with_own_type(asked, row), limits);
    let written = google::framed(form, asked, form::written(form, row, text, canaries));
    let mut headers = Vec::new();
    headers.extend(written.content_type.map(|kind| header("content-type", kind)));
    if written.own {
        headers.extend(own_headers(profile, canaries));
        if form == ErrorBodyForm::Aws {
            headers.extend(row.kind.clone().map(|kind| header("x-amzn-errortype", kind)));
        }
        if row.limits != Limits::None {
            headers.extend(limits::headers(profile.limits, limits));
        }
    } else {
        headers.extend(network_headers(form));
    }
    let mut message =
        ProviderMessage { status: row.status, headers, body: MessageBody::Whole(written.text.into()) };
    for (name, value) in &row.headers {
        message.set_header(name, Some(fill(value, canaries).into()));
    }
    message
}

/// The form of the body in which a row's error answers this request.
pub(super) fn form_of(asked: &RequestedCall, row: &ErrorRow) -> ErrorBodyForm {
    row.form.unwrap_or_else(|| own_form(asked))
}

/// The error form of the requested endpoint.
fn own_form(asked: &RequestedCall) -> ErrorBodyForm {
    asked.api.map_or(profile::of(asked.provider).form, |api| error_form(asked.provider, api))
}

/// Replaces a row's type with the one that the profile has for the endpoint's form and the row's status, if any.
fn with_own_type<'a>(asked: &RequestedCall, row: &'a ErrorRow) -> Cow<'a, ErrorRow> {
    let types = profile::of(asked.provider).types.get(&own_form(asked));
    match types.and_then(|types| types.get(&row.status).or_else(|| types.get(&500))) {
        Some(kind) => Cow::Owned(ErrorRow { kind: Some(kind.clone()), ..row.clone() }),
        None => Cow::Borrowed(row),
    }
}

/// Returns an error as the first event of a stream, in the dialect of the requested endpoint.
#[cfg(test)]
pub(crate) fn error_event(
    asked: &RequestedCall,
    name: ErrorName,
    form: Option<EventForm>,
    canaries: &Canaries,
) -> Bytes {
    error_event_after(asked, name, form, 0, None, canaries)
}

/// Like [`error_event`], after `after` events of the stream: some dialects number their events. The error asks the
/// client to wait this long wherever it states a wait.
pub(crate) fn error_event_after(
    asked: &RequestedCall,
    name: ErrorName,
    form: Option<EventForm>,
    after: usize,
    wait: Option<Duration>,
    canaries: &Canaries,
) -> Bytes {
    let row = row_of(asked, name);
    let limits = standard(row, wait);
    let row = &limits::fill_in_row(&with_own_type(asked, row), &limits);
    let text = limits::fill_in(&form::message(row, asked, canaries), &limits);
    let api = asked.api.unwrap_or(Api::OpenaiChat);
    let own_event = stream_error::of(profile::of(asked.provider), api);
    // A stream cannot contain a page of the network in front of the provider: the event has the provider's own form.
    let error = own_event
        .map(|event| stream_error::data(event, row, &text, asked, canaries))
        .or_else(|| form::value(form_of(asked, row), row, &text, canaries))
        .or_else(|| form::value(own_form(asked), row, &text, canaries))
        .unwrap_or_default();
    let form = form.or_else(|| own_event.filter(|event| event.named).map(|_| EventForm::Named));
    let failure = ProviderError { asked, row, text, error, after };
    let event = writer::error_event(api, &failure, form, canaries);
    stream_error::ended(own_event, event)
}

/// Parses a request, and checks it as the provider does before it creates a response.
///
/// # Errors
/// The provider's own response to an unknown path or method, a missing key, or a body that is not a JSON object.
pub(crate) fn read(
    provider: Provider,
    received: &ReceivedCall<'_>,
    canaries: &Canaries,
) -> Result<RequestedCall, (RequestedCall, ProviderMessage)> {
    read_with(provider, received, || canaries)
}

/// Like [`read`], but creates the canaries only when they are needed: few requests are refused.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_with<'a>(
    provider: Provider,
    received: &ReceivedCall<'_>,
    canaries: impl FnOnce() -> &'a Canaries,
) -> Result<RequestedCall, (RequestedCall, ProviderMessage)> {
    route::read(provider, received).map_err(|refusal| {
        let (row, asked) = refusal.row(provider);
        let path = received.path.split('?').next().unwrap_or_default();
        let mut row = row.clone();
        row.message = row.message.replace("{method}", received.method).replace("{path}", path);
        for value in row.headers.values_mut() {
            *value = value.replace("{allowed}", &refusal.allowed());
        }
        let message = refused(&asked, &row, canaries());
        (asked, message)
    })
}

/// Returns the provider's own response to a body larger than [`MAX_REQUEST_BYTES`].
pub(crate) fn too_large(provider: Provider, canaries: &Canaries) -> ProviderMessage {
    error(&RequestedCall::nothing(provider), ErrorName::TooLarge, canaries)
}

/// The path at the end of a base URL for the provider's SDK: `/v1` for openai.
pub(crate) fn base_path(provider: Provider) -> &'static str {
    &profile::of(provider).base
}

/// The catalogue row for an error at the requested endpoint: the endpoint's override if there is one.
fn row_of(asked: &RequestedCall, name: ErrorName) -> &'static ErrorRow {
    let overrides = &profile::of(asked.provider).overrides;
    let own = asked.api.and_then(|api| overrides.get(&api)).and_then(|rows| rows.get(&name));
    own.unwrap_or_else(|| profile::catalogue_row(asked.provider, name))
}

pub(super) fn own_headers(profile: &Profile, canaries: &Canaries) -> Vec<HeaderField> {
    profile.headers.iter().map(|(name, value)| header(&**name, fill(value, canaries))).collect()
}

/// The headers of the network in front of a provider.
pub(super) fn network_headers(form: ErrorBodyForm) -> Vec<HeaderField> {
    match form {
        ErrorBodyForm::NginxPage => vec![header("server", "nginx")],
        ErrorBodyForm::OpenrestyPage => vec![header("server", "openresty")],
        ErrorBodyForm::GooglePage => vec![header("referrer-policy", "no-referrer")],
        ErrorBodyForm::AwsPage => vec![header("server", "awselb/2.0")],
        _ => vec![header("server", "cloudflare"), header("cf-ray", "8c0ffee0deadbeef-FRA")],
    }
}
