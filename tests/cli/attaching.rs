//! A proxy that users start themselves: what `upfault proxy render --to FOLDER` writes, and a run with the proxy's URL.

use std::{
    net::{SocketAddr, TcpListener},
    process::{Child, Stdio},
};

use serde_json::Value;
use upfault::internals::{judge::Verdict, report::Report};

use super::stage::{CliOutput, LIMIT, Stage, eventually, verdict};

/// A process that is killed when this value is dropped.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const CHAIN: &str = "\
title: A chain
why: Another provider answers.
deployments: {primary: [{error: internal}], backup: [{reply: ok}]}
proxy: {timeout: 2s, fallback: [primary, backup]}
expect: {status: 200}
";

const COOLDOWN: &str = "\
title: A cooldown
why: Other callers must not wait for it.
upstream: [{error: internal}]
proxy: {timeout: 2s, cooldown: {after: 1, for: 1s}}
";

/// A stage with four cases and the definition `gateway` of the embedded proxy, and free addresses for the mocks and the proxy.
struct Attaching {
    stage: Stage,
    listen: SocketAddr,
    port: u16,
}

impl Attaching {
    fn new(defect: &str) -> Self {
        let stage = Stage::small();
        let program = assert_cmd::cargo::cargo_bin!("upfault").display().to_string();
        let definition = format!(
            "name: gateway\nversion: \"1.0\"\napis: {{openai/chat: [openai]}}\n\
             settings: {{timeout: route, retries: route, fallback: instance, cooldown: instance}}\n\
             files: {{config: config.json.j2}}\n\
             launch: {{command: [{program:?}, gateway, --config, \"{{{{ config }}}}\", --port, \"{{{{ port }}}}\"]}}\n\
             ready: {{get: /health}}\nauth: {{bearer: \"{{{{ proxy_key }}}}\"}}\n\
             container: {{image: \"gateway:{{{{ version }}}}\"}}\n"
        );
        stage.write("proxies/gateway/proxy.yaml", &definition);
        let config = include_str!("../../src/proxy/embedded/config.json.j2");
        let config = config.replace("{{ pins.defect | tojson }}", &format!("{defect:?}"));
        stage.write("proxies/gateway/config.json.j2", &config);
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { stage, listen: free(), port: free().port() }
    }

    fn render(&self, more: &[&str]) -> CliOutput {
        let (listen, port) = (self.listen.to_string(), self.port.to_string());
        let args = ["proxy", "render", "gateway", "--listen", &listen, "--port", &port];
        self.stage.upfault(&[&args[..], more].concat())
    }

