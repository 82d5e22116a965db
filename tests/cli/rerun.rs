//! The command in every `again:` line of a report works in the folder of the run.

use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use upfault::internals::{judge::Verdict, report::Report};

use super::stage::{CliOutput, LIMIT, PLAIN, Stage, eventually};

/// With this defect, the embedded proxy fails two cases.
const DEFECT: &str = "builtin:rate-limit-as-500";

/// A name with characters that are special in a shell or in a filter.
const ODD_NAME: &str = "my llm/it's (a) \"b\" & c, d=[e]";

/// A process that is killed when this value is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The commands in the `again:` lines.
fn commands(printed: &CliOutput) -> Vec<String> {
    let lines = printed.out.lines().filter_map(|line| line.strip_prefix("  again: "));
    lines.map(str::to_owned).collect()
}

/// Pastes every `again:` line of `printed` into a shell in `folder`, in the same environment, and expects the same
/// verdict as in `report` for one case each. Returns the lines.
#[track_caller]
fn all_work(
    stage: &Stage,
    folder: &str,
    printed: &CliOutput,
    report: &Report,
    env: &[(&str, &str)],
) -> Vec<String> {
    let lines = commands(printed);
    assert!(!lines.is_empty(), "no line in {}", printed.out);
    let mut seen = Vec::new();
    for line in &lines {
        let paste = format!("{line} --report json=\"$OUT\"");
        let out = stage.path("again.json");
        let mut shell = stage.shell(&paste);
        shell.current_dir(stage.path(folder)).env("OUT", &out).envs(env.iter().copied());
        let output = shell.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr);
        let again = Report::read(&out).unwrap_or_else(|error| panic!("{line}\n{error}\n{text}{err}"));
        fs::remove_file(out).unwrap();
        assert_eq!((again.seed, &again.policy), (report.seed, &report.policy), "{line}");
        assert_eq!(again.proxy, report.proxy, "{line}");
        let same = |id: &str| report.cases.iter().find(|case| case.id == id).expect("it ran before");
        let bad: Vec<_> = again.cases.iter().filter(|case| case.verdict != Verdict::Pass).collect();
        let [case] = bad[..] else { panic!("{line} runs other cases:\n{text}") };
        let before = same(&case.id);
        assert_eq!(case.verdict, before.verdict, "{line}\n{text}");
        let rules = |case: &upfault::CaseReport| -> Vec<String> {
            case.findings.iter().map(|finding| finding.rule.clone()).collect()
        };
        assert_eq!(rules(case), rules(before), "{line}\n{text}");
        assert_eq!(commands(&CliOutput { out: text, ..CliOutput::default() }).len(), 1, "{line}");
        seen.push(case.id.clone());
    }
    seen.dedup();
    assert_eq!(seen.len(), lines.len(), "each line runs a different case: {lines:?}");
    lines
}

#[test]
fn the_command_runs_one_case_and_not_its_whole_scenario() {
    let stage = Stage::small();
    let (printed, report) = stage.run(&["--filter", "t/*", "--proxy", DEFECT, "--jobs", "2", "-v"]);
    let lines = all_work(&stage, "", &printed.code(1), &report, &[]);
    assert_eq!(
        lines,
        [
            "upfault run --filter case:t/limit --proxy builtin:rate-limit-as-500",
            "upfault run --filter 'case:t/limit[stream]' --proxy builtin:rate-limit-as-500",
        ]
    );
    // A stored run has the same commands. With another policy they contain that policy.
    let explained = stage.upfault(&["explain", "report.json", "-v"]).code(1);
    assert_eq!(commands(&explained), lines);
    let strict = stage.upfault(&["explain", "report.json", "--policy", "strict"]).code(1);
    let report = Report { policy: "strict".to_owned(), ..report };
    all_work(&stage, "", &strict, &report, &[]);
}

