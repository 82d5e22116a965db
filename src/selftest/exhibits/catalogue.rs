//! The list of all exhibits.

use super::{body, combined, connection, ending, event_stream, http1, http2, session, stream, timing, tls};
use crate::selftest::Exhibit;

/// Returns every exhibit, family by family. Every word of the fault vocabulary is in at least one of them.
pub fn all() -> Vec<Exhibit> {
    [
        connection::exhibits(),
        tls::exhibits(),
        http1::exhibits(),
        http2::exhibits(),
        body::exhibits(),
        stream::exhibits(),
        event_stream::exhibits(),
        session::exhibits(),
        timing::exhibits(),
        ending::exhibits(),
        combined::exhibits(),
    ]
    .concat()
}
