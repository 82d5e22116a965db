//! `upfault repro`: the bug report, and the steps in it when they are pasted into a shell.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::Stdio,
};

use super::stage::{LIMIT, PLAIN, Stage, eventually};

/// Two cases in which the provider refuses the proxy's key. The fake proxy in mode `leaky` sends it to the caller.
const KEY: &str = "\
title: A key that the provider refuses
why: Keys are secret.
matrix: {stream: [false, true]}
upstream: [{error: invalid_api_key}]
proxy: {timeout: 5s}
";

/// A stream that the provider cuts, with a second deployment that answers.
const CUT: &str = "\
title: A cut stream
why: Half an answer is not an answer.
matrix: {stream: [true]}
deployments:
  primary: [{reply: {chunks: 9}, faults: [{reset: {at: {after_events: 4}}}]}]
  backup: [{reply: ok}]
proxy: {timeout: 5s, retries: 2}
";

/// A provider to which no connection is possible.
const REFUSED: &str = "\
title: A refused connection
why: Nothing listens.
upstream: [{faults: [refuse]}]
proxy: {timeout: 5s}
";

/// The shell blocks of a report, without the last one, which runs upfault again.
fn steps(markdown: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut inside = false;
    for line in markdown.lines() {
        match line {
            "```sh" => {
                inside = true;
                blocks.push(String::new());
            }
            "```" => inside = false,
            line if inside => {
                let block = blocks.last_mut().unwrap();
                block.push_str(line);
                block.push('\n');
            }
            _ => {}
        }
    }
    blocks.pop();
    blocks
}

/// The first of two free ports in a row.
fn free_ports() -> u16 {
    (0..100)
        .find_map(|_| {
            let first = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let next = first.checked_add(1)?;
            TcpListener::bind(("127.0.0.1", next)).is_ok().then_some(first)
        })
        .unwrap()
}

/// Pastes the steps into a shell, with free ports, and returns what it prints.
fn pasted(stage: &Stage, markdown: &str) -> String {
    let mock = free_ports();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let lines = steps(markdown)
        .concat()
        .replace("127.0.0.1:4778", &format!("127.0.0.1:{}", mock + 1))
        .replace("127.0.0.1:4777", &format!("127.0.0.1:{mock}"))
        .replace("4000", &proxy.to_string());
    std::fs::create_dir_all(stage.path("tmp")).unwrap();
    let mut shell = stage.shell(&lines);
    shell.env("TMPDIR", stage.path("tmp"));
    let printed = stage.ended(shell).code(0);
    for port in [mock, proxy] {
        eventually("a free port", || TcpListener::bind(("127.0.0.1", port)).is_ok());
    }
    printed.out
}

