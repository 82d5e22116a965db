//! Policies by name or file, and stored runs that are judged again.

use upfault::internals::judge::Policy;

use super::stage::Stage;

/// Four cases, two of which break `headers.retry-after`.
fn stored() -> Stage {
    let stage = Stage::small();
    let (printed, _) = stage.run(&["scenarios/t", "--proxy", "builtin:retry-after-dropped"]);
    printed.code(1).out_has(&["headers.retry-after (required)", "4 cases: 2 pass, 2 fail"]);
    stage
}

#[test]
fn a_stored_run_gets_the_same_judgement_as_the_live_one() {
    let stage = stored();
    stage.upfault(&["explain", "report.json"]).code(1).out_has(&[
        "FAIL t/limit[stream]",
        "headers.retry-after (required)",
        "4 cases: 2 pass, 2 fail",
        "Judged again by default; the run was judged by default: the same findings and verdicts.",
    ]);
    // This also works for a policy that is not bundled, because the report contains it.
    stage.write("ours.yaml", "name: ours\nretry_after: recommended\n");
    let (printed, _) =
        stage.run(&["scenarios/t", "--proxy", "builtin:retry-after-dropped", "--policy", "ours.yaml"]);
    printed.code(0);
    std::fs::remove_file(stage.path("ours.yaml")).unwrap();
    stage
        .upfault(&["explain", "report.json"])
        .code(0)
        .out_has(&["Judged again by ours; the run was judged by ours: the same findings and verdicts."]);
}

#[test]
fn a_stored_case_is_shown_as_the_run_showed_it() {
    let stage = stored();
    // Without ids, the cases that failed.
    let shown = stage.upfault(&["show", "report.json"]).code(0).out_has(&[
        "FAIL t/limit\n",
        "FAIL t/limit[stream]\n",
        "caller got     429",
        "upstream sent  429",
        "again: ",
    ]);
    assert!(!shown.out.contains("PASS"), "{}", shown.out);
    let live = stage.upfault(&["run", "scenarios/t", "--proxy", "builtin:retry-after-dropped"]).code(1).out;
    let heading = live.lines().find(|line| line.starts_with("FAIL t/limit")).unwrap();
    assert!(shown.out.contains(heading));
    // An id is that of a case; only an id that no case has selects a scenario or is a pattern.
    let one = stage.upfault(&["show", "report.json", "t/limit"]).code(0).out;
    assert!(one.contains("t/limit\n") && !one.contains("t/limit[stream]\n"), "{one}");
    let all = stage.upfault(&["show", "report.json", "t/*"]).code(0).out;
    assert_eq!(all.matches("\nPASS ").count() + usize::from(all.starts_with("PASS ")), 2, "{all}");
    stage
        .upfault(&["show", "report.json", "t/limi"])
        .code(2)
        .err_has(&["no case `t/limi`", "did you mean `t/limit`?"]);
    stage.upfault(&["show", "no-such.json"]).code(2).err_has(&["cannot read the report"]);
}

#[test]
fn judging_by_another_policy_shows_new_and_missing_findings() {
    let stage = stored();
    stage.upfault(&["explain", "report.json", "--policy", "litellm-docs"]).code(0).out_has(&[
        "Judged again by litellm-docs; the run was judged by default:",
        "t/limit[stream]\n    gone: headers.retry-after (required)",
        "4 cases: 4 pass",
    ]);
    stage.write("ours.yaml", "retry_after: {answer: informative, reason: We look at it.}\n");
    stage.upfault(&["explain", "report.json", "--policy", "ours.yaml"]).code(0).out_has(&[
        "Judged again by default, with retry_after = informative; the run was judged by default:",
        "new: headers.retry-after (informative)",
        "gone: headers.retry-after (required)",
    ]);
    stage.write("upfault.toml", "[policy]\nretry_after = {answer = \"lifted\", reason = \"So.\"}\n");
    // The policy of the project applies to its next run. A stored run keeps its policy unless --policy is given.
    stage
        .upfault(&["explain", "report.json"])
        .code(1)
        .out_has(&["Judged again by default;", "the same findings and verdicts"]);
    stage
        .upfault(&["explain", "report.json", "--policy", "upfault.toml"])
        .code(0)
        .out_has(&["Judged again by default + upfault.toml, with retry_after = lifted;"]);
    stage.write("upfault.toml", "seed = 1\n");
    stage
        .upfault(&["explain", "report.json", "--policy", "upfault.toml"])
        .code(2)
        .err_has(&["upfault.toml does not contain a policy", "help: "]);
}

