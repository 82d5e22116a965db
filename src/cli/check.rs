//! `upfault check`

use super::{args::PathArgs, context::Context, failure::Failure, print, select};
use crate::{proxy::Definition, report::EXIT_OK, scenario::expand};

/// Checks scenario files, and every proxy definition where no path is given.
pub fn check(context: &Context, paths: &PathArgs) -> Result<u8, Failure> {
    let library = select::library(context, paths)?;
    let cases: usize = library.scenarios.iter().map(|scenario| expand(scenario).len()).sum();
    let mut text = format!("{} scenarios, {cases} cases: all right\n", library.scenarios.len());
    if paths.paths.is_empty() {
        for bundled in Definition::bundled() {
            let definition = Definition::find(&bundled.name, &context.root)?;
            text.push_str(&format!("{}: all right\n", definition.file()));
        }
    }
    print::out(&text)?;
    Ok(EXIT_OK)
}
