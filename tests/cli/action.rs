//! The GitHub Action: its inputs, and its scripts, run here as a runner runs them.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use super::stage::{CliOutput, LIMIT, PLAIN, Stage};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn action() -> (String, Value) {
    let text = fs::read_to_string(root().join("action.yml")).unwrap();
    let value = serde_saphyr::from_str(&text).unwrap();
    (text, value)
}

/// The step of the action that runs this script, and its environment.
fn step(script: &str) -> Value {
    let (_, action) = action();
    let steps = action["runs"]["steps"].as_array().unwrap().clone();
    let found = steps.into_iter().find(|step| step["run"].as_str().is_some_and(|run| run.contains(script)));
    found.unwrap_or_else(|| panic!("no step runs {script}"))
}

/// The names after a `$` in a script, in upper case.
fn variables(text: &str) -> BTreeSet<&str> {
    let names = text.split('$').skip(1).map(|rest| rest.trim_start_matches('{'));
    names
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_uppercase() && c != '_').next())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn every_input_of_the_action_is_declared_and_used() {
    let (text, action) = action();
    let declared: BTreeSet<&str> = action["inputs"].as_object().unwrap().keys().map(String::as_str).collect();
    let used: BTreeSet<&str> = text
        .split("inputs.")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '-').next())
        .collect();
    assert_eq!(declared, used);
    for (name, input) in action["inputs"].as_object().unwrap() {
        assert!(input["default"].is_string(), "{name} is optional");
        let documented = fs::read_to_string(root().join("docs/ci.md")).unwrap();
        assert!(documented.contains(&format!("`{name}`")), "docs/ci.md does not explain {name}");
    }
    // No input is part of a shell line: a value cannot be a command.
    for step in action["runs"]["steps"].as_array().unwrap() {
        assert!(step["run"].as_str().is_none_or(|run| !run.contains("${{")), "{step}");
    }
}

#[test]
fn the_action_saves_what_it_installed_even_if_the_run_finds_something() {
    let (_, action) = action();
    let steps = action["runs"]["steps"].as_array().unwrap();
    let place = |wanted: &dyn Fn(&Value) -> bool| steps.iter().position(wanted).unwrap();
    let uses = |name: &'static str| {
        place(&move |step| step["uses"].as_str().is_some_and(|uses| uses.starts_with(name)))
    };
    let runs =
        |text: &'static str| place(&move |step| step["run"].as_str().is_some_and(|run| run.contains(text)));
    // `actions/cache` saves only at the end of a job that succeeds. The run itself succeeds; the last step fails.
    assert!(
        steps.iter().all(|step| step["uses"].as_str().is_none_or(|uses| !uses.starts_with("actions/cache@")))
    );
    let (restore, save) = (uses("actions/cache/restore@"), uses("actions/cache/save@"));
    assert!(restore < runs("run.sh") && runs("run.sh") < save && save < runs("exit \"$CODE\""));
    assert_eq!(steps[restore]["with"]["path"], steps[save]["with"]["path"]);
    assert_eq!(steps[save]["with"]["key"], "${{ steps.cache.outputs.cache-primary-key }}");
    assert_eq!(steps[restore]["id"], "cache");
    // Interrupted runs and failed installations are not worth keeping.
    let condition = steps[save]["if"].as_str().unwrap();
    assert!(
        condition.ends_with(r#"contains(fromJSON('["0", "1"]'), steps.run.outputs.exit-code)"#),
        "{condition}"
    );
}

