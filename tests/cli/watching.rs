//! `run --watch` and `serve --watch`: what follows a change of a file.

use std::{
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use super::{listening::Listening, stage::Stage};

fn refusing(status: u16) -> String {
    format!(
        "title: t\nwhy: w\nupstream: [{{status: {status}, body: '{{\"error\": {{\"message\": \"no\"}}}}'}}]\n"
    )
}

/// The status that a mock sends.
fn status(serving: &Listening, base: &str) -> u16 {
    let answer = serving.post(&format!("{base}/chat/completions"), "{\"model\": \"m\", \"messages\": []}");
    answer.undated()[9..12].parse().unwrap()
}

#[test]
fn mocks_follow_the_files_and_a_bad_edit_changes_nothing() {
    let stage = Stage::new().scenario("t/one", &refusing(429)).scenario("t/two", &refusing(400));
    stage.write("armed.json", r#"{"scenario": "t/two"}"#);
    let mut serving = Listening::start(&stage, &["serve", "--watch", "--arm", "two=armed.json"]);
    let base = serving.arm(r#"{"scenario": "t/one", "ttl": "5m"}"#);
    let two = "/two/primary/v1";
    assert_eq!((status(&serving, &base), status(&serving, two)), (429, 400));

    // Another process can delay a single reload at any time.
    let mut took = Vec::new();
    for code in [503, 504, 500] {
        let saved = Instant::now();
        stage.write("scenarios/t/one.yaml", &refusing(code));
        let line = serving.line_with("reloaded: ");
        took.push(saved.elapsed());
        assert!(line.ends_with("; 1 mock of clients changed"), "{line}");
        assert_eq!((status(&serving, &base), status(&serving, two)), (code, 400));
    }
    assert!(took.iter().min() < Some(&Duration::from_secs(1)), "{took:?}");

    stage.write("scenarios/t/one.yaml", "title: t\nwhy: w\nupstreem: []\n");
    serving.line_with("unknown key `upstreem`");
    serving.line_with("what was loaded before keeps serving");
    assert_eq!((status(&serving, &base), status(&serving, two)), (500, 400));
    stage.write("scenarios/t/one.yaml", &refusing(418));
    serving.line_with("reloaded: ");
    assert_eq!(status(&serving, &base), 418);

    stage.write("scenarios/t/two.yaml", &refusing(401));
    let line = serving.line_with("reloaded: ");
    assert!(line.ends_with("; armed again: two"), "{line}");
    assert_eq!(status(&serving, two), 401);
    stage.write("armed.json", r#"{"scenario": "t/missing"}"#);
    serving.line_with("there is no scenario `t/missing` here");
    serving.line_with("what was loaded before keeps serving");
    assert_eq!(status(&serving, two), 401);
    assert_eq!(serving.end("TERM"), Some(0), "{:?}", serving.seen);
}

#[test]
fn a_mock_with_its_own_port_stays_at_its_address() {
    let refused = r#"{"provider": "openai", "upstream": [{"faults": [{"connection": "reset_at_once"}]}]}"#;
    let stage = Stage::small();
    stage.write("armed.json", refused);
    let port = two_free_ports();
    let listen = format!("127.0.0.1:{port}");
    let mut serving =
        Listening::start(&stage, &["serve", "--watch", "--listen", &listen, "--arm", "own=armed.json"]);
    stage.write("armed.json", &refused.replace("reset_at_once", "accepted_closed"));
    let line = serving.line_with("reloaded: ");
    assert!(line.ends_with("; armed again: own"), "{line}");
    assert!(TcpStream::connect(("127.0.0.1", port + 1)).is_ok(), "{:?}", serving.seen);
}

/// A free port before another free port.
fn two_free_ports() -> u16 {
    let bound = || {
        let first = TcpListener::bind("127.0.0.1:0").ok()?;
        let port = first.local_addr().ok()?.port();
        TcpListener::bind(("127.0.0.1", port.checked_add(1)?)).ok().map(|_| port)
    };
    std::iter::repeat_with(bound).flatten().next().unwrap()
}

/// A run that watches these paths, after its first results.
fn watching_run(stage: &Stage, paths: &[&str], results: &str) -> Listening {
    let mut command = stage.command(&[&["run", "--watch"], paths].concat());
    command.env("CI", "true");
    let mut running = Listening::silent(command);
    running.line_with(results);
    running.line_with("watching for changes");
    running
}

#[test]
fn a_run_repeats_the_cases_of_changed_scenarios() {
    let stage = Stage::small();
    stage.write("upfault.toml", "scenarios = [\"scenarios/t\"]\n");
    let mut running = watching_run(&stage, &[], "4 cases: 4 pass");

    let plain = stage.read("scenarios/t/plain.yaml");
    let mut took = Vec::new();
    for n in 0..3 {
        let saved = Instant::now();
        stage.write("scenarios/t/plain.yaml", &plain.replace("A plain answer", &format!("Answer {n}")));
        running.line_with("files changed: running 2 cases again");
        running.line_with("2 cases: 2 pass");
        took.push(saved.elapsed());
        running.line_with("watching for changes");
    }
    assert!(took.iter().min() < Some(&Duration::from_secs(1)), "{took:?}");

    stage.write("scenarios/t/plain.yaml", "title: t\nwhy: w\nupstreem: []\n");
    running.line_with("unknown key `upstreem`");
    running.line_with("watching for changes");
    stage.write("scenarios/t/plain.yaml", &plain.replace("stream: [false, true]", "stream: [true]"));
    running.line_with("1 case: 1 pass");
    running.line_with("watching for changes");
    // Settings that change together with scenarios concern every case.
    stage.write("scenarios/u/new.yaml", &refusing(429));
    stage.write("upfault.toml", "scenarios = [\"scenarios\"]\n");
    running.line_with("files changed: running every case again");
    running.line_with("4 cases: 4 pass");
    running.line_with("watching for changes");
    stage.write("upfault.toml", "scenarios = [\"scenarios\"]\nseed = 7\n");
    running.line_with("files changed: running every case again");
    running.line_with("watching for changes");
    assert_eq!(running.end("INT"), Some(130), "{:?}", running.seen);
    stage.upfault(&["run", "--watch", "--accept"]).code(2).err_has(&["cannot be used with"]);
}

#[test]
fn a_file_that_is_deleted_and_created_again_is_followed() {
    let stage = Stage::small();
    let text = stage.read("scenarios/t/plain.yaml");
    let mut running = watching_run(&stage, &["scenarios/t/plain.yaml"], "2 cases: 2 pass");
    std::fs::remove_file(stage.path("scenarios/t/plain.yaml")).unwrap();
    running.line_with("no scenario at");
    running.line_with("watching for changes");
    stage.write("scenarios/t/plain.yaml", &text);
    running.line_with("2 cases: 2 pass");
    running.line_with("watching for changes");
    stage.write("scenarios/t/plain.yaml", &text.replace("A plain answer", "Another answer"));
    running.line_with("2 cases: 2 pass");
    assert_eq!(running.end("INT"), Some(130), "{:?}", running.seen);
}

#[test]
fn settings_that_are_created_later_are_followed() {
    let stage = Stage::small();
    let mut running = watching_run(&stage, &["scenarios/t"], "4 cases: 4 pass");
    stage.write("upfault.toml", "filter = \"t/plain*\"\n");
    running.line_with("files changed: running every case again");
    running.line_with("2 cases: 2 pass");
    running.line_with("watching for changes");
    stage.write("upfault.toml", "fliter = \"t/plain*\"\n");
    running.line_with("unknown key `fliter`");
    running.line_with("watching for changes");
    std::fs::remove_file(stage.path("upfault.toml")).unwrap();
    running.line_with("4 cases: 4 pass");
    running.line_with("watching for changes");
    assert_eq!(running.end("INT"), Some(130), "{:?}", running.seen);

    let mut serving = Listening::start(&stage, &["serve", "--watch"]);
    stage.write("upfault.toml", "fliter = \"t/plain*\"\n");
    serving.line_with("unknown key `fliter`");
    serving.line_with("what was loaded before keeps serving");
    stage.write("more/late.yaml", &refusing(418));
    stage.write("upfault.toml", "scenarios = [\"more\"]\n");
    serving.line_with("reloaded: 1 scenario");
    let base = serving.arm(r#"{"scenario": "late"}"#);
    assert_eq!(status(&serving, &base), 418);
    assert_eq!(serving.end("TERM"), Some(0), "{:?}", serving.seen);
}
