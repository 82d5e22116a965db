//! Every command with good words and bad ones: exit codes, help, and what stdout gets.

use std::{collections::BTreeSet, fs, path::Path, process::Stdio};

use serde_json::Value;

use super::stage::{LIMIT, Stage};

#[test]
fn a_run_without_news_is_0_and_one_with_a_finding_is_1() {
    let stage = Stage::small();
    stage.upfault(&["run", "scenarios/t"]).code(0).out_has(&["Testing builtin: 4 cases", "4 cases: 4 pass"]);
    let said =
        stage.upfault(&["run", "scenarios/t", "--proxy", "builtin:rate-limit-as-500"]).code(1).out_has(&[
            "FAIL t/limit\n",
            "FAIL t/limit[stream]",
            "again: upfault run scenarios/t --filter case:t/limit --proxy builtin:rate-limit-as-500\n",
            "status.rate-limit (required)",
            "curl ",
            "4 cases: 2 pass, 2 fail",
        ]);
    assert!(!said.out.contains('\u{1b}') && !said.err.contains('\u{1b}'), "no colour where no terminal is");
    stage.upfault(&["run", "scenarios/t", "--color", "always"]).code(0).out_has(&["\u{1b}["]);
    // With a defect nothing is written that could be accepted.
    assert!(!stage.path("snapshots/builtin:rate-limit-as-500").exists());
}

