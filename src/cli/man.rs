//! `upfault man`

use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::{args::Args, context::CliContext, failure::Failure, print, version::VERSION};
use crate::{report::EXIT_OK, snapshot::write_atomically};

/// Prints the manual page of upfault, or writes the pages of all commands to a folder.
pub(super) fn man(context: &CliContext, to: Option<&Path>) -> Result<u8, Failure> {
    let pages = pages(Args::command().version(VERSION))?;
    let Some(folder) = to.map(|folder| context.place(folder)) else {
        print::out(&pages[0].text)?;
        return Ok(EXIT_OK);
    };
    for page in &pages {
        let path = folder.join(&page.name);
        write_atomically(&path, &page.text)
            .map_err(Failure::io(format!("cannot write {}", path.display())))?;
    }
    print::out(&format!("{} manual pages are in {}\n", pages.len(), folder.display()))?;
    Ok(EXIT_OK)
}

/// A manual page: `upfault-run.1`, and its text in roff.
struct ManualPage {
    name: String,
    text: String,
}

/// The page of the command itself, then those of its subcommands.
fn pages(mut command: Command) -> Result<Vec<ManualPage>, Failure> {
    command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    let mut rest = vec![command];
    while let Some(command) = rest.pop() {
        let title = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        rest.extend(command.get_subcommands().filter(|one| !one.is_hide_set()).cloned());
        let page =
            Man::new(command).title(title.clone()).source(format!("upfault {VERSION}")).manual("upfault");
        let mut text = Vec::new();
        page.render(&mut text).map_err(Failure::io("cannot write a manual page"))?;
        pages.push(ManualPage {
            name: page.get_filename(),
            text: String::from_utf8_lossy(&text).into_owned(),
        });
    }
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_a_page_that_explains_its_options() {
        let pages = pages(Args::command()).unwrap();
        let page = |name: &str| pages.iter().find(|page| page.name == name).map(|page| page.text.as_str());
        assert_eq!(pages[0].name, "upfault.1");
        assert!(page("upfault-run.1").is_some_and(|text| text.contains("rerun\\-failed")));
        assert!(
            page("upfault-proxy-doctor.1").is_some_and(|text| text.contains("install and start a proxy"))
        );
        assert!(page("upfault-gateway.1").is_none(), "it is hidden");
    }
}
