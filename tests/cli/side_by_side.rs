//! Several processes that share a cache do not disturb each other.

use std::{fs, path::PathBuf};

use super::{
    running::Running,
    stage::{PLAIN, SLOW, Stage, eventually, is_alive},
};

/// Exits immediately and prints nothing.
const SILENT: &str = "\
name: silent
apis: {openai/chat: [openai]}
settings: {timeout: route}
launch: {command: ['false']}
ready: {get: /}
";

/// Its installation waits until a file `go` exists, and counts how often it runs.
const SLOW_TO_INSTALL: &str = "\
name: heavy
apis: {openai/chat: [openai]}
install:
  - [sh, -c, \"echo once >> count; until test -e '{{ here }}/../go'; do sleep 0.02; done; touch '{{ dir }}/done'\"]
launch: {command: [sh]}
ready: {get: /}
";

/// The folders in `runs` in the cache.
fn run_folders(stage: &Stage) -> Vec<PathBuf> {
    let entries = fs::read_dir(stage.path("cache/runs")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

/// Starts a run with a fake proxy and waits until it has slow requests. Also returns the folder of the run.
fn long_run(stage: &Stage) -> (Running, PathBuf) {
    let running = Running::start(stage, &["run", "scenarios/t/slow.yaml", "--proxy", "./honest"]);
    eventually("the slow requests", || stage.noted("slow").is_some());
    let folder = run_folders(stage).pop().unwrap();
    (running, folder)
}

#[test]
fn a_long_run_keeps_its_folder_while_many_others_start_fail_and_clean_up() {
    let stage = Stage::new().scenario("t/plain", PLAIN).scenario("t/slow", SLOW).fake("honest");
    stage.write("silent/proxy.yaml", SILENT);
    let (running, folder) = long_run(&stage);
    let before = stage.tree(folder.to_str().unwrap());
    assert!(before.iter().any(|(path, _)| path.ends_with("ca.pem")), "{before:?}");
    // All other folders are newer: passed runs, and killed runs.
    for i in 0..50 {
        stage.write(&format!("cache/runs/99990101T0000{i:02}.000-1/ca.pem"), "");
        stage.write(&format!("cache/runs/99980101T0000{i:02}.000-1/exit-code"), "0\n");
    }
    stage.write("cache/runs/notes.txt", "mine");

    let run = |proxy| Running::start(&stage, &["run", "scenarios/t/plain.yaml", "--proxy", proxy]);
    let failing: Vec<Running> = (0..12).map(|_| run("./silent")).collect();
    for failing in failing {
        // The folder of the failing run still exists, so that upfault can print the log in it.
        failing.end().code(3).err_has(&["silent exited with code 1", "(it wrote nothing to its log)"]);
    }
    run("builtin").end().code(0);

    let after = stage.tree(folder.to_str().unwrap());
    assert!(before == after, "the files of the long run changed: {before:?}\n{after:?}");
    let kept = |year: &str| {
        let is_of = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(year);
        run_folders(&stage).iter().filter(is_of).count()
    };
    assert_eq!((kept("9998"), kept("9999")), (10, 30));
    assert_eq!(stage.read("cache/runs/notes.txt"), "mine");

    running.signal("INT");
    running.end().code(130);
    assert_eq!(fs::read_to_string(folder.join("exit-code")).unwrap(), "130\n");
    assert!(!is_alive(fs::read_to_string(folder.join("instance-1/pid")).unwrap().trim()));
}

#[test]
fn the_folder_of_a_killed_run_can_be_removed() {
    let stage = Stage::new().scenario("t/plain", PLAIN).scenario("t/slow", SLOW).fake("honest");
    let (running, folder) = long_run(&stage);
    for i in 0..30 {
        stage.write(&format!("cache/runs/99990101T0000{i:02}.000-1/ca.pem"), "");
    }
    stage.upfault(&["run", "scenarios/t/plain.yaml"]).code(0);
    assert!(folder.is_dir());
    running.signal("KILL");
    assert_eq!(running.end().code, None);
    stage.nothing_is_left();
    stage.upfault(&["run", "scenarios/t/plain.yaml"]).code(0);
    assert!(!folder.exists(), "thirty failed runs are newer");
}

#[test]
fn if_two_processes_install_the_same_proxy_one_waits_and_says_so() {
    let stage = Stage::new();
    stage.write("heavy/proxy.yaml", SLOW_TO_INSTALL);
    let install = || Running::start(&stage, &["proxy", "install", "./heavy"]);
    let mut first = install();
    first.until_err_has("installing heavy (1/1)");
    let mut second = install();
    second.until_err_has("waiting for another process that installs or uses heavy");
    assert!(first.is_running() && second.is_running());
    stage.write("go", "");
    let printed = [first.end().code(0), second.end().code(0)];
    assert_eq!(printed[0].out, printed[1].out);
    assert!(!printed[1].err.contains("installing heavy (1/1)"), "{}", printed[1].err);
    let counts: Vec<_> =
        stage.tree("cache/proxies").into_iter().filter(|(path, _)| path.ends_with("count")).collect();
    assert_eq!(counts.len(), 1);
    assert_eq!(counts[0].1, b"once\n");
}

#[test]
fn a_waiting_process_installs_if_the_other_one_is_killed() {
    let stage = Stage::new();
    stage.write("heavy/proxy.yaml", SLOW_TO_INSTALL);
    let install = || Running::start(&stage, &["proxy", "install", "./heavy"]);
    let mut first = install();
    first.until_err_has("installing heavy (1/1)");
    let mut second = install();
    second.until_err_has("waiting for another process");
    first.signal("KILL");
    assert_eq!(first.end().code, None);
    stage.write("go", "");
    second.end().code(0).err_has(&["removing an unfinished installation of heavy", "installing heavy (1/1)"]);
}

#[test]
fn an_installation_is_not_replaced_while_a_run_uses_it() {
    let stage = Stage::new().scenario("t/slow", SLOW).fake("honest");
    let definition = stage
        .read("honest/proxy.yaml")
        .replace("files: ", "install: [[sh, -c, \"echo installed > '{{ dir }}/thing'\"]]\nfiles: ");
    stage.write("honest/proxy.yaml", &definition);
    let (mut user, _) = long_run(&stage);
    let installed =
        |name: &str| stage.tree("cache/proxies").into_iter().find(|(path, _)| path.ends_with(name));
    let (thing, _) = installed("thing").unwrap();
    // Without its marker file the installation counts as incomplete, so that the next one removes it.
    fs::remove_file(installed(".upfault-installed.json").unwrap().0).unwrap();
    fs::write(&thing, "in use").unwrap();

    let mut other = Running::start(&stage, &["proxy", "install", "./honest"]);
    other.until_err_has("waiting for another process that installs or uses fake");
    assert!(user.is_running() && other.is_running());
    assert_eq!(fs::read_to_string(&thing).unwrap(), "in use");

    user.signal("INT");
    user.end().code(130);
    other.end().code(0).err_has(&["removing an unfinished installation of fake"]);
    assert_eq!(fs::read_to_string(&thing).unwrap(), "installed\n");
}
