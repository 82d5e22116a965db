//! `upfault adopt`: a user's own configuration with mocks in place of its providers.

use upfault::internals::report::Report;

use super::stage::{CliOutput, Stage};

/// How the fake proxy's configuration is adopted.
const ADOPT: &str = "
adopt:
  models: {list: models, name: name, parameters: with, model: model, mode: kind, any: '*'}
  providers: {open: openai}
  unknown_providers: {far: upfault does not simulate it}
  kinds: [{mode: embedding, model: embed, apis: [openai/embeddings]}, {apis: [openai/chat]}]
  replaced: '^(url|key)$'
  alike: '^price$'
  untestable: {canned: it answers itself}
  variable: env/
  settings:
    timeout: [with.timeout, wait]
    default_timeout: 600
    retries: [with.again, again]
    excludes: [{needs: pass_through, reason: it is outside}]
  leaves: {database: no database is started}
  selects: {reports_to: {keep: '\\.', reason: it is a service outside}}
";

const CONFIG: &str = "\
models:
  - name: first
    with: {model: open/one, url: 'https://example.org', key: env/KEY, price: 1, color: env/COLOR}
  - name: second
    with: {model: open/two, key: env/KEY, price: 2}
  - name: slow
    with: {model: open/one, key: env/KEY, timeout: 900}
  - name: elsewhere
    with: {model: far/one}
  - name: unheard
    with: {model: never/one}
  - name: canned
    with: {model: open/one, canned: yes}
wait: 5
again: 0
database: postgres://db
reports_to: [collector, mine.handler]
";

fn stage() -> Stage {
    let stage = Stage::small().scenario("t/late", super::stage::LATE).fake("honest");
    let definition = stage.read("honest/proxy.yaml");
    stage.write("honest/proxy.yaml", &(definition + ADOPT));
    stage.write("config.yaml", CONFIG);
    stage.write("mine.py", "# a handler");
    stage
}

fn adopt(stage: &Stage, more: &[&str]) -> CliOutput {
    stage.upfault(&[&["adopt", "config.yaml", "--proxy", "./honest", "--filter", "t/*"], more].concat())
}

