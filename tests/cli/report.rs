//! The JSON report as another program finds it.

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

/// Passing, failing and skipped cases at once.
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
fn a_report_is_valid_by_the_schema_and_counts_its_own_cases() {
    let stage = mixed();
    let (said, report) = stage.run(&["scenarios/t", "--proxy", "leaky", "--seed", "5"]);
    said.code(1);
    let value = json(&stage);
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!((report.schema, report.seed, report.policy.as_str()), (1, 5, "default"));
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
fn no_key_and_no_secret_is_in_anything_that_is_shown_or_kept() {
    let stage = mixed();
    let (said, report) = stage.run(&["scenarios/t", "--proxy", "leaky", "-v"]);
    let said = said.code(1);
    let leaking = report.cases.iter().find(|case| case.id == "t/leaking").unwrap();
    assert!(
        leaking.findings.iter().any(|finding| finding.rule.starts_with("leak")),
        "the key did come out: {:?}",
        leaking.findings
    );
    let logged: Vec<_> = report.log_leaks.iter().map(|leak| (leak.secret, leak.log.as_str())).collect();
    let log = "instance-1/fake.log";
    assert_eq!(logged, [(LogSecret::ProviderKey, log), (LogSecret::ProxySecret, log)]);
    let said = said.out_has(&["warning: a provider key stands in the proxy's log, instance-1/fake.log line"]);
    let config = fs::read_to_string(
        stage
            .tree("cache/runs")
            .into_iter()
            .map(|(path, _)| path)
            .find(|path| path.ends_with("config.json"))
            .unwrap(),
    )
    .unwrap();
    // Both kinds of secret are real, or the search below would prove nothing.
    assert!(config.contains("sk-canary-") && config.contains("sk-upfault-proxy-"), "{config}");
    let kept: String = stage
        .tree("snapshots")
        .iter()
        .map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
        .collect();
    assert!(!kept.is_empty());
    for (place, text) in [
        ("report", &stage.read("report.json")),
        ("stdout", &said.out),
        ("stderr", &said.err),
        ("snapshots", &kept),
    ] {
        for secret in ["sk-canary-", "sk-upfault-"] {
            let at = text.find(secret);
            assert_eq!(at, None, "{place}: {}", &text[at.unwrap_or(0).saturating_sub(60)..][..120]);
        }
    }
    assert!(stage.read("report.json").contains("<key primary>"), "a leak can still be told");
}

/// Takes out what differs between two runs that saw the same.
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
fn two_runs_with_one_seed_tell_the_same_and_another_seed_tells_of_others() {
    let varying =
        regex::Regex::new(r"127\.0\.0\.1:\d+|\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT|after [\d.]+m?s")
            .unwrap();
    let told = |proxy: &str, seed: &str| {
        let stage = mixed();
        let (_, _) = stage.run(&["scenarios/t", "--proxy", proxy, "--seed", seed]);
        let mut value = json(&stage);
        steady(&mut value, &varying);
        value
    };
    for proxy in ["builtin:rate-limit-as-500", "leaky"] {
        let (one, two) = (told(proxy, "3"), told(proxy, "3"));
        for (a, b) in one["cases"].as_array().unwrap().iter().zip(two["cases"].as_array().unwrap()) {
            assert_eq!(a, b, "{proxy}: {}", a["id"]);
        }
        assert_eq!(one, two, "{proxy}");
    }
    let token = |value: &Value| value["cases"][0]["observation"]["arrangement"]["identity"]["token"].clone();
    let (three, four) = (told("builtin", "3"), told("builtin", "4"));
    assert_eq!(token(&three), token(&told("builtin", "3")));
    assert_ne!(token(&three), token(&four));
}
