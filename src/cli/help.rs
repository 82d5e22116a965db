//! `upfault help`: the help of commands, and the manual.

use clap::{Command, CommandFactory, Parser};

use super::{
    args::Args,
    context::CliContext,
    failure::Failure,
    help_args::HelpArgs,
    manual::{LayoutOptions, ManualTopic, Section, is_left_out, laid_out, topic_groups},
    print,
    word_table::{ListedWord, table},
};
use crate::{report::EXIT_OK, scenario::nearest};

/// How many sections an error names.
const MOST_SECTIONS: usize = 5;

/// Prints the help of a command, a page of the manual, or the list of both.
pub(super) fn help(context: &CliContext, args: &HelpArgs) -> Result<u8, Failure> {
    let words: Vec<&str> = args.topic.iter().flat_map(|word| word.split(['#', ' '])).collect();
    let Some((first, rest)) = words.split_first() else {
        of_command(&[], "-h");
        print::fitted(&topics(), context.width)?;
        return Ok(EXIT_OK);
    };
    let page = ManualTopic::called(first);
    if is_command(&words) {
        of_command(&words, "--help");
        if let (Some(page), []) = (page, rest) {
            print::out(&format!(
                "\n`upfault help {}.md` prints the page of the manual: {}\n",
                page.name,
                page.title()
            ))?;
        }
        return Ok(EXIT_OK);
    }
    let Some(page) = page else { return Err(unknown(&words)) };
    let options = LayoutOptions { width: context.width, color: context.color_out };
    print::out(&match rest {
        [] => laid_out(page.text, options) + &contents(page),
        _ => laid_out(section(page, &rest.join("-"))?.text, options),
    })?;
    Ok(EXIT_OK)
}

/// Whether the words name a command that `upfault --help` shows, or a subcommand.
fn is_command(words: &[&str]) -> bool {
    let mut command = Args::command();
    words.iter().all(|word| {
        let found = command.find_subcommand(word).filter(|found| !found.is_hide_set()).cloned();
        found.map(|found| command = found).is_some()
    })
}

/// Prints the help of a command as `-h` or `--help` does. No words name upfault itself.
fn of_command(words: &[&str], option: &str) {
    let line = ["upfault"].iter().chain(words).copied().chain([option]);
    if let Err(help) = Args::try_parse_from(line) {
        // A reader that closes the pipe early is not an error.
        let _ = help.print();
    }
}

/// The topics of the manual, by kind.
fn topics() -> String {
    let mut text = "\nManual: `upfault help TOPIC`, `upfault help TOPIC SECTION`\n".to_owned();
    for group in topic_groups() {
        let word = |(topic, purpose): &(ManualTopic, &str)| ListedWord {
            name: topic.name.to_owned(),
            note: String::new(),
            meaning: (*purpose).to_owned(),
        };
        let words: Vec<ListedWord> = group.topics.iter().map(word).collect();
        text.push_str(&format!("\n{}:\n", group.title));
        text.extend(table(&words).lines().map(|line| format!("  {line}\n")));
    }
    text
}

/// The sections of a page, for its last lines.
fn contents(page: ManualTopic) -> String {
    let anchors: Vec<String> = page
        .sections()
        .into_iter()
        .filter(|section| section.level == 2)
        .map(|section| section.anchor)
        .collect();
    if anchors.is_empty() {
        return String::new();
    }
    format!("\nSections: `upfault help {} SECTION` prints one of\n  {}\n", page.name, anchors.join("\n  "))
}

/// The section that a word names: by its anchor, the beginning of it, or a part of it.
fn section(page: ManualTopic, word: &str) -> Result<Section, Failure> {
    let word = word.to_lowercase();
    let mut sections = page.sections();
    let is_meant: [&dyn Fn(&str) -> bool; 3] =
        [&|anchor| anchor == word, &|anchor| anchor.starts_with(&word), &|anchor| anchor.contains(&word)];
    match is_meant.iter().find_map(|is_meant| sections.iter().position(|one| is_meant(&one.anchor))) {
        Some(at) => Ok(sections.swap_remove(at)),
        None => {
            let near = nearest(&word, sections.iter().map(|section| section.anchor.as_str()));
            let near = near.map(|near| format!("did you mean `upfault help {} {near}`? ", page.name));
            Err(Failure::Usage(format!(
                "the page `{name}` has no section `{word}`\nhelp: {}the end of `upfault help {name}` lists them",
                near.unwrap_or_default(),
                name = page.name,
            )))
        }
    }
}

/// The error about words that name neither a command nor a page.
fn unknown(words: &[&str]) -> Failure {
    let word = words.join(" ");
    if is_left_out(words[0]) {
        return Failure::Usage(format!(
            "the page `{name}` is not in the program, because it is large\nhelp: read {url}/blob/main/docs/{name}.md",
            name = words[0],
            url = env!("CARGO_PKG_REPOSITORY"),
        ));
    }
    let command = Args::command();
    let visible: Vec<&Command> = command.get_subcommands().filter(|one| !one.is_hide_set()).collect();
    let pages = ManualTopic::all();
    let mut names: Vec<String> = visible.iter().map(|one| one.get_name().to_owned()).collect();
    names.extend(pages.iter().map(|page| page.name.to_owned()));
    names.extend(visible.into_iter().filter(|one| one.get_name() == words[0]).flat_map(|one| {
        one.get_subcommands().map(move |sub| format!("{} {}", one.get_name(), sub.get_name()))
    }));
    // What is neither a command nor a page is often a section.
    let anchor = words.join("-").to_lowercase();
    let sections = pages.iter().flat_map(|page| {
        page.sections().into_iter().map(move |section| format!("{} {}", page.name, section.anchor))
    });
    let sections: Vec<String> = sections
        .filter(|section| section.contains(&anchor))
        .take(MOST_SECTIONS)
        .map(|section| format!("`upfault help {section}`"))
        .collect();
    let near = nearest(&word, names.iter().map(String::as_str));
    let help = match near {
        Some(near) => format!("did you mean `upfault help {near}`? "),
        None if !sections.is_empty() => format!("the manual has {}; ", sections.join(", ")),
        None => String::new(),
    };
    Failure::Usage(format!(
        "no command or page of the manual is called `{word}`\nhelp: {help}`upfault help` lists them"
    ))
}