#[test]
fn pasted_steps_show_the_same_status_as_the_report() {
    let stage = Stage::new().scenario("t/key", KEY).fake("leaky");
    let report = stage.upfault(&["repro", "t/key[stream]", "--proxy", "./leaky"]).code(1).out;
    for part in [
        "# fake fails a check: A key that the provider refuses\n",
        "| Operating system |",
        "(`leak.provider-key`)\n",
        "**The provider sent (`primary`, attempt 1):**\n\n```text\n401, ",
        "upfault repro 't/key[stream]' --proxy ./leaky --keep",
    ] {
        assert!(report.contains(part), "no {part} in {report}");
    }
    let got = report.split("**The caller got:**\n\n```text\n").nth(1).unwrap();
    let status = &got[..3];
    let seen = pasted(&stage, &report);
    assert!(seen.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {seen}");
    // The proxy sends the key of the provider, and the report shows a placeholder instead.
    let key = "sk-canary-reproduction-primary";
    assert!(seen.contains(key), "{seen}");
    let wire = report.split("## How to reproduce it").next().unwrap();
    assert!(!wire.contains("sk-canary") && wire.contains("<key primary"), "{wire}");
}

#[test]
fn a_cut_stream_and_a_refused_connection_can_be_pasted_too() {
    let stage = Stage::new().scenario("t/cut", CUT).scenario("t/refused", REFUSED);
    let forged = "builtin:cut-stream-finished";
    let report = stage.upfault(&["repro", "t/cut[stream]", "--proxy", forged]).code(1).out;
    assert!(report.contains("then cut by RST; fault: reset after 4 events\n"), "{report}");
    let seen = pasted(&stage, &report);
    assert!(seen.starts_with("HTTP/1.1 200 ") && seen.contains("[DONE]"), "{seen}");
    let report = stage.upfault(&["repro", "t/refused", "--proxy", "builtin:unreachable-as-200"]).code(1).out;
    let steps = steps(&report).concat();
    assert!(steps.contains("http://127.0.0.1:4778/reproduction/primary/v1"), "{steps}");
    assert!(pasted(&stage, &report).starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_case_that_passes_has_no_report() {
    let stage = Stage::new().scenario("t/plain", PLAIN);
    stage
        .upfault(&["repro", "t/plain", "--out", "bug.md"])
        .code(0)
        .out_has(&["builtin keeps the contract in t/plain; nothing to report\n"]);
    assert!(!stage.path("bug.md").exists());
}

#[test]
fn a_stored_report_is_enough_and_no_proxy_runs() {
    let stage = Stage::new().scenario("t/limit", LIMIT);
    let proxy = "builtin:retry-after-dropped";
    stage.upfault(&["run", "scenarios/t", "--proxy", proxy, "--report", "json=report.json"]).code(1);
    let printed = stage.upfault(&["repro", "t/limit", "--report", "report.json", "--out", "bug.md"]).code(1);
    assert_eq!((printed.out.as_str(), printed.err.as_str()), ("", "the bug report is in bug.md\n"));
    let report = stage.read("bug.md");
    assert!(report.contains("(`headers.retry-after`)") && !report.contains("Operating system"), "{report}");
    assert!(pasted(&stage, &report).starts_with("HTTP/1.1 429 "));
}

#[test]
fn wrong_arguments_are_errors_with_the_next_step() {
    let stage = Stage::small();
    stage
        .upfault(&["repro", "t/limits"])
        .code(2)
        .err_has(&["no case is called `t/limits`", "did you mean `t/limit`?"]);
    stage
        .upfault(&["repro", "t/cut", "--report", "missing.json"])
        .code(2)
        .err_has(&["no case is called `t/cut`", "help: "]);
    stage
        .upfault(&["repro", "t/limit", "--report", "missing.json"])
        .code(2)
        .err_has(&["cannot read the report"]);
    stage
        .upfault(&["repro", "t/limit", "--proxy", "http://127.0.0.1:9", "--keep"])
        .code(2)
        .err_has(&["help: "]);
    let only_stream = Stage::new().scenario("t/cut", CUT);
    only_stream
        .upfault(&["repro", "t/cut"])
        .code(2)
        .err_has(&["`t/cut` is a scenario with 1 case", "did you mean `t/cut[stream]`?"]);
}

#[test]
fn a_kept_proxy_answers_the_printed_request_until_it_is_stopped() {
    let stage = Stage::new().scenario("t/key", KEY).fake("leaky");
    let mut command = stage.command(&["repro", "t/key", "--proxy", "./leaky", "--keep", "--out", "bug.md"]);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let curl: Vec<String> = {
        let first = lines.find(|line| line.starts_with("curl -siN")).unwrap();
        let mut curl = vec![first];
        while curl.last().unwrap().ends_with('\\') {
            curl.push(lines.next().unwrap());
        }
        curl
    };
    let seen = stage.ended(stage.shell(&curl.join("\n"))).code(0).out;
    assert!(seen.starts_with("HTTP/1.1 401 "), "{seen}");
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    stage.nothing_is_left();
}

#[test]
fn the_mode_of_the_proxy_is_part_of_the_steps_and_of_the_baseline() {
    let stage = Stage::new().scenario("t/key", KEY).fake("leaky");
    let spec = "./leaky,EXTRA=a value";
    stage.upfault(&["repro", "t/key[stream]", "--proxy", spec]).code(1).out_has(&[
        "fake with EXTRA=a value",
        "EXTRA='a value' ",
        "--proxy './leaky,EXTRA=a value'",
    ]);
    stage.upfault(&["run", "scenarios/t", "--proxy", spec, "--accept", "--force"]).code(0);
    assert!(stage.path("snapshots/fake,EXTRA=a-value/t/key.snap").exists());
    assert!(!stage.path("snapshots/fake").exists());
}
