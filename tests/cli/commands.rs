//! Every command with valid and invalid arguments: exit codes, help and standard output.

use std::{collections::BTreeSet, fs, path::Path, process::Stdio};

use serde_json::Value;

use super::stage::{LIMIT, Stage};

#[test]
fn a_run_exits_with_0_or_with_1_if_there_are_new_findings() {
    let stage = Stage::small();
    stage.upfault(&["run", "scenarios/t"]).code(0).out_has(&["Testing builtin: 4 cases", "4 cases: 4 pass"]);
    let printed =
        stage.upfault(&["run", "scenarios/t", "--proxy", "builtin:rate-limit-as-500"]).code(1).out_has(&[
            "FAIL t/limit\n",
            "FAIL t/limit[stream]",
            "again: upfault run scenarios/t --filter case:t/limit --proxy builtin:rate-limit-as-500\n",
            "status.rate-limit (required)",
            "4 cases: 2 pass, 2 fail",
        ]);
    assert!(
        !printed.out.contains('\u{1b}') && !printed.err.contains('\u{1b}'),
        "there is no colour without a terminal"
    );
    stage.upfault(&["run", "scenarios/t", "--color", "always"]).code(0).out_has(&["\u{1b}["]);
    // A run with a defect writes no snapshots.
    assert!(!stage.path("snapshots/builtin:rate-limit-as-500").exists());
}

#[test]
fn a_selftest_prints_its_results_and_writes_a_report() {
    let stage = Stage::small();
    let path = stage.path("out/selftest.json");
    let report = format!("json={}", path.display());
    let printed =
        stage.upfault(&["selftest", "--filter", "endings: reset", "--report", &report]).code(0).out_has(&[
            "endings  10 of 10 proven",
            "  ok    reset: {at: before_headers}",
            "200, 3 events (",
            "10 faults proven on the wire",
            "injected by the mock",
        ]);
    assert!(!printed.out.contains("FAIL") && !printed.out.contains('\u{1b}'));
    let report: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!((&report["schema"], &report["proven"]), (&1.into(), &10.into()));
    let schema: Value = serde_json::from_str(&stage.upfault(&["schema", "selftest"]).code(0).out).unwrap();
    let errors: Vec<String> = jsonschema::validator_for(&schema)
        .unwrap()
        .iter_errors(&report)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    stage.upfault(&["selftest", "--filter", "no such fault"]).code(2).err_has(&["`no such fault`", "help: "]);
}

#[test]
fn invalid_arguments_exit_with_2_and_a_suggestion() {
    let stage = Stage::small();
    for (args, words) in [
        (
            &["run", "--proxy", "builtin:rate-limit-as-50"][..],
            &["did you mean `rate-limit-as-500`?", "help: "][..],
        ),
        (&["run", "--policy", "rfc911"], &["unknown policy `rfc911`", "rfc9110"]),
        (&["run", "--proxy", "litelm"], &["did you mean `litellm`?", "help: "]),
        (&["run", "--proxy", "http://127.0.0.1:1"], &["--rendered FOLDER", "help: "]),
        (&["run", "--filter", "t/nothing"], &["no case matches `t/nothing`", "help: `upfault list`"]),
        (&["run", "--filter", "(stream"], &["expected `)`", "(stream\n         ^"]),
        (&["run", "--filter", "level:requird"], &["level"]),
        (&["run", "scenarios/nothing"], &["no scenario at `scenarios/nothing`"]),
        (&["run", "limts"], &["no scenario at `limts`; did you mean `limits`?"]),
        (&["run", "--shard", "3/2"], &["'3/2'", "write K/N"]),
        (&["run", "--shard", "0/2"], &["'0/2'", "write K/N"]),
        (&["run", "--report", "xml=a"], &["unknown report format `xml`; the formats are `json`"]),
        (&["run", "--report", "json="], &["the path is missing after `=`"]),
        (&["run", "--jobs", "0"], &["--jobs"]),
        (&["run", "--seed", "-1"], &["-1"]),
        (&["run", "--filtre", "x"], &["--filtre", "--filter"]),
        (&["rnu"], &["rnu"]),
        (&["explain", "limits/rate-limt"], &["did you mean `limits/rate-limit`?"]),
        (&["explain", "headers.retry-afer"], &["did you mean `headers.retry-after`?"]),
        (
            &["explain", "t/limit[nothing]"],
            &["no case is called `t/limit[nothing]`", "help: did you mean `t/limit[stream]`?"],
        ),
        (&["explain", "zzz"], &["no scenario, rule or provider is called `zzz`", "help: "]),
        (&["proxy", "show", "litelm"], &["did you mean `litellm`?"]),
        (&["proxy", "doctor", "./nothing"], &["there is no proxy `./nothing`", "help: "]),
        (&["schema", "findings"], &["findings", "scenario, report"]),
        (
            &["run", "scenarios/t", "--accept", "--proxy", "builtin:detail-lost"],
            &["not its defects and variants"],
        ),
    ] {
        let printed = stage.upfault(args).code(2).err_has(&["error: "]).err_has(words);
        assert_eq!(printed.out, "", "{args:?}: an error prints nothing to standard output");
    }
}