    /// Starts the proxy as the README of the folder says.
    fn start(&self, folder: &str) -> Started {
        let mut shell = self.stage.shell(&format!("exec sh {folder}/start.sh"));
        let started = Started(shell.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        eventually("the proxy", || std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok());
        started
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn run(&self, more: &[&str]) -> (CliOutput, Report) {
        let url = self.url();
        self.stage.run(&[&["--proxy", &url, "--rendered", "attach"], more].concat())
    }
}

/// The commands in the README of a folder.
fn commands(readme: &str) -> Vec<&str> {
    let mut inside = false;
    readme
        .lines()
        .filter(|line| {
            if line.starts_with("```") {
                inside = line.starts_with("```sh");
                return false;
            }
            inside
        })
        .collect()
}

#[test]
fn the_commands_of_the_readme_lead_to_verdicts() {
    let it = Attaching::new("none");
    it.render(&["t", "--to", "attach"]).code(0).out_has(&["attach: gateway 1.0 for 4 cases", "README.md"]);
    let readme = it.stage.read("attach/README.md");
    let lines = commands(&readme);
    let starting = lines.iter().position(|line| *line == "sh attach/start.sh").expect("it says how to start");
    let _running = it.start("attach");
    let printed = it.stage.ended(it.stage.shell(lines[starting + 1])).code(0);
    printed.out_has(&["4 cases: 4 pass", "gateway 1.0"]);
    let key = it.stage.read("attach/proxy.env");
    let key = key.trim().split_once('=').unwrap().1.to_owned();
    assert!(key.starts_with("sk-") && !readme.contains(&key), "{readme}");
    assert!(!it.stage.read("attach/attach.json").contains(&key));
    // The first line renders the same folder again, with the same key and without asking.
    let before = it.stage.tree("attach");
    it.stage.ended(it.stage.shell(lines[0])).code(0);
    let unlike: Vec<_> = it.stage.tree("attach").into_iter().filter(|file| !before.contains(file)).collect();
    let names: Vec<_> = unlike.iter().map(|(path, _)| path.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["ca.pem"]);
}

#[test]
fn a_run_selects_what_was_rendered_and_what_was_not_is_skipped() {
    let it = Attaching::new("none");
    it.stage.write("scenarios/t/chain.yaml", CHAIN);
    it.stage.write("scenarios/t/rest.yaml", COOLDOWN);
    it.render(&["t", "--instances"])
        .code(0)
        .out_has(&["1  4 cases: the default settings", "1 case: a fallback"]);
    let rendered = it.render(&["t", "--to", "attach"]).code(0);
    let other = "not included: 1 case for a proxy with a";
    rendered.out_has(&[other, "instance 2", "--to attach-2 --instance 2"]);
    let _running = it.start("attach");
    let (printed, report) = it.run(&[]);
    let printed = printed.code(0).err_has(&[
        "note: 2 cases skipped, not configured: they need 2 proxy instances with other settings; attach/README.md",
    ]);
    printed.out_has(&["6 cases: 4 pass, 2 skipped"]);
    let (skipped, why) = verdict(&report, "t/chain");
    assert_eq!(skipped, Verdict::Skipped, "{why}");
    let (printed, _) = it.run(&["t/chain", "t/limit"]);
    printed.code(0).err_has(&[
        "note: 1 case skipped, not configured: the case needs a proxy with a fallback, instance 2: `upfault proxy render \
         gateway t",
        "--instance 2` configures a proxy for them",
    ]);
    // A case that was not selected.
    let (printed, report) = it.run(&["limits/rate-limit", "--filter", "case:limits/rate-limit"]);
    printed.code(0).err_has(&["not configured: the proxy was configured for other cases"]);
    assert_eq!(report.cases.len(), 1);
    // A scenario that has changed since.
    it.stage.write("scenarios/t/limit.yaml", &LIMIT.replace("5s", "9s"));
    let (printed, report) = it.run(&["t/limit"]);
    printed.code(0);
    assert!(verdict(&report, "t/limit").1.contains("has changed since the proxy was configured"));
}

#[test]
fn every_instance_has_a_folder_of_its_own() {
    let it = Attaching::new("none");
    it.stage.write("scenarios/t/chain.yaml", CHAIN);
    it.stage.write("scenarios/t/rest.yaml", COOLDOWN);
    for (instance, case) in [("2", "t/chain"), ("3", "t/rest")] {
        let folder = format!("attach-{instance}");
        it.render(&["t", "--instance", instance, "--to", &folder]).code(0);
        let _running = it.start(&folder);
        let (printed, report) = it.stage.run(&["--proxy", &it.url(), "--rendered", &folder]);
        printed.code(0);
        assert_eq!(verdict(&report, case), (Verdict::Pass, String::new()));
        assert_eq!(report.cases.iter().filter(|case| case.verdict != Verdict::Skipped).count(), 1);
    }
    it.render(&["t", "--instance", "4", "--to", "x"])
        .code(2)
        .err_has(&["there is no instance 4", "3 instances"]);
}

#[test]
fn another_seed_or_address_does_not_start_and_the_printed_command_configures_it() {
    let it = Attaching::new("none");
    it.render(&["t", "--to", "attach"]).code(0);
    let url = it.url();
    let refused = it
        .stage
        .upfault(&["run", "--proxy", &url, "--rendered", "attach", "--seed", "7", "--listen", "127.0.0.1:1"])
        .code(2)
        .err_has(&[
            "seed: 0, but this run asks for 7",
            "but this run asks for 127.0.0.1:1",
            "attach/attach.json",
        ]);
    let command = refused.err.split('`').find(|part| part.starts_with("upfault proxy render")).unwrap();
    assert!(command.contains("--listen 127.0.0.1:1 ") && command.ends_with("--seed 7"), "{command}");
    it.stage.ended(it.stage.shell(command)).code(0);
    let manifest: Value = serde_json::from_str(&it.stage.read("attach/attach.json")).unwrap();
    assert_eq!((&manifest["seed"], &manifest["listen"]), (&7.into(), &"127.0.0.1:1".into()));
    for (name, text, words) in [
        ("attach.json", "{", "damaged"),
        ("attach.json", "{\"upfault\": \"9\", \"more\": 1}", "another version of upfault"),
    ] {
        it.stage.write(&format!("attach/{name}"), text);
        it.stage
            .upfault(&["run", "--proxy", &url, "--rendered", "attach"])
            .code(2)
            .err_has(&[words, "help: "]);
    }
    it.stage
        .upfault(&["run", "--proxy", &url, "--rendered", "nothing"])
        .code(2)
        .err_has(&["nothing/attach.json"]);
    it.stage
        .upfault(&["run", "--rendered", "attach"])
        .code(2)
        .err_has(&["`--proxy` names none", "--proxy URL"]);
}

#[test]
fn a_proxy_with_another_configuration_is_noticed_before_the_first_case() {
    let it = Attaching::new("none");
    it.render(&["t", "--to", "attach"]).code(0);
    let _running = it.start("attach");
    // The proxy still has the first configuration.
    it.render(&["t", "--to", "attach", "--seed", "7"]).code(0);
    let run = |env: &[(&str, &str)]| {
        let mut command = it.stage.command(&["run", "--proxy", &it.url(), "--rendered", "attach"]);
        command.envs(env.iter().copied());
        it.stage.ended(command)
    };
    let printed = run(&[]).code(3);
    printed.err_has(&["does not have the routes in attach", "restart the proxy", "attach/README.md"]);
    let secret = "sk-of-somebody-else";
    let printed = run(&[("UPFAULT_PROXY_KEY", secret)]).code(3);
    assert!(!printed.err.contains(secret) && !printed.out.contains(secret), "{}", printed.err);
    printed.err_has(&["rejects the key", "UPFAULT_PROXY_KEY", "attach/proxy.env"]);
    std::fs::remove_file(it.stage.path("attach/proxy.env")).unwrap();
    run(&[]).code(2).err_has(&["callers of gateway 1.0 need a key", "UPFAULT_PROXY_KEY"]);
}

#[test]
fn a_proxy_that_cannot_reach_the_mocks_gets_the_address_in_the_message() {
    let it = Attaching::new("none");
    it.render(&["t", "--to", "attach", "--mocks-at", "127.0.0.1:1"]).code(0);
    let _running = it.start("attach");
    it.stage.upfault(&["run", "--proxy", &it.url(), "--rendered", "attach"]).code(3).err_has(&[
        "no request arrived at the mock providers",
        "http://127.0.0.1:1",
        "--mocks-at",
    ]);
}

#[test]
fn a_route_that_was_removed_by_hand_makes_its_cases_skipped() {
    let it = Attaching::new("none");
    it.render(&["t", "--to", "attach"]).code(0);
    let mut config: Value = serde_json::from_str(&it.stage.read("attach/config.json")).unwrap();
    let routes = config["routes"].as_array_mut().unwrap();
    let of_case = routes.last().unwrap()["group"].clone();
    routes.retain(|route| route["group"] != of_case);
    it.stage.write("attach/config.json", &config.to_string());
    let _running = it.start("attach");
    let (printed, report) = it.run(&[]);
    printed.code(0).out_has(&["4 cases: 3 pass, 1 skipped"]);
    let skipped = report.cases.iter().find(|case| case.verdict == Verdict::Skipped).unwrap();
    let why = skipped.reason.clone().unwrap();
    assert!(why.starts_with("not configured: none of its requests arrived at its mock"), "{why}");
    assert!(skipped.findings.is_empty());
}

#[test]
fn the_command_for_a_failing_case_needs_no_key() {
    let it = Attaching::new("rate-limit-as-500");
    it.render(&["t", "--to", "attach"]).code(0);
    let _running = it.start("attach");
    let (printed, _) = it.run(&["-v"]);
    let printed = printed.code(1);
    let lines: Vec<&str> = printed.out.lines().filter_map(|line| line.strip_prefix("  again: ")).collect();
    assert_eq!(lines.len(), 2, "{}", printed.out);
    for line in lines {
        assert!(line.ends_with("--rendered attach"), "{line}");
        it.stage.ended(it.stage.shell(line)).code(1).out_has(&["1 case: 1 fail"]);
    }
}

#[test]
fn the_snapshots_do_not_depend_on_the_spelling_of_the_url() {
    let it = Attaching::new("none");
    it.render(&["t", "--to", "attach"]).code(0);
    let _running = it.start("attach");
    let port = it.port;
    let (printed, _) = it.run(&["--accept", "--force"]);
    printed.code(0);
    assert!(it.stage.path("snapshots/gateway/t/limit.snap").exists());
    for url in
        [format!("http://localhost:{port}"), format!("HTTP://LOCALHOST:{port}/"), format!("{}/", it.url())]
    {
        let printed = it.stage.upfault(&["run", "--proxy", &url, "--rendered", "attach"]).code(0);
        printed.out_has(&["snapshots/gateway (gateway 1.0)", "4 pass"]);
    }
    let (printed, report) = it.run(&["--as", "ours@2.0", "--accept", "--force"]);
    printed.code(0);
    assert_eq!((report.proxy.name.as_str(), report.proxy.version.as_deref()), ("ours", Some("2.0")));
    assert!(it.stage.path("snapshots/ours/t/limit.snap").exists());
    for (url, words) in [
        ("http://me:secret@127.0.0.1:1", "a user name or a password"),
        ("http://127.0.0.1:1/?key=x", "not the base URL"),
        ("http://", "not a valid URL"),
    ] {
        let printed = it.stage.upfault(&["run", "--proxy", url, "--rendered", "attach"]).code(2);
        assert!(!printed.err.contains("secret"), "{}", printed.err);
        printed.err_has(&[words]);
    }
}

#[test]
fn a_project_names_the_running_proxy_and_its_folder() {
    let it = Attaching::new("none");
    it.stage.write("upfault.toml", &format!("proxy = \"{}\"\nrendered = \"attach\"\n", it.url()));
    it.stage.upfault(&["check", "upfault.toml"]).code(2).err_has(&["upfault.toml:1:9", "attach/attach.json"]);
    it.render(&["t", "--to", "attach"]).code(0);
    it.stage.upfault(&["check", "upfault.toml"]).code(0);
    let _running = it.start("attach");
    it.stage.upfault(&["run"]).code(0).out_has(&["4 cases: 4 pass"]);
}

#[test]
fn a_folder_with_other_files_is_not_touched() {
    let it = Attaching::new("none");
    it.stage.write("mine/notes.txt", "mine");
    it.render(&["t", "--to", "mine"]).code(2).err_has(&["did not write", "--to"]);
    assert_eq!(it.stage.tree("mine").len(), 1);
}

#[test]
fn a_proxy_in_a_container_gets_addresses_that_it_can_reach() {
    let stage = Stage::small();
    let render = |more: &[&str]| {
        let args = ["proxy", "render", "litellm", "t", "--to", "attach"];
        stage.upfault(&[&args[..], more].concat())
    };
    let yaml = |name: &str| -> Value { serde_saphyr::from_str(&stage.read(name)).unwrap() };
    render(&[]).code(0);
    let compose = yaml("attach/compose.yaml");
    assert_eq!(compose["services"]["proxy"]["network_mode"], "host");
    assert!(!stage.path("attach/values.yaml").exists());
    render(&["--listen", "0.0.0.0:9400"]).code(2).err_has(&["cannot connect", "--mocks-at"]);
    render(&["--listen", "127.0.0.1:0"]).code(2).err_has(&["cannot be a free port"]);
    render(&["--listen", "0.0.0.0:9400", "--mocks-at", "host.docker.internal:9400"]).code(0);
    let proxy = yaml("attach/compose.yaml")["services"]["proxy"].clone();
    assert_eq!(proxy["ports"], serde_json::json!(["127.0.0.1:4000:4000"]));
    let words: Vec<&str> = proxy["entrypoint"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(words.starts_with(&["litellm", "--config"]) && words.contains(&"0.0.0.0"), "{words:?}");
    let config = yaml("attach/config.yaml");
    let base = config["model_list"][0]["litellm_params"]["api_base"].as_str().unwrap();
    assert!(base.starts_with("http://host.docker.internal:9400/"), "{base}");
    let values = yaml("attach/values.yaml");
    assert_eq!(values["proxy_config"], config);
    assert_eq!(values["masterkey"], config["general_settings"]["master_key"]);
}
