//! Tests what an LLM gateway reports to its callers when a provider fails.
//!
//! The command `upfault` is the usual way to use it. The library offers the same steps to Rust programs:
//!
//! - load scenarios: [`Library`], [`Scenario`], [`Case`]
//! - arm mock providers for the tests of a client: [`MockServer`], [`Mock`]
//! - run cases against a proxy: [`Suite`]
//! - judge by a policy: [`Policy`], [`Report::judge_again`]
//! - read the result: [`Report`], [`CaseReport`], [`Verdict`], [`Finding`]
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use upfault::{Library, Suite};
//!
//! let cases = Library::bundled().cases().into_iter().filter(|case| case.id.starts_with("status/"));
//! let report = Suite::new(cases).run().await?;
//! assert_eq!(report.summary.fail, 0);
//! # Ok(())
//! # }
//! ```

#![warn(unreachable_pub)]

// In reading order: each module may use those above it and none below it (`tests/architecture.rs` has the table).
mod platform; // what differs between operating systems
mod bundled; // the files inside the binary
mod shell; // words of a POSIX shell
mod spool; // values in a temporary file
mod scenario; // scenario files: their model, and the way from text to cases
mod shard; // cases divided into parts that take about the same time
mod wire; // codecs: server-sent events, AWS event streams, WebSocket frames
mod observation; // what was seen in a case, on both sides, as data
mod dialect; // what each client API looks like: requests, replies, errors, streams
mod provider; // the dialects of the providers: replies, errors, streams
mod fault; // from a fault to timed actions on a connection
mod incident; // from evidence of a failure to a scenario
mod upstream; // the mock servers
mod serve; // the mock servers alone, with a control API
mod selftest; // the proof of each fault on a raw connection
mod lock; // file locks
mod proxy; // proxy definitions: install, start, stop
mod builtin; // the embedded proxy and its defects
mod client; // the caller
mod judge; // rules, policies, findings, verdicts
mod snapshot; // accepted behaviour
mod record; // real traffic as scenarios
mod compare; // what differs between runs
mod matrix; // rules and gateways side by side
mod event; // what happens during a run
mod runner; // from cases to verdicts
mod report; // the terminal, the JSON report, the exit code
mod api; // the mock server and the suite, for Rust programs
mod cli; // the command line

pub use api::{ArmError, Mock, MockServer, ReceivedByMock, Suite};
pub use cli::main;
pub use compare::{CaseFact, CaseFacts, ExchangeFacts, FactKind};
pub use event::CaseReport;
pub use judge::{Finding, Policy, UnknownPolicy, Verdict};
pub use proxy::ProxyError;
pub use report::{JudgementChange, ProxyReport, Rejudgement, Report, ReportError, Summary};
pub use runner::RunError;
pub use scenario::{Case, Diagnostic, Level, Library, LoadError, LoadErrors, Scenario};
pub use shard::{RunSelection, ShardReport};

/// For this crate's own tests and benches. Not part of the API: it may change in any release.
#[doc(hidden)]
pub mod internals;