#[test]
fn a_report_of_an_older_version_has_no_such_commands() {
    let stage = Stage::small();
    let (printed, _) = stage.run(&["t", "--proxy", DEFECT]);
    printed.code(1);
    let mut value: serde_json::Value = serde_json::from_str(&stage.read("report.json")).unwrap();
    assert!(value.as_object_mut().unwrap().remove("rerun").is_some());
    stage.write("report.json", &value.to_string());
    assert_eq!(commands(&stage.upfault(&["explain", "report.json"]).code(1)), [""; 0]);
}

#[test]
fn the_command_repeats_policy_seed_snapshots_and_strictness() {
    let stage = Stage::small();
    let policy = "extends: default\nlevels: {status.rate-limit: {answer: recommended, reason: r}}\n";
    stage.write("our policies/it's one.yaml", policy);
    let policy = ["--policy", "our policies/it's one.yaml"];
    let options = [&policy[..], &["--seed", "7", "--snapshots", "our snaps", "--strict"]].concat();
    // The behaviour differs from the snapshots in this folder only.
    stage.upfault(&[&["run", "t", "--accept", "--force"], &options[..]].concat()).code(0);
    stage.write("scenarios/t/limit.yaml", &LIMIT.replace("\"7\"", "\"9\""));
    let (printed, report) = stage.run(&[&["t"], &options[..]].concat());
    let printed = printed.code(1).out_has(&["2 pass, 2 changed"]);
    all_work(&stage, "", &printed, &report, &[]);
    // Options from the environment become options of the command.
    let mut command = stage.command(&["run", "t", "--strict", "--report", "json=report.json"]);
    let env = [
        ("UPFAULT_POLICY", policy[1]),
        ("UPFAULT_SEED", "7"),
        ("UPFAULT_SNAPSHOTS", "our snaps"),
        ("UPFAULT_PROXY", "builtin"),
    ];
    command.envs(env);
    let printed = stage.ended(command).code(1);
    let report = Report::read(&stage.path("report.json")).unwrap();
    let lines = all_work(&stage, "", &printed, &report, &[]);
    all_work(&stage, "", &printed, &report, &env);
    assert!(lines.iter().all(|line| line.contains(" --proxy builtin --seed 7 --strict ")), "{lines:?}");
}

#[test]
fn the_command_names_the_folder_of_a_proxy() {
    let stage = Stage::small();
    stage.fake_in("my proxies", "leaky");
    stage.write("scenarios/t/limit.yaml", &format!("{LIMIT}expect: {{status: 200}}\n"));
    let (printed, report) = stage.run(&["t", "--proxy", "./my proxies/leaky"]);
    let lines = all_work(&stage, "", &printed.code(1), &report, &[]);
    assert!(lines[0].contains(" --proxy './my proxies/leaky'"), "{lines:?}");
}

#[test]
fn the_settings_of_a_project_apply_again_in_the_folder_of_the_run() {
    let stage = Stage::small();
    stage.write(
        "upfault.toml",
        &format!("proxy = \"{DEFECT}\"\nseed = 5\nscenarios = [\"scenarios/t\"]\npolicy = \"rfc9110\"\n"),
    );
    fs::create_dir_all(stage.path("src/deep")).unwrap();
    stage.write("src/deep/own/sub/here.yaml", LIMIT);
    let run = |args: &[&str]| {
        let printed = stage.upfault_in("src/deep", &[&["run", "--report", "json=r.json"], args].concat());
        (printed.code(1), Report::read(&stage.path("src/deep/r.json")).unwrap())
    };
    for (args, line) in [
        (&[][..], "upfault run --filter case:t/limit"),
        (&["../../scenarios/t/limit.yaml"], "upfault run ../../scenarios/t/limit.yaml --filter case:t/limit"),
        // Ids are relative to the given folder.
        (&["own"], "upfault run own --filter case:sub/here"),
        (&["own/sub/here.yaml", "--seed", "6"], "upfault run own/sub/here.yaml --filter case:here --seed 6"),
        (
            &["own", "--no-config", "--proxy", DEFECT],
            "upfault run own --filter case:sub/here --proxy builtin:rate-limit-as-500 --no-config",
        ),
        (
            &["own", "--config", "../../upfault.toml"],
            "upfault run own --filter case:sub/here --config ../../upfault.toml",
        ),
    ] {
        let (printed, report) = run(args);
        assert_eq!(all_work(&stage, "src/deep", &printed, &report, &[])[0], line);
    }
}