#[test]
fn a_dry_run_says_what_is_tested_and_what_is_not() {
    let stage = stage();
    insta::assert_snapshot!(adopt(&stage, &["--dry-run"]).code(0).out, @"
    config.yaml: 3 of 6 models can be tested with fake
      first  openai  6 cases, timeout 5s, 0 retries; as well as second
      slow   openai  4 cases (2 skipped), timeout 15m, 0 retries

    Not tested:
      elsewhere (line 8)
          `far`: upfault does not simulate it
      unheard (line 10)
          upfault does not simulate the provider `never`
      canned (line 12)
          `canned`: it answers itself

    Not used, or changed:
      database
          no database is started
      reports_to: collector
          it is a service outside
      first: with.color
          it reads COLOR, which has no value (`--set COLOR=VALUE`)

    Skipped:
      2 cases
          it waits for your timeout: 15m 1s with 15m (`--patience 15m1s` runs it)
    ");
    let all = adopt(&stage, &["--dry-run", "--all", "--set", "COLOR=red"]).code(0);
    all.out_has(&["  second  openai  "]);
}

#[test]
fn each_model_runs_with_its_own_parameters_and_the_report_names_it() {
    let stage = stage();
    let printed = adopt(&stage, &["--report", "json-full=report.json"]).code(0);
    printed.out_has(&["YOUR MODELS", "  first (openai)  "]);
    let report = Report::read(&stage.path("report.json")).unwrap();
    let ids: Vec<&str> = report.cases.iter().map(|case| case.id.as_str()).collect();
    assert!(ids.contains(&"t/limit[stream]@first") && ids.contains(&"t/late@slow"), "{ids:?}");
    assert_eq!(report.proxy.mode.as_deref(), Some("adopted:config.yaml"));
    let rendered = stage.tree("cache/runs").into_iter().find(|(path, _)| path.ends_with("config.json"));
    let config: serde_json::Value = serde_json::from_slice(&rendered.unwrap().1).unwrap();
    assert_eq!((&config["wait"], &config["reports_to"][0]), (&5.into(), &"mine.handler".into()));
    assert!(config.get("database").is_none() && config.get("models").is_none());
    let own = |name: &str| {
        let routes = config["routes"].as_array().unwrap().iter();
        let mut owns = routes.map(|route| &route["own"]).filter(|own| own["name"] == name);
        owns.next().cloned().unwrap_or_default()
    };
    assert_eq!(own("first")["model"], "open/one");
    // Its address and its key are those of the mock, and the variable has no value.
    assert_eq!(own("first")["parameters"], serde_json::json!({"price": 1}));
    assert_eq!(own("slow")["parameters"]["timeout"], 900);
    let linked = stage.tree("cache/runs").into_iter().any(|(path, _)| path.ends_with("mine.py"));
    assert!(linked, "a file that the configuration names is next to the rendered one");
}

#[test]
fn a_case_is_judged_by_the_settings_of_the_user() {
    let stage = stage();
    adopt(&stage, &["--report", "json-full=report.json"]).code(0);
    let report = Report::read(&stage.path("report.json")).unwrap();
    let case = |id: &str| report.cases.iter().find(|case| case.id == id).unwrap();
    let late = case("t/late@slow");
    insta::assert_snapshot!(late.reason.as_deref().unwrap_or_default(), @"it waits for your timeout: 15m 1s with 15m (`--patience 15m1s` runs it)");
    let seen = case("t/late@first").observation.as_ref().unwrap();
    assert_eq!(seen.arrangement.proxy.timeout.as_secs(), 5);
    assert!(seen.arrangement.own_retries.is_some());
}

#[test]
fn a_failing_case_names_the_model_and_the_command_that_repeats_it() {
    let stage = stage().fake("underlong");
    let definition = stage.read("underlong/proxy.yaml");
    stage.write("underlong/proxy.yaml", &(definition + ADOPT));
    let args = ["adopt", "config.yaml", "--proxy", "./underlong", "--filter", "case:t/plain@first"];
    let failed = stage.upfault(&[&args[..], &["--report", "json=report.json"]].concat()).code(1);
    failed.out_has(&[
        "YOUR MODELS",
        "  first (openai)  1 fail",
        "× broken: ",
        "upfault adopt config.yaml --filter case:t/plain@first --proxy ./underlong --patience 2m",
    ]);
    stage
        .upfault(&["run", "--rerun-failed", "report.json"])
        .code(2)
        .err_has(&["report.json is a report of `upfault adopt config.yaml`", "help: "]);
}

#[test]
fn mistakes_in_the_configuration_are_shown_with_their_place_and_the_next_step() {
    let stage = stage();
    let failing = |text: &str| {
        stage.write("config.yaml", text);
        let printed = adopt(&stage, &["--dry-run"]).code(2);
        assert!(printed.out.is_empty(), "{}", printed.out);
        printed.err
    };
    insta::assert_snapshot!(failing("models:\n  - name: [a\n"), @"
    error: config.yaml:2:11: unclosed bracket '['
      |
    2 |   - name: [a
      |           ^
    ");
    insta::assert_snapshot!(failing("wait: 5\n"), @"
    error: config.yaml:1:1: there is no `models`, so there is no model to test
      |
    1 | wait: 5
      | ^
    help: `upfault run --config-overlay config.yaml` tests settings without models
    ");
    insta::assert_snapshot!(failing("models:\n  - name: a\n    with: {model: fra/one}\n"), @"
    error: config.yaml:2:3: `a` cannot be tested: upfault does not simulate the provider `fra`; did you mean `far`?
      |
    2 |   - name: a
      |   ^
    help: upfault simulates the providers open
    ");
    let only = |args: &[&str]| stage.upfault(&[&["adopt", "config.yaml"], args].concat()).code(2).err;
    insta::assert_snapshot!(only(&["--proxy", "builtin"]), @"
    error: builtin has no configuration
    help: `--proxy litellm` adopts a configuration of LiteLLM
    ");
    insta::assert_snapshot!(only(&["--proxy", "nginx"]), @"
    error: the definition of nginx does not say how to adopt a configuration (`adopt` in (bundled) nginx/proxy.yaml)
    help: `--proxy litellm` adopts one of LiteLLM; `upfault run --proxy nginx` tests the proxy with models of upfault
    ");
    stage.write("config.yaml", CONFIG);
    let none = only(&["--proxy", "./honest", "--filter", "nothing/*"]);
    assert!(none.contains("no case matches `nothing/*`") && none.contains("'*@MODEL'"), "{none}");
    let missing = stage.upfault(&["adopt", "missing.yaml", "--proxy", "./honest"]).code(2);
    missing.err_has(&["cannot read missing.yaml", "help: "]);
}
