//! `upfault.toml`: how it is found, read and overridden, and errors in it.

use upfault::internals::report::Report;

use super::stage::{LIMIT, Stage};

/// A policy that does not require what the defect breaks.
const LENIENT: &str = "\
[policy]
retry_after = {answer = \"lifted\", reason = \"Our clients never wait.\"}
";

fn project(settings: &str) -> Stage {
    let stage = Stage::small();
    stage.write("upfault.toml", settings);
    stage
}

#[test]
fn a_run_uses_the_settings_of_the_project_and_reports_them() {
    let settings = format!(
        "proxy = \"builtin:retry-after-dropped\"\nscenarios = [\"scenarios/t\"]\nreport.json = \"out/report.json\"\n\
         seed = 5\njobs = 2\n{LENIENT}"
    );
    let stage = project(&settings);
    stage.upfault(&["run"]).code(0).out_has(&[
        "Testing builtin:retry-after-dropped: 4 cases, policy default + upfault.toml, with retry_after = lifted, seed 5",
        "4 cases: 4 pass",
    ]);
    let report = Report::read(&stage.path("out/report.json")).unwrap();
    assert_eq!(
        (report.seed, report.policy.as_str()),
        (5, "default + upfault.toml, with retry_after = lifted")
    );
    let policy = report.judged_by.unwrap();
    assert_eq!(policy.name, "default + upfault.toml");
    assert_eq!(policy.retry_after.reason, "Our clients never wait.");
    assert_eq!(
        policy.timeout,
        upfault::internals::judge::Policy::default().timeout,
        "the whole policy is there"
    );
    // Without the settings file, the same run has a finding.
    stage
        .upfault(&["run", "scenarios/t", "--proxy", "builtin:retry-after-dropped", "--no-config"])
        .code(1)
        .out_has(&["policy default, seed 0", "headers.retry-after (required)"]);
}

#[test]
fn precedence_is_command_line_then_environment_then_file_then_default() {
    let stage = project(
        "seed = 5\npolicy = \"strict\"\nproxy = \"builtin:retry-after-dropped\"\nscenarios = [\"t/plain\"]\n",
    );
    let begins = |printed: super::stage::CliOutput, words: &[&str]| {
        printed.code(0).out_has(words);
    };
    begins(stage.upfault(&["run"]), &["builtin:retry-after-dropped: 2 cases, policy strict, seed 5"]);
    begins(stage.with_env("UPFAULT_SEED", "6", &["run"]), &["2 cases, policy strict, seed 6"]);
    begins(stage.with_env("UPFAULT_POLICY", "rfc9110", &["run"]), &["policy rfc9110, seed 5"]);
    begins(
        stage.with_env("UPFAULT_PROXY", "builtin", &["run"]),
        &["Testing builtin: 2 cases, policy strict"],
    );
    begins(stage.with_env("UPFAULT_SEED", "6", &["run", "--seed", "7"]), &["policy strict, seed 7"]);
    begins(
        stage.upfault(&["run", "t", "--proxy", "builtin", "--policy", "default"]),
        &["Testing builtin: 4 cases, policy default, seed 5"],
    );
    begins(
        stage.upfault(&["run", "t", "--no-config"]),
        &["Testing builtin: 4 cases, policy default, seed 0"],
    );
    stage.with_env("UPFAULT_JOBS", "0", &["run"]).code(2).err_has(&["--jobs"]);
}

#[test]
fn a_project_works_the_same_in_each_of_its_folders() {
    let stage = project("seed = 5\nscenarios = [\"scenarios/t\"]\nreport.json = \"report.json\"\n");
    std::fs::create_dir_all(stage.path("src/deep")).unwrap();
    let run = |args: &[&str]| stage.upfault_in("src/deep", args);
    let printed = run(&["run", "--accept", "--force"]).code(0);
    printed.out_has(&[
        "4 cases, policy default, seed 5",
        "accepted 4 cases (4 pass) in 2 snapshots:",
        "/snapshots/builtin/t/limit.snap\n",
    ]);
    assert!(stage.path("snapshots/builtin/t/limit.snap").exists(), "snapshots belong to the project");
    assert!(stage.path("report.json").exists(), "a path in the file is relative to the folder of the file");
    // A path on the command line is relative to the current folder.
    stage.write("src/deep/own/here.yaml", LIMIT);
    run(&["run", "own", "--report", "json=here.json"]).code(0).out_has(&["2 cases"]);
    assert!(stage.path("src/deep/here.json").exists());
    run(&["list", "../../scenarios/t/limit.yaml"]).code(0).out_has(&["t/limit[stream]"]);
    run(&["check", "own"]).code(0).out_has(&["1 scenario, 2 cases: valid"]);
    stage.fake_in("src/deep", "honest");
    run(&["proxy", "show", "./honest"]).code(0).out_has(&["src/deep/./honest/proxy.yaml"]);
    // Only the nearest file is used.
    stage.write("src/upfault.toml", "seed = 9\n");
    run(&["run", "own"]).code(0).out_has(&["seed 9"]);
}

#[test]
fn the_scenarios_of_a_project_have_the_names_that_list_shows() {
    let stage = Stage::new();
    stage.write("upfault.toml", "scenarios = [\"llm\"]\nsnapshots = \"llm/accepted\"\n");
    stage.write("llm/limit.yaml", LIMIT);
    let printed = stage.upfault(&["list"]).code(0);
    assert_eq!(printed.out.lines().count(), 2, "{}", printed.out);
    for args in [&["list", "limit"][..], &["explain", "limit"], &["explain", "limit[stream]"]] {
        stage.upfault(args).code(0).out_has(&["limit[stream]"]);
    }
    stage.upfault(&["run", "limit", "--accept", "--force"]).code(0).out_has(&["2 cases: 2 pass"]);
    assert!(stage.path("llm/accepted/builtin/limit.snap").exists());
    // Bundled scenarios are still available by name.
    stage.upfault(&["list", "limits/rate-limit"]).code(0).out_has(&["limits/rate-limit[stream]"]);
    let listen = ["proxy", "render", "litellm", "--listen", "127.0.0.1:9555"];
    stage.upfault(&listen).code(0).out_has(&["127.0.0.1:9555"]);
    stage.write("upfault.toml", "scenarios = [\"llm\"]\nlisten = \"127.0.0.1:9444\"\n");
    stage.upfault(&listen[..3]).code(0).out_has(&["127.0.0.1:9444"]);
}

#[test]
fn the_folder_of_an_explicit_settings_file_is_the_project_folder() {
    let stage = Stage::small();
    stage.write("ci/nightly.toml", &format!("scenarios = [\"../scenarios/t\"]\nseed = 3\n{LENIENT}"));
    stage
        .upfault(&["run", "--config", "ci/nightly.toml", "--accept", "--force"])
        .code(0)
        .out_has(&["4 cases, policy default + nightly.toml, with retry_after = lifted, seed 3"]);
    assert!(stage.path("ci/snapshots/builtin/t/limit.snap").exists());
    stage
        .upfault(&["run", "--config", "ci/weekly.toml"])
        .code(2)
        .err_has(&["cannot find the file ci/weekly.toml", "help: "]);
    stage.upfault(&["run", "--config", "ci/nightly.toml", "--no-config"]).code(2).err_has(&["--no-config"]);
}

#[test]
fn every_command_that_reads_the_settings_reports_errors_with_their_positions() {
    let stage = project("seed = 1\n[policy]\ntimeot = {answer = 504, reason = \"So.\"}\n");
    for args in [
        &["run"][..],
        &["list"],
        &["check"],
        &["review"],
        &["explain", "t/limit"],
        &["explain", "policies"],
        &["proxy", "list"],
    ] {
        let printed = stage.upfault(args).code(2).err_has(&[
            "error: unknown key `timeot`",
            "upfault.toml:3:1",
            "3 | timeot = {answer = 504",
            "did you mean `timeout`?",
        ]);
        assert_eq!(printed.out, "", "{args:?}");
    }
    // Commands that do not read the settings work.
    for args in [&["schema"][..], &["explain", "status.timeout"], &["list", "--no-config"]] {
        stage.upfault(args).code(0);
    }
}

#[test]
fn check_validates_the_names_in_the_settings() {
    for (settings, place, words) in [
        ("proxy = \"litelm\"\n", "upfault.toml:1:9", "did you mean `litellm`?"),
        (
            "proxy = \"builtin:retry-after-droped\"\n",
            "upfault.toml:1:9",
            "did you mean `retry-after-dropped`?",
        ),
        ("proxy = \"http://127.0.0.1:1\"\n", "upfault.toml:1:9", "--rendered FOLDER"),
        ("scenarios = [\"t\", \"limts\"]\n", "upfault.toml:1:19", "did you mean `limits`?"),
        ("policy = \"ours.yaml\"\n", "upfault.toml:1:10", "unknown policy `ours.yaml`, and no file"),
        ("[policy]\ntimeout = 504\n", "upfault.toml:2:11", "`timeout` has no reason"),
    ] {
        let stage = project(settings);
        for command in ["check", "run"] {
            stage.upfault(&[command]).code(2).err_has(&[place, words, "help: "]);
        }
        stage.upfault(&["check", "upfault.toml"]).code(2).err_has(&[place, words]);
    }
    let stage = project(&format!("proxy = \"builtin\"\n{LENIENT}"));
    stage.upfault(&["check"]).code(0).out_has(&[
        "upfault.toml: valid, policy default + upfault.toml, with retry_after = lifted",
        "cases: valid",
        "litellm/proxy.yaml: valid",
    ]);
    let printed = stage.upfault(&["check", "upfault.toml"]).code(0);
    assert_eq!(printed.out.lines().count(), 1, "{}", printed.out);
    stage.upfault(&["check", "nothing.toml"]).code(2).err_has(&["nothing.toml", "cannot read this file"]);
}
