//! `upfault matrix`: several gateways, their reports, and exit codes.

use super::stage::{CliOutput, Stage};

const DROPPED: &str = "builtin:retry-after-dropped";

fn matrix(stage: &Stage, args: &[&str]) -> CliOutput {
    stage.upfault(&[&["matrix"], args].concat())
}

#[test]
fn gateways_are_compared_with_the_control_whatever_they_do() {
    let stage = Stage::small();
    let printed = matrix(
        &stage,
        &[DROPPED, "--filter", "t/*", "--report", "markdown=m.md", "--report", "html=m.html", "--seed", "3"],
    )
    .code(0)
    .err_has(&["builtin: 4 of 4 cases", "builtin:retry-after-dropped, again: "])
    .out_has(&[
        "2 gateways by policy default",
        concat!(
            "1  builtin ",
            env!("CARGO_PKG_VERSION"),
            " (control)\n      4 cases judged, 0 break a required rule, 0 skipped"
        ),
        "4 cases judged, 2 break a required rule, 0 skipped",
        "headers.retry-after                .     2",
        "that no gateway breaks",
    ]);
    assert!(printed.out.lines().all(|line| line.chars().count() <= 80), "{}", printed.out);
    let markdown = stage.read("m.md");
    for part in [
        "upfault matrix builtin:retry-after-dropped --filter 't/*' --seed 3",
        "| `headers.retry-after` | 0 of 2 | **2 of 2** |",
        "- `headers.retry-after` (Retry-After reaches the caller): 2 of 2 cases, 2 not in the accepted snapshots",
        "  - `t/limit`, in 2 of 2 runs",
        "  - observed: no retry-after",
        "  - the control keeps the rule in this case",
        "upfault run --filter case:t/limit --proxy builtin:retry-after-dropped --seed 3",
        "caller got     429",
        "upstream sent  429",
        "The control:",
    ] {
        assert!(markdown.contains(part), "no {part} in {markdown}");
    }
    assert!(stage.read("m.html").contains("<title>upfault: builtin, builtin:retry-after-dropped</title>"));
    assert!(!stage.path("snapshots").exists(), "a matrix writes no snapshots");
}

#[test]
fn a_gateway_that_cannot_run_is_named_and_the_others_are_compared() {
    let stage = Stage::small().fake("honest").fake("exit");
    let printed = matrix(&stage, &["exit", "honest", "--filter", "t/*", "--report", "markdown"])
        .code(3)
        .err_has(&["exit was not run", "NOT RUN"]);
    for part in [
        "| fake (exit) | ",
        "**not run**",
        "fake (exit) was not run: ",
        "| `headers.retry-after` | 0 of 2 | not run | 0 of 2 |",
    ] {
        assert!(printed.out.contains(part), "no {part} in {}", printed.out);
    }
    stage.nothing_is_left();
}

#[test]
fn stored_reports_are_gateways_too() {
    let stage = Stage::small();
    stage.upfault(&["run", "scenarios/t", "--proxy", DROPPED, "--report", "json-full=old.json"]);
    matrix(&stage, &["old.json", "--filter", "t/*", "--report", "markdown=m.md"])
        .code(0)
        .out_has(&["headers.retry-after                .     2"]);
    assert!(stage.read("m.md").contains("  - `t/limit`, in 1 of 1 runs"));
}

#[test]
fn cases_that_a_gateway_cannot_run_are_not_cases_that_it_keeps() {
    let cool = "\
title: A cooldown
why: The fake proxy has none.
upstream: [{error: internal}]
proxy: {timeout: 5s, cooldown: {after: 1, for: 1s}}
";
    let stage = Stage::new().scenario("t/cool", cool).fake("honest");
    let printed = matrix(&stage, &["honest", "--filter", "t/*", "--report", "markdown"]).code(0);
    for part in ["| `retry.budget` | 0 of 1 | not run |", "cannot be configured for 1 case", "cooldown"] {
        assert!(printed.out.contains(part), "no {part} in {}", printed.out);
    }
}

#[test]
fn a_mistake_is_found_before_anything_runs() {
    let stage = Stage::small();
    for (args, says) in [
        (["builtin:no-such-defect", "--filter", "t/*"], "unknown"),
        (["no-such-proxy", "--filter", "t/*"], "there is no proxy `no-such-proxy`"),
        (["http://127.0.0.1:4000", "--filter", "t/*"], "cannot be part of a matrix"),
        (["builtin", "--report", "json=x"], "the formats are `html`, `markdown`"),
        (["builtin", "--filter", "no/such*"], "no case matches"),
    ] {
        let printed = matrix(&stage, &args).code(2).err_has(&[says]);
        assert!(!printed.err.contains(" of 4 cases"), "{}", printed.err);
    }
}
