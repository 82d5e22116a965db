//! Reports of runs: the terminal, report files, the exit code.

mod compared;
mod comparison_case;
mod comparison_format;
mod comparison_text;
mod rejudge;
mod badge;
mod bug_report;
mod bug_report_wire;
mod missing_siblings;
mod curl;
mod detail;
mod durations;
mod exit;
mod fanout;
mod format;
mod gateway_properties;
mod github;
mod gitlab;
mod html;
mod inert;
mod issues;
mod json;
mod json_text;
mod junit;
mod links;
mod markdown;
mod matrix_format;
mod matrix_markdown;
mod matrix_run;
mod matrix_text;
mod merge;
mod outline;
mod paint;
mod progress;
mod recorded_run;
mod selftest_table;
mod rerun;
#[cfg(test)]
mod sample;
mod sarif;
mod sdk_block;
mod source_root;
mod stops;
mod summary;
mod terminal;
mod terminal_case;
mod terminal_groups;
mod terminal_failures;
mod terminal_known;
mod terminal_matrix;
mod terminal_models;
mod terminal_origin;
mod terminal_snapshots;

pub(crate) use bug_report::{BugReport, ReproStep};
pub(crate) use compared::{compared_cases, not_judged_again};
pub(crate) use comparison_case::write_case_comparison;
pub(crate) use comparison_format::{ComparisonFormat, write_report};
pub(crate) use comparison_text::{ComparisonView, write_comparison};
pub(crate) use curl::curl_words;
pub(crate) use detail::{FailureOutput, Verbosity};
pub(crate) use exit::{
    ALLOWED_INCONCLUSIVE, EXIT_BROKE, EXIT_FINDINGS, EXIT_INTERRUPTED, EXIT_OK, EXIT_PROXY, EXIT_USAGE,
    Tolerance, exit_code,
};
pub(crate) use fanout::{Fanout, Reporter, worst};
pub(crate) use format::{FileReporter, ReportFormat, ReportTarget};
pub(crate) use json::ReportBuilder;
pub use json::{ProxyReport, Report, ReportError, SCHEMA_VERSION};
pub(crate) use matrix_format::{MatrixFormat, MatrixReport};
pub use matrix_markdown::matrix_markdown;
pub use matrix_run::CaseEvidence;
pub(crate) use matrix_run::MatrixRun;
pub(crate) use matrix_text::write_matrix;
pub(crate) use merge::ShardHeads;
pub(crate) use paint::{fit, safe, wrap, wrapped_command};
pub(crate) use progress::{PROGRESS_INTERVAL, ProgressReporter};
pub(crate) use recorded_run::RecordedRun;
pub use rejudge::{JudgementChange, Rejudgement, judge_again};
#[cfg(test)]
pub(crate) use rerun::exactly;
pub(crate) use rerun::{Rerun, compares, option};
pub(crate) use selftest_table::write_selftest;
pub(crate) use source_root::SourceRoot;
pub use summary::Summary;
pub(crate) use terminal::{TerminalReporter, TerminalSettings, write_cases};
pub(crate) use terminal_groups::plural;
