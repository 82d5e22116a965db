//! Tests of upfault.toml: valid files, invalid files, and the schema.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Settings, find, schema};
use crate::{
    cli::{context::CliContext, failure::Failure},
    report::{FailureOutput, ReportTarget, Verbosity},
};

/// A project in a temporary folder.
struct Project(TempDir);

impl Project {
    fn with(text: &str) -> Self {
        let project = Self(TempDir::new().unwrap());
        project.write("upfault.toml", text);
        project
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self) -> Result<Settings, Failure> {
        self.read_from("")
    }

    fn read_from(&self, folder: &str) -> Result<Settings, Failure> {
        let file = self.path("upfault.toml");
        Settings::read(&CliContext::for_tests(&self.path(folder), Some(&file)))
    }
}

fn wrong(text: &str) -> String {
    Project::with(text).read().expect_err("it is invalid").render(false)
}

#[test]
fn every_key_is_read() {
    let text = r#"
proxy = "builtin:retry-after-dropped"
listen = "127.0.0.1:9400"
scenarios = ["llm", "limits"]
snapshots = "llm/snapshots"
filter = "!tag:slow"
report = {json = "target/upfault.json", junit = "-"}
seed = 7
jobs = 4
durations = "durations.json"
strict = true
allow_inconclusive = 2
fail_fast = 3
failure_output = "none"
verbosity = "quiet"

[policy]
extends = "rfc9110"
timeout = {answer = [504, 408], reason = "Half of our clients want 408."}
no_fallback_on = {answer = "4xx", reason = "So we do it."}
server_message = {answer = "lifted", reason = "We hide it."}

[policy.levels]
"headers.request-id" = {answer = "required", reason = "Our support asks for it."}
"#;
    let project = Project::with(text);
    project.write("llm/cut.yaml", "title: T\nwhy: W\nupstream: [{reply: ok}]\n");
    std::fs::create_dir(project.path("sub")).unwrap();
    let settings = project.read_from("sub").unwrap();
    assert_eq!(settings.proxy.as_deref(), Some("builtin:retry-after-dropped"));
    assert_eq!(settings.listen.unwrap().port(), 9400);
    assert_eq!((settings.seed, settings.jobs), (Some(7), Some(4)));
    assert_eq!(settings.snapshots, Some(project.path("llm/snapshots")));
    let reports: Vec<_> = settings.reports.iter().map(|to| (to.format.name, to.target.clone())).collect();
    let json = ReportTarget::File(project.path("target/upfault.json"));
    assert_eq!(reports, [("json", json), ("junit", ReportTarget::Stdout)]);
    assert_eq!(settings.filter.as_deref(), Some("!tag:slow"));
    assert_eq!(settings.durations, Some(project.path("durations.json")));
    assert_eq!(
        (settings.strict, settings.allow_inconclusive, settings.fail_fast),
        (Some(true), Some(2), Some(3))
    );
    assert_eq!(settings.failure_output, Some(FailureOutput::None));
    assert_eq!(settings.verbosity, Some(Verbosity::Quiet));
    assert_eq!(settings.scenarios, [Path::new("llm"), Path::new("limits")]);
    assert_eq!(
        settings.policy.unwrap().describe(),
        "rfc9110 + upfault.toml, with timeout = 504 or 408, no_fallback_on = 4xx, server_message = lifted, \
         headers.request-id = required"
    );
}

#[test]
fn an_empty_file_and_a_missing_file_set_nothing() {
    let empty = Project::with("# nothing yet\n").read().unwrap();
    assert!(empty.policy.is_none() && empty.proxy.is_none() && empty.scenarios.is_empty());
    let none = Settings::read(&CliContext::for_tests(Path::new("/"), None)).unwrap();
    assert!(none.shown().is_none() && none.policy.is_none());
}

#[test]
fn a_policy_can_be_a_name_or_a_file() {
    assert_eq!(Project::with("policy = \"strict\"\n").read().unwrap().policy.unwrap().name, "strict");
    let project = Project::with("policy = \"ours.yaml\"\n");
    project.write("ours.yaml", "name: ours\ntimeout: 408\n");
    assert_eq!(project.read().unwrap().policy.unwrap().name, "ours");
    project.write("ours.yaml", "name: ours\ntimeot: 408\n");
    let error = project.read().unwrap_err().render(false);
    assert!(error.contains("ours.yaml:2:1") && error.contains("did you mean `timeout`?"), "{error}");
}

#[test]
fn the_nearest_file_is_used() {
    let project = Project::with("seed = 1\n");
    std::fs::create_dir_all(project.path("a/b")).unwrap();
    assert_eq!(find(&project.path("a/b")), [project.path("upfault.toml")]);
    project.write("a/upfault.toml", "seed = 2\n");
    assert_eq!(find(&project.path("a/b")), [project.path("a/upfault.toml")]);
    std::fs::create_dir_all(project.path("c/upfault.toml")).unwrap();
    assert_eq!(find(&project.path("c")), [project.path("upfault.toml")], "a folder is not a file");
    project.write("a/d/.upfault/upfault.toml", "seed = 3\n");
    assert_eq!(find(&project.path("a/d")), [project.path("a/d/.upfault/upfault.toml")]);
}

