//! From an error of the HTTP stack to the way a connection ended.

use std::{error::Error, io};

use crate::observation::ResponseEnd;

/// How the connection ended, read from the first telling link of the error's chain.
pub(super) fn ending_of(error: &(dyn Error + 'static)) -> ResponseEnd {
    let chain = || std::iter::successors(Some(error), |&link| link.source());
    chain()
        .find_map(|link| {
            if let Some(io) = link.downcast_ref::<io::Error>() {
                return match io.kind() {
                    // Writing to a connection after its RST was seen gives a broken pipe.
                    io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Some(ResponseEnd::Reset),
                    io::ErrorKind::ConnectionRefused => Some(ResponseEnd::Refused),
                    io::ErrorKind::UnexpectedEof => Some(ResponseEnd::Closed),
                    _ => None,
                };
            }
            link.downcast_ref::<hyper::Error>()
                .filter(|error| error.is_incomplete_message())
                .map(|_| ResponseEnd::Closed)
        })
        // The last link says what happened; those above it only say where, and one names the URL.
        .unwrap_or_else(|| ResponseEnd::Broken(chain().last().map(ToString::to_string).unwrap_or_default()))
}
