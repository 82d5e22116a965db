//! Consumers of events: the terminal, the JSON report, the exit code.

mod again;
mod alone;
mod curl;
mod exit;
mod fanout;
mod json;
mod paint;
mod proofs;
mod rerun;
mod sdk_block;
mod stops;
mod summary;
mod terminal;
mod terminal_case;
mod terminal_groups;
mod terminal_matrix;
mod terminal_origin;
mod terminal_snapshots;

pub use again::{Again, Departure, judge_again};
pub use exit::{
    ALLOWED_INCONCLUSIVE, EXIT_BROKE, EXIT_FINDINGS, EXIT_INTERRUPTED, EXIT_OK, EXIT_PROXY, EXIT_USAGE,
    Tolerance, exit_code,
};
pub use fanout::{Fanout, Reporter};
pub use json::{CaseReport, JsonReporter, ProxyReport, Report, ReportError, SCHEMA_VERSION, json_schema};
pub use proofs::write_selftest;
pub use rerun::{Rerun, exactly, option};
pub use summary::{Slowest, Summary};
pub use terminal::{TerminalReporter, TerminalSettings};
pub use terminal_groups::plural;