#[test]
fn the_scripts_of_the_action_read_only_what_their_steps_set() {
    let by_the_runner =
        ["RUNNER_TEMP", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY", "GITHUB_ACTION_PATH"];
    for script in ["install.sh", "run.sh"] {
        let text = fs::read_to_string(root().join("packaging/action").join(script)).unwrap();
        let step = step(script);
        let set = step["env"].as_object().unwrap().keys().map(String::as_str);
        // upfault and uv read these. They are not in GITHUB_ENV, which would change the folders of later steps.
        let (programs, set): (BTreeSet<&str>, BTreeSet<&str>) = set.partition(|name| name.starts_with('U'));
        let wanted: &[&str] =
            if script == "run.sh" { &["UPFAULT_CACHE", "UV_PYTHON_INSTALL_DIR"] } else { &[] };
        assert!(programs.iter().eq(wanted), "{script}: {programs:?}");
        let read: BTreeSet<&str> =
            variables(&text).into_iter().filter(|name| !by_the_runner.contains(name)).collect();
        assert_eq!(read, set, "{script}");
    }
}

/// Runs a script of the action in a project with a failing case.
fn script(stage: &Stage, name: &str, variables: &[(&str, &str)]) -> CliOutput {
    let line = format!("bash '{}'", root().join("packaging/action").join(name).display());
    let mut shell = stage.shell(&line);
    fs::create_dir_all(stage.path("temp")).unwrap();
    for file in ["GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"] {
        shell.env(file, stage.path(&file.to_lowercase()));
    }
    shell.env("RUNNER_TEMP", stage.path("temp")).env("CI", "true").envs(variables.iter().copied());
    stage.ended(shell)
}

/// The value of an output.
fn output(stage: &Stage, name: &str) -> String {
    let text = stage.read("github_output");
    let found = text.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
    found.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

fn project() -> Stage {
    Stage::new().scenario("t/a", PLAIN).scenario("t/b", LIMIT)
}

const INPUTS: [(&str, &str); 5] = [
    ("PROXY", "builtin:rate-limit-as-500"),
    ("FILTER", "t/*"),
    ("QUICK", "false"),
    ("ARGS", ""),
    ("REPORT", "json junit"),
];

#[test]
fn the_action_writes_reports_annotations_a_summary_and_the_exit_code() {
    let stage = project();
    let said = script(&stage, "run.sh", &INPUTS).code(0).out_has(&["::error file=scenarios/t/b.yaml"]);
    // What a gateway sends cannot be a command; the annotations come after it.
    let parts: Vec<&str> = said.out.split("::stop-commands::").collect();
    let [_, rest] = parts[..] else { panic!("commands are not stopped once: {}", said.out) };
    let (token, rest) = rest.split_once('\n').unwrap();
    let (log, annotations) = rest.split_once(&format!("\n::{token}::\n")).unwrap();
    assert!(token.len() == 32 && log.contains("4 cases: ") && !log.contains("::error"), "{}", said.out);
    assert!(annotations.lines().all(|line| line.starts_with("::error ")), "{annotations}");
    assert_eq!(output(&stage, "exit-code"), "1");
    let reports = output(&stage, "reports");
    assert!(fs::read_to_string(format!("{reports}/upfault.json")).unwrap().contains("\"cases\""));
    assert!(fs::read_to_string(format!("{reports}/upfault.xml")).unwrap().contains("<testsuites"));
    assert_eq!(fs::read_dir(&reports).unwrap().count(), 2, "only the reports that were asked for");
    assert!(stage.read("github_step_summary").contains("4 cases: "));
}

#[test]
fn the_action_passes_all_inputs_on() {
    let stage = project();
    let inputs = [
        ("PROXY", ""),
        ("FILTER", "t/a & stream"),
        ("QUICK", "true"),
        ("ARGS", "--strict\n--seed 7\n"),
        ("REPORT", "json"),
    ];
    script(&stage, "run.sh", &inputs).code(0);
    assert_eq!(output(&stage, "exit-code"), "0");
    let report = fs::read_to_string(format!("{}/upfault.json", output(&stage, "reports"))).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["seed"], report["cases"].as_array().unwrap().len()), (&7.into(), 1));
}

#[test]
fn a_wrong_input_is_an_error_that_names_it() {
    let stage = project();
    for (name, value, word) in [("QUICK", "yes", "yes"), ("REPORT", "json pdf", "pdf")] {
        let inputs: Vec<_> =
            INPUTS.into_iter().map(|(input, old)| (input, if input == name { value } else { old })).collect();
        script(&stage, "run.sh", &inputs).code(2).out_has(&["::error::", word]);
    }
}

