//! Converts an error of the HTTP stack to the way in which a connection ended.

use std::{error::Error, io};

use crate::observation::ResponseEnd;

/// How the connection ended, from the first error in the chain that indicates it.
pub(super) fn ending_of(error: &(dyn Error + 'static)) -> ResponseEnd {
    let chain = || std::iter::successors(Some(error), |&link| link.source());
    chain()
        .find_map(|link| {
            if let Some(io) = link.downcast_ref::<io::Error>() {
                return match io.kind() {
                    // A write to a connection after its RST gives a broken pipe.
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
        // The last error says what happened; the outer errors only say where, and one contains the URL.
        .unwrap_or_else(|| ResponseEnd::Broken(chain().last().map(ToString::to_string).unwrap_or_default()))
}