#[test]
fn a_file_that_is_not_a_report_is_an_error_with_the_reason_and_a_next_step() {
    let stage = stored();
    let report = stage.read("report.json");
    for (text, words) in [
        (&report[..report.len() / 2], "is not an upfault report"),
        ("{}", "is not an upfault report: missing field `schema`"),
        ("[1, 2]", "is not an upfault report"),
        ("", "is not an upfault report"),
        (
            "{\"schema\": 99, \"cases\": []}",
            "is a report with schema version 99, but this upfault reads versions 1 to 2",
        ),
        ("{\"schema\": 1, \"proxy\": {}}", "is not an upfault report: missing field"),
    ] {
        stage.write("other.json", text);
        let printed =
            stage.upfault(&["explain", "other.json"]).code(2).err_has(&["other.json", words, "help: "]);
        assert_eq!(printed.out, "");
    }
    stage.upfault(&["explain", "nothing.json"]).code(2).err_has(&[
        "no report, scenario, rule or provider is called `nothing.json`",
        "help: `upfault run --report json=PATH` writes a report",
    ]);
    // A scenario may be JSON too.
    stage.write("limit.json", r#"{"title": "T", "why": "W", "upstream": [{"error": "rate_limit"}]}"#);
    stage.upfault(&["explain", "limit.json"]).code(0).out_has(&["head   429"]);
    stage
        .upfault(&["explain", "limit.json", "--policy", "strict"])
        .code(2)
        .err_has(&["--policy applies to a stored report"]);
}

#[test]
fn a_policy_file_is_used_and_its_errors_are_shown_with_their_positions() {
    let stage = Stage::small();
    let run = ["run", "scenarios/t", "--proxy", "builtin:retry-after-dropped", "--policy"];
    let by = |policy: &str| stage.upfault(&[&run[..], &[policy]].concat());
    stage.write(
        "ours.yaml",
        "extends: rfc9110\nretry_after: {answer: lifted, reason: Our clients never wait.}\n",
    );
    by("ours.yaml").code(0).out_has(&["policy rfc9110, with retry_after = lifted", "4 cases: 4 pass"]);
    for (text, words) in [
        (
            "retry_aftr: lifted\n",
            &["unknown key `retry_aftr`", "ours.yaml:1:1", "did you mean `retry_after`?"][..],
        ),
        ("name: x\ntimeout: [99]\n", &["99 is not an HTTP status", "ours.yaml:2:11", "2 | timeout: [99]"]),
        (
            "extends: stric\n",
            &["unknown policy `stric`, which cannot be extended", "ours.yaml:1:10", "did you mean `strict`?"],
        ),
        (
            "levels: {headers.retry-afer: lifted}\n",
            &["ours.yaml:1:10", "did you mean `headers.retry-after`?"],
        ),
        ("timeout: 504\ntimeout: 408\n", &["the key `timeout` is specified twice", "ours.yaml:2:1"]),
    ] {
        stage.write("ours.yaml", text);
        let printed = by("ours.yaml").code(2).err_has(&["error: "]).err_has(words);
        assert_eq!(printed.out, "");
    }
    by("our.yaml").code(2).err_has(&[
        "unknown policy `our.yaml`, and no file with this name",
        "help: the policies are: `default`",
    ]);
    by("stric").code(2).err_has(&["help: did you mean `strict`?"]);
}

#[test]
fn explain_shows_the_answers_to_every_question_and_the_question_that_decides_a_rule() {
    let stage = Stage::small();
    let printed = stage.upfault(&["explain", "policies"]).code(0);
    for question in Policy::QUESTIONS {
        for words in [question.key, question.asks, question.rules[0], question.possible[0]] {
            assert!(printed.out.contains(words), "{}: no `{words}` in\n{}", question.key, printed.out);
        }
    }
    let printed =
        printed.out_has(&["litellm-docs: 408", "strict: 504", "leak.upstream-address-header required"]);
    assert_eq!(printed.err, "");
    stage.upfault(&["explain", "status.timeout"]).code(0).out_has(&[
        "status.timeout (recommended)",
        "The policy's `timeout` decides: Which status reports that",
    ]);
    stage.write("upfault.toml", "[policy]\ntimeout = {answer = 499, reason = \"A number of ours.\"}\n");
    stage
        .upfault(&["explain", "policies"])
        .code(0)
        .out_has(&["default + upfault.toml: 499\n    A number of ours."]);
}
