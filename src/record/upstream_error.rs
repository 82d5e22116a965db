//! What an error of the upstream's client says about the upstream.

use std::{error::Error, io};

use super::exchange::PassedEnd;

/// How an exchange without a status line ended.
pub(super) fn end_without_reply(error: &reqwest::Error) -> PassedEnd {
    match io_kind(error) {
        Some(io::ErrorKind::ConnectionRefused) => PassedEnd::Refused,
        Some(io::ErrorKind::ConnectionReset) => PassedEnd::Reset,
        _ if error.is_connect() || error.is_builder() => PassedEnd::NotRepeatable(root(error)),
        _ => PassedEnd::Closed,
    }
}

/// An error and what caused it, the outermost first.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// The kind of the I/O error that caused this error, if one did.
pub(super) fn io_kind(error: &(dyn Error + 'static)) -> Option<io::ErrorKind> {
    causes(error).filter_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind).last()
}

/// The text of the innermost cause, which names no address and no key.
pub(super) fn root(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}
