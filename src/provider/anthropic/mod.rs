//! Anthropic's endpoints, whoever serves them.

use bytes::Bytes;

use super::{dialect::Failure, message::MessageBody, request::Asked};
use crate::{
    observation::Canaries,
    scenario::{Api, EventForm, Reply},
};

/// A successful reply's content type and body; `None` for an endpoint that is not served.
pub(super) fn reply(
    _api: Api,
    _reply: &Reply,
    _asked: &Asked,
    _canaries: &Canaries,
) -> Option<(&'static str, MessageBody)> {
    None
}

/// An error as an event of a stream that has begun.
pub(super) fn error_event(
    _api: Api,
    failure: &Failure<'_>,
    _form: Option<EventForm>,
    _canaries: &Canaries,
) -> Bytes {
    failure.error.to_string().into()
}
