//! SIGINT and SIGTERM: a run ends in order, and leaves nothing behind even when it is hurried.

use std::time::{Duration, Instant};

use super::{
    running::{Running, pause},
    stage::{PLAIN, SLOW, Stage, eventually},
};

/// A run of quick cases and slow ones, at the moment at which only the slow ones are left.
fn under_way(stage: &Stage, proxy: &str) -> Running {
    let running = Running::start(
        stage,
        &["run", "scenarios/t", "--proxy", proxy, "--report", "json=r.json", "--accept"],
    );
    // A proxy notes the slow requests that it has; the embedded one has no place to write to.
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
fn an_interrupted_run_shows_what_it_has_and_ends_with_130() {
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
        assert!(asked.elapsed() < Duration::from_secs(10), "the slow cases were waited for");
        assert!(stage.path("snapshots/builtin/t/plain.snap").exists());
        assert!(!stage.path("snapshots/builtin/t/slow.snap").exists());
        assert!(stage.read("r.json").contains("\"t/plain[stream]\""));
    }
}

#[test]
fn an_interrupted_run_stops_its_proxy_even_where_that_is_stubborn() {
    for signal in ["INT", "TERM"] {
        let stage = stage().fake("stubborn");
        let running = under_way(&stage, "./stubborn");
        running.signal(signal);
        running.end().code(130).out_has(&["interrupted: "]);
        stage.nothing_is_left();
    }
}

#[test]
fn a_second_interrupt_does_not_wait_for_a_stubborn_proxy_and_kills_it_all_the_same() {
    let stage = stage().fake("stubborn");
    let mut running = under_way(&stage, "./stubborn");
    running.signal("INT");
    // Signals do not queue up: the second counts once the first has been taken.
    running.until_err_has("again to leave at once");
    pause();
    let asked = Instant::now();
    running.signal("INT");
    running.end().code(130);
    // An orderly stop gives a proxy that ignores SIGTERM two seconds.
    assert!(asked.elapsed() < Duration::from_millis(1900), "{:?}", asked.elapsed());
    stage.nothing_is_left();
}

#[test]
fn an_interrupt_while_a_proxy_is_starting_ends_it() {
    let stage = stage().fake("deaf");
    stage.write("deaf/proxy.yaml", &stage.read("deaf/proxy.yaml").replace("within: 1s", "within: 100s"));
    let running = Running::start(&stage, &["run", "scenarios/t", "--proxy", "./deaf"]);
    eventually("the start", || stage.noted("port").is_some());
    running.signal("TERM");
    running.end().code(130);
    stage.nothing_is_left();
}

#[test]
fn an_interrupted_install_leaves_no_installer_behind_and_counts_as_none() {
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
fn a_run_that_is_killed_takes_its_proxy_with_it() {
    let stage = stage().fake("stubborn");
    let running = under_way(&stage, "./stubborn");
    running.signal("KILL");
    assert_eq!(running.end().code, None, "it was killed by a signal");
    stage.nothing_is_left();
}
