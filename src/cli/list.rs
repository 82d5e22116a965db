//! `upfault list`

use super::{args::SelectArgs, context::CliContext, failure::Failure, print, select, settings::Settings};
use crate::report::EXIT_OK;

/// Prints the cases that would run, one per line.
pub(super) fn list(context: &CliContext, args: &SelectArgs) -> Result<u8, Failure> {
    let cases = select::cases(context, &Settings::read(context)?, args)?.cases;
    let width = cases.iter().map(|case| case.id.chars().count()).max().unwrap_or(0);
    let text: String =
        cases.iter().map(|case| format!("{:width$}  {}\n", case.id, shown(&case.scenario.title))).collect();
    print::fitted(&text, context.width)?;
    Ok(EXIT_OK)
}

/// Replaces control characters: a title must not control the terminal.
fn shown(title: &str) -> String {
    title.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