#[test]
fn paths_and_names_can_contain_special_characters_of_shells_and_filters() {
    let stage = Stage::new();
    stage.write(&format!("{ODD_NAME}.yaml"), LIMIT);
    for path in [format!("{ODD_NAME}.yaml"), "my llm".to_owned()] {
        let (printed, report) = stage.run(&[&path, "--proxy", DEFECT]);
        all_work(&stage, "", &printed.code(1), &report, &[]);
    }
    // If several files were given, the command names only the file of the case.
    stage.write("my llm/plain.yaml", PLAIN);
    let (printed, report) = stage.run(&["my llm/plain.yaml", &format!("{ODD_NAME}.yaml"), "--proxy", DEFECT]);
    let lines = all_work(&stage, "", &printed.code(1), &report, &[]);
    assert!(!lines[0].contains("plain.yaml"), "{lines:?}");
}

#[test]
fn the_command_for_a_finding_that_compares_two_cases_runs_both() {
    let gateway = LIMIT.replace("error: rate_limit, headers: {retry-after: \"7\"}", "error: bad_gateway");
    let stage = Stage::new().scenario("t/gateway", &gateway);
    let (printed, report) = stage.run(&["t", "--proxy", "builtin:stream-gateway-error-as-500"]);
    let lines = all_work(&stage, "", &printed.code(1), &report, &[]);
    assert!(lines[0].contains("--filter 'case:t/gateway[stream] | case:t/gateway'"), "{lines:?}");
}

#[test]
fn the_command_has_the_url_of_a_running_proxy_and_a_variable_for_its_key() {
    const KEY: &str = "sk-upfault-proxy-sample";
    let stage = Stage::small().fake("leaky");
    stage.write("scenarios/t/limit.yaml", &format!("{LIMIT}expect: {{status: 200}}\n"));
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (listen, proxy) = (free(), free());
    let address = listen.to_string();
    let port = proxy.port().to_string();
    let render = ["proxy", "render", "./leaky", "t", "--listen", &address, "--port", &port, "--to", "attach"];
    stage.with_env("UPFAULT_PROXY_KEY", KEY, &render).code(0);
    let mut fake = Command::new("sh");
    fake.arg(stage.path("attach/start.sh"));
    fake.current_dir(stage.path("")).stdout(Stdio::null()).stderr(Stdio::null());
    let _running = Running(fake.spawn().unwrap());
    eventually("the proxy", || std::net::TcpStream::connect(proxy).is_ok());
    let url = format!("http://{proxy}/");
    let args = ["t", "--proxy", &url, "--rendered", "attach", "--proxy-key", KEY];
    let (printed, report) = stage.run(&args);
    let printed = printed.code(1);
    assert!(!printed.out.contains(KEY) && !stage.read("report.json").contains(KEY), "{}", printed.out);
    let lines = all_work(&stage, "", &printed, &report, &[("UPFAULT_PROXY_KEY", KEY)]);
    assert_eq!(
        lines[0],
        format!(
            "upfault run t --filter case:t/limit --proxy {url} --rendered attach --proxy-key \"${{UPFAULT_PROXY_KEY:?}}\""
        )
    );
    // The curl command uses the same variable for the key.
    printed.out_has(&["-H 'authorization: Bearer '\"$UPFAULT_PROXY_KEY\""]);
    let unset = stage.shell(&lines[0]).output().unwrap();
    let err = String::from_utf8_lossy(&unset.stderr).into_owned();
    assert!(!unset.status.success() && err.contains("UPFAULT_PROXY_KEY"), "{err}");
}

#[test]
fn the_command_omits_a_key_that_the_proxy_does_not_need() {
    let printed =
        Stage::small().with_env("UPFAULT_PROXY_KEY", "sk-x", &["run", "t", "--proxy", DEFECT]).code(1);
    assert!(commands(&printed).iter().all(|line| !line.contains("KEY")), "{}", printed.out);
}
