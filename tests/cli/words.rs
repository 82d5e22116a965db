//! The banned words of `tests/architecture/wording.rs` do not occur in anything that the program prints.
//!
//! The test of the sources reads each string literal alone; this one reads what the program makes of them, at the
//! width of a terminal without a limit and with the texts of every rule, policy, scenario and defect.

use super::{stage::Stage, wording};

const COMMANDS: [&[&str]; 17] = [
    &["run"],
    &["show"],
    &["compare"],
    &["matrix"],
    &["merge"],
    &["repro"],
    &["new"],
    &["init"],
    &["serve"],
    &["selftest"],
    &["check"],
    &["list"],
    &["explain"],
    &["review"],
    &["proxy"],
    &["schema"],
    &[],
];

fn assert_plain(name: &str, text: &str) {
    assert!(!text.trim().is_empty(), "{name} prints nothing");
    let problems = wording::banned(name, text);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn help_texts_are_plain() {
    let stage = Stage::new();
    for command in COMMANDS {
        let printed = stage.upfault(&[command, &["--help"]].concat()).code(0);
        assert_plain(&format!("upfault {} --help", command.concat()), &printed.out);
    }
}

#[test]
fn explanations_and_lists_are_plain() {
    let stage = Stage::new();
    let rules = stage.upfault(&["explain", "rules"]).code(0).out;
    assert_plain("explain rules", &rules);
    let ids: Vec<&str> =
        rules.split_whitespace().filter(|word| word.contains('.') && !word.ends_with('.')).collect();
    assert!(ids.len() > 80, "{ids:?}");
    for id in ids {
        let printed = stage.upfault(&["explain", id]);
        if printed.code == Some(0) {
            assert_plain(id, &printed.out);
        }
    }
    for args in [
        &["explain", "policies"][..],
        &["explain", "bedrock"],
        &["explain", "bedrock/rate_limit"],
        &["list"],
        &["list", "--providers"],
        &["list", "--errors"],
        &["list", "--faults"],
        &["list", "--defects"],
        &["new", "--error", "anthropic/overloaded", "--at", "inside-tool-call", "--print"],
        &["proxy", "list"],
        &["check"],
    ] {
        assert_plain(&args.join(" "), &stage.upfault(args).code(0).out);
    }
}

#[test]
fn a_report_of_every_verdict_is_plain() {
    let stage = Stage::new();
    // A debug build needs seconds for each large body, and its texts are those of the others.
    let filter = ["--filter", "!tag:large"];
    let args = ["run", "--proxy", "builtin:timeout-as-500", "-v", "--report", "json=report.json"];
    let printed = stage.upfault(&[&args[..], &filter].concat());
    assert_plain("run", &printed.out);
    assert_plain("explain REPORT", &stage.upfault(&["explain", "report.json", "--policy", "strict"]).out);
    assert_plain("explain a scenario", &stage.upfault(&["explain", "limits/rate-limit"]).code(0).out);
}

#[test]
fn messages_about_invalid_input_are_plain() {
    let stage = Stage::new();
    stage
        .write("scenarios/broken.yaml", "title: x\nupstream: [{error: rate_limitt}, {reply: 7}]\nsteps: 1\n");
    stage.write("upfault.toml", "proxi = \"litellm\"\n");
    for args in [
        &["check"][..],
        &["run", "--proxy", "litelm"],
        &["run", "--no-config", "no-such-scenario"],
        &["run", "--no-config", "--filter", "statuss:429"],
        &["explain", "--no-config", "no.such-rule"],
        &["run", "--no-config", "--policy", "no-such-policy"],
    ] {
        let printed = stage.upfault(args);
        assert_ne!(printed.code, Some(0), "{args:?}");
        assert_plain(&args.join(" "), &printed.err);
    }
}
