//! `upfault fmt`: what it changes, what it only says, and what it refuses.

use super::stage::{LIMIT, Stage};

const UNORDERED: &str = "why: Callers wait.   \r\n# The name of it.\r\ntitle: \"A rate limit\"\r\nupstream: [{error: rate_limit}] # an error";

#[test]
fn fmt_changes_the_files_that_check_names_and_only_once() {
    let stage = Stage::new().scenario("t/limit", LIMIT).scenario("t/b", UNORDERED);
    stage.upfault(&["fmt", "--check"]).code(1).out_has(&[
        "scenarios/t/b.yaml\n",
        "1 of 2 files would change",
        "`upfault fmt`",
    ]);
    assert_eq!(stage.read("scenarios/t/b.yaml"), UNORDERED, "--check changes nothing");
    let cases = stage.upfault(&["explain", "t/b"]).code(0).out;
    stage.upfault(&["fmt"]).code(0).out_has(&["scenarios/t/b.yaml\n", "1 of 2 files formatted"]);
    assert_eq!(
        stage.read("scenarios/t/b.yaml"),
        "# The name of it.\ntitle: A rate limit\nwhy: Callers wait.\nupstream: [{error: rate_limit}] # an error\n"
    );
    assert_eq!(stage.read("scenarios/t/limit.yaml"), LIMIT);
    assert_eq!(stage.upfault(&["explain", "t/b"]).code(0).out, cases, "it means the same");
    stage.upfault(&["fmt", "--check"]).code(0).out_has(&["nothing to change in 2 files"]);
}

#[test]
fn fmt_takes_files_folders_and_names() {
    let stage = Stage::new().scenario("t/limit", UNORDERED).scenario("u/limit", UNORDERED);
    stage.write("other/x.yaml", UNORDERED);
    stage.upfault(&["fmt", "--check", "other/x.yaml"]).code(1).out_has(&["1 of 1 file would"]);
    stage.upfault(&["fmt", "t"]).code(0).out_has(&["1 of 1 file formatted"]);
    assert_eq!(stage.read("scenarios/u/limit.yaml"), UNORDERED);
    stage.upfault(&["fmt", "other"]).code(0);
    assert!(stage.read("other/x.yaml").starts_with("# The name"));
}

#[test]
fn fmt_changes_nothing_if_a_file_does_not_load() {
    let stage = Stage::new()
        .scenario("t/a", UNORDERED)
        .scenario("t/b", "titel: x\nwhy: w\nupstream: [{reply: ok}]\n");
    stage.upfault(&["fmt"]).code(2).err_has(&["unknown key `titel`", "scenarios/t/b.yaml:1:1"]);
    assert_eq!(stage.read("scenarios/t/a.yaml"), UNORDERED);
    Stage::new().upfault(&["fmt"]).code(2).err_has(&["no scenario files", "help: "]);
}

#[test]
fn fmt_formats_standard_input_to_standard_output() {
    let stage = Stage::new();
    stage.write("unordered.yaml", UNORDERED);
    stage.write("invalid.yaml", "titel: x\n");
    let piped = |line: &str| stage.ended(stage.shell(line));
    let formatted = piped("upfault fmt - < unordered.yaml").code(0);
    assert!(formatted.out.starts_with("# The name of it.\ntitle: A rate limit\n"), "{}", formatted.out);
    assert_eq!(piped("upfault fmt - < unordered.yaml | upfault fmt -").code(0).out, formatted.out);
    piped("upfault fmt --check - < unordered.yaml").code(1);
    piped("upfault fmt - < unordered.yaml | upfault fmt --check -").code(0);
    let refused =
        piped("upfault fmt - < invalid.yaml").code(2).err_has(&["unknown key `titel`", "standard input:1:1"]);
    assert_eq!(refused.out, "", "an editor must not replace the text");
}
