//! The JSON report, as another program reads it.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;
use upfault::internals::{event::LogSecret, judge::Verdict};

use super::stage::Stage;

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/report.schema.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn json(stage: &Stage) -> Value {
    serde_json::from_str(&stage.read("report.json")).unwrap()
}

/// A mixture of passing, failing and skipped cases.
fn mixed() -> Stage {
    let cool = "\
title: A cooldown
why: The fake proxy has none.
upstream: [{error: internal}]
proxy: {timeout: 5s, cooldown: {after: 1, for: 1s}}
";
    let leaking = "\
title: A rejected key
why: It must not come out.
upstream: [{error: invalid_api_key}]
proxy: {timeout: 5s}
";
    Stage::small().scenario("t/cool", cool).scenario("t/leaking", leaking).fake("leaky")
}

#[test]
fn a_report_matches_its_schema_and_its_counts_are_correct() {
    let stage = mixed();
    let (printed, report) = stage.run(&["scenarios/t", "--proxy", "leaky", "--seed", "5"]);
    printed.code(1);
    let value = json(&stage);
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!((report.schema, report.seed, report.policy.as_str()), (2, 5, "default"));
    assert_eq!(report.cases.len(), 6);
    for verdict in Verdict::ALL {
        let cases = report.cases.iter().filter(|case| case.verdict == verdict).count();
        assert_eq!(value["summary"][verdict.as_str()], cases, "{verdict}");
        assert_eq!(report.summary.count(verdict), cases, "{verdict}");
    }
    let seen: BTreeSet<Verdict> = report.cases.iter().map(|case| case.verdict).collect();
    assert_eq!(seen, BTreeSet::from([Verdict::Pass, Verdict::Fail, Verdict::Skipped]));
    let listed: Vec<&str> = report.cases.iter().map(|case| case.id.as_str()).collect();
    assert!(listed.is_sorted(), "{listed:?}");
}

#[test]
fn no_secret_is_in_any_output_report_or_snapshot() {
    let stage = mixed();
    let (printed, report) = stage.run(&["scenarios/t", "--proxy", "leaky", "-v"]);
    let printed = printed.code(1);
    let leaking = report.cases.iter().find(|case| case.id == "t/leaking").unwrap();
    assert!(
        leaking.findings.iter().any(|finding| finding.rule.starts_with("leak")),
        "the proxy leaked the key: {:?}",
        leaking.findings
    );
    let logged: Vec<_> = report.log_leaks.iter().map(|leak| (leak.secret, leak.log.as_str())).collect();
    let log = "instance-1/fake.log";
    assert_eq!(logged, [(LogSecret::ProviderKey, log), (LogSecret::ProxySecret, log)]);
    let printed =
        printed.out_has(&["warning: the proxy's log contains a provider key: instance-1/fake.log, line"]);
    let config = fs::read_to_string(
        stage
            .tree("cache/runs")
            .into_iter()
            .map(|(path, _)| path)
            .find(|path| path.ends_with("config.json"))
            .unwrap(),
    )
    .unwrap();
    // Both kinds of secret exist; otherwise the search below would prove nothing.
    assert!(config.contains("sk-canary-") && config.contains("sk-upfault-proxy-"), "{config}");
    let kept: String = stage
        .tree("snapshots")
        .iter()
        .map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
        .collect();
    assert!(!kept.is_empty());
    for (place, text) in [
        ("report", &stage.read("report.json")),
        ("stdout", &printed.out),
        ("stderr", &printed.err),
        ("snapshots", &kept),
    ] {
        for secret in ["sk-canary-", "sk-upfault-"] {
            let at = text.find(secret);
            assert_eq!(at, None, "{place}: {}", &text[at.unwrap_or(0).saturating_sub(60)..][..120]);
        }
    }
    assert!(stage.read("report.json").contains("<key primary>"), "a leak is still visible");
}

/// Removes the values that differ between two equal runs.
fn steady(value: &mut Value, varying: &regex::Regex) {
    match value {
        Value::Object(members) => {
            let is_time = |name: &str| name.ends_with("_ms") || matches!(name, "ms" | "began");
            members.retain(|name, _| !is_time(name) && name != "slowest");
            members.values_mut().for_each(|member| steady(member, varying));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| steady(item, varying)),
        Value::String(text) => {
            *text = varying.replace_all(text, "…").into_owned();
        }
        _ => {}
    }
}

#[test]
fn two_runs_with_the_same_seed_have_the_same_report_and_other_seeds_have_other_identities() {
    let varying =
        regex::Regex::new(r"127\.0\.0\.1:\d+|\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT|after [\d.]+m?s")
            .unwrap();
    let reported = |proxy: &str, seed: &str| {
        let stage = mixed();
        let (_, _) = stage.run(&["scenarios/t", "--proxy", proxy, "--seed", seed]);
        let mut value = json(&stage);
        steady(&mut value, &varying);
        value
    };
    for proxy in ["builtin:rate-limit-as-500", "leaky"] {
        let (one, two) = (reported(proxy, "3"), reported(proxy, "3"));
        for (a, b) in one["cases"].as_array().unwrap().iter().zip(two["cases"].as_array().unwrap()) {
            assert_eq!(a, b, "{proxy}: {}", a["id"]);
        }
        assert_eq!(one, two, "{proxy}");
    }
    let token = |value: &Value| value["cases"][0]["observation"]["arrangement"]["identity"]["token"].clone();
    let (three, four) = (reported("builtin", "3"), reported("builtin", "4"));
    assert_eq!(token(&three), token(&reported("builtin", "3")));
    assert_ne!(token(&three), token(&four));
}

#[test]
fn several_reports_are_written_and_one_on_standard_output_leaves_standard_error_for_the_text() {
    let stage = Stage::small();
    let run = ["run", "scenarios/t", "--proxy", "builtin:retry-after-dropped"];
    let reports = ["--report", "json=a.json", "--report", "junit=out/b.xml", "--report", "github"];
    let printed = stage.upfault(&[&run[..], &reports].concat()).code(1);
    let lines: Vec<&str> = printed.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", printed.out);
    assert!(
        lines[0].starts_with("::error file=scenarios/t/limit.yaml,line=1,title=FAIL t/limit::"),
        "{}",
        lines[0]
    );
    let xml = stage.read("out/b.xml");
    assert!(xml.contains(r#"<testsuites name="upfault" tests="4" failures="2" errors="0" time=""#), "{xml}");
    assert!(xml.contains("again: upfault run"), "{xml}");
    let printed = printed.err_has(&["FAIL t/limit[stream]", "4 cases: 2 pass, 2 fail"]);
    assert!(!printed.err.contains("::error"), "{}", printed.err);
    // A stored run can be written in another format.
    let printed = stage.upfault(&["explain", "a.json", "--report", "markdown=-"]).code(1);
    assert!(
        printed.out.starts_with("## upfault: builtin:retry-after-dropped\n\n4 cases: 2 pass, 2 fail"),
        "{}",
        printed.out
    );
    printed.err_has(&["4 cases: 2 pass, 2 fail", "the same findings and verdicts"]);
    stage.upfault(&["selftest", "--filter", "reset", "--report", "junit=x"]).code(2).err_has(&["json=PATH"]);
}
