//! Permitted differences between clients.

use upfault::internals::selftest::FaultProof;

/// What the client observes instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// An error.
    Error,
    /// A complete reply with other bytes, because the client decompresses them.
    OtherBytes,
    /// A cut reply that the client accepts as complete.
    CutUnnoticed,
    /// A cut reply that the client accepts as complete or reports as an error, depending on timing.
    CutSometimesUnnoticed,
}

/// A difference: the client, the start of the exhibit's name, and the reason.
pub struct Difference {
    pub client: &'static str,
    pub exhibit: &'static str,
    pub instead: Instead,
    pub why: &'static str,
}

const TABLE: [Difference; 13] = [
    Difference {
        client: "hyper",
        exhibit: "http2: {rst_stream: {code: no_error, at: {after_events: 2}}}",
        instead: Instead::CutUnnoticed,
        why: "after the headers it accepts NO_ERROR as the end of the body, which RFC 9113 section 8.1 allows \
              only after a complete reply",
    },
    Difference {
        client: "curl",
        exhibit: "http2: {rst_stream: {code: no_error, at: {after_events: 2}}}",
        instead: Instead::CutUnnoticed,
        why: "after the first byte of the body it accepts NO_ERROR as the end",
    },
    Difference {
        client: "undici",
        exhibit: "http2: {rst_stream: {code: no_error, at: {after_events: 2}}}",
        instead: Instead::CutSometimesUnnoticed,
        why: "node's HTTP/2 ends the body at NO_ERROR; undici reports an error only if it notices the reset first",
    },
    Difference {
        client: "undici",
        exhibit: "http2: {rst_stream: {code: cancel, at: {after_events: 2}}}",
        instead: Instead::CutUnnoticed,
        why: "node's HTTP/2 closes a cancelled stream without an error",
    },
    Difference {
        client: "curl",
        exhibit: "http1: conflicting_content_length",
        instead: Instead::CutUnnoticed,
        why: "it uses the last of several lengths; RFC 9112 section 6.3 requires an error",
    },
    Difference {
        client: "undici",
        exhibit: "http1: {interim: 100}",
        instead: Instead::Error,
        why: "it treats a 100 that it did not request as a broken reply",
    },
    Difference {
        client: "undici",
        exhibit: "content_encoding: gzip_not_sent",
        instead: Instead::Error,
        why: "fetch decompresses a body that declares gzip, but is not compressed",
    },
    Difference {
        client: "undici",
        exhibit: "content_encoding: double_gzip",
        instead: Instead::OtherBytes,
        why: "fetch decompresses it once",
    },
    Difference {
        client: "undici",
        exhibit: "content_encoding: cut_gzip",
        instead: Instead::CutUnnoticed,
        why: "fetch returns the part that it can decompress and ignores that the rest is missing",
    },
    // After the others, whose names begin with the same words.
    Difference {
        client: "undici",
        exhibit: "content_encoding: gzip",
        instead: Instead::OtherBytes,
        why: "fetch decompresses it",
    },
    Difference {
        client: "undici",
        exhibit: "content_encoding: deflate",
        instead: Instead::OtherBytes,
        why: "fetch decompresses it",
    },
    Difference {
        client: "undici",
        exhibit: "content_encoding: br",
        instead: Instead::OtherBytes,
        why: "fetch decompresses it",
    },
    Difference {
        client: "undici",
        exhibit: "connection: {slow_accept: 80ms}, delay: {at: before_headers, for: 80ms}, close:",
        instead: Instead::CutUnnoticed,
        why: "after `connection: close` it accepts the end of the connection as the end of any reply",
    },
];

/// The difference for this client and exhibit.
pub fn of(client: &str, exhibit: &str) -> Option<&'static Difference> {
    TABLE.iter().find(|row| row.client == client && exhibit.starts_with(row.exhibit))
}

/// Rows that match no exhibit. They must be removed from the table.
pub fn idle(proofs: &[FaultProof]) -> Vec<String> {
    let idle = |row: &&Difference| !proofs.iter().any(|proof| proof.name.starts_with(row.exhibit));
    TABLE.iter().filter(idle).map(|row| format!("{}: {} ({})", row.client, row.exhibit, row.why)).collect()
}
