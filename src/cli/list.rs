//! `upfault list`

use super::{args::SelectArgs, context::Context, failure::Failure, print, select, settings::Settings};
use crate::report::EXIT_OK;

/// Lists the cases that would run, one a line.
pub fn list(context: &Context, args: &SelectArgs) -> Result<u8, Failure> {
    let cases = select::cases(context, &Settings::read(context)?, args)?;
    let width = cases.iter().map(|case| case.id.chars().count()).max().unwrap_or(0);
    let text: String =
        cases.iter().map(|case| format!("{:width$}  {}\n", case.id, shown(&case.scenario.title))).collect();
    print::out(&text)?;
    Ok(EXIT_OK)
}

/// A title may hold anything; a terminal must not obey it.
fn shown(title: &str) -> String {
    title.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}
