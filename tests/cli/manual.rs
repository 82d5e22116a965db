//! The pages of the manual: every command line in them is run, in order, as a reader would.

use std::{fs, path::Path};

use super::stage::{CliOutput, Stage};

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

/// A command of a page, with what the page says about it.
#[derive(Debug, PartialEq, Eq)]
struct ShownCommand {
    line: String,
    /// The output below it; `...` in it means any text. Empty if the page shows none.
    output: String,
    /// 0, unless the block begins with ```` ```console exit=N ````.
    code: i32,
}

/// The commands in the `console` blocks of a page, in their order.
fn shown_commands(page: &str) -> Vec<ShownCommand> {
    let mut found: Vec<ShownCommand> = Vec::new();
    let mut open: Option<i32> = None;
    for line in page.lines() {
        match (open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let code = info.strip_prefix("console").map(|rest| rest.trim().strip_prefix("exit="));
                // A block of another kind is skipped, with whatever it contains.
                open = Some(code.map_or(-1, |code| code.map_or(0, |code| code.parse().unwrap())));
            }
            (Some(_), Some(_)) => open = None,
            (Some(code), None) if code >= 0 => match (line.strip_prefix("$ "), found.last_mut()) {
                (Some(line), _) => {
                    found.push(ShownCommand { line: line.to_owned(), output: String::new(), code })
                }
                (None, Some(command)) => command.output.push_str(&format!("{line}\n")),
                (None, None) => panic!("output without a command: {line}"),
            },
            _ => {}
        }
    }
    found
}

/// The text with single spaces, and without the numbers that vary: durations, ports, how many cases there are.
fn steady(text: &str) -> String {
    let varies = regex::Regex::new(r"\b\d[\d.,]*( ?(ms|s|cases?|pass|scenarios?)\b)").unwrap();
    let port = regex::Regex::new(r"127\.0\.0\.1:\d+").unwrap();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    port.replace_all(&varies.replace_all(&text, "N$1"), "127.0.0.1:PORT").into_owned()
}

/// Panics unless the page shows what the command printed.
fn compare(shown: &ShownCommand, printed: &CliOutput) {
    // A terminal shows both streams.
    let whole = steady(&format!("{}\n{}", printed.err, printed.out));
    let mut rest = whole.as_str();
    for part in steady(&shown.output).split("...").map(str::trim).filter(|part| !part.is_empty()) {
        let at = rest.find(part);
        let at = at
            .unwrap_or_else(|| panic!("`{}` does not print this:\n{part}\n\nbut this:\n{rest}", shown.line));
        rest = &rest[at + part.len()..];
    }
}

fn run_in_order(name: &str, stage: &Stage) -> usize {
    let commands = shown_commands(&page(name));
    for shown in &commands {
        let printed = stage.ended(stage.shell(&shown.line)).code(shown.code);
        compare(shown, &printed);
    }
    commands.len()
}

#[test]
fn the_commands_of_the_tutorial_print_what_it_shows() {
    let stage = Stage::new();
    assert!(run_in_order("tutorial.md", &stage) >= 8);
    assert!(stage.read("report.html").contains("<html"));
}

#[test]
fn help_prints_commands_pages_and_sections() {
    let stage = Stage::new();
    let of = |words: &[&str]| stage.upfault(&[&["help"], words].concat()).code(0).out;
    let all = of(&[]);
    for part in ["Usage: upfault", "  tutorial  ", "How-to:", "  ci  ", "Reference:", "  scenarios  "] {
        assert!(all.contains(part), "no `{part}` in:\n{all}");
    }
    for command in [&["run"][..], &["proxy", "render"]] {
        assert_eq!(of(command), stage.upfault(&[command, &["--help"]].concat()).code(0).out);
    }
    let serve = of(&["serve"]);
    assert!(serve.contains("Usage: upfault serve") && serve.contains("`upfault help serve.md`"), "{serve}");
    assert!(of(&["serve.md"]).starts_with("Mocks for your client\n====="));
    let page = of(&["ci"]);
    assert!(page.starts_with("Running in CI\n") && page.contains("  exit-codes\n"), "{page}");
    let section = of(&["ci", "exit-codes"]);
    assert!(section.starts_with("Exit codes\n") && !section.contains("Example for GitHub"), "{section}");
    for words in [&["ci", "exit"][..], &["ci.md#exit-codes"], &["docs/ci.md", "Exit", "codes"]] {
        assert_eq!(of(words), section);
    }
}

#[test]
fn help_suggests_what_may_be_meant() {
    let stage = Stage::new();
    for (words, parts) in [
        (&["tutorail"][..], &["`tutorail`", "did you mean `upfault help tutorial`?"][..]),
        (&["rnu"], &["did you mean `upfault help run`?"]),
        (&["proxy", "rendr"], &["did you mean `upfault help proxy render`?"]),
        (
            &["ci", "exit-cods"],
            &["the page `ci` has no section `exit-cods`", "`upfault help ci exit-codes`?"],
        ),
        (&["spend-limit-nobody-has"], &["`upfault help` lists them"]),
        (&["points"], &["`upfault help scenarios points`"]),
        (&["litellm"], &["is not in the program", "/docs/litellm.md"]),
        (&["gateway"], &["no command or page"]),
    ] {
        let printed = stage.upfault(&[&["help"], words].concat()).code(2).err_has(parts);
        assert_eq!(printed.out, "", "{words:?}");
    }
}

#[test]
fn shown_commands_have_the_code_and_the_output_of_their_block() {
    let text = "```text\n$ a\n```\n```console exit=1\n$ b c\nx\n...\ny\n$ d\n```\n```console\n$ e\n```\n";
    let command =
        |line: &str, output: &str, code| ShownCommand { line: line.into(), output: output.into(), code };
    assert_eq!(
        shown_commands(text),
        [command("b c", "x\n...\ny\n", 1), command("d", "", 1), command("e", "", 0)]
    );
}

#[test]
#[should_panic(expected = "does not print this")]
fn output_in_another_order_is_not_what_the_page_shows() {
    let shown = ShownCommand { line: "c".into(), output: "b\n...\na\n".into(), code: 0 };
    compare(&shown, &CliOutput { out: "a and then b".into(), ..CliOutput::default() });
}
