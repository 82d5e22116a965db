//! SIGINT and SIGTERM: a run stops in order, and leaves no processes behind even if it must stop immediately.

use std::time::{Duration, Instant};

use super::{
    running::{Running, pause},
    stage::{PLAIN, SLOW, Stage, eventually},
};

/// Starts a run with quick and slow cases, and waits until only the slow ones are left.
fn under_way(stage: &Stage, proxy: &str) -> Running {
    let running = Running::start(
        stage,
        &["run", "scenarios/t", "--proxy", proxy, "--report", "json=r.json", "--accept"],
    );
    // The fake proxy writes a file when it has slow requests. The embedded proxy does not.
    if proxy == "builtin" {
        for _ in 0..100 {
            pause();
        }
    } else {
        eventually("the slow requests", || stage.noted("slow").is_some());
    }
    running
}

fn stage() -> Stage {
    Stage::new().scenario("t/plain", PLAIN).scenario("t/slow", SLOW)
}

#[test]
fn an_interrupted_run_shows_its_results_and_exits_with_130() {
    for signal in ["INT", "TERM"] {
        let stage = stage();
        let running = under_way(&stage, "builtin");
        running.signal(signal);
        let asked = Instant::now();
        running
            .end()
            .code(130)
            .out_has(&["interrupted: 2 of 4 cases have no verdict", "2 pass"])
            .err_has(&["stopping"]);
        assert!(asked.elapsed() < Duration::from_secs(10), "the run must not wait for the slow cases");
        assert!(stage.path("snapshots/builtin/t/plain.snap").exists());
        assert!(!stage.path("snapshots/builtin/t/slow.snap").exists());
        assert!(stage.read("r.json").contains("\"t/plain[stream]\""));
    }
}

#[test]
fn an_interrupted_run_stops_its_proxy_even_if_that_ignores_sigterm() {
    for signal in ["INT", "TERM"] {
        let stage = stage().fake("stubborn");
        let running = under_way(&stage, "./stubborn");
        running.signal(signal);
        running.end().code(130).out_has(&["interrupted: "]);
        stage.nothing_is_left();
    }
}

#[test]
fn a_second_interrupt_kills_the_proxy_immediately() {
    let stage = stage().fake("stubborn");
    let mut running = under_way(&stage, "./stubborn");
    running.signal("INT");
    // Signals are not queued: the second one must come after the first one was handled.
    running.until_err_has("again to stop immediately");
    pause();
    let asked = Instant::now();
    running.signal("INT");
    running.end().code(130);
    // After the first signal, a proxy that ignores SIGTERM has two seconds.
    assert!(asked.elapsed() < Duration::from_millis(1900), "{:?}", asked.elapsed());
    stage.nothing_is_left();
}

#[test]
fn an_interrupt_stops_a_proxy_that_is_starting() {
    let stage = stage().fake("deaf");
    stage.write("deaf/proxy.yaml", &stage.read("deaf/proxy.yaml").replace("within: 1s", "within: 100s"));
    let running = Running::start(&stage, &["run", "scenarios/t", "--proxy", "./deaf"]);
    eventually("the start", || stage.noted("port").is_some());
    running.signal("TERM");
    running.end().code(130);
    stage.nothing_is_left();
}

#[test]
fn an_interrupted_installation_leaves_no_process_and_does_not_count_as_installed() {
    let stage = Stage::new();
    let definition = "\
name: heavy
apis: {openai/chat: [openai]}
install: [[sh, -c, \"echo $$ > '{{ here }}/installer'; exec sleep 1000\"]]
launch: {command: [sh]}
ready: {get: /}
";
    stage.write("heavy/proxy.yaml", definition);
    let running = Running::start(&stage, &["proxy", "install", "./heavy"]);
    let pid = || std::fs::read_to_string(stage.path("heavy/installer")).unwrap_or_default();
    eventually("the installer", || pid().ends_with('\n'));
    running.signal("INT");
    running.end().code(130).err_has(&["interrupted"]);
    eventually("its end", || !super::stage::is_alive(pid().trim()));
    stage.upfault(&["proxy", "show", "./heavy"]).code(0).out_has(&["will be installed in"]);
}

#[test]
fn the_proxy_of_a_killed_run_ends_too() {
    let stage = stage().fake("stubborn");
    let running = under_way(&stage, "./stubborn");
    running.signal("KILL");
    assert_eq!(running.end().code, None, "it was killed by a signal");
    stage.nothing_is_left();
}
