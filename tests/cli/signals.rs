//! SIGINT and SIGTERM: a run ends in order, and leaves nothing behind even when it is hurried.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::stage::{PLAIN, SLOW, Said, Stage, eventually};

/// The program, running.
struct Running {
    child: Child,
    began: Instant,
}

impl Running {
    fn start(stage: &Stage, args: &[&str]) -> Self {
        let mut command = stage.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { child: command.spawn().unwrap(), began: Instant::now() }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits for it, and kills it before failing where it does not end.
    fn end(mut self) -> Said {
        let deadline = Instant::now() + Duration::from_secs(20);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                self.child.kill().unwrap();
                panic!("it did not end");
            }
            pause();
        };
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Said { code: status.code(), out, err, took: self.began.elapsed() }
    }
}

#[expect(clippy::disallowed_methods, reason = "there is nothing else to do in this thread")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

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
    let mut told = [0; 9];
    let mut text = Vec::new();
    let stderr = running.child.stderr.as_mut().unwrap();
    while !String::from_utf8_lossy(&text).contains("again to leave at once") {
        let n = stderr.read(&mut told).unwrap();
        assert!(n > 0, "it ended before the second signal");
        text.extend_from_slice(&told[..n]);
    }
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
