//! Policies by name and by file, and stored runs judged again.

use upfault::internals::judge::Policy;

use super::stage::Stage;

/// Four cases, two of which break `headers.retry-after`.
fn stored() -> Stage {
    let stage = Stage::small();
    let (said, _) = stage.run(&["scenarios/t", "--proxy", "builtin:retry-after-dropped"]);
    said.code(1).out_has(&["headers.retry-after (required)", "4 cases: 2 pass, 2 fail"]);
    stage
}

#[test]
fn a_stored_run_is_judged_as_it_was_live() {
    let stage = stored();
    stage.upfault(&["explain", "report.json"]).code(1).out_has(&[
        "FAIL t/limit[stream]",
        "headers.retry-after (required)",
        "4 cases: 2 pass, 2 fail",
        "Judged again by default; the run was judged by default: the same findings and verdicts.",
    ]);
    // Also by a policy that is bundled nowhere, since the report holds it.
    stage.write("ours.yaml", "name: ours\nretry_after: recommended\n");
    let (said, _) =
        stage.run(&["scenarios/t", "--proxy", "builtin:retry-after-dropped", "--policy", "ours.yaml"]);
    said.code(0);
    std::fs::remove_file(stage.path("ours.yaml")).unwrap();
    stage
        .upfault(&["explain", "report.json"])
        .code(0)
        .out_has(&["Judged again by ours; the run was judged by ours: the same findings and verdicts."]);
}

#[test]
fn another_policy_says_what_is_new_and_what_is_gone() {
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
    // The project's policy is that of its next run; a stored one keeps its own until it is asked.
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
        .err_has(&["upfault.toml says nothing of a policy", "help: "]);
}

#[test]
fn a_file_that_is_no_report_is_told_with_the_reason_and_a_next_step() {
    let stage = stored();
    let report = stage.read("report.json");
    for (text, words) in [
        (&report[..report.len() / 2], "is no upfault report"),
        ("{}", "is no upfault report: missing field `schema`"),
        ("[1, 2]", "is no upfault report"),
        ("", "is no upfault report"),
        ("{\"schema\": 99, \"cases\": []}", "is a report of schema 99, and this upfault reads schema 1"),
        ("{\"schema\": 1, \"proxy\": {}}", "is no upfault report: missing field"),
    ] {
        stage.write("other.json", text);
        let said =
            stage.upfault(&["explain", "other.json"]).code(2).err_has(&["other.json", words, "help: "]);
        assert_eq!(said.out, "");
    }
    stage.upfault(&["explain", "nothing.json"]).code(2).err_has(&[
        "there is no report, no scenario and no rule `nothing.json`",
        "help: `upfault run --report json=PATH` writes a report",
    ]);
    // A scenario may be JSON too.
    stage.write("limit.json", r#"{"title": "T", "why": "W", "upstream": [{"error": "rate_limit"}]}"#);
    stage.upfault(&["explain", "limit.json"]).code(0).out_has(&["head   429"]);
    stage
        .upfault(&["explain", "limit.json", "--policy", "strict"])
        .code(2)
        .err_has(&["judges a stored run again"]);
}

#[test]
fn a_policy_file_is_taken_and_its_mistakes_are_told_in_their_place() {
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
        ("name: x\ntimeout: [99]\n", &["99 is no HTTP status", "ours.yaml:2:11", "2 | timeout: [99]"]),
        (
            "extends: stric\n",
            &["there is no policy `stric` to extend", "ours.yaml:1:10", "did you mean `strict`?"],
        ),
        (
            "levels: {headers.retry-afer: lifted}\n",
            &["ours.yaml:1:10", "did you mean `headers.retry-after`?"],
        ),
        ("timeout: 504\ntimeout: 408\n", &["the key `timeout` stands here twice", "ours.yaml:2:1"]),
    ] {
        stage.write("ours.yaml", text);
        let said = by("ours.yaml").code(2).err_has(&["error: "]).err_has(words);
        assert_eq!(said.out, "");
    }
    by("our.yaml")
        .code(2)
        .err_has(&["there is no policy `our.yaml`, and no file of that name", "help: bundled are:"]);
    by("stric").code(2).err_has(&["help: did you mean `strict`?"]);
}

#[test]
fn explain_tells_every_question_with_the_answers_and_of_a_rule_which_question_decides() {
    let stage = Stage::small();
    let said = stage.upfault(&["explain", "policies"]).code(0);
    for question in Policy::QUESTIONS {
        for words in [question.key, question.asks, question.rules[0], question.possible[0]] {
            assert!(said.out.contains(words), "{}: no `{words}` in\n{}", question.key, said.out);
        }
    }
    let said = said.out_has(&["litellm-docs: 408", "strict: 504", "leak.upstream-address-header required"]);
    assert_eq!(said.err, "");
    stage
        .upfault(&["explain", "status.timeout"])
        .code(0)
        .out_has(&["status.timeout (recommended)", "The policy's `timeout` decides: What status is it"]);
    stage.write("upfault.toml", "[policy]\ntimeout = {answer = 499, reason = \"A number of ours.\"}\n");
    stage
        .upfault(&["explain", "policies"])
        .code(0)
        .out_has(&["default + upfault.toml: 499\n    A number of ours."]);
}