#[test]
fn a_selftest_says_what_is_proven_and_writes_it_down() {
    let stage = Stage::small();
    let path = stage.path("out/selftest.json");
    let report = format!("json={}", path.display());
    let said =
        stage.upfault(&["selftest", "--filter", "endings: reset", "--report", &report]).code(0).out_has(&[
            "endings  7 of 7 proven",
            "  ok    reset: {at: before_headers}",
            "200, 3 events (",
            "7 exhibits proven on the wire",
            "injected by the mock",
        ]);
    assert!(!said.out.contains("FAIL") && !said.out.contains('\u{1b}'));
    let report: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!((&report["schema"], &report["proven"]), (&1.into(), &7.into()));
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
fn words_that_name_nothing_are_2_with_a_way_on() {
    let stage = Stage::small();
    for (args, words) in [
        (
            &["run", "--proxy", "builtin:rate-limit-as-50"][..],
            &["did you mean `rate-limit-as-500`?", "help: "][..],
        ),
        (&["run", "--policy", "rfc911"], &["there is no policy `rfc911`", "rfc9110"]),
        (&["run", "--proxy", "litelm"], &["did you mean `litellm`?", "help: "]),
        (&["run", "--proxy", "http://127.0.0.1:1"], &["--listen", "help: "]),
        (&["run", "--filter", "t/nothing"], &["no case matches `t/nothing`", "help: `upfault list`"]),
        (&["run", "--filter", "(stream"], &["expected `)`", "(stream\n         ^"]),
        (&["run", "--filter", "level:requird"], &["level"]),
        (&["run", "scenarios/nothing"], &["no scenario at `scenarios/nothing`"]),
        (&["run", "limts"], &["no scenario at `limts`; did you mean `limits`?"]),
        (&["run", "--shard", "3/2"], &["'3/2'", "write K/N"]),
        (&["run", "--shard", "0/2"], &["'0/2'", "write K/N"]),
        (&["run", "--report", "xml=a"], &["there is no report format `xml`; possible is `json`"]),
        (&["run", "--report", "json"], &["write FORMAT=PATH"]),
        (&["run", "--jobs", "0"], &["--jobs"]),
        (&["run", "--seed", "-1"], &["-1"]),
        (&["run", "--filtre", "x"], &["--filtre", "--filter"]),
        (&["rnu"], &["rnu"]),
        (&["explain", "limits/rate-limt"], &["did you mean `limits/rate-limit`?"]),
        (&["explain", "headers.retry-afer"], &["did you mean `headers.retry-after`?"]),
        (
            &["explain", "t/limit[nothing]"],
            &["there is no case `t/limit[nothing]`", "help: `upfault list t/limit`"],
        ),
        (&["explain", "zzz"], &["there is no scenario and no rule `zzz`", "help: "]),
        (&["proxy", "show", "litelm"], &["did you mean `litellm`?"]),
        (&["proxy", "doctor", "./nothing"], &["there is no proxy `./nothing`", "help: "]),
        (&["schema", "findings"], &["findings", "scenario, report"]),
        (&["run", "scenarios/t", "--accept", "--proxy", "builtin:detail-lost"], &["no baseline"]),
    ] {
        let said = stage.upfault(args).code(2).err_has(&["error: "]).err_has(words);
        assert_eq!(said.out, "", "{args:?}: a mistake is no result");
    }
}

#[test]
fn every_broken_file_is_reported_at_once_with_its_place_and_line() {
    let stage = Stage::small()
        .scenario("bad/one", "title: T\nwhy: W\nupstream: [{reply: ok}]\ncolour: red\n")
        .scenario("bad/two", "title: T\nwhy: W\nupstream: [{error: rate_limti}]\n");
    for command in ["run", "check", "list"] {
        let said = stage.upfault(&[command, "scenarios/bad"]).code(2).err_has(&[
            "unknown key `colour`",
            "scenarios/bad/one.yaml:4:1",
            "4 | colour: red",
            "scenarios/bad/two.yaml:3:20",
            "3 | upstream: [{error: rate_limti}]",
            "did you mean `rate_limit`?",
            "2 errors in scenario files",
        ]);
        assert_eq!(said.out, "");
    }
    // Files that were not asked for are none of the command's.
    stage.upfault(&["check", "t"]).code(0).out_has(&["2 scenarios, 4 cases: all right"]);
    let except = format!("{LIMIT}except: {{headers.retry-afer: \"none here\"}}\n");
    stage.write("scenarios/t/limit.yaml", &except);
    stage.upfault(&["check", "scenarios/t"]).code(2).err_has(&[
        "scenarios/t/limit.yaml:6:",
        "there is no rule `headers.retry-afer`",
        "did you mean `headers.retry-after`?",
    ]);
}

fn ids(out: &str) -> Vec<String> {
    out.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn list_shows_what_would_run_and_shards_share_it_out() {
    let stage = Stage::small();
    let listed = |args: &[&str]| ids(&stage.upfault(&[&["list"], args].concat()).code(0).out);
    assert_eq!(listed(&["scenarios/t"]), ["t/limit", "t/limit[stream]", "t/plain", "t/plain[stream]"]);
    assert_eq!(
        listed(&["t/limit"]),
        ["t/limit", "t/limit[stream]"],
        "a name from the list will do as a path"
    );
    assert_eq!(listed(&["--filter", "t/* & stream"]), ["t/limit[stream]", "t/plain[stream]"]);
    assert_eq!(listed(&["--filter", "t/l* & !stream | t/plain[stream]"]), ["t/limit", "t/plain[stream]"]);
    let all = listed(&[]);
    assert!(all.len() > 200, "the bundled ones are among them");
    let (one, two) = (listed(&["--shard", "1/2"]), listed(&["--shard", "2/2"]));
    assert!(one.len().abs_diff(two.len()) <= 1);
    let together: BTreeSet<&String> = one.iter().chain(&two).collect();
    assert_eq!(together.len(), one.len() + two.len(), "no case is in both");
    assert_eq!(together, all.iter().collect(), "and none in neither");
}

#[test]
fn a_scenario_on_disk_wins_over_the_bundled_one_of_its_name() {
    let stage = Stage::new().scenario("limits/rate-limit", LIMIT);
    stage.upfault(&["list", "limits/rate-limit"]).code(0).out_has(&["A rate limit"]);
    let said = stage.upfault(&["list", "limits"]).code(0).out_has(&["limits/quota", "A rate limit"]);
    assert_eq!(said.out.matches("limits/rate-limit ").count(), 1);
}

#[test]
fn explain_knows_scenarios_cases_and_rules() {
    let stage = Stage::small();
    for what in ["t/limit", "scenarios/t/limit.yaml"] {
        let said = stage.upfault(&["explain", what]).code(0);
        let said = said.out_has(&[
            "t/limit\n",
            "t/limit[stream]\n",
            "POST /v1/chat/completions",
            "head   429",
            "retry-after: 7",
        ]);
        assert_eq!(said.err, "");
    }
    let said = stage.upfault(&["explain", "t/plain[stream]"]).code(0).out_has(&[
        "t/plain[stream]",
        "\"stream\":true",
        "data: [DONE]",
    ]);
    assert!(!said.out.contains("t/plain\n"), "only the case that was asked for");
    stage.upfault(&["explain", "limits/rate-limit"]).code(0).out_has(&["limits/rate-limit[stream]"]);
    stage
        .upfault(&["explain", "headers.retry-after"])
        .code(0)
        .out_has(&["headers.retry-after (required)", "RFC 9110"]);
}

#[test]
fn check_finds_everything_bundled_all_right() {
    let said = Stage::new()
        .upfault(&["check"])
        .code(0)
        .out_has(&["cases: all right", "litellm/proxy.yaml: all right"]);
    assert_eq!(said.err, "");
}

#[test]
fn the_schemas_printed_are_those_checked_in() {
    let stage = Stage::new();
    for (of, name) in [("scenario", "scenario"), ("report", "report"), ("settings", "upfault")] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schema/{name}.schema.json"));
        let said = stage.upfault(&["schema", of]).code(0);
        assert!(said.out == fs::read_to_string(file).unwrap(), "schema/{name}.schema.json differs");
    }
}

#[test]
fn proxies_are_listed_shown_and_examined_without_installing_anything() {
    let stage = Stage::small().fake("honest");
    stage.upfault(&["proxy", "list"]).code(0).out_has(&["builtin ", "litellm ", "builtin:rate-limit-as-500"]);
    stage.upfault(&["proxy", "show", "litellm"]).code(0).out_has(&[
        "litellm 1.102.4",
        "openai/chat",
        "does not serve vertex: it exchanges",
        "will be installed in",
    ]);
    stage.upfault(&["proxy", "show", "litellm@1.90.7"]).code(0).out_has(&["litellm 1.90.7"]);
    stage.upfault(&["proxy", "show", "./honest"]).code(0).out_has(&["fake", "honest/proxy.yaml"]);
    // Whether uv is on this machine decides between the two codes.
    let said = stage.upfault(&["proxy", "doctor", "litellm"]);
    assert!(matches!(said.code, Some(0 | 3)), "{said:?}");
    said.out_has(&["litellm 1.102.4", "uv", "cache folder", "not installed yet"]);
    stage.upfault(&["proxy", "doctor", "./honest"]).code(0).out_has(&["ok   python3"]);
    assert!(!stage.path("cache/proxies").exists(), "to look is not to install");
}

#[test]
fn a_rendered_configuration_is_yaml_with_an_entry_for_each_route() {
    let chain = "\
title: A chain
why: Somebody else answers.
deployments: {primary: [{error: internal}], backup: [{reply: ok}]}
proxy: {timeout: 2s, fallback: [primary, backup]}
expect: {status: 200}
";
    let stage = Stage::small().scenario("t/chain", chain);
    let said =
        stage.upfault(&["proxy", "render", "litellm", "scenarios/t", "--listen", "127.0.0.1:9555"]).code(0);
    let config: Value = serde_saphyr::from_str(&said.out).unwrap();
    let models = config["model_list"].as_array().unwrap();
    // Four cases with one deployment, one with two, and upfault's own pair.
    assert_eq!(models.len(), 4 + 2 + 2, "{}", said.out);
    let names: BTreeSet<&str> = models.iter().map(|model| model["model_name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), models.len(), "each has a name of its own");
    for model in models {
        let base = model["litellm_params"]["api_base"].as_str().unwrap();
        assert!(base.starts_with("http://127.0.0.1:9555/") && base.ends_with("/v1"), "{base}");
    }
    let fallbacks = config["router_settings"]["fallbacks"].as_array().unwrap();
    assert_eq!(fallbacks.len(), 1);
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
    ] {
        for help in ["--help", "-h"] {
            let said = stage.upfault(&[command, &[help]].concat()).code(0).out_has(&["Usage: upfault"]);
            assert!(said.out.len() > 100, "{command:?}");
        }
    }
    stage.upfault(&["--version"]).code(0).out_has(&["upfault "]);
    // Without a command the help is the answer to a mistake.
    stage.upfault(&[]).code(2).err_has(&["Usage: upfault"]);
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let stage = Stage::small();
    for args in [&["list"][..], &["schema"], &["--help"], &["explain", "t"], &["run", "scenarios/t", "-v"]] {
        let mut child = stage.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!err.contains("panicked") && !err.contains("error: "), "{args:?}: {err}");
        assert_eq!(output.status.code(), Some(0), "{args:?}: {err}");
    }
    // `review` has an exit code of its own: something waits.
    stage.write("scenarios/t/limit.yaml", &format!("{LIMIT}expect: {{status: 200}}\n"));
    stage.upfault(&["run", "scenarios/t"]).code(1);
    let mut child = stage.command(&["review"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
