//! Where a client makes something else of a reply than the others, and may.

use upfault::internals::selftest::FaultProof;

/// What it makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// An error.
    Error,
    /// A whole reply with other bytes, because it unpacks them.
    OtherBytes,
    /// A reply that it takes for whole.
    CutUnnoticed,
}

/// One client, the beginning of an exhibit's name, and why.
pub struct Difference {
    pub client: &'static str,
    pub exhibit: &'static str,
    pub instead: Instead,
    pub why: &'static str,
}

const TABLE: [Difference; 9] = [
    Difference {
        client: "hyper",
        exhibit: "http2: {rst_stream: {code: no_error, at: {after_events: 2}}}",
        instead: Instead::CutUnnoticed,
        why: "behind a head it takes NO_ERROR for the end of the body, which RFC 9113 section 8.1 allows \
              behind a whole reply only",
    },
    Difference {
        client: "curl",
        exhibit: "http2: {rst_stream: {code: no_error, at: {after_events: 2}}}",
        instead: Instead::CutUnnoticed,
        why: "behind a byte of the body it takes NO_ERROR for its end",
    },
    Difference {
        client: "undici",
        exhibit: "http2: {rst_stream: {code: cancel, at: {after_events: 2}}}",
        instead: Instead::CutUnnoticed,
        why: "node's HTTP/2 closes a stream that was cancelled without an error",
    },
    Difference {
        client: "curl",
        exhibit: "http1: conflicting_content_length",
        instead: Instead::CutUnnoticed,
        why: "it takes the last of several lengths, where RFC 9112 section 6.3 has it give up",
    },
    Difference {
        client: "undici",
        exhibit: "http1: {interim: 100}",
        instead: Instead::Error,
        why: "it takes a 100 that it has not asked for as a broken reply",
    },
    Difference {
        client: "undici",
        exhibit: "content_encoding: gzip_not_sent",
        instead: Instead::Error,
        why: "fetch unpacks what says that it is packed",
    },
    Difference {
        client: "undici",
        exhibit: "content_encoding: double_gzip",
        instead: Instead::OtherBytes,
        why: "fetch unpacks it once",
    },
    Difference {
        client: "undici",
        exhibit: "content_encoding: cut_gzip",
        instead: Instead::CutUnnoticed,
        why: "fetch hands out what can be unpacked, and does not mind that the rest is missing",
    },
    Difference {
        client: "undici",
        exhibit: "connection: {slow_accept: 80ms}, delay: {at: before_headers, for: 80ms}, close:",
        instead: Instead::CutUnnoticed,
        why: "behind `connection: close` it takes the end of the connection for the end of any reply",
    },
];

/// The difference that speaks of this exhibit.
pub fn of(client: &str, exhibit: &str) -> Option<&'static Difference> {
    TABLE.iter().find(|row| row.client == client && exhibit.starts_with(row.exhibit))
}

/// Rows that speak of no exhibit: the faults have changed, and the table has not.
pub fn idle(proofs: &[FaultProof]) -> Vec<String> {
    let idle = |row: &&Difference| !proofs.iter().any(|proof| proof.name.starts_with(row.exhibit));
    TABLE.iter().filter(idle).map(|row| format!("{}: {} ({})", row.client, row.exhibit, row.why)).collect()
}
