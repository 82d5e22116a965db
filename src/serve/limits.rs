//! The limits on armed mocks and kept traffic, and what happens at each limit.

#[cfg(test)]
use std::fmt::Write as _;

use crate::upstream::LedgerBounds;
#[cfg(test)]
pub(super) use crate::upstream::MAX_STRAYS;
#[cfg(test)]
use crate::{observation::MAX_KEPT_BODY, scenario::MAX_TTL};

/// The largest body that the control API accepts, in bytes: far more than a scenario needs.
pub(super) const MAX_BODY: usize = MIB;

/// The maximum number of mocks that are armed at the same time. A test suite may arm one for every test at
/// its start.
pub(super) const MAX_ARMED: usize = 10_000;

/// The maximum number of deployments of one mock. Each may need its own port.
pub(super) const MAX_DEPLOYMENTS: usize = 100;

/// The maximum size of the ledger of one mock.
pub(super) const LEDGER: LedgerBounds = LedgerBounds { attempts: 10_000, bytes: 64 * MIB };

const MIB: usize = 1024 * 1024;

/// All limits as a Markdown table, for the documentation.
#[cfg(test)]
pub(super) fn table() -> String {
    let count = |n: usize| if n < 1000 { n.to_string() } else { format!("{},{:03}", n / 1000, n % 1000) };
    let mib = |bytes: usize| format!("{} MiB", bytes / MIB);
    let rows = [
        ("body of a request to the control API", mib(MAX_BODY), "413"),
        ("mocks armed at the same time", count(MAX_ARMED), "429 until one ends"),
        ("deployments of one mock", count(MAX_DEPLOYMENTS), "400"),
        ("`ttl`", humantime::format_duration(MAX_TTL).to_string(), "400"),
        (
            "attempts in one ledger",
            count(LEDGER.attempts),
            "later ones are answered but not kept; `not_kept` counts them",
        ),
        (
            "requests and response bodies in one ledger",
            mib(LEDGER.bytes),
            "the same, and responses that are being sent are kept in part",
        ),
        ("one request's or response's body in a ledger", mib(MAX_KEPT_BODY), "its beginning is kept"),
        ("strays", count(MAX_STRAYS), "the oldest are dropped"),
    ];
    let mut table = "| what | at most | beyond it |\n|---|---|---|\n".to_owned();
    for (what, most, beyond) in rows {
        let _ = writeln!(table, "| {what} | {most} | {beyond} |");
    }
    table
}