#[test]
fn all_invalid_files_are_reported_with_their_positions() {
    let stage = Stage::small()
        .scenario("bad/one", "title: T\nwhy: W\nupstream: [{reply: ok}]\ncolour: red\n")
        .scenario("bad/two", "title: T\nwhy: W\nupstream: [{error: rate_limti}]\n");
    for command in ["run", "check", "list"] {
        let printed = stage.upfault(&[command, "scenarios/bad"]).code(2).err_has(&[
            "unknown key `colour`",
            "scenarios/bad/one.yaml:4:1",
            "4 | colour: red",
            "scenarios/bad/two.yaml:3:20",
            "3 | upstream: [{error: rate_limti}]",
            "did you mean `rate_limit`?",
            "2 errors in scenario files",
        ]);
        assert_eq!(printed.out, "");
    }
    // Invalid files in other folders do not matter.
    stage.upfault(&["check", "t"]).code(0).out_has(&["2 scenarios, 4 cases: valid"]);
    let except = format!("{LIMIT}except: {{headers.retry-afer: \"none here\"}}\n");
    stage.write("scenarios/t/limit.yaml", &except);
    stage.upfault(&["check", "scenarios/t"]).code(2).err_has(&[
        "scenarios/t/limit.yaml:6:",
        "unknown rule `headers.retry-afer`",
        "did you mean `headers.retry-after`?",
    ]);
}

fn ids(out: &str) -> Vec<String> {
    out.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn list_shows_the_cases_to_run_and_shards_partition_them() {
    let stage = Stage::small();
    let listed = |args: &[&str]| ids(&stage.upfault(&[&["list"], args].concat()).code(0).out);
    assert_eq!(listed(&["scenarios/t"]), ["t/limit", "t/limit[stream]", "t/plain", "t/plain[stream]"]);
    assert_eq!(listed(&["t/limit"]), ["t/limit", "t/limit[stream]"], "a name from the list works as a path");
    assert_eq!(listed(&["--filter", "t/* & stream"]), ["t/limit[stream]", "t/plain[stream]"]);
    assert_eq!(listed(&["--filter", "t/l* & !stream | t/plain[stream]"]), ["t/limit", "t/plain[stream]"]);
    let all = listed(&[]);
    assert!(all.len() > 200, "the bundled scenarios are included");
    let (one, two) = (listed(&["--shard", "1/2"]), listed(&["--shard", "2/2"]));
    assert!(one.len() > 100 && two.len() > 100, "{} and {} cases", one.len(), two.len());
    let together: BTreeSet<&String> = one.iter().chain(&two).collect();
    assert_eq!(together.len(), one.len() + two.len(), "no case is in both shards");
    assert_eq!(together, all.iter().collect(), "every case is in a shard");
}

#[test]
fn a_scenario_on_disk_replaces_the_bundled_one_with_the_same_name() {
    let stage = Stage::new().scenario("limits/rate-limit", LIMIT);
    stage.upfault(&["list", "limits/rate-limit"]).code(0).out_has(&["A rate limit"]);
    let printed = stage.upfault(&["list", "limits"]).code(0).out_has(&["limits/quota", "A rate limit"]);
    assert_eq!(printed.out.matches("limits/rate-limit ").count(), 1);
}

#[test]
fn explain_describes_scenarios_cases_and_rules() {
    let stage = Stage::small();
    for what in ["t/limit", "scenarios/t/limit.yaml"] {
        let printed = stage.upfault(&["explain", what]).code(0);
        let printed = printed.out_has(&[
            "t/limit\n",
            "t/limit[stream]\n",
            "POST /v1/chat/completions",
            "head   429",
            "retry-after: 7",
        ]);
        assert_eq!(printed.err, "");
    }
    let printed = stage.upfault(&["explain", "t/plain[stream]"]).code(0).out_has(&[
        "t/plain[stream]",
        "\"stream\":true",
        "data: [DONE]",
    ]);
    assert!(!printed.out.contains("t/plain\n"), "only the given case is explained");
    stage.upfault(&["explain", "limits/rate-limit"]).code(0).out_has(&["limits/rate-limit[stream]"]);
    stage
        .upfault(&["explain", "headers.retry-after"])
        .code(0)
        .out_has(&["headers.retry-after (required)", "RFC 9110"]);
}

#[test]
fn everything_bundled_is_valid() {
    let printed =
        Stage::new().upfault(&["check"]).code(0).out_has(&["cases: valid", "litellm/proxy.yaml: valid"]);
    assert_eq!(printed.err, "");
}

#[test]
fn the_printed_schemas_equal_the_stored_files() {
    let stage = Stage::new();
    for (of, name) in [("scenario", "scenario"), ("report", "report"), ("settings", "upfault")] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schema/{name}.schema.json"));
        let printed = stage.upfault(&["schema", of]).code(0);
        assert!(printed.out == fs::read_to_string(file).unwrap(), "schema/{name}.schema.json differs");
    }
}