#[test]
fn the_action_installs_what_its_inputs_name_and_puts_it_on_the_path() {
    let stage = project();
    // A uv that installs the program under test.
    stage.write(
        "bin/uv",
        "#!/bin/sh\necho \"$*\" >>\"$CALLS\"\ncase \"$*\" in\n'tool dir --bin') echo \"$INSTALLED\";;\n*install*) mkdir -p \"$INSTALLED\"; ln -sf \"$(command -v upfault)\" \"$INSTALLED/upfault\";;\nesac\n",
    );
    let program = assert_cmd::cargo::cargo_bin!("upfault").parent().unwrap().display().to_string();
    let bin = stage.path("bin").display().to_string();
    assert!(
        std::process::Command::new("chmod").args(["+x", &format!("{bin}/uv")]).status().unwrap().success()
    );
    let (calls, installed) =
        (stage.path("calls").display().to_string(), stage.path("installed").display().to_string());
    let own = format!("upfault=={}", env!("CARGO_PKG_VERSION"));
    let path = format!("{bin}:{program}:/usr/local/bin:/usr/bin:/bin");
    let install = |version: &str, package: &str, proxy: &str| {
        let variables = [
            ("PATH", path.as_str()),
            ("VERSION", version),
            ("PACKAGE", package),
            ("PROXY", proxy),
            ("GITHUB_ACTION_PATH", env!("CARGO_MANIFEST_DIR")),
            ("CALLS", &calls),
            ("INSTALLED", &installed),
        ];
        // Each step has an empty file for its outputs.
        stage.write("github_output", "");
        script(&stage, "install.sh", &variables)
            .code(0)
            .out_has(&[&format!("upfault {}", env!("CARGO_PKG_VERSION"))]);
        output(&stage, "key")
    };
    for (version, package, wanted) in [
        ("", "", own.as_str()),
        ("latest", "", "upfault"),
        ("1.2.3", "", "upfault==1.2.3"),
        ("", "/x/up.whl", "/x/up.whl"),
    ] {
        install(version, package, "");
        let calls = stage.read("calls");
        let last = calls.lines().rfind(|line| line.contains("install")).unwrap();
        assert_eq!(last, format!("tool install --quiet --force {wanted}"));
    }
    assert!(stage.read("github_path").contains(&installed));
    assert!(Path::new(&output(&stage, "cache")).is_dir() && Path::new(&output(&stage, "python")).is_dir());
    // `actions/cache` accepts no commas in a key, and each proxy has its own.
    let key = install("", "", "litellm@1.108.7:workers-2,redis");
    assert!(key.len() == 64 && key.chars().all(|c| c.is_ascii_hexdigit()), "{key}");
    assert_ne!(key, install("", "", "litellm@1.108.7:workers-2"));
    assert_eq!(key, install("", "", "litellm@1.108.7:workers-2,redis"));
}

#[test]
fn reports_for_ci_name_files_from_the_root_of_the_repository() {
    let stage = Stage::new();
    stage.write(".git/HEAD", "");
    stage.write(
        "services/chat/upfault.toml",
        "proxy = \"builtin:rate-limit-as-500\"\nscenarios = [\"scenarios\"]\n",
    );
    stage.write("services/chat/scenarios/t/b.yaml", LIMIT);
    let line = "cd services/chat && upfault run --report github=g --report gitlab=l --report sarif=s";
    stage.ended(stage.shell(line));
    let wanted = "services/chat/scenarios/t/b.yaml";
    for (report, place) in [
        ("g", format!("::error file={wanted},line=")),
        ("l", format!("\"path\": \"{wanted}\"")),
        ("s", format!("\"uri\": \"{wanted}\"")),
    ] {
        let text = stage.read(&format!("services/chat/{report}"));
        assert!(text.contains(&place), "no {place} in {text}");
    }
}