#[test]
fn unknown_keys_and_values_are_errors_with_a_suggestion() {
    insta::assert_snapshot!(wrong("seed = 1\npolcy = \"strict\"\n"), @r#"
    error: unknown key `polcy`
     --> upfault.toml:2:1
      |
    2 | polcy = "strict"
      | ^^^^^
      |
      = help: did you mean `policy`?
    "#);
    insta::assert_snapshot!(wrong("[policy]\ntimeot = {answer = 504, reason = \"So.\"}\n"), @r#"
    error: unknown key `timeot`
     --> upfault.toml:2:1
      |
    2 | timeot = {answer = 504, reason = "So."}
      | ^^^^^^
      |
      = help: did you mean `timeout`?
    "#);
    insta::assert_snapshot!(wrong("[policy]\ntimeout = {answer = 99, reason = \"So.\"}\n"), @r#"
    error: 99 is not an HTTP status (100 to 599)
     --> upfault.toml:2:21
      |
    2 | timeout = {answer = 99, reason = "So."}
      |                     ^^
    "#);
    insta::assert_snapshot!(wrong("[policy]\nclean_end = {answer = \"fail\", reason = \"So.\"}\n"), @r#"
    error: unknown name `fail`
     --> upfault.toml:2:23
      |
    2 | clean_end = {answer = "fail", reason = "So."}
      |                       ^^^^^^
      |
      = help: did you mean `failure`? Possible values: `failure`, `failure_unless_done`, `either`
    "#);
    insta::assert_snapshot!(wrong("[policy]\ntimeout = 504\nlevels.\"status.timeout\" = \"required\"\n"), @r#"
    error: `timeout` has no reason
     --> upfault.toml:2:11
      |
    2 | timeout = 504
      |           ^^^
      |
      = help: write {answer = …, reason = "…"}, so that others understand the choice

    error: `levels.status.timeout` has no reason
     --> upfault.toml:3:27
      |
    3 | levels."status.timeout" = "required"
      |                           ^^^^^^^^^^
      |
      = help: write {answer = …, reason = "…"}, so that others understand the choice
    "#);
    insta::assert_snapshot!(wrong("[policy]\nlevels.\"status.timeot\" = {answer = \"required\", reason = \"So.\"}\n"), @r#"
    error: unknown rule `status.timeot`; did you mean `status.timeout`?
     --> upfault.toml:2:8
      |
    2 | levels."status.timeot" = {answer = "required", reason = "So."}
      |        ^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(wrong("policy = {extends = \"stric\"}\n"), @r#"
    error: unknown policy `stric`, which cannot be extended
     --> upfault.toml:1:21
      |
    1 | policy = {extends = "stric"}
      |                     ^^^^^^^
      |
      = help: did you mean `strict`? the bundled policies are: `default`, `rfc9110`, `litellm-docs`, `strict`
    "#);
    let unknown = wrong("policy = \"stric\"\n");
    assert!(unknown.contains("unknown policy `stric`, and no file "), "{unknown}");
    assert!(unknown.contains("upfault.toml:1:10") && unknown.contains("did you mean `strict`?"), "{unknown}");
}

#[test]
fn wrong_types_duplicate_keys_and_invalid_toml_are_errors_with_a_position() {
    insta::assert_snapshot!(wrong("seed = \"one\"\n"), @r#"
    error: found string "one", expected a whole number, 0 or more
     --> upfault.toml:1:8
      |
    1 | seed = "one"
      |        ^^^^^
    "#);
    insta::assert_snapshot!(wrong("seed = -1\n"), @"
    error: found integer `-1`, expected a whole number, 0 or more
     --> upfault.toml:1:8
      |
    1 | seed = -1
      |        ^^
    ");
    insta::assert_snapshot!(wrong("jobs = 0\n"), @"
    error: found integer `0`, expected a whole number from 1 to 65535
     --> upfault.toml:1:8
      |
    1 | jobs = 0
      |        ^
    ");
    insta::assert_snapshot!(wrong("listen = \"9400\"\n"), @r#"
    error: this is not an address with a port
     --> upfault.toml:1:10
      |
    1 | listen = "9400"
      |          ^^^^^^
      |
      = help: write one like `127.0.0.1:9400`
    "#);
    insta::assert_snapshot!(wrong("scenarios = \"llm\"\n"), @r#"
    error: found string "llm", expected a list (`["…"]`)
     --> upfault.toml:1:13
      |
    1 | scenarios = "llm"
      |             ^^^^^
    "#);
    insta::assert_snapshot!(wrong("scenarios = []\n"), @"
    error: an empty list selects no scenarios
     --> upfault.toml:1:13
      |
    1 | scenarios = []
      |             ^^
      |
      = help: omit the key to use the bundled scenarios and those in the folder `scenarios`
    ");
    insta::assert_snapshot!(wrong("policy = 504\n"), @"
    error: found integer `504`, expected the name of a policy, a policy file, or a `[policy]` table
     --> upfault.toml:1:10
      |
    1 | policy = 504
      |          ^^^
    ");
    insta::assert_snapshot!(wrong("report = \"json=r.json\"\n"), @r#"
    error: found string "json=r.json", expected a table (`{json = "report.json"}`)
     --> upfault.toml:1:10
      |
    1 | report = "json=r.json"
      |          ^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(wrong("[report]\nxml = \"r.xml\"\n").lines().take(5).collect::<Vec<_>>().join("\n"), @r#"
    error: unknown key `xml`
     --> upfault.toml:2:1
      |
    2 | xml = "r.xml"
      | ^^^
    "#);
    insta::assert_snapshot!(wrong("filter = \"(stream\"\n"), @r#"
    error: expected `)`
     --> upfault.toml:1:10
      |
    1 | filter = "(stream"
      |          ^^^^^^^^^
    "#);
    insta::assert_snapshot!(wrong("strict = \"yes\"\n"), @r#"
    error: found string "yes", expected `true` or `false`
     --> upfault.toml:1:10
      |
    1 | strict = "yes"
      |          ^^^^^
    "#);
    insta::assert_snapshot!(wrong("fail_fast = -1\n"), @"
    error: found integer `-1`, expected a whole number, 0 or more
     --> upfault.toml:1:13
      |
    1 | fail_fast = -1
      |             ^^
    ");
    insta::assert_snapshot!(wrong("verbosity = \"loud\"\n"), @r#"
    error: unknown name `loud`
     --> upfault.toml:1:13
      |
    1 | verbosity = "loud"
      |             ^^^^^^
      |
      = help: possible values: `quiet`, `normal`, `verbose`, `full`
    "#);
    insta::assert_snapshot!(wrong("seed = 1\nseed = 2\n"), @"
    error: this key is specified twice
     --> upfault.toml:2:1
      |
    2 | seed = 2
      | ^^^^
      |
      = help: keep one of them
    ");
    insta::assert_snapshot!(wrong("proxy = \"litellm\nseed = 2\n"), @r#"
    error: invalid basic string, expected `"`
     --> upfault.toml:1:17
      |
    1 | proxy = "litellm
      |                 ^
    "#);
    insta::assert_snapshot!(wrong("[policy\n"), @"
    error: unclosed table, expected `]`
     --> upfault.toml:1:8
      |
    1 | [policy
      |        ^
    ");
}

#[test]
fn a_file_that_is_not_utf_8_is_an_error() {
    let project = Project::with("");
    std::fs::write(project.path("upfault.toml"), [b'a', 0xff]).unwrap();
    let error = project.read().unwrap_err().render(false);
    assert!(
        error.contains("cannot read this file: it is not valid UTF-8") && error.contains("upfault.toml"),
        "{error}"
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "`just schema` sets the variable")]
fn the_stored_schema_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/upfault.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, schema()).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == schema(), "schema/upfault.schema.json is out of date: run `just schema`");
}

#[test]
fn the_schema_accepts_exactly_what_can_be_read() {
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema()).unwrap()).unwrap();
    let valid = |text: &str| {
        let value: serde_json::Value = toml::from_str(text).unwrap();
        validator.is_valid(&value)
    };
    for text in [
        "",
        "policy = \"strict\"\n",
        "seed = 1\njobs = 2\nscenarios = [\"a\"]\nreport.json = \"r\"\nlisten = \"127.0.0.1:1\"\n",
        "filter = \"stream\"\nstrict = false\nfail_fast = 1\nfailure_output = \"all\"\nverbosity = \"full\"\n",
        "[report]\njunit = \"r.xml\"\nmarkdown = \"-\"\n",
        "[policy]\nextends = \"strict\"\ntimeout = {answer = [504, 408], reason = \"So.\"}\n",
        "[policy]\nno_fallback_on = {answer = \"none\", reason = \"So.\"}\n",
    ] {
        assert!(valid(text) && Project::with(text).read().is_ok(), "{text}");
    }
    for text in [
        "sed = 1\n",
        "strict = 1\n",
        "fail_fast = -1\n",
        "verbosity = \"loud\"\n",
        "failure_output = \"some\"\n",
        "[report]\nxml = \"r.xml\"\n",
        "jobs = 0\n",
        "scenarios = []\n",
        "[policy]\ntimeout = 504\n",
        "[policy]\ntimeot = {answer = 504, reason = \"So.\"}\n",
        "[policy]\nhold_back = {answer = \"perhaps\", reason = \"So.\"}\n",
    ] {
        assert!(!valid(text) && Project::with(text).read().is_err(), "{text}");
    }
}