#[test]
fn proxies_are_listed_shown_and_checked_without_installing_anything() {
    let stage = Stage::small().fake("honest");
    stage.upfault(&["proxy", "list"]).code(0).out_has(&["builtin ", "litellm ", "builtin:rate-limit-as-500"]);
    stage.upfault(&["proxy", "show", "litellm"]).code(0).out_has(&[
        "litellm 1.110.2",
        "openai/chat",
        "does not serve vertex: it exchanges",
        "will be installed in",
    ]);
    stage.upfault(&["proxy", "show", "litellm@1.90.7"]).code(0).out_has(&["litellm 1.90.7"]);
    stage.upfault(&["proxy", "show", "./honest"]).code(0).out_has(&["fake", "honest/proxy.yaml"]);
    // The code is 0 if uv is installed on this machine, else 3.
    let printed = stage.upfault(&["proxy", "doctor", "litellm"]);
    assert!(matches!(printed.code, Some(0 | 3)), "{printed:?}");
    printed.out_has(&["litellm 1.110.2", "uv", "cache folder", "not installed yet"]);
    stage.upfault(&["proxy", "doctor", "./honest"]).code(0).out_has(&["ok   sh"]);
    assert!(!stage.path("cache/proxies").exists(), "these commands install nothing");
}

#[test]
fn a_rendered_configuration_is_yaml_with_an_entry_for_each_route() {
    let chain = "\
title: A chain
why: Another provider answers.
deployments: {primary: [{error: internal}], backup: [{reply: ok}]}
proxy: {timeout: 2s, fallback: [primary, backup]}
expect: {status: 200}
";
    let stage = Stage::small().scenario("t/chain", chain);
    let printed =
        stage.upfault(&["proxy", "render", "litellm", "scenarios/t", "--listen", "127.0.0.1:9555"]).code(0);
    let config: Value = serde_saphyr::from_str(&printed.out).unwrap();
    let models = config["model_list"].as_array().unwrap();
    // Four cases with one deployment, and the two deployments for control requests. The case with a fallback needs another
    // instance.
    assert_eq!(models.len(), 4 + 2, "{}", printed.out);
    let names: BTreeSet<&str> = models.iter().map(|model| model["model_name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), models.len(), "the names are unique");
    for model in models {
        let base = model["litellm_params"]["api_base"].as_str().unwrap();
        assert!(base.starts_with("http://127.0.0.1:9555/") && base.ends_with("/v1"), "{base}");
    }
    assert!(config["router_settings"].get("fallbacks").is_none());
    let printed = stage.upfault(&["proxy", "render", "litellm", "scenarios/t", "--instance", "2"]).code(0);
    let config: Value = serde_saphyr::from_str(&printed.out).unwrap();
    assert_eq!(config["model_list"].as_array().unwrap().len(), 2 + 2, "{}", printed.out);
    assert_eq!(config["router_settings"]["fallbacks"].as_array().unwrap().len(), 1);
}

#[test]
fn every_command_has_help() {
    let stage = Stage::new();
    for command in [
        &[][..],
        &["run"],
        &["check"],
        &["list"],
        &["explain"],
        &["review"],
        &["schema"],
        &["serve"],
        &["proxy"],
        &["proxy", "list"],
        &["proxy", "show"],
        &["proxy", "install"],
        &["proxy", "render"],
        &["proxy", "doctor"],
        &["proxy", "clean"],
        &["doctor"],
        &["completions"],
        &["man"],
        &["fmt"],
        &["help"],
    ] {
        for help in ["--help", "-h"] {
            let printed = stage.upfault(&[command, &[help]].concat()).code(0).out_has(&["Usage: upfault"]);
            assert!(printed.out.len() > 100, "{command:?}");
        }
    }
    // Only a release build adds the commit.
    stage.upfault(&["--version"]).code(0).out_has(&[&format!("upfault {}", env!("CARGO_PKG_VERSION"))]);
    // Without a command, upfault prints the help as an error.
    stage.upfault(&[]).code(2).err_has(&["Usage: upfault"]);
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let stage = Stage::small();
    for args in [&["list"][..], &["schema"], &["--help"], &["explain", "t"], &["run", "scenarios/t", "-v"]] {
        let mut child = stage.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!err.contains("panicked") && !err.contains("error: "), "{args:?}: {err}");
        assert_eq!(output.status.code(), Some(0), "{args:?}: {err}");
    }
    // `review` exits with 1, because snapshots are pending.
    stage.write("scenarios/t/limit.yaml", &format!("{LIMIT}expect: {{status: 200}}\n"));
    stage.upfault(&["run", "scenarios/t"]).code(1);
    let mut child = stage.command(&["review"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
