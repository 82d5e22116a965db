//! `upfault list`

use super::{
    args::ListArgs, catalogue, context::CliContext, failure::Failure, print, select, settings::Settings,
};
use crate::report::EXIT_OK;

/// Prints the cases that would run, one per line, or the catalogue.
pub(super) fn list(context: &CliContext, args: &ListArgs) -> Result<u8, Failure> {
    if let Some(which) = args.catalogue {
        return catalogue::list(which);
    }
    let cases = select::cases(context, &Settings::read(context)?, &args.select)?.cases;
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
